"""The manifests and the code agree, and the numbers give the loads the demonstration promises."""

from functools import cache
from pathlib import Path

import pytest
import yaml

from hemostat_chaos.shop import process
from hemostat_chaos.shop.roles import ROLES, peers
from hemostat_chaos.shop.settings import read

FOLDER = Path(__file__).parents[3] / "chaos" / "shop"


@cache
def documents(name):
    return list(yaml.safe_load_all((FOLDER / name).read_text()))


def deployment(role):
    return next(d for d in documents(f"{role}.yaml") if d["kind"] == "Deployment")


def container(role):
    (only,) = deployment(role)["spec"]["template"]["spec"]["containers"]
    return only


def environment(role):
    return {entry["name"]: entry.get("value", "x") for entry in container(role)["env"]}


def test_every_manifest_is_listed():
    (kustomization,) = documents("kustomization.yaml")
    assert sorted(kustomization["resources"]) == sorted(
        ["alerts", *(path.name for path in FOLDER.glob("*.yaml") if path.name != "kustomization.yaml")]
    )


def test_prometheus_reads_the_alerts_about_hemostat():
    """Whoever watches the demonstration sees them; and where nobody made the ConfigMap it would never start."""
    (config,) = (d for d in documents("prometheus.yaml") if d["kind"] == "ConfigMap")
    (prometheus,) = (d for d in documents("prometheus.yaml") if d["kind"] == "Deployment")
    pod = prometheus["spec"]["template"]["spec"]
    (volume,) = (v for v in pod["volumes"] if v["name"] == "alerts")
    (mount,) = (m for m in pod["containers"][0]["volumeMounts"] if m["name"] == "alerts")
    (ours,) = documents("alerts/kustomization.yaml")
    (source,) = ((FOLDER / "alerts" / path).resolve() for path in ours["resources"])
    made = yaml.safe_load((source / "kustomization.yaml").read_text())
    assert made["configMapGenerator"] == [{"name": volume["configMap"]["name"], "files": ["hemostat.rules.yaml"]}]
    assert made["generatorOptions"] == {"disableNameSuffixHash": True}
    assert ours["namespace"] == prometheus["metadata"]["namespace"]
    assert yaml.safe_load(config["data"]["prometheus.yml"])["rule_files"] == [f"{mount['mountPath']}/*.yaml"]


@pytest.mark.parametrize("role", ROLES)
def test_the_program_accepts_what_the_manifest_sets(role):
    settings = read(role, environment(role))
    assert container(role)["command"] == ["python3", "-m", "hemostat_chaos.shop", role]
    assert settings.port == container(role)["ports"][0]["containerPort"]
    for peer in peers(ROLES[role]):
        (service,) = (d for d in documents(f"{peer}.yaml") if d["kind"] == "Service")
        assert settings.peers[peer] == f"http://{service['metadata']['name']}:{service['spec']['ports'][0]['port']}"


@pytest.mark.parametrize("role", ROLES)
def test_pods_meet_the_restricted_standard(role):
    pod = deployment(role)["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container(role)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


@pytest.mark.parametrize("role", ROLES)
def test_a_pod_has_time_to_stop_and_a_rollout_takes_none_away(role):
    spec = deployment(role)["spec"]
    stopping = read(role, environment(role)).linger + process.DRAIN + process.FLUSH
    assert stopping + 1 <= spec["template"]["spec"]["terminationGracePeriodSeconds"]
    assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


@pytest.mark.parametrize(("times", "replicas", "expected"), [(1, 2, 0.45), (2, 2, 0.90), (2, 4, 0.45)])
def test_the_catalogs_utilisation(times, replicas, expected):
    load = read("load", environment("load"))
    catalog = read("catalog", environment("catalog"))
    offered = times * load.rps * (1 - load.buy_percent / 100) * catalog.work
    assert offered / (replicas * catalog.workers) == pytest.approx(expected, abs=0.01)
    assert deployment("catalog")["spec"]["replicas"] == 2


def test_what_is_queued_can_be_finished_while_stopping():
    catalog = read("catalog", environment("catalog"))
    assert catalog.queue_wait + 1.1 * catalog.work < process.DRAIN
    assert catalog.queue_wait + 1.1 * catalog.work < read("frontend", environment("frontend")).call_timeout
