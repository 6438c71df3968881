"""A plan of several steps: each takes place at most once, what is left is gone on with, and what was begun is undone.

`move-off-node` is the example: a node is cordoned and two pods are evicted, while others act on all of it.
"""

from contextlib import suppress
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.act.double import DELAYED, DIES_AFTER, DIES_BEFORE, FAULTS, OK, REPLY_LOST, ApiServer, Killed, Records
from tests.unit.act.test_exactly_once import BASE, CASE, CATALOGUE, KEY, NAME, SETS, TARGET, World
from tests.unit.action.test_move_off_node import GOOD, SICK, pod
from tests.unit.builders import (
    NAMESPACE,
    T0,
    condition,
    deployment,
    incident,
    meta,
    node,
    remediation,
    replicaset,
    runbook,
    signal,
    template,
    watch,
)

from hemostat.act.facts import Facts
from hemostat.act.store import Store
from hemostat.action.contract import make_plan, parse, plan_hash
from hemostat.action.parts import Part, manager
from hemostat.api.approval import Word
from hemostat.api.identity import TAKEN_BACK_BY, TAKEN_BACK_TIME
from hemostat.api.meta import find, is_true
from hemostat.api.remediation import ADMITTED, APPLIED, FINISHED, PLANNED, RELEASED, UNDONE
from hemostat.clock import FakeClock, rfc3339
from hemostat.errors import Retry
from hemostat.gate.checks import decide
from hemostat.lifecycle import Step, next_step

PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
SICK_NODE = "/api/v1/nodes/node-2"
ROUNDS = 200
DONE = {Step.NOTHING, Step.VERIFY}
DEADLINE = 600.0


@cache
def installed() -> dict[str, Any]:
    """Return all objects of a cluster with a sick node, and an admitted Remediation that moves pods off it."""
    api, action = ApiServer(), CATALOGUE["move-off-node"]
    api.put(TARGET, deployment(replicas=4, readyReplicas=2, availableReplicas=2))
    api.put(f"{SETS}/payment-1", replicaset(1, template("1")))
    for one in (*GOOD, *SICK):
        api.put(f"{PODS}/{one['metadata']['name']}", one)
    for name in ("node-1", "node-2"):
        found = node(name)
        found["metadata"]["managedFields"] = []
        api.put(f"/api/v1/nodes/{name}", found)
    api.put(f"{BASE}/watches/payment", watch().wire())
    api.put(f"{BASE}/runbooks/bad-release", runbook(remediations=[{"action": action.name}]).wire())
    api.put(f"{BASE}/incidents/payment-1", incident().wire())
    first = remediation(NAME, action=action.name)
    world = Facts(api, Store(api, Records()), None, FakeClock(T0)).world(first, action)
    plan = make_plan(action, first.spec.target_ref, parse(action, ()), world)
    status = {
        "conditions": [condition(PLANNED), condition(ADMITTED, reason="AllowedByPolicy")],
        "plan": plan.wire(),
        "planHash": plan_hash(first, plan),
    }
    api.put(CASE, {"metadata": meta(NAME), "spec": first.spec.wire(), "status": status})
    return api.objects


