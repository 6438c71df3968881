"""A policy that is there for a time is created once and deleted once, and none is left behind: whatever dies and when.

A creation has no version to test. What keeps two from landing is that none is sent while another may be under way, so
here, as on a real API server, a request that is delayed for longer than its time-out never lands.
"""

from contextlib import suppress
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.act.double import DELAYED, DIES_AFTER, DIES_BEFORE, FAULTS, OK, REPLY_LOST, ApiServer, Killed, Records
from tests.unit.act.test_exactly_once import BASE, CASE, CATALOGUE, KEY, NAME, TARGET, World
from tests.unit.action.test_ladder import workload
from tests.unit.action.test_orders import trouble
from tests.unit.builders import (
    NAMESPACE,
    T0,
    condition,
    deployment,
    incident,
    meta,
    policy,
    remediation,
    runbook,
    signal,
    watch,
)

from hemostat.act.facts import Facts
from hemostat.act.store import Store
from hemostat.action.contract import make_plan, parse, plan_hash
from hemostat.action.moves import IN_FLIGHT
from hemostat.api.incident import Advice
from hemostat.api.meta import find, is_true
from hemostat.api.remediation import ADMITTED, APPLIED, FINISHED, PLANNED, UNDONE, VERIFIED
from hemostat.clock import FakeClock, rfc3339
from hemostat.errors import Retry
from hemostat.lifecycle import Step, next_step

POLICIES = f"/apis/security.istio.io/v1/namespaces/{NAMESPACE}/authorizationpolicies"
MADE = f"{POLICIES}/hemostat-uid-{NAME}"
ROUNDS = 120
SHORT = {"name": "holdSeconds", "value": "10"}
"""It is over before the API server gives up a delayed request, which could then land after the deletion."""
DONE = {Step.NOTHING, Step.VERIFY}


