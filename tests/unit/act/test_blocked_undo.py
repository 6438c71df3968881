"""Of several steps one cannot be undone: the others are all the same, and it is said which one is left, and why.

Seen: the first one that somebody had changed ended the whole undo, and what had been done to all the others stayed.
"""

from contextlib import suppress
from itertools import combinations

import pytest
from tests.unit.act.double import DELAYED, DIES_AFTER, DIES_BEFORE, OK, REPLY_LOST, ApiServer, Killed, Records
from tests.unit.act.test_exactly_once import BASE, CASE, KEY, NAME, process
from tests.unit.builders import HASH, T0, condition, deployment, incident, meta, remediation, runbook

from hemostat.act.timeline import entries
from hemostat.action.contract import effect, once, replace
from hemostat.action.parts import Part, manager
from hemostat.api.meta import find, is_true
from hemostat.api.remediation import (
    ADMITTED,
    APPLIED,
    FINISHED,
    PLANNED,
    RELEASED,
    UNATTENDED,
    UNDONE,
    VERIFIED,
    Plan,
    Remediation,
)
from hemostat.clock import FakeClock, rfc3339
from hemostat.errors import Refused, Retry
from hemostat.lifecycle import Step, next_step

NAMES = ("a", "b", "c")
ROUNDS = 60


class Town:
    """Three Deployments that were scaled from 3 to 6 by one Remediation, which has made it worse."""

    def __init__(self, *, halfway: bool = False) -> None:
        self.api = api = ApiServer()
        self.clock, self.records = FakeClock(T0), Records()
        bodies = {name: deployment(replicas=6) | {"metadata": meta(name)} for name in NAMES}
        steps = [
            once(effect(live, (replace("/spec/replicas", 6),)), effect(live, (replace("/spec/replicas", 3),)))
            for live in bodies.values()
        ]
        plan = Plan(
            summary="scale three",
            steps=tuple(step for (step,) in steps),
            diff="",
            replaced_pods=0,
            replicas_after=6,
            on_ineffective="Undo",
            deadline_seconds=600,
            reads_digest=HASH,
        )
        done = range(2 if halfway else 3)
        said = {"effect": "Forward", "resourceVersion": "1", "generation": 1, "time": rfc3339(T0)}
        ended = [condition(APPLIED, False, "Incomplete", message="not through")] if halfway else [
            condition(APPLIED), condition(RELEASED), condition(VERIFIED, False, "Worse")
        ]  # fmt: skip
        status = {
            "conditions": [condition(PLANNED), condition(ADMITTED, reason=UNATTENDED), *ended],
            "plan": plan.wire(),
            "planHash": HASH,
            "intents": [said | {"step": n, "attempt": 1, "uid": f"uid-{NAMES[n]}"} for n in done],
            "results": [said | {"step": n, "proof": "ManagedFields"} for n in done],
        }
        api.put(CASE, {"metadata": meta(NAME), "spec": remediation(NAME).spec.wire(), "status": status})
        api.put(f"{BASE}/incidents/payment-1", incident().wire())
        api.put(f"{BASE}/runbooks/bad-release", runbook().wire())
        for number, (name, live) in enumerate(bodies.items()):
            if number in done:
                live["metadata"]["managedFields"] = [{"manager": manager(self.now(), Part("Forward", number))}]
            else:
                live["spec"]["replicas"] = 3
            api.put(path(name), live)
        self.process = process(api, self.clock, self.records)

    def somebody_scales(self, name: str) -> None:
        self.api.write(path(name), "ada", lambda o: o["spec"].update(replicas=4))

    def run(self) -> None:
        for _ in range(ROUNDS):
            if next_step(self.now(), self.clock.now()) is Step.NOTHING:
                return
            self.clock.step(1)
            try:
                with suppress(Retry):
                    self.process.remediation(KEY)
            except Killed:
                self.process = process(self.api, self.clock, self.records)
        pytest.fail(f"no end after {ROUNDS} rounds: {self.now().status.wire()}")

    def now(self) -> Remediation:
        return Remediation.model_validate(self.api.objects[CASE])

    def replicas(self) -> dict[str, int]:
        return {
            name: self.api.objects[path(name)]["spec"]["replicas"] for name in NAMES if path(name) in self.api.objects
        }

    def says(self, kind: str) -> tuple[str, str, str]:
        found = find(self.now().status.conditions, kind)
        return (str(found.status), found.reason, found.message) if found is not None else ("", "", "")

    def undone(self) -> list[str]:
        return [w[0].rsplit("/", 1)[1] for w in self.api.writes if w[1].endswith("-inverse")]


