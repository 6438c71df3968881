"""The effect lands at most once and, if it landed, is recorded: whatever dies, is delayed or interferes, and when."""

from contextlib import suppress
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.act.double import DELAYED, DIES_AFTER, DIES_BEFORE, FAULTS, OK, ApiServer, Killed, Records
from tests.unit.builders import (
    NAMESPACE,
    T0,
    condition,
    deployment,
    incident,
    meta,
    remediation,
    replicaset,
    runbook,
    signal,
    template,
    watch,
)

from hemostat.act.facts import Facts
from hemostat.act.reconcile import Reconciler
from hemostat.act.store import Store
from hemostat.action.contract import make_plan, parse, plan_hash
from hemostat.action.execute import Executor
from hemostat.action.parts import Part, manager
from hemostat.action.registry import discover
from hemostat.api.meta import find, is_true
from hemostat.api.remediation import ADMITTED, APPLIED, FINISHED, PLANNED, RELEASED, UNDONE, VERIFIED, Remediation
from hemostat.clock import FakeClock
from hemostat.errors import Refused, Retry
from hemostat.events import Events
from hemostat.lifecycle import TAKEN_BACK, Step, next_step

BASE = "/apis/hemostat.dev/v1alpha1/namespaces/shop"
TARGET = "/apis/apps/v1/namespaces/shop/deployments/payment"
SETS = "/apis/apps/v1/namespaces/shop/replicasets"
NAME = "payment-1-rollback-0-1"
KEY = (NAMESPACE, NAME)
CASE = f"{BASE}/remediations/{NAME}"
GOOD = template("1")
BAD = {
    "rollback": template("2", {"FAULT": "1"}),
    "removal": template("1", {"FAULT": "1"}),  # going back only removes: nothing in managedFields shows it
    "scale": template("2"),
}
CATALOGUE = discover()
ROUNDS = 80
DONE = {Step.NOTHING, Step.VERIFY}


@cache
def installed(case: str) -> dict[str, Any]:
    """Return all objects of the cluster, by path."""
    api = ApiServer()
    action = CATALOGUE["scale" if case == "scale" else "rollback"]
    api.put(TARGET, deployment(BAD[case]))
    for number, pod in enumerate((GOOD, BAD[case]), start=1):
        api.put(f"{SETS}/payment-{number}", replicaset(number, pod))
    healthy = {"templateHash": "hash1", "targetUid": "uid-payment", "observedTime": "2026-03-01T11:00:00Z"}
    api.put(f"{BASE}/watches/payment", watch().wire() | {"status": {"revisions": [healthy]}})
    api.put(f"{BASE}/runbooks/bad-release", runbook().wire())
    api.put(f"{BASE}/incidents/payment-1", incident().wire())  # no signals: verification waits
    first = remediation(NAME, action=action.name)
    facts = Facts(api, Store(api, Records()), None, FakeClock(T0))
    world = facts.world(first, action)
    plan = make_plan(action, first.spec.target_ref, parse(action, ()), world)
    status = {
        "conditions": [condition(PLANNED), condition(ADMITTED, reason="AllowedByPolicy")],
        "plan": plan.wire(),
        "planHash": plan_hash(first, plan),
    }
    api.put(CASE, {"metadata": meta(NAME), "spec": first.spec.wire(), "status": status})
    return api.objects


def process(api: ApiServer, clock: FakeClock, records: Records) -> Reconciler:
    """Return `act` as it is when it has just begun."""
    store = Store(api, records)
    return Reconciler(
        store=store,
        facts=Facts(api, store, None, clock),
        executor=Executor(api),
        catalogue=CATALOGUE,
        events=Events(api, "hemostat-act", clock),
        clock=clock,
        server_now=clock.now,
        record=records,
        crowd=lambda: 0,
    )