@cache
def installed() -> dict[str, Any]:
    """Return all objects of a cluster with two agents, and an admitted Remediation that denies a call."""
    api, action = ApiServer(), CATALOGUE["deny-call"]
    api.put(TARGET, deployment())
    for name in ("planner", "critic"):
        api.put(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{name}", workload(name))
    api.put(f"/api/v1/namespaces/{NAMESPACE}", {"metadata": {"name": NAMESPACE, "labels": {}}})
    api.put(f"{BASE}/watches/payment", watch().wire())
    api.put(
        f"{BASE}/runbooks/bad-release", runbook(remediations=[{"action": "deny-call", "parameters": [SHORT]}]).wire()
    )
    told = trouble("c1").model_copy(update={"advice": Advice.CUT})
    fires = signal("talks/Cycle/planner -> critic", kind="Cycle", conversation=told)
    api.put(f"{BASE}/incidents/payment-1", incident(signals=(fires,)).wire())
    auto = policy(onTelemetryAlone="AllowTimeLimited", blastRadius={"maxPodsPercent": 100, "maxReplicas": 9})
    api.put("/apis/hemostat.dev/v1alpha1/gatepolicies/allow", auto.wire())
    born = {"creationTimestamp": rfc3339(T0)}
    first = remediation(NAME, action=action.name, parameters=[SHORT])
    first = first.model_copy(update={"metadata": first.metadata.model_copy(update={"creation_timestamp": T0})})
    world = Facts(api, Store(api, Records()), None, FakeClock(T0)).world(first, action)
    plan = make_plan(action, first.spec.target_ref, parse(action, first.spec.parameters), world)
    status = {
        "conditions": [condition(PLANNED), condition(ADMITTED, reason="AllowedByPolicy")],
        "plan": plan.wire(),
        "planHash": plan_hash(first, plan),
    }
    api.put(CASE, {"metadata": meta(NAME) | born, "spec": first.spec.wire(), "status": status})
    return api.objects


class Cut(World):
    """The cluster, and the processes that work on it."""

    def __init__(self, objects: dict[str, Any] | None = None) -> None:
        self.api = ApiServer(installed() if objects is None else objects)
        self.steps_of_others = 1
        self.api.between = self.between
        self.clock = FakeClock(T0)
        self.parsed = None
        self.sent: list[datetime] = []
        self.others_deleted = 0
        self.records = Records()
        self.process = self.restarted()

    def deliver(self) -> None:
        """Let arrive what is under way; the API server has given up what took too long."""
        self.note_delayed()
        young = [do for do, sent in zip(self.api.pending, self.sent, strict=True) if self.alive(sent)]
        self.api.pending, self.sent = young, []
        self.api.deliver()

    def alive(self, sent: datetime) -> bool:
        return self.clock.now() - sent < IN_FLIGHT

    def note_delayed(self) -> None:
        self.sent += [self.clock.now()] * (len(self.api.pending) - len(self.sent))

    def somebody_deletes(self) -> None:
        if self.api.objects.pop(MADE, None) is not None:
            self.others_deleted += 1

    def watch(self) -> None:
        """Each write was announced before, and there are never two."""
        self.note_delayed()
        intents = self.now().status.intents
        assert len(self.api.created) <= 1 + self.others_deleted
        if self.api.created:
            assert any(i.effect == "Forward" for i in intents)
        for deleted in self.api.deleted:
            assert deleted in [(i.uid, i.resource_version) for i in intents if i.effect == "Inverse"]

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
            self.watch()
            self.clock.step(max(seconds or 0.0, 1.0))
        pytest.fail(f"no end after {ROUNDS} rounds: {self.now().status.wire()}")

    def verified(self) -> None:
        def write(body: dict[str, Any]) -> None:
            others = [c for c in body["status"]["conditions"] if c["type"] != VERIFIED]
            body["status"]["conditions"] = [*others, condition(VERIFIED, True, "Healed")]

        self.api.write(CASE, "hemostat-act", write)

    def done(self, kind: str) -> bool:
        return is_true(self.now().status.conditions, kind)


HARMLESS = ("", "deliver", "another_process_works")
ROUGH = st.lists(st.tuples(st.sampled_from(FAULTS), st.sampled_from(HARMLESS)), max_size=40)
BUSY = st.lists(st.tuples(st.sampled_from(FAULTS), st.sampled_from((*HARMLESS, "somebody_deletes"))), max_size=40)


@given(ROUGH, ROUGH)
def test_without_interference_it_is_created_once_deleted_once_and_nothing_is_left(going, coming):
    world = Cut()
    world.api.script = list(going)
    world.run(DONE)
    assert world.done(APPLIED)
    assert len(world.api.created) == 1
    world.verified()
    world.api.script = list(coming)
    world.run({Step.NOTHING})
    world.clock.step(1)
    world.deliver()
    assert world.done(UNDONE)
    assert (len(world.api.created), len(world.api.deleted)) == (1, 1)
    assert MADE not in world.api.objects
    assert find(world.now().status.conditions, FINISHED).reason == "Healed"


@given(BUSY, BUSY)
def test_whoever_deletes_it_meanwhile_none_is_left_in_the_end(going, coming):
    world = Cut()
    world.api.script = list(going)
    world.run(DONE)
    if world.done(APPLIED):
        world.verified()
        world.api.script = list(coming)
        world.run({Step.NOTHING})
        assert world.done(UNDONE)
    world.deliver()
    assert MADE not in world.api.objects


@pytest.mark.parametrize("fault", [DIES_BEFORE, DIES_AFTER, DELAYED, REPLY_LOST])
def test_a_kill_or_a_delay_at_every_single_call(fault):
    calls = Cut()
    calls.run(DONE)
    calls.verified()
    calls.run({Step.NOTHING})
    for point in range(calls.api.calls):
        world = Cut()
        world.api.script = [(OK, "")] * point + [(fault, "")]
        world.run(DONE)
        assert world.done(APPLIED), point
        world.verified()
        world.run({Step.NOTHING})
        world.deliver()
        assert (len(world.api.created), len(world.api.deleted)) == (1, 1), point
        assert MADE not in world.api.objects


def test_what_a_person_restored_before_its_time_is_done_and_needs_nobody():
    world = Cut()
    world.run(DONE)
    world.somebody_deletes()
    world.verified()
    world.run({Step.NOTHING})
    undone = find(world.now().status.conditions, UNDONE)
    assert (undone.status, undone.reason) == ("True", "TakenBack")
    assert find(world.now().status.conditions, FINISHED).reason == "Healed"
    assert world.api.deleted == []


def test_what_somebody_made_his_own_is_left_to_him():
    world = Cut()
    world.run(DONE)
    world.api.write(MADE, "ada", lambda o: o["spec"].update(action="ALLOW"))
    world.verified()
    world.run({Step.NOTHING})
    assert find(world.now().status.conditions, FINISHED).reason == "UndoBlocked"
    assert MADE in world.api.objects


def test_a_name_that_is_taken_is_not_taken_for_ours():
    world = Cut()
    world.api.put(MADE, {"metadata": meta("theirs"), "spec": {}})
    world.run({Step.NOTHING})
    assert find(world.now().status.conditions, FINISHED).reason == "NameTaken"
    assert world.api.created == []


def test_a_process_that_was_stopped_between_intent_and_request_does_not_send_it():
    """Its request would land when another process has long given it up, and nobody would take that policy back."""
    world = Cut()
    replace = world.api.replace

    def written_and_stopped(*arguments):
        written = replace(*arguments)
        world.clock.step(100)
        return written

    world.api.replace = written_and_stopped
    with pytest.raises(Retry, match="too long"):
        world.process.remediation(KEY)
    assert world.api.created == []
    assert world.clock.now() - T0 > timedelta(seconds=60)
