"""What actions on workloads write: done and undone on a real API server with its controllers, by `act`'s own rights;
afterwards everything is as it was and belongs to whom it belonged to."""

import contextlib
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from tests.api.modules import KEDA
from tests.api.support import Cluster, eventually, refusal, rest
from tests.api.workloads import OWNER, PLURALS, Town

from hemostat.action.ownership import managers
from hemostat.errors import Refused
from hemostat.kube import path_of, revisions_of
from hemostat.observe.trim import trim
from hemostat.signals.changes import present_revision, revision_name
from hemostat_chaos.cluster.apiserver import ApiServer

Json = dict[str, Any]


@pytest.fixture(scope="module")
def town() -> Iterator[Town]:
    with ApiServer(controllers=True) as server:
        cluster = Cluster(server)
        cluster.install()
        for definition in KEDA.definitions():
            cluster.kubectl("apply", "--server-side", "--filename=-", input=json.dumps(definition))
        cluster.kubectl("wait", "--for=condition=Established", "--timeout=30s", "crd", "--all")
        yield Town(cluster)


def revision(town: Town, kind: str, name: str) -> str:
    """Return the name of the present revision as `observe` finds it, out of what it keeps of objects."""
    live = town.live("apps/v1", kind, name)
    owned = [trim(o["kind"], o) for o in revisions_of(town.cluster.admin, town.namespace, live)]
    found = present_revision(trim(kind, live) | {"apiVersion": "apps/v1"}, owned)
    return revision_name(found) if found is not None else ""


def volumes(config: str, secret: str) -> Json:
    return {
        "volumes": [
            {"name": "config", "configMap": {"name": config}},
            {"name": "all", "projected": {"sources": [{"secret": {"name": secret}}]}},
        ]
    }


@pytest.mark.parametrize("kind", PLURALS)
def test_the_way_back_to_a_healthy_revision_or_to_what_it_referred_to(town: Town, kind: str) -> None:
    name = town.cluster.new_name()
    meta = {"name": name, "namespace": town.namespace}
    town.cluster.make({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"mode": "good"}})
    good = town.apply(kind, name, pod=volumes(name, "key-1"), container={"tty": True})
    eventually(lambda: revision(town, kind, name) != "", "the first revision is there")
    first = revision(town, kind, name)
    town.healthy(good, [first])
    bad = town.apply(kind, name, "example/app:bad", pod=volumes("new", "key-2"), container={"stdin": True})
    eventually(lambda: revision(town, kind, name) not in ("", first), "the second revision is there")
    assert first in town.there_and_back("rollback", bad).summary
    plan = town.there_and_back("restore-config", bad)
    wanted = {**bad["spec"]["template"]["spec"], "volumes": good["spec"]["template"]["spec"]["volumes"]}
    assert json.loads(plan.effects[0].ops[0].value or "")["spec"] == wanted


def test_a_pod_that_keeps_a_statefulset_from_rolling_back_is_evicted(town: Town) -> None:
    """https://github.com/kubernetes/kubernetes/issues/67250: without that it waits for the broken pod for ever."""
    name = town.cluster.new_name()
    good = town.apply("StatefulSet", name, replicas=1)
    pods = rest("pods", town.namespace)
    eventually(lambda: bool([p for p in town.cluster.admin.list(pods) if p["metadata"]["name"] == f"{name}-0"]), "pod")
    eventually(lambda: revision(town, "StatefulSet", name) != "", "the first revision is there")
    first = revision(town, "StatefulSet", name)
    town.healthy(good, [first])
    bad = town.apply("StatefulSet", name, "example/app:bad", replicas=1)
    town.cluster.admin.delete(f"{pods}/{name}-0", town.cluster.admin.get(f"{pods}/{name}-0")["metadata"]["uid"])

    def of_revision() -> str:
        found = [p for p in town.cluster.admin.list(pods) if p["metadata"]["name"] == f"{name}-0"]
        return found[0]["metadata"]["labels"]["controller-revision-hash"] if found else ""

    eventually(lambda: of_revision() not in ("", f"{name}-{first}"), "the pod is of the bad revision")
    plan = town.plan("rollback", bad)
    assert [(e.verb.value, e.kind, e.name, e.subresource) for e in plan.effects[1:]] == [
        ("Delete", "Pod", f"{name}-0", "eviction")
    ]
    for number, effect in enumerate(plan.effects):
        town.do(plan, number, effect)
    eventually(lambda: of_revision() == f"{name}-{first}", "the pod is of the good revision")


