"""What is created between agents, checked by the schemas of the projects that carry it out, on a real API server; and
that `act`, with its own rights, creates it once, takes it back and can delete nothing else."""

import json
import shlex
import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.api import objects
from tests.api.support import MANAGER, RBAC, Cluster, can, eventually, refusal, rest
from tests.unit.action.test_ladder import deadlock, workload
from tests.unit.action.test_orders import plan, trouble
from tests.unit.builders import T0, deployment, remediation
from typer.testing import CliRunner

from hemostat.action.contract import Rule, World, add, effect, once, remove
from hemostat.action.effects import body_of, still_ours
from hemostat.action.execute import Executor
from hemostat.action.moves import NewIntent, next_move
from hemostat.action.parts import Part, manager
from hemostat.action.registry import discover
from hemostat.api import GROUP
from hemostat.api.identity import OBSERVE_USER, REMEDIATION_LABEL
from hemostat.api.rbac import opt_in
from hemostat.api.remediation import Plan, Remediation
from hemostat.cli import main as entry
from hemostat.clock import SystemClock, rfc3339
from hemostat.errors import Refused, Retry
from hemostat.guard.orders import CONFIG_MAP, Cut, render
from hemostat.kube import path_of

ACTIONS = discover()
GIVEN = {
    "deny-call": {},
    "cut-network": {},
    "limit-rate": {"route": "models"},
}
VARIANTS = [
    *GIVEN.items(),
    ("limit-rate", {"route": "models", "limit": 9, "unit": "Second", "conversationHeader": "x-session-id"}),
    ("limit-rate", {"route": "models", "limit": 9000, "tokenKey": "llm_total_token"}),
    ("limit-rate", {"route": "models", "tokenKey": "llm_total_token", "conversationHeader": "x-session-id"}),
]


@pytest.fixture
def town(neighbours: Cluster) -> str:
    """Return a namespace that has opted in."""
    name = neighbours.make_namespace()
    neighbours.admin.create(rest("rolebindings", name, RBAC), opt_in(name), MANAGER)
    eventually(lambda: can(neighbours.act, "create", "networkpolicies", name, "networking.k8s.io"), "act has opted in")
    return name


def planned(name: str, given: dict[str, Any], namespace: str, uid: str = "uid-r", **more: Any) -> Plan:
    target = deployment()
    target["metadata"]["namespace"] = namespace
    seen = World(
        target=target,
        conversations=(trouble("c1", "c2"),),
        proposed=T0,
        remediation=uid,
        name="payment-1-cut",
        deployments=[workload("planner"), workload("critic", tier="a")],
        policies=(),
    )
    return plan(ACTIONS[name], seen, **given, **more)


def case(made: Plan, *intents: Any) -> Remediation:
    return remediation(status={"plan": made.wire(), "intents": [i.wire() for i in intents]})


@pytest.mark.parametrize(("name", "given"), VARIANTS)
def test_it_is_created_by_the_real_schema_and_deleted_again(
    neighbours: Cluster, town: str, name: str, given: dict[str, Any]
) -> None:
    made = planned(name, given, town)
    executor, effect = Executor(neighbours.act), made.steps[0].forward
    assert executor.read(effect, town) is None
    first = next_move(case(made), Part("Forward"), None, T0)
    assert isinstance(first, NewIntent)
    ours = manager(case(made), Part("Forward"))
    executor.dry_run(effect, town, None, ours)
    assert executor.read(effect, town) is None, "a dry run creates nothing"
    executor.send(effect, town, None, first.intent, ours)
    with pytest.raises(Retry):  # the same name once more, as another process would
        executor.send(effect, town, None, first.intent, ours)

    live = executor.read(effect, town)
    assert live is not None
    assert still_ours(effect, live), "the API server dropped a field, or says it otherwise"
    assert body_of(effect, town)["metadata"].items() <= live["metadata"].items()
    landed = next_move(case(made, first.intent), Part("Forward"), live, T0)
    assert landed.result.proof == "ManagedFields"

    assert made.steps[0].inverse is not None
    last = next_move(case(made, first.intent), Part("Inverse"), live, T0)
    executor.dry_run(made.steps[0].inverse, town, live, ours)
    executor.send(made.steps[0].inverse, town, live, last.intent, ours)
    gone = next_move(
        case(made, first.intent, last.intent), Part("Inverse"), executor.read(made.steps[0].inverse, town), T0
    )
    assert gone.result.proof == "Gone"