class Town(World):
    """The cluster with its controllers, others who act on it, and the processes that work on it."""

    def __init__(self) -> None:
        self.api = ApiServer(installed())
        self.steps_of_others = 1
        self.api.between = self.between
        self.clock = FakeClock(T0)
        self.parsed = None
        self.records = Records()
        self.replaces = True
        self.process = self.restarted()

    # --- what others do ----------------------------------------------------------------------------------------

    def controllers_work(self) -> None:
        """Missing pods are made, get ready at once, and are counted."""
        names = [p for p in self.api.objects if p.startswith(f"{PODS}/")]
        if self.replaces:
            for missing in range(4 - len(names)):
                self.api.put(f"{PODS}/new-{self.api.calls}-{missing}", pod(f"new-{self.api.calls}-{missing}", "node-1"))
        pods = [o for p, o in self.api.objects.items() if p.startswith(f"{PODS}/")]
        ready = sum(1 for p in pods if p["status"]["conditions"][1]["status"] == "True")
        self.api.write(TARGET, "kube-controller-manager", lambda o: o["status"].update(availableReplicas=ready))

    def node_reports(self) -> None:
        self.api.write(SICK_NODE, "kubelet", lambda o: o["status"].update(heard=self.api.calls + 1000))

    def pods_report(self) -> None:
        for name in ("c", "d"):
            if f"{PODS}/{name}" in self.api.objects:
                self.api.write(f"{PODS}/{name}", "kubelet", lambda o: o["status"].update(heard=self.api.calls + 1000))

    def a_pod_goes(self) -> None:
        self.api.objects.pop(f"{PODS}/d", None)
        self.controllers_work()

    def somebody_uncordons(self) -> None:
        self.api.write(SICK_NODE, "ada", lambda o: o["spec"].pop("unschedulable", None))

    # --- running -----------------------------------------------------------------------------------------------

    def watch(self) -> None:
        """Every write was announced before, and none is done twice."""
        intents = [(i.uid, i.resource_version) for i in self.now().status.intents if i.effect == "Forward"]
        for uid, version in self.api.deleted:
            assert (uid, version) in intents
        assert len({uid for uid, _ in self.api.deleted}) == len(self.api.deleted)
        for which in ("Forward", "Inverse"):
            assert len(self.patched(which)) <= 1
        assert len(self.now().status.results) == len({(r.effect, r.step) for r in self.now().status.results})

    def patched(self, which: Any) -> list[Any]:
        return [w for w in self.api.writes if w[1] == manager(self.now(), Part(which))]

    def run(self, until: set[Step]) -> None:
        for _ in range(ROUNDS):
            if next_step(self.now(), self.clock.now()) in until:
                return
            seconds: float | None = 1.0
            try:
                with suppress(Retry):
                    seconds = self.process.remediation(KEY)
            except Killed:
                self.process = self.restarted()
            self.controllers_work()
            self.watch()
            self.clock.step(max(seconds or 0.0, 1.0))
        pytest.fail(f"no end after {ROUNDS} rounds: {self.now().status.wire()}")

    def run_until_evicted(self, uid: str) -> None:
        while uid not in self.evicted():
            self.process.remediation(KEY)
            self.controllers_work()
            self.clock.step(1)

    def condition(self, kind: str) -> Any:
        return find(self.now().status.conditions, kind)

    def evicted(self) -> set[str]:
        return {uid for uid, _ in self.api.deleted}

    def results(self) -> list[tuple[str, int, str]]:
        return [(r.effect, r.step, r.proof) for r in self.now().status.results]

    def cordoned(self) -> bool:
        return bool(self.api.objects[SICK_NODE]["spec"].get("unschedulable"))


class Heard:
    """What people said."""

    decision: Word | None = Word.APPROVE


HARMLESS = ("", "deliver", "node_reports", "pods_report", "controllers_work", "another_process_works")
ROUGH = st.lists(st.tuples(st.sampled_from(FAULTS), st.sampled_from(HARMLESS)), max_size=40)
EVENTS = (*HARMLESS, "a_pod_goes", "somebody_uncordons")
BUSY = st.lists(st.tuples(st.sampled_from(FAULTS), st.sampled_from(EVENTS)), max_size=40)


@given(ROUGH, ROUGH)
def test_every_step_is_done_once_and_undone_once_and_nothing_of_ours_is_left(going, coming):
    town = Town()
    town.api.script = list(going)
    town.run(DONE)
    town.deliver()
    assert is_true(town.now().status.conditions, APPLIED)
    assert town.evicted() == {"uid-c", "uid-d"}
    assert town.cordoned()
    town.say_worse()
    town.api.script = list(coming)
    town.run({Step.NOTHING})
    town.deliver()
    assert (len(town.patched("Forward")), len(town.patched("Inverse"))) == (1, 1)
    assert not town.cordoned()
    assert town.evicted() == {"uid-c", "uid-d"}
    assert is_true(town.now().status.conditions, UNDONE)
    assert is_true(town.now().status.conditions, RELEASED)
    assert town.condition(FINISHED).reason == "Worse"
    assert town.api.objects[SICK_NODE]["metadata"]["managedFields"] == []


@given(BUSY, BUSY)
def test_whatever_others_do_an_end_is_reached_and_nothing_is_done_twice(going, coming):
    town = Town()
    town.api.script = list(going)
    town.run(DONE)
    if is_true(town.now().status.conditions, APPLIED):
        town.say_worse()
    town.api.script = list(coming)
    town.run({Step.NOTHING})
    town.deliver()
    town.watch()
    assert not town.cordoned()