def path(name: str) -> str:
    return f"/apis/apps/v1/namespaces/shop/deployments/{name}"


@pytest.mark.parametrize("changed", [c for n in (1, 2, 3) for c in combinations(NAMES, n)])
def test_whatever_others_changed_the_rest_is_undone_and_what_is_left_is_named(changed) -> None:
    town = Town()
    for name in changed:
        town.somebody_scales(name)
    town.run()
    assert town.replicas() == {name: 4 if name in changed else 3 for name in NAMES}
    assert sorted(town.undone()) == sorted(set(NAMES) - set(changed)), "each once"
    status, reason, told = town.says(UNDONE)
    assert (status, reason) == ("False", "UndoBlocked")
    for name in NAMES:
        assert (f"Deployment {name}: somebody changed the target since" in told) == (name in changed)
    assert len(changed) == 3 or told.startswith(f"undid {3 - len(changed)} of 3 steps; left as it is: ")
    assert town.says(FINISHED)[1:] == (reason, told)
    assert is_true(town.now().status.conditions, RELEASED)
    for name in set(NAMES) - set(changed):
        assert town.api.objects[path(name)]["metadata"]["managedFields"] == [], "the owner's next apply needs no force"
    ends = [e.id for e in entries([town.now()]) if "UndoBlocked" in e.id]
    assert ends == [f"act/{NAME}/Finished/UndoBlocked"], "told once"


def test_a_target_that_is_gone_keeps_nothing_else_from_being_undone() -> None:
    town = Town()
    del town.api.objects[path("c")]
    town.run()
    assert (town.replicas(), town.says(FINISHED)[1]) == ({"a": 3, "b": 3}, "TargetReplaced")
    assert "Deployment c: Deployment c is gone" in town.says(FINISHED)[2]


def test_what_the_api_server_refuses_keeps_nothing_else_from_being_undone() -> None:
    town = Town()
    patch = town.api.json_patch

    def refuses(where, ops, who, *, dry_run=False):
        if where == path("b") and who.endswith("-inverse"):
            raise Refused("Invalid", "a webhook says no")
        return patch(where, ops, who, dry_run=dry_run)

    town.api.json_patch = refuses  # type: ignore[method-assign]
    town.run()
    assert town.replicas() == {"a": 3, "b": 6, "c": 3}
    assert town.says(FINISHED)[1:] == ("Invalid", "undid 2 of 3 steps; left as it is: Deployment b: a webhook says no")


def test_what_was_stopped_halfway_is_undone_as_far_as_it_can_be_and_both_are_said() -> None:
    town = Town(halfway=True)
    town.somebody_scales("b")
    town.run()
    assert town.replicas() == {"a": 3, "b": 4, "c": 3}
    _, reason, told = town.says(FINISHED)
    assert reason == "UndoBlocked"
    assert "Deployment b: somebody changed" in told
    assert told.endswith("; Incomplete: not through")
    assert town.api.objects[path("a")]["metadata"]["managedFields"] == []


def test_the_audit_log_says_which_step_was_left() -> None:
    town = Town()
    town.somebody_scales("c")
    town.run()
    (told,) = (e for e in town.records.entries if e.step == "Undone")
    assert told.says["reason"] == "UndoBlocked"
    assert "Deployment c: " in told.says["message"]
    assert [e.says["step"] for e in town.records.entries if e.step == "Result"] == [1, 0]


@pytest.mark.parametrize("fault", [DIES_BEFORE, DIES_AFTER, DELAYED, REPLY_LOST])
def test_a_kill_or_a_delay_at_every_single_call(fault) -> None:
    calls = Town()
    calls.somebody_scales("b")
    calls.run()
    for point in range(calls.api.calls):
        town = Town()
        town.somebody_scales("b")
        town.api.script = [(OK, "")] * point + [(fault, "")]
        town.run()
        town.api.deliver()
        assert town.replicas() == {"a": 3, "b": 4, "c": 3}, point
        assert sorted(town.undone()) == ["a", "c"], point
        assert [b.step for b in town.now().status.blocked] == [1], point