def test_the_real_schema_refuses_what_is_wrong(neighbours: Cluster, town: str) -> None:
    """Else the tests above would pass with any schema."""
    for name, path, value in (
        ("deny-call", ("spec", "action"), "FORBID"),
        ("limit-rate", ("spec", "rateLimit", "local", "rules", 0, "limit", "unit"), "Fortnight"),
        ("limit-rate", ("spec", "targetRefs", 0, "kind"), "Service"),
        ("cut-network", ("spec", "ingress", 0, "from", 0, "podSelector", "matchExpressions", 0, "operator"), "Near"),
    ):
        body = body_of(planned(name, GIVEN[name], town).steps[0].forward, town)
        inside: Any = body
        for key in path[:-1]:
            inside = inside[key]
        inside[path[-1]] = value
        where = path_of(body["apiVersion"], body["kind"], town, "")
        assert refusal(lambda where=where, body=body: neighbours.act.create(where, body, MANAGER, dry_run=True)), path


def test_where_the_kind_is_not_installed_it_is_said_so(cluster: Cluster, town: str) -> None:
    made = planned("deny-call", {}, town)
    absent = made.steps[0].forward.model_copy(update={"api_version": "security.istio.io/v7"})
    with pytest.raises(Refused) as caught:
        Executor(cluster.admin).dry_run(absent, town, None, "m")
    assert caught.value.reason == "NotInstalled"


def test_a_deletion_lands_only_on_the_version_that_was_looked_at(neighbours: Cluster, town: str) -> None:
    made = planned("cut-network", {}, town)
    executor = Executor(neighbours.act)
    executor.send(made.steps[0].forward, town, None, next_move(case(made), Part("Forward"), None, T0).intent, "m")
    live = executor.read(made.steps[0].forward, town)
    assert live is not None
    intent = next_move(case(made), Part("Inverse"), live, T0).intent
    where = path_of(*ACTIONS["cut-network"].creates, town, made.steps[0].forward.name)
    neighbours.admin.merge_patch(where, {"metadata": {"annotations": {"ada": "mine"}}}, "ada")
    assert made.steps[0].inverse is not None
    with pytest.raises(Retry):
        executor.send(made.steps[0].inverse, town, live, intent, "m")
    assert executor.read(made.steps[0].forward, town) is not None


def test_act_may_delete_nothing_that_it_did_not_create(neighbours: Cluster, town: str) -> None:
    kinds = path_of("networking.k8s.io/v1", "NetworkPolicy", town, "")
    body = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "theirs", "namespace": town},
        "spec": {"podSelector": {}},
    }
    theirs = neighbours.admin.create(kinds, body, MANAGER)
    assert REMEDIATION_LABEL in refusal(lambda: neighbours.act.delete(f"{kinds}/theirs", theirs["metadata"]["uid"]))
    assert neighbours.admin.get(f"{kinds}/theirs")


def test_a_pod_is_evicted_by_its_uid_and_version_and_not_its_successor(neighbours: Cluster, town: str) -> None:
    pods = path_of("v1", "Pod", town, "")

    def pod() -> dict[str, Any]:
        spec = {"containers": [{"name": "a", "image": "a"}], "automountServiceAccountToken": False}
        metadata = {"name": "planner-x", "namespace": town, "labels": {"app": "planner"}}
        return neighbours.admin.create(
            pods, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}, MANAGER
        )

    neighbours.account(town, "default")
    old = pod()
    seen = World(
        target=deployment(),
        conversations=(deadlock(),),
        proposed=T0,
        remediation="uid-r",
        deployments=[workload("planner"), workload("critic")],
        pods=[old],
    )
    made = plan(ACTIONS["delete-pod"], seen)
    executor = Executor(neighbours.act)
    live = executor.read(made.steps[0].forward, town)
    assert live is not None
    move = next_move(case(made), Part("Forward"), live, T0)
    executor.dry_run(made.steps[0].forward, town, live, "m")
    assert executor.read(made.steps[0].forward, town) is not None
    executor.send(made.steps[0].forward, town, live, move.intent, "m")
    assert executor.read(made.steps[0].forward, town) is None
    new = pod()
    assert new["metadata"]["uid"] != old["metadata"]["uid"]
    assert executor.read(made.steps[0].forward, town) is None, "the pod of the same name is another one"
    with pytest.raises(Retry):
        executor.send(made.steps[0].forward, town, live, move.intent, "m")
    assert neighbours.admin.get(f"{pods}/planner-x")["metadata"]["uid"] == new["metadata"]["uid"]


def call(cluster: Cluster, user: str, *arguments: str) -> Any:
    kubeconfig = str(cluster.server.user_kubeconfig(user))
    return CliRunner().invoke(entry.app, ["--kubeconfig", kubeconfig, *arguments])