@pytest.mark.parametrize("fault", [DIES_BEFORE, DIES_AFTER, DELAYED, REPLY_LOST])
def test_a_kill_or_a_delay_at_every_single_call(fault):
    calls = Town()
    calls.run(DONE)
    calls.say_worse()
    calls.run({Step.NOTHING})
    assert calls.api.calls > 30
    for point in range(calls.api.calls):
        town = Town()
        town.api.script = [(OK, "")] * point + [(fault, "")]
        town.run(DONE)
        assert is_true(town.now().status.conditions, APPLIED), point
        town.say_worse()
        town.run({Step.NOTHING})
        town.deliver()
        assert (len(town.patched("Forward")), len(town.patched("Inverse"))) == (1, 1), point
        assert town.evicted() == {"uid-c", "uid-d"}, point


def test_intents_results_and_the_audit_log_say_which_step():
    town = Town()
    town.run(DONE)
    assert [(i.effect, i.step) for i in town.now().status.intents] == [("Forward", n) for n in range(3)]
    assert town.results() == [("Forward", 0, "ManagedFields"), ("Forward", 1, "Gone"), ("Forward", 2, "Gone")]
    told = [(e.says["step"], e.says.get("object")) for e in town.records.entries if "effect" in e.says]
    assert [t for t in told if t[1]] == [(0, "Node node-2"), (1, "Pod c"), (2, "Pod d")]


def test_the_next_pod_is_evicted_only_once_the_one_before_is_replaced_and_available():
    town = Town()
    town.replaces = False
    for _ in range(12):
        town.process.remediation(KEY)
        town.controllers_work()
        town.clock.step(1)
    assert town.evicted() == {"uid-c"}
    waits = town.condition(APPLIED)
    assert (waits.status, waits.reason) == ("Unknown", "AwaitsReplicas")
    assert waits.message == "2 replicas are available; the next step waits for 3"
    town.replaces = True
    town.run(DONE)
    assert town.evicted() == {"uid-c", "uid-d"}


def test_a_disruption_budget_is_waited_for_and_after_the_deadline_what_can_be_undone_is():
    town = Town()
    town.run_until_evicted("uid-c")
    town.api.budget = False
    town.run({Step.NOTHING})
    assert town.evicted() == {"uid-c"}, "no pod is deleted past its budget"
    assert (town.clock.now() - T0).total_seconds() > DEADLINE
    finished = town.condition(FINISHED)
    assert finished.reason == "Incomplete"
    for said in ("2 of 3 steps", "nothing undoes what was done to Pod c", "disruption budget"):
        assert said in finished.message
    assert not town.cordoned()
    assert town.results()[-1] == ("Inverse", 0, "ManagedFields")
    assert is_true(town.now().status.conditions, RELEASED)


def test_a_disruption_budget_that_allows_it_in_time_is_no_failure():
    town = Town()
    town.api.budget = False
    for _ in range(20):
        town.process.remediation(KEY)
        town.controllers_work()
        town.clock.step(5)
    assert (town.condition(APPLIED).reason, town.evicted()) == ("DisruptionBudget", set())
    assert len(town.now().status.intents) == 1, "waiting uses up no attempts"
    town.api.budget = True
    town.run(DONE)
    assert town.evicted() == {"uid-c", "uid-d"}


def alone() -> Town:
    """The same, and nothing but an eviction of one pod; the Incident goes on, and a policy lets it be done."""
    town = Town()
    body = town.api.objects[CASE]
    plan = body["status"]["plan"]
    plan |= {"steps": [plan["steps"][1] | {"awaitsAvailable": 0}]}
    town.process._deciding.unchanged = lambda *_: None  # what else would be planned is not what this is about
    town.api.put(CASE, body)
    town.api.put(f"/api/v1/namespaces/{NAMESPACE}", {"metadata": {"name": NAMESPACE}})
    town.api.put(f"{BASE}/incidents/payment-1", incident(signals=(signal(),)).wire())
    town.api.budget = False
    return town


def looks(town: Town, seconds: float) -> list[tuple[float, str]]:
    """Work for so long; return when which events were written."""
    told: list[tuple[float, str]] = []
    began = town.clock.now()
    emit = town.process._events.emit
    town.process._events.emit = lambda *a: told.append(((town.clock.now() - began).total_seconds(), a[2])) or emit(*a)
    while (town.clock.now() - began).total_seconds() < seconds:
        left = town.process.remediation(KEY)
        if left is None:
            break
        town.clock.step(left)
    return told


