"""`run-script` on a real API server: its Job and NetworkPolicy are taken, and its pod holds the strictest standard."""

from tests.api import objects
from tests.api.roundtrip import Trip
from tests.api.support import MANAGER, RBAC, Cluster, can, eventually, refusal, rest

from hemostat.action.registry import discover
from hemostat.api.rbac import opt_in

ACTION = discover()["run-script"]
IMAGE = "example/tools@sha256:" + "a" * 64


def test_it_runs_once_by_the_restricted_standard_behind_a_policy(cluster: Cluster) -> None:
    shop = cluster.make_namespace("", {"pod-security.kubernetes.io/enforce": "restricted"})
    cluster.account(shop, "default")
    cluster.admin.create(rest("rolebindings", shop, RBAC), opt_in(shop), MANAGER)
    eventually(lambda: can(cluster.act, "create", "jobs", shop, "batch"), "act has opted in")
    target = cluster.make(objects.deployment("payment", shop))
    trip = Trip(cluster, shop, ACTION, target, script="echo {a}", image=IMAGE, claim="data", memoryMib="1024")
    trip.there()
    name = trip.plan.effects[0].name
    policy = cluster.admin.get(rest("networkpolicies", shop, "networking.k8s.io/v1", name))
    job = cluster.admin.get(rest("jobs", shop, "batch/v1", name))
    template = job["spec"]["template"]
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= template["metadata"]["labels"].items()

    def refused(**more: object) -> str:
        spec = template["spec"] | more
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "namespace": shop}, "spec": spec}
        return refusal(lambda: cluster.admin.create(rest("pods", shop), body, MANAGER, dry_run=True))

    assert refused() == ""
    assert "violates PodSecurity" in refused(hostNetwork=True), "else the standard would not be in force"