def done(cluster: Cluster, namespace: str, make: Callable[[str], Plan]) -> str:
    """Have a Remediation say that it did what this plan of its uid says."""
    name = cluster.new_name()
    made = cluster.make(objects.moved(objects.remediation(name, OBSERVE_USER), namespace), cluster.observe)
    plan, numbers = make(made["metadata"]["uid"]), {"effect": "Forward", "resourceVersion": "1", "generation": 0}
    moment = {"time": rfc3339(SystemClock().now())}
    status = {
        "plan": plan.wire(),
        "planHash": objects.HASH_A,
        "intents": [numbers | moment | {"attempt": 1}],
        "results": [numbers | moment | {"proof": "Content"}],
        "conditions": [objects.condition(kind) for kind in ("Planned", "Admitted", "Applied", "Released")],
    }
    cluster.set_status(made, status, cluster.act)
    return name


def test_a_person_lists_and_takes_back_without_the_operator_by_rights_of_his_own(
    neighbours: Cluster, town: str
) -> None:
    executor, where = Executor(neighbours.act), path_of("v1", "ConfigMap", town, CONFIG_MAP)
    metadata = {"name": CONFIG_MAP, "namespace": town}
    text = render(Cut(id="other", caller="planner", callee="critic", until=time.time() + 300, reason="ping-pong"))
    live = neighbours.make({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"other": text}})

    def denied(uid: str) -> Plan:
        made = planned("deny-call", {"holdSeconds": 600}, town, uid)
        executor.send(made.steps[0].forward, town, None, next_move(case(made), Part("Forward"), None, T0).intent, "m")
        return made

    def ordered(uid: str) -> Plan:
        key, mine = f"{uid}-0", text.replace('"other"', f'"{uid}-0"')
        forward, inverse = effect(live, (add(f"/data/{key}", mine),)), effect(live, (remove(f"/data/{key}"),))
        neighbours.admin.json_patch(where, [{"op": "add", "path": f"/data/{key}", "value": mine}], f"hemostat-{uid}-m")
        change = {"steps": once(forward, inverse), "summary": "cut"}
        return planned("deny-call", {"holdSeconds": 600}, town).model_copy(update=change)

    denial, order = done(neighbours, town, denied), done(neighbours, town, ordered)
    user = neighbours.new_name()
    kinds = (("security.istio.io", "authorizationpolicies"), ("networking.k8s.io", "networkpolicies"))
    seen = (("", "configmaps"), (GROUP, "remediations"), *kinds)
    looks = [Rule(group, (kind,), ("list", "get")) for group, kind in seen]
    neighbours.grant(user, town, looks)
    person = neighbours.user(user)
    eventually(lambda: can(person, "list", "configmaps", town), "the person may look")
    listed = call(neighbours, user, "cuts", "-n", town)
    assert len(listed.stdout.splitlines()) == 4, "two orders and a policy, below the header"
    assert {denial, order} <= set(listed.stdout.split())
    assert "not shown" in listed.stderr, "BackendTrafficPolicies may not be listed"
    by_hand = next(line for line in listed.stderr.splitlines() if "no Remediation is there for other" in line)
    refused = call(neighbours, user, "undo", order, "-n", town, "--yes")
    assert "cannot patch resource" in refused.stdout
    assert refused.exit_code == 1

    may = [
        Rule(GROUP, ("remediations",), ("patch",)),
        Rule("", ("configmaps",), ("patch",)),
        Rule("security.istio.io", ("authorizationpolicies",), ("delete",)),
    ]
    neighbours.grant(user, town, may)
    eventually(lambda: can(person, "delete", "authorizationpolicies", town, "security.istio.io"), "and take back")
    taken = call(neighbours, user, "undo", "--all", "-n", town, "--yes")
    assert (taken.exit_code, taken.stdout.count(": taken back")) == (0, 2), taken.output
    assert set(neighbours.admin.get(where)["data"]) == {"other"}
    assert [p["metadata"]["name"] for p in neighbours.admin.list(rest(kinds[0][1], town, f"{kinds[0][0]}/v1"))] == []
    _, *words = shlex.split(by_hand.partition("by hand: ")[2])
    neighbours.kubectl(*words)
    everywhere = ["--kubeconfig", str(neighbours.server.kubeconfig), "cuts", "-A", "-o", "json"]
    left = json.loads(CliRunner().invoke(entry.app, everywhere).stdout)["items"]
    assert town not in {item["namespace"] for item in left}
