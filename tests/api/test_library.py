"""The Runbook library and the rights of a few actions, as an API server takes them."""

from pathlib import Path

import yaml
from tests.api.support import Cluster, can, eventually, rest
from typer.testing import CliRunner

from hemostat.api import GROUP
from hemostat.cli.main import app

ROOT = Path(__file__).parents[2]


def test_one_command_installs_the_whole_library_into_a_namespace(cluster: Cluster, namespace: str) -> None:
    library = str(ROOT / "remediations")
    cluster.kubectl("apply", "--server-side", "-n", namespace, "-k", library)
    found = {r["metadata"]["name"]: r for r in cluster.admin.list(rest("runbooks", namespace, f"{GROUP}/v1alpha1"))}
    files = {p.stem for p in (ROOT / "remediations/runbooks").glob("*/*.yaml")} - {"kustomization"}
    assert set(found) == files
    assert all(r["spec"]["state"] == "Active" and r["spec"]["guidance"] for r in found.values())
    again = cluster.kubectl("apply", "--server-side", "-n", namespace, "-k", library)
    assert "conflict" not in again.stderr


def test_who_grants_two_actions_grants_no_others(cluster: Cluster, namespace: str) -> None:
    """What `hemostat remediation rbac` prints, under other names: other tests use the roles that are installed."""
    printed = CliRunner().invoke(app, ["remediation", "rbac", "restart", "rollback"])
    target, nodes = yaml.safe_load_all(printed.stdout)
    name = f"few-{namespace}"
    for role in (target, nodes):
        role["metadata"]["name"] += f"-{name}"
        cluster.make(role)
    account = cluster.account(namespace, "few")
    cluster.grant(account, namespace, role=target["metadata"]["name"])
    few = cluster.service_account(namespace, "few")
    eventually(lambda: can(few, "patch", "deployments", namespace, "apps"), f"{account} may patch Deployments")
    assert can(few, "list", "replicasets", namespace, "apps")
    for verb, resource, group in (
        ("create", "networkpolicies", "networking.k8s.io"),
        ("patch", "cronjobs", "batch"),
        ("patch", "configmaps", ""),
        ("patch", "nodes", ""),
    ):
        assert not can(few, verb, resource, namespace, group), resource
