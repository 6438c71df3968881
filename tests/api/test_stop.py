"""The stop switch on a real API server, with the real rights of `act` and no operator: what is refused."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.api import objects
from tests.api.support import MANAGER, RBAC, Cluster, can, eventually, refusal, rest
from typer.testing import CliRunner

from hemostat.act.facts import Facts
from hemostat.act.store import Store
from hemostat.api import rbac, stop
from hemostat.api.identity import NAMESPACE, REMEDIATION_LABEL
from hemostat.api.remediation import Plan
from hemostat.api.stop import Level
from hemostat.cli.main import app
from hemostat.clock import SystemClock
from hemostat.gate.input import Go, Room
from hemostat.gate.room import MANY
from hemostat.kube import Kube, path_of

Json = dict[str, Any]
FORWARD, INVERSE = "hemostat-uid-0-forward", "hemostat-uid-0-inverse"
REFUSED = "Hemostat is stopped: Role hemostat-go"


class Place:
    """A namespace that opted in, and the writes of every kind that `act` does there, with why each was refused."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.act = cluster, cluster.act
        self.namespace = cluster.make_namespace()
        cluster.admin.create(rest("rolebindings", self.namespace, RBAC), rbac.opt_in(self.namespace), MANAGER)
        cluster.make(objects.deployment("payment", self.namespace))
        self.path = path_of("apps/v1", "Deployment", self.namespace, "payment")
        self.replicas = 2
        eventually(lambda: refusal(lambda: self.patch(FORWARD)) == "", "act may patch here")

    def patch(self, manager: str, *, dry_run: bool = False) -> None:
        self.replicas += 1
        ops = [{"op": "replace", "path": "/spec/replicas", "value": self.replicas}]
        self.act.json_patch(f"{self.path}/scale", ops, manager, dry_run=dry_run)

    def template(self, manager: str) -> None:
        self.replicas += 1
        ops = [{"op": "add", "path": "/spec/template/metadata/annotations", "value": {"n": str(self.replicas)}}]
        self.act.json_patch(self.path, ops, manager)

    def create(self) -> Json:
        meta = {"name": self.cluster.new_name(), "namespace": self.namespace, "labels": {REMEDIATION_LABEL: "uid"}}
        kind = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy"}
        body = {**kind, "metadata": meta, "spec": {"podSelector": {}}}
        return self.act.create(path_of("networking.k8s.io/v1", "NetworkPolicy", self.namespace, ""), body, FORWARD)

    def delete(self, made: Json) -> None:
        at = path_of("networking.k8s.io/v1", "NetworkPolicy", self.namespace, made["metadata"]["name"])
        self.act.delete(at, made["metadata"]["uid"])

    def evict(self) -> None:
        self.act.evict(path_of("v1", "Pod", self.namespace, "none"), "uid")

    def begins(self) -> dict[str, str]:
        tried = {
            "scale": lambda: self.patch(FORWARD),
            "dry run": lambda: self.patch(FORWARD, dry_run=True),
            "template": lambda: self.template(FORWARD),
            "unnamed": lambda: self.patch(""),
            "create": self.create,
            "evict": self.evict,
        }
        return {name: refusal(request) for name, request in tried.items()}

    def undoes(self, made: Json) -> dict[str, str]:
        tried = {
            "scale": lambda: self.patch(INVERSE),
            "template": lambda: self.template(INVERSE),
            "release": lambda: self.template("hemostat-release"),
            "delete": lambda: self.delete(made),
        }
        return {name: refusal(request) for name, request in tried.items()}


@pytest.fixture(scope="module")
def place(cluster: Cluster) -> Place:
    return Place(cluster)


@pytest.fixture(autouse=True)
def running(cluster: Cluster, place: Place) -> Iterator[None]:
    yield
    cluster.admin.apply(stop.path("rolebindings"), stop.binding(), MANAGER, force=True)
    switched(cluster, Level.RUNS)
    eventually(lambda: refusal(lambda: place.patch(FORWARD)) == "", "it runs again")


def switched(cluster: Cluster, level: Level, who: Kube | None = None) -> None:
    (who or cluster.admin).apply(stop.path(), stop.role(level), "kubectl-hemostat", force=True)
    for verb in (stop.BEGIN, stop.UNDO):
        granted = level is Level.RUNS or (level is Level.NO_NEW_ACTIONS and verb == stop.UNDO)
        eventually(lambda v=verb, g=granted: may(cluster, v) is g, f"{verb} is {granted}")


def may(cluster: Cluster, verb: str) -> bool:
    return can(cluster.act, verb, stop.RESOURCE, NAMESPACE, "hemostat.dev")


