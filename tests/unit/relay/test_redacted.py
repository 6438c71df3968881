"""A diff is told without secrets, and an ordinary one as it is: else nothing could be approved in Slack."""

from hemostat.action.contract import unified_diff
from hemostat.relay.redacted import UNTELLABLE, redacted_diff


def _template(version, digest):
    env = [
        {"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"key": "password", "name": f"db-{version}"}}},
        {"name": "MAX_TOKENS", "value": f"{version}000"},
        {"name": "PASSWORD_FILE", "value": f"/run/secrets/{version}"},
    ]
    container = {"args": ["--max-tokens", version], "env": env, "image": f"registry.k8s.io/pay@sha256:{digest * 4}"}
    volume = {"name": "token", "secret": {"secretName": f"db-{version}"}}
    spec = {"automountServiceAccountToken": False, "containers": [container], "volumes": [volume]}
    return {"metadata": {"annotations": {"checksum/config": digest * 4}}, "spec": spec}


def test_an_ordinary_diff_of_a_pod_template_stays_as_it_is():
    diff = unified_diff(_template("1", "9f86d081884c7d65"), _template("2", "2feaa0c55ad015a3"), "Deployment/payment")
    assert diff.count("\n") > 20
    assert redacted_diff(diff) == diff


def test_a_secret_over_several_lines_takes_the_diff_with_it():
    """Which lines are left is not known then."""
    key = ["-----BEGIN RSA PRIVATE KEY-----", "zebra", "quagga", "-----END RSA PRIVATE KEY-----"]
    assert redacted_diff(unified_diff({"args": key}, {"args": []}, "Deployment/payment")) == UNTELLABLE


def test_redacting_a_diff_again_changes_nothing():
    once = redacted_diff(unified_diff({"password": "zebra", "a": 1}, {"password": "okapi", "a": 2}, "x"))
    assert "zebra" not in once
    assert "okapi" not in once
    assert redacted_diff(once) == once