FLUX = {"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}


def test_what_flux_applies_is_left_to_its_repository(town: Town) -> None:
    """By the entries of a real API server: what the repository does not state is not Flux's."""
    name = town.cluster.new_name()
    live = town.apply("Deployment", name, by="kustomize-controller", labels=FLUX)
    with pytest.raises(Refused, match=r"flux-system/apps.*spec\.replicas: 4"):
        town.plan("scale", live)
    free = town.apply("Deployment", town.cluster.new_name(), by="kustomize-controller", labels=FLUX, replicas=None)
    assert town.plan("scale", free).overwritten_by == ()
    disabled = {"kustomize.toolkit.fluxcd.io/reconcile": "disabled"}
    let = town.apply(
        "Deployment", town.cluster.new_name(), by="kustomize-controller", labels=FLUX, annotations=disabled
    )
    assert town.there_and_back("scale", let).overwritten_by == ()


@pytest.mark.parametrize("by", ["argocd-controller", "argocd-application-controller"])
def test_of_argo_cd_a_person_is_told(town: Town, by: str) -> None:
    name = town.cluster.new_name()
    tracked = {"argocd.argoproj.io/tracking-id": f"shop:apps/Deployment:{town.namespace}/{name}"}
    live = town.apply("Deployment", name, by=by, annotations=tracked)
    assert town.plan("scale", live).overwritten_by == ("Argo CD application shop",)


@pytest.mark.parametrize(
    ("kind", "given"), [("Deployment", {"factorPercent": 150}), ("StatefulSet", {"factorPercent": 50})]
)
def test_replicas_are_scaled_out_and_in_and_back(town: Town, kind: str, given: Json) -> None:
    live = town.apply(kind, town.cluster.new_name(), replicas=4)
    plan = town.there_and_back("scale", live, **given)
    assert plan.effects[0].subresource == "scale"


def scaler(town: Town, kind: str, name: str, **spec: Any) -> Json:
    """Be the team that applies an autoscaler."""
    api_version, metric = {
        "HorizontalPodAutoscaler": ("autoscaling/v2", {}),
        "ScaledObject": ("keda.sh/v1alpha1", {"triggers": [{"type": "cpu", "metadata": {"value": "50"}}]}),
    }[kind]
    ref = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    meta = {"name": name, "namespace": town.namespace}
    body = {"apiVersion": api_version, "kind": kind, "metadata": meta, "spec": {"scaleTargetRef": ref} | metric | spec}
    return town.cluster.admin.apply(path_of(api_version, kind, town.namespace, name), body, OWNER)


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("HorizontalPodAutoscaler", {"minReplicas": 2, "maxReplicas": 9}),
        ("ScaledObject", {}),
        ("ScaledObject", {"minReplicaCount": 1, "maxReplicaCount": 3}),
    ],
)
def test_the_bounds_of_an_autoscaler_are_moved_and_moved_back(town: Town, kind: str, spec: Json) -> None:
    """By the schemas of Kubernetes and of KEDA itself; the workload is not written to."""
    live = town.apply("Deployment", town.cluster.new_name())
    scaler(town, kind, live["metadata"]["name"], **spec)
    plan = town.there_and_back("scale", live)
    assert [e.kind for e in plan.effects] == [kind]


def test_the_schema_of_keda_is_the_real_one(town: Town) -> None:
    """Else the test above would pass with any."""
    assert "maxReplicaCount" in refusal(lambda: scaler(town, "ScaledObject", "wrong", maxReplicaCount="many"))


def test_a_rollout_is_paused_and_resumed_and_each_is_undone(town: Town) -> None:
    name = town.cluster.new_name()
    town.apply("Deployment", name)
    town.there_and_back("pause-rollout", town.apply("Deployment", name, "example/app:2"))
    town.there_and_back("resume-rollout", town.apply("Deployment", name, "example/app:2", paused=True))


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_a_restart_changes_the_template_and_is_nobodys(town: Town, kind: str) -> None:
    """The owner's next apply must neither need force nor take the annotation away, which would restart it again."""
    name = town.cluster.new_name()
    live = town.apply(kind, name)
    plan = town.there("restart", live)
    again = town.apply(kind, name)
    assert again["spec"]["template"]["metadata"]["annotations"] == {
        "kubectl.kubernetes.io/restartedAt": json.loads(plan.effects[0].ops[0].value or "")
    }
    assert not [m for m in managers(again) if m.startswith("hemostat-")]


AMOUNTS = {
    "cpu": ["1m", "0.5", "1000m", "1500m", "2k"],
    "memory": ["1Mi", "1024Mi", "1536Mi", "129e6", "1.5Gi", "900k"],
}


def test_resources_are_written_as_the_server_writes_them_and_back(town: Town) -> None:
    """Of generated containers: else the undo would find another amount than was written, and leave it."""
    chance, done = random.Random(8), 0
    for _ in range(4):
        name, factor = town.cluster.new_name(), chance.choice([50, 75, 130, 300])
        resource = chance.choice(["cpu", "memory"])
        limits = {r: chance.choice(found) for r, found in AMOUNTS.items()}
        requests = {r: value for r, value in limits.items() if chance.random() < 0.7}
        container = {"resources": {"limits": limits, "requests": requests}}
        live = town.apply(chance.choice(list(PLURALS)), name, container=container)
        most = "9k" if resource == "cpu" else "9Gi"
        with contextlib.suppress(Refused):  # as of an amount that is the least already
            town.there_and_back("set-resources", live, resource=resource, factorPercent=factor, most=most)
            done += 1
    assert done >= 2


def test_what_is_written_whole_gives_back_what_several_owners_applied(town: Town) -> None:
    """A field of another team's in the template stays theirs."""
    name = town.cluster.new_name()
    town.apply("Deployment", name, container={"resources": {"limits": {"memory": "64Mi"}}})
    env = {"name": "main", "env": [{"name": "A", "value": "x"}]}
    body = {"metadata": {"name": name}, "spec": {"template": {"spec": {"containers": [env]}}}}
    path = rest("deployments", town.namespace, "apps/v1", name)
    live = town.cluster.admin.apply(path, {"apiVersion": "apps/v1", "kind": "Deployment", **body}, f"{OWNER}-b")
    town.there_and_back("set-resources", live, resource="memory", most="1Gi")