def stopped(place: Place) -> None:
    eventually(lambda: REFUSED in refusal(lambda: place.patch(FORWARD)), "it is stopped")


def test_when_it_runs_it_may_begin_and_undo(place: Place) -> None:
    said = place.begins()
    assert "not found" in said.pop("evict")
    assert set(said.values()) == {""}
    assert set(place.undoes(place.create()).values()) == {""}


def test_at_the_first_level_nothing_is_begun_and_what_was_done_is_undone(cluster: Cluster, place: Place) -> None:
    made = place.create()
    switched(cluster, Level.NO_NEW_ACTIONS)
    stopped(place)
    assert all(REFUSED in said for said in place.begins().values())
    assert set(place.undoes(made).values()) == {""}


def test_at_the_second_level_nothing_is_done(cluster: Cluster, place: Place) -> None:
    made = place.create()
    switched(cluster, Level.NOTHING)
    stopped(place)
    assert all(REFUSED in said for said in (place.begins() | place.undoes(made)).values())


GARBLED: dict[str, list[Json]] = {
    "empty": [],
    "another resource": [{"apiGroups": ["hemostat.dev"], "resources": ["incidents"], "verbs": ["begin", "undo"]}],
    "another group": [{"apiGroups": ["apps"], "resources": ["actions"], "verbs": ["begin", "undo"]}],
    "other verbs": [{"apiGroups": ["hemostat.dev"], "resources": ["actions"], "verbs": ["Begin", "go"]}],
}


@pytest.mark.parametrize("rules", GARBLED.values(), ids=GARBLED)
def test_what_says_something_else_grants_nothing(cluster: Cluster, place: Place, rules: list[Json]) -> None:
    made = place.create()
    cluster.admin.apply(stop.path(), stop.role(Level.RUNS) | {"rules": rules}, "kubectl-hemostat", force=True)
    stopped(place)
    assert all(REFUSED in said for said in (place.begins() | place.undoes(made)).values())


@pytest.mark.parametrize("kind", ["roles", "rolebindings"])
def test_where_it_is_deleted_nothing_is_done_and_others_work_on(cluster: Cluster, place: Place, kind: str) -> None:
    made = place.create()
    cluster.admin.delete(stop.path(kind), cluster.admin.get(stop.path(kind))["metadata"]["uid"])
    stopped(place)
    assert all(REFUSED in said for said in (place.begins() | place.undoes(made)).values())
    ops = [{"op": "replace", "path": "/spec/replicas", "value": 1}]
    assert refusal(lambda: cluster.admin.json_patch(place.path, ops, MANAGER)) == "", "nobody else is stopped"


def test_when_stopped_it_still_says_what_it_does(cluster: Cluster, place: Place) -> None:
    """Remediations are held with the reason, Incidents go on, Events are told, rights are asked for."""
    made = cluster.planned(place.namespace, "held", objects.HASH_A)
    switched(cluster, Level.NOTHING)
    stopped(place)
    read = cluster.admin.get(objects.KINDS["Remediation"].path(place.namespace, "held"))
    status = {**read["status"], "conditions": [objects.condition("Admitted", "Unknown", "Held")]}
    assert cluster.set_status({**made, **read}, status, cluster.act)["status"]["conditions"][0]["reason"] == "Held"
    assert may(cluster, stop.BEGIN) is False
    ref = {"apiVersion": "hemostat.dev/v1alpha1", "kind": "Remediation", "name": "held", "namespace": place.namespace}
    event = {"apiVersion": "v1", "kind": "Event", "metadata": {"name": "said", "namespace": place.namespace}}
    body = {**event, "involvedObject": ref, "reason": "Held", "type": "Normal"}
    assert refusal(lambda: cluster.act.create(rest("events", place.namespace), body, "act")) == ""