def test_a_first_step_that_is_not_allowed_is_tried_within_the_deadline_and_said_once() -> None:
    """Seen: it was admitted and announced anew every minute, for ever."""
    town = alone()
    decided = town.now().status
    first = town.process._deciding._facts.gate(town.now(), decided.plan, town.api.objects[TARGET])
    town.api.objects[CASE]["status"]["decision"] = decide(first).wire()
    records = len(town.records.entries)
    told = looks(town, 3600)
    assert [what for _, what in told] == ["DisruptionBudget", "Incomplete"]
    assert DEADLINE < told[1][0] < DEADLINE + 120
    finished = town.condition(FINISHED)
    assert (finished.reason, town.evicted(), town.now().status.intents) == ("Incomplete", set(), ())
    assert "waited 600 s, and nothing was done" in finished.message
    assert len(town.records.entries) == records + 1, "the end"


def test_what_waits_for_a_disruption_budget_is_decided_anew_if_that_would_be_otherwise() -> None:
    town = alone()
    first = town.process._deciding._facts.gate(town.now(), town.now().status.plan, town.api.objects[TARGET])
    town.api.objects[CASE]["status"]["decision"] = decide(first).wire()
    looks(town, 100)
    assert town.condition(APPLIED).reason == "DisruptionBudget"
    town.api.put(f"{BASE}/incidents/payment-1", incident().wire())  # nothing fires any more
    looks(town, 120)
    assert town.condition(ADMITTED).reason == "Held"
    assert town.evicted() == set()


def test_a_pod_that_goes_by_itself_needs_no_eviction():
    town = Town()
    town.run_until_evicted("uid-c")
    town.a_pod_goes()
    town.run(DONE)
    assert town.results()[-1] == ("Forward", 2, "Already")
    assert (town.evicted(), is_true(town.now().status.conditions, APPLIED)) == ({"uid-c"}, True)


def test_a_pod_that_went_before_the_first_step_leaves_the_approval_standing():
    town = Town()
    town.a_pod_goes()
    town.run(DONE)
    assert is_true(town.now().status.conditions, APPLIED)
    assert town.evicted() == {"uid-c"}


def test_a_pod_that_came_since_is_in_no_approved_plan():
    town = Town()
    town.api.put(f"{PODS}/e", pod("e", "node-2", ready=False))
    town.run({Step.NOTHING})
    finished = town.condition(FINISHED)
    assert finished.reason == "Drifted"
    assert "+ takes away: Pod/e on node-2" in finished.message
    assert (town.evicted(), town.cordoned()) == (set(), False)


def test_an_approval_that_is_taken_back_halfway_stops_it_and_undoes_what_can_be():
    town = Town()
    town.process._deciding.heard = lambda *_: Heard()  # who may approve is asked elsewhere
    town.api.write(CASE, "hemostat-act", lambda o: o["status"]["conditions"][1].update(reason="Approved"))
    town.run_until_evicted("uid-c")
    Heard.decision = None
    town.run({Step.NOTHING})
    Heard.decision = Word.APPROVE
    assert (town.condition(FINISHED).reason, town.evicted()) == ("Revoked", {"uid-c"})
    assert not town.cordoned()


def test_the_stop_switch_holds_the_next_step_and_after_the_deadline_lets_the_undo_go_on():
    town = Town()
    town.run_until_evicted("uid-c")
    town.api.go = {"undo"}
    town.run({Step.NOTHING})
    finished = town.condition(FINISHED)
    assert (finished.reason, town.evicted()) == ("Incomplete", {"uid-c"})
    assert "Hemostat was stopped" in finished.message
    assert not town.cordoned()


def test_who_uncordons_the_node_meanwhile_has_nothing_undone():
    town = Town()
    town.run(DONE)
    town.somebody_uncordons()
    town.say_worse()
    town.run({Step.NOTHING})
    assert town.condition(UNDONE).reason == "TakenBack"
    assert town.patched("Inverse") == []


def test_a_person_who_takes_it_back_halfway_ends_it_and_nothing_is_evicted_any_more():
    town = Town()
    town.run_until_evicted("uid-c")
    marked = {TAKEN_BACK_BY: "ada", TAKEN_BACK_TIME: rfc3339(town.clock.now())}
    town.api.write(CASE, "kubectl", lambda o: o["metadata"].update(annotations=marked))
    town.somebody_uncordons()
    town.run({Step.NOTHING})
    assert (town.condition(FINISHED).reason, town.evicted()) == ("TakenBack", {"uid-c"})
    assert "ada took it back (2 of 3 steps were done" in town.condition(FINISHED).message
    assert town.condition(UNDONE).reason == "TakenBack"
    assert town.patched("Inverse") == []