class World:
    """A cluster with a bad release of `payment` and an admitted Remediation, and the processes that work on it."""

    def __init__(self, case: str) -> None:
        self.api = ApiServer(installed(case))
        self.bad = BAD[case]
        self.steps_of_others = 1
        self.api.between = self.between
        self.clock = FakeClock(T0)
        self.records = Records()
        self.parsed: tuple[Any, Remediation] | None = None
        self.foreign_spec_writes: list[int] = []
        self.landed: dict[str, list[int]] = {"Forward": [], "Inverse": []}
        self.process = self.restarted()

    def restarted(self) -> Reconciler:
        return process(self.api, self.clock, self.records)

    # --- what others do ----------------------------------------------------------------------------------------

    def between(self, what: str) -> None:
        getattr(self, what)()
        self.watch()

    def deliver(self) -> None:
        self.api.deliver()

    def status_moves(self) -> None:
        self.api.write(TARGET, "controller", lambda o: o["status"].update(observedGeneration=self.api.calls + 1000))

    def owner_scales(self) -> None:
        self.spec_moves(lambda o: o["spec"].update(replicas=o["spec"]["replicas"] + 1))

    def owner_deploys(self) -> None:
        self.spec_moves(lambda o: o["spec"].update(template=template(f"new-{self.api.calls}")))

    def owner_restores(self) -> None:
        """What a pipeline does that applies the same manifest again."""
        if self.api.objects[TARGET]["spec"] != deployment(self.bad)["spec"]:
            self.spec_moves(lambda o: o.update(spec=deployment(self.bad)["spec"]))

    def owner_annotates(self) -> None:
        self.api.write(TARGET, "owner", lambda o: o["metadata"].update(annotations={"a": str(self.api.calls)}))

    def another_process_works(self) -> None:
        """The leader that was thought to be dead, or the new one: it does steps while we are in one."""
        for _ in range(self.steps_of_others):
            if next_step(self.now(), self.clock.now()) in DONE:
                return
            with suppress(Retry):
                self.restarted().remediation(KEY)

    def spec_moves(self, change: Any) -> None:
        self.watch()
        self.api.write(TARGET, "owner", change)
        self.foreign_spec_writes.append(len(self.api.writes))

    # --- running -----------------------------------------------------------------------------------------------

    def now(self) -> Remediation:
        body = self.api.objects[CASE]  # whoever writes puts another one in its place
        if self.parsed is None or self.parsed[0] is not body:
            self.parsed = body, Remediation.model_validate(body)
        return self.parsed[1]

    def watch(self) -> None:
        """Notice which effects have landed, and that each was announced before."""
        for i, (_, who, tests) in enumerate(self.api.writes):
            for which in self.landed:
                if who == manager(self.now(), Part(which)) and i not in self.landed[which]:
                    self.landed[which].append(i)
                    announced = [(x.uid, x.resource_version) for x in self.now().status.intents if x.effect == which]
                    assert (tests["/metadata/uid"], tests["/metadata/resourceVersion"]) in announced
        assert all(len(found) <= 1 for found in self.landed.values())

    def run(self, until: set[Step]) -> None:
        """Work until one of these steps is the next; processes that die are started again."""
        for _ in range(ROUNDS):
            if next_step(self.now(), self.clock.now()) in until:
                return
            self.clock.step(1)
            try:
                with suppress(Retry):
                    self.process.remediation(KEY)
            except Killed:
                self.process = self.restarted()
            self.watch()
        pytest.fail(f"no end after {ROUNDS} rounds: {self.now().status.wire()}")

    def say_worse(self) -> None:
        """Write the verdict that asks for the inverse."""

        def write(body: dict[str, Any]) -> None:
            others = [c for c in body["status"]["conditions"] if c["type"] != VERIFIED]
            body["status"]["conditions"] = [*others, condition(VERIFIED, False, "Worse")]

        self.api.write(CASE, "hemostat-act", write)

    def settle(self) -> None:
        """Let everything arrive that is still on its way."""
        self.api.deliver()
        self.watch()

    def recorded(self, which: str) -> bool:
        return any(r.effect == which for r in self.now().status.results)

    def overwritten(self, which: str) -> bool:
        """Whether the owner wrote the spec after the effect, so that no trace of it need be left."""
        return any(count > self.landed[which][0] for count in self.foreign_spec_writes)


EVENTS = (
    "deliver",
    "status_moves",
    "owner_scales",
    "owner_deploys",
    "owner_restores",
    "owner_annotates",
    "another_process_works",
)
HARMLESS = ("deliver", "status_moves", "owner_annotates", "another_process_works")
BUSY = st.lists(st.tuples(st.sampled_from(FAULTS), st.sampled_from(("", *EVENTS))), max_size=40)
ROUGH = st.lists(st.tuples(st.sampled_from(FAULTS), st.sampled_from(("", *HARMLESS))), max_size=40)
CASES = st.sampled_from(sorted(BAD))


