"""The two Deployments as they run: what they may, and how they are confined."""

import pytest

from hemostat.api.identity import ACT_USER, OBSERVE_USER
from hemostat.errors import Refused
from hemostat_chaos.demo.kubectl import Kubectl


@pytest.mark.parametrize("process", ["observe", "act"])
def test_the_pods_are_confined(kubectl: Kubectl, process: str) -> None:
    import json

    pods = json.loads(
        kubectl(
            "get", "pods", "-n", "hemostat-system", "-l", f"app.kubernetes.io/name=hemostat-{process}", "-o", "json"
        )
    )["items"]
    assert len(pods) == 1
    spec = pods[0]["spec"]
    assert spec["serviceAccountName"] == f"hemostat-{process}"
    assert spec["securityContext"]["runAsNonRoot"] is True
    (container,) = spec["containers"]
    assert container["image"] == "hemostat:dev"
    context = container["securityContext"]
    assert context == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }


@pytest.mark.parametrize(
    ("user", "verb", "resource", "namespace", "allowed"),
    [
        (OBSERVE_USER, "patch", "deployments.apps", "shop", False),
        (OBSERVE_USER, "create", "approvals.hemostat.dev", "shop", False),
        (OBSERVE_USER, "update", "runbooks.hemostat.dev", "shop", False),
        (OBSERVE_USER, "patch", "runbooks.hemostat.dev", "shop", False),
        (OBSERVE_USER, "create", "incidents.hemostat.dev", "shop", True),
        (OBSERVE_USER, "get", "secrets", "shop", False),
        (ACT_USER, "patch", "deployments.apps", "shop", True),
        (ACT_USER, "patch", "deployments.apps", "monitoring", False),
        (ACT_USER, "patch", "deployments.apps", "hemostat-system", False),
        (ACT_USER, "delete", "deployments.apps", "shop", False),
        (ACT_USER, "create", "approvals.hemostat.dev", "shop", False),
        (ACT_USER, "get", "secrets", "shop", False),
    ],
)
def test_what_they_may_do(kubectl: Kubectl, user: str, verb: str, resource: str, namespace: str, allowed: bool) -> None:
    question = ("auth", "can-i", verb, resource, "-n", namespace, "--as", user)
    if allowed:
        assert kubectl(*question).strip() == "yes"
    else:
        with pytest.raises(Refused, match="no"):
            kubectl(*question)


def test_protected_namespaces_are_refused_whatever_rbac_says(kubectl: Kubectl) -> None:
    kubectl("create", "clusterrolebinding", "too-much", "--clusterrole=cluster-admin", f"--user={ACT_USER}")
    try:
        for namespace, name in (("kube-system", "coredns"), ("hemostat-system", "hemostat-observe")):
            with pytest.raises(Refused, match="must not act in a protected namespace"):
                kubectl("scale", "-n", namespace, f"deployment/{name}", "--replicas=3", "--as", ACT_USER)
    finally:
        kubectl("delete", "clusterrolebinding", "too-much")