def test_who_may_stop_needs_no_more_than_the_role_for_it(cluster: Cluster, place: Place) -> None:
    cluster.grant("olga", NAMESPACE, role="hemostat-stopper")
    olga = cluster.user("olga")
    eventually(lambda: can(olga, "patch", "roles", NAMESPACE, "rbac.authorization.k8s.io", stop.GO), "olga may stop")
    for level in (Level.NO_NEW_ACTIONS, Level.NOTHING, Level.RUNS):
        switched(cluster, level, olga)
    more = stop.role(Level.RUNS)
    more["rules"].append({"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]})
    refused = refusal(lambda: olga.apply(stop.path(), more, "kubectl-hemostat", force=True))
    assert "attempting to grant RBAC permissions not currently held" in refused
    assert " cannot " in refusal(lambda: olga.delete(stop.path(), "uid"))


@pytest.mark.parametrize("who", ["observe", "act", "relay"])
def test_no_process_can_switch_it(cluster: Cluster, place: Place, who: str) -> None:
    kube = getattr(cluster, who)
    assert " cannot " in refusal(lambda: kube.apply(stop.path(), stop.role(Level.RUNS), "x", force=True))
    assert " cannot " in refusal(lambda: kube.delete(stop.path(), "uid"))


def test_installing_again_does_not_resume_silently(cluster: Cluster, place: Place) -> None:
    """What the manifests say and what a person said differ: server-side apply refuses, and the stop stands."""
    switched(cluster, Level.NOTHING)
    said = cluster.kubectl("apply", "--server-side", "--filename", "operator/deploy/rbac.yaml", check=False).stderr
    assert "conflict" in said
    assert may(cluster, stop.BEGIN) is False


def test_who_stops_by_plain_kubectl_is_not_overruled_by_installing_again(cluster: Cluster, place: Place) -> None:
    """The README's way. A Role that was deleted instead would be made again, with everything that it grants."""
    cluster.grant("oscar", NAMESPACE, role="hemostat-stopper")
    oscar = cluster.user("oscar")
    eventually(lambda: can(oscar, "patch", "roles", NAMESPACE, stop.RBAC, stop.GO), "oscar may stop")
    patch = ("patch", "role", stop.GO, "--namespace", NAMESPACE, "--type=merge", "--patch", '{"rules":[]}')
    cluster.kubectl(*patch, as_user="oscar")
    stopped(place)
    install = ("apply", "--server-side", "--filename", "operator/deploy/rbac.yaml")
    assert "conflict" in cluster.kubectl(*install, check=False).stderr
    assert may(cluster, stop.BEGIN) is may(cluster, stop.UNDO) is False


def command(cluster: Cluster, *arguments: str) -> str:
    done = CliRunner().invoke(app, [*arguments, "--kubeconfig", str(cluster.server.kubeconfig)])
    assert done.exit_code == 0, done.output
    return " ".join(done.stdout.split())


def seen_by_act(cluster: Cluster) -> Go | None:
    return Facts(cluster.act, Store(cluster.act, None), None, None).go()  # type: ignore[arg-type]


def test_a_person_stops_and_resumes_by_command_and_act_reads_who_and_why(cluster: Cluster, place: Place) -> None:
    assert seen_by_act(cluster) == Go(begin=True, undo=True)
    assert command(cluster, "stop", "--reason", "black Friday").startswith("NoNewActions: Nothing is begun.")
    stopped(place)
    eventually(lambda: not may(cluster, stop.BEGIN), "act is told")
    found = seen_by_act(cluster)
    assert found is not None
    assert (found.begin, found.undo) == (False, True)
    assert found.words.startswith(" by admin at 20")
    assert found.words.endswith(": black Friday")
    said = command(cluster, "status")
    assert said.startswith("NoNewActions by admin at ")
    assert "The API server enforces it" in said
    command(cluster, "stop", "--everything")
    eventually(lambda: not may(cluster, stop.UNDO), "act is told")
    everything = seen_by_act(cluster)
    assert everything is not None
    assert (everything.begin, everything.undo) == (False, False)
    assert command(cluster, "resume").startswith("Runs: ")
    eventually(lambda: may(cluster, stop.BEGIN), "act is told")
    assert command(cluster, "status").startswith("Runs Hemostat acts")
    assert "annotations" not in cluster.admin.get(stop.path())["metadata"], "nobody is said to have stopped it"


def test_whether_nodes_have_room_act_sees_only_where_it_is_let(cluster: Cluster, place: Place) -> None:
    facts = Facts(cluster.act, Store(cluster.act, None), None, SystemClock())  # type: ignore[arg-type]
    live = cluster.admin.get(place.path)
    plan = Plan.model_validate(objects.PLAN | {"replicasAfter": live["spec"]["replicas"] + 1})
    assert facts._room(place.namespace, live, plan) == Room(1, MANY, None)
    body = stop.binding() | {"kind": "ClusterRoleBinding", "metadata": {"name": "tests-room"}}
    body["roleRef"] = {"apiGroup": stop.RBAC, "kind": "ClusterRole", "name": "hemostat-act-room"}
    made = cluster.admin.create(rest("clusterrolebindings", None, RBAC), body, MANAGER)
    try:
        eventually(lambda: can(cluster.act, "list", "nodes") and can(cluster.act, "list", "pods"), "act may look")
        assert facts._room(place.namespace, live, plan) == Room(1, MANY, 0), "this cluster has no nodes"
    finally:
        cluster.admin.delete(f"{rest('clusterrolebindings', None, RBAC)}/tests-room", made["metadata"]["uid"])