def check(world: World, which: str) -> None:
    """Assert what must hold at the end."""
    finished = find(world.now().status.conditions, FINISHED)
    done = is_true(world.now().status.conditions, APPLIED if which == "Forward" else UNDONE)
    if which == "Inverse" and done and find(world.now().status.conditions, UNDONE).reason == TAKEN_BACK:
        assert not world.landed[which]
        assert world.foreign_spec_writes
        return
    assert done == world.recorded(which)
    if world.landed[which] and not done:
        assert world.overwritten(which), "it landed and nobody knows"
        assert finished is not None
        assert finished.reason in ("Unclear", "UndoBlocked")
    if done and not world.landed[which]:
        (result,) = (r for r in world.now().status.results if r.effect == which)
        assert result.proof == "Content"
        assert world.foreign_spec_writes


@given(CASES, BUSY)
def test_the_effect_lands_at_most_once_and_is_recorded(case, script):
    world = World(case)
    world.api.script = list(script)
    world.run(DONE)
    check(world, "Forward")
    world.settle()
    check(world, "Forward")


@given(CASES, ROUGH)
def test_without_interference_in_the_spec_it_is_applied(case, script):
    world = World(case)
    world.api.script = list(script)
    world.run(DONE)
    world.settle()
    assert is_true(world.now().status.conditions, APPLIED)
    assert len(world.landed["Forward"]) == 1
    assert find(world.now().status.conditions, FINISHED) is None
    spec = world.api.objects[TARGET]["spec"]
    assert spec == deployment(GOOD)["spec"] if case != "scale" else spec["replicas"] == 6


@given(CASES, BUSY)
def test_the_undo_lands_at_most_once_and_is_recorded(case, script):
    world = World(case)
    world.run(DONE)
    world.say_worse()
    world.api.script = list(script)
    world.run({Step.NOTHING})
    check(world, "Inverse")
    world.settle()
    check(world, "Inverse")
    assert len(world.landed["Forward"]) == 1


@given(CASES, ROUGH)
def test_without_interference_what_was_before_is_there_again_and_nothing_of_ours_is_left(case, script):
    world = World(case)
    world.run(DONE)
    world.say_worse()
    world.api.script = list(script)
    world.run({Step.NOTHING})
    assert find(world.now().status.conditions, FINISHED).reason == "Worse"
    live = world.api.objects[TARGET]
    assert live["spec"] == deployment(BAD[case])["spec"]
    managers = {entry["manager"] for entry in live["metadata"]["managedFields"]}
    assert not {m for m in managers if m.startswith("hemostat-uid")}
    assert is_true(world.now().status.conditions, RELEASED)


@pytest.mark.parametrize("case", sorted(BAD))
@pytest.mark.parametrize("fault", [DIES_BEFORE, DIES_AFTER, DELAYED])
def test_a_kill_or_a_delay_at_every_single_call(case, fault):
    calls = World(case)
    before = calls.api.calls
    calls.run(DONE)
    for point in range(calls.api.calls - before):
        world = World(case)
        world.api.script = [(OK, "")] * point + [(fault, "")]
        world.run(DONE)
        world.settle()
        assert is_true(world.now().status.conditions, APPLIED)
        assert len(world.landed["Forward"]) == 1


@pytest.mark.parametrize("case", sorted(BAD))
def test_another_process_at_every_single_call(case):
    calls = World(case)
    before = calls.api.calls
    calls.run(DONE)
    for point in range(calls.api.calls - before):
        for steps in (1, 2, 3, 5):
            world = World(case)
            world.steps_of_others = steps
            world.api.script = [(OK, "")] * point + [(OK, "another_process_works")]
            world.run(DONE)
            assert is_true(world.now().status.conditions, APPLIED)
            assert find(world.now().status.conditions, FINISHED) is None
            assert len(world.landed["Forward"]) == 1


@pytest.mark.parametrize("case", sorted(BAD))
def test_what_landed_and_was_taken_back_at_once_is_not_done_again(case):
    calls = World(case)
    before = calls.api.calls
    calls.run(DONE)
    for point in range(calls.api.calls - before):
        world = World(case)
        world.api.script = [(OK, "")] * point + [(DIES_AFTER, ""), (OK, "owner_restores")]
        world.run(DONE)
        check(world, "Forward")


def test_an_owner_who_deploys_in_between_is_not_overwritten():
    world = World("rollback")
    world.api.script = [(DIES_AFTER, "")] * 4
    world.owner_deploys()
    world.run({Step.NOTHING})
    assert find(world.now().status.conditions, FINISHED).reason == "Drifted"
    assert world.landed == {"Forward": [], "Inverse": []}


def test_an_undo_never_overwrites_what_the_owner_did_since():
    world = World("rollback")
    world.run(DONE)
    world.owner_deploys()
    mine = world.api.objects[TARGET]["spec"]
    world.say_worse()
    world.run({Step.NOTHING})
    assert find(world.now().status.conditions, FINISHED).reason == "UndoBlocked"
    assert world.api.objects[TARGET]["spec"] == mine
    assert world.landed["Inverse"] == []


def test_a_target_that_was_created_again_is_another_one():
    world = World("scale")
    world.api.objects[TARGET]["metadata"]["uid"] = "uid-reborn"
    world.run({Step.NOTHING})
    assert find(world.now().status.conditions, FINISHED).reason == "TargetReplaced"
    assert world.api.writes == []


def test_a_target_whose_status_never_rests_is_given_up_visibly():
    world = World("scale")
    replace = world.api.replace

    def written_and_moved(*arguments):
        replace(*arguments)
        world.status_moves()
        return world.api.objects[CASE]

    world.api.replace = written_and_moved
    world.run({Step.NOTHING})
    assert find(world.now().status.conditions, FINISHED).reason == "TooBusy"
    assert len(world.now().status.intents) == 20
    assert world.api.writes == []


@pytest.mark.parametrize("seconds", [3600, -3600])
def test_an_admission_that_was_not_used_is_decided_anew(seconds):
    """A clock that was an hour ahead, and set right since, does not make it stand for an hour."""
    world = World("rollback")
    world.clock.step(seconds)
    world.process.remediation(KEY)
    admitted = find(world.now().status.conditions, ADMITTED)
    assert (admitted.status, admitted.reason) == ("Unknown", "Reconsidered")
    assert next_step(world.now(), world.clock.now()) is Step.DECIDE
    world.process.remediation(KEY)
    world.settle()
    assert not world.landed["Forward"]


def test_a_namespace_that_did_not_opt_in_is_asked_less_and_less():
    """Anybody may have a thousand of them wait there, and what others are due must not wait for these."""
    world = World("rollback")
    world.api.write(CASE, "hemostat-act", lambda o: o.update(status={}))
    get = world.api.get

    def forbidden(path, **query):
        if path == TARGET:
            raise Refused("Forbidden", "deployments is forbidden")
        return get(path, **query)

    world.api.get = forbidden
    looks = [world.process.remediation(KEY)]
    for _ in range(3):
        world.clock.step(300)
        looks.append(world.process.remediation(KEY))
    assert find(world.now().status.conditions, ADMITTED).reason == "NotOptedIn"
    assert looks == [10, 30, 60, 60]


def test_where_nobody_opted_in_it_ends_once_all_signals_are_clear():
    """Else its Incident is never over, and both stay for ever."""
    world = World("rollback")
    world.api.write(CASE, "hemostat-act", lambda o: o.update(status={}))
    get = world.api.get

    def forbidden(path, **query):
        if path == TARGET:
            raise Refused("Forbidden", "deployments is forbidden")
        return get(path, **query)

    world.api.get = forbidden
    last: float | None = 1.0
    for _ in range(5):
        now = world.clock.step(600)
        clear = signal(state="Clear", state_time=T0, observed_time=now)
        world.api.put(f"{BASE}/incidents/payment-1", incident(signals=(clear,)).wire())
        last = world.process.remediation(KEY)
    assert last is None
    assert find(world.now().status.conditions, FINISHED).reason == "NotNeeded"


@pytest.mark.parametrize("taken_after", [1, 2])
def test_who_is_shut_out_in_the_middle_neither_gives_up_nor_forgets(taken_after):
    """`act` may lose its rights in a namespace after the effect: the effect is recorded once it has them again."""
    world = World("rollback")
    for _ in range(taken_after):
        world.process.remediation(KEY)
    get = world.api.get

    def forbidden(path, **query):
        if path == TARGET:
            raise Refused("Forbidden", "deployments is forbidden")
        return get(path, **query)

    world.api.get = forbidden
    assert world.process.remediation(KEY) > 0
    assert find(world.now().status.conditions, FINISHED) is None
    assert "Forbidden" in {c.reason for c in world.now().status.conditions}
    world.api.get = get
    world.run({Step.VERIFY})
    assert world.recorded("Forward")
    assert is_true(world.now().status.conditions, RELEASED)
    assert len(world.landed["Forward"]) == 1
