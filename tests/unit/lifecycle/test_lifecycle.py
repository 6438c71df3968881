"""The next step of a Remediation, and what an Incident says meanwhile."""

import itertools
from functools import cache
from types import SimpleNamespace

import pytest
from tests.unit.action.plans import PLAN
from tests.unit.builders import T0, a_condition, at, condition, incident, remediation, signal

from hemostat.api.incident import SignalState
from hemostat.api.meta import find, set_condition
from hemostat.api.remediation import ADMITTED, APPLIED, FINISHED, PLANNED, RELEASED, UNDONE, VERIFIED
from hemostat.clock import rfc3339
from hemostat.lifecycle import (
    SELF_HEALED_AFTER,
    Step,
    all_clear_since,
    incident_conditions,
    needs_undo,
    next_step,
)

STATES = (None, "True", "False", "Unknown")
REASONS = ("Healed", "Worse", "Ineffective", "NoData")
LATER = SELF_HEALED_AFTER.total_seconds()


def case(conditions, on_ineffective="Undo", plan=True, **spec):
    plan_ = PLAN.model_copy(update={"on_ineffective": on_ineffective}).wire() if plan else None
    status = {"conditions": conditions} | ({"plan": plan_} if plan_ else {})
    return remediation(status=status, **spec)


@cache
def parsed(kind, status, reason):
    return a_condition(kind, status, reason)


def every_combination():
    """Every set of conditions there can be, reachable or not: {type: (status, reason)}."""
    verdicts = [None, ("True", "Healed"), ("Unknown", "Verifying"), *(("False", reason) for reason in REASONS)]
    for planned, admitted in itertools.product((None, "True"), repeat=2):
        for applied, released, undone in itertools.product(STATES, repeat=3):
            some = {PLANNED: planned, ADMITTED: admitted, APPLIED: applied, RELEASED: released, UNDONE: undone}
            found = {kind: (status, "Because") for kind, status in some.items() if status}
            yield from (found | ({VERIFIED: verdict} if verdict else {}) for verdict in verdicts)


def quick(found, on_ineffective="Undo"):
    """What `next_step` reads of a Remediation: there are thousands of them."""
    conditions = tuple(parsed(kind, *state) for kind, state in found.items())
    status = SimpleNamespace(conditions=conditions, plan=PLANS[on_ineffective], intents=(), results=())
    return SimpleNamespace(status=status, metadata=UNMARKED)


UNMARKED = SimpleNamespace(annotations={})


PLANS = {on: PLAN.model_copy(update={"on_ineffective": on}) for on in ("Undo", "Keep")}


def after(found, step, verdict):
    """Return the conditions once the step has succeeded."""
    done = {
        Step.PLAN: (PLANNED, "True", "Planned"),
        Step.DECIDE: (ADMITTED, "True", "Approved"),
        Step.APPLY: (APPLIED, "True", "Applied"),
        Step.RELEASE: (RELEASED, "True", "Released"),
        Step.VERIFY: (VERIFIED, "True" if verdict == "Healed" else "False", verdict),
        Step.UNDO: (UNDONE, "True", "Undone"),
        Step.FINISH: (FINISHED, "True", verdict),
    }
    kind, *state = done[step]
    more = {RELEASED: ("Unknown", "InverseApplied")} if step is Step.UNDO else {}  # it has fields of its own
    return found | {kind: tuple(state)} | more


@pytest.mark.parametrize("on_ineffective", ["Undo", "Keep"])
@pytest.mark.parametrize("verdict", REASONS)
def test_from_every_combination_the_end_is_reached_and_no_applied_step_is_repeated(on_ineffective, verdict):
    for start in every_combination():
        found, taken = start, []
        while (step := next_step(quick(found, on_ineffective), T0)) is not Step.NOTHING:
            taken.append(step)
            assert len(taken) <= 9, (start, taken)
            found = after(found, step, verdict)
        assert taken[-1] is Step.FINISH
        true = {kind for kind, (status, _) in start.items() if status == "True"}
        for step, kind in ((Step.APPLY, APPLIED), (Step.UNDO, UNDONE), (Step.PLAN, PLANNED), (Step.DECIDE, ADMITTED)):
            assert taken.count(step) <= (0 if kind in true else 1), (start, taken)
        assert taken.count(Step.VERIFY) <= 1


@pytest.mark.parametrize(
    ("verdict", "on_ineffective", "steps"),
    [
        ("Healed", "Undo", "Plan Decide Apply Release Verify Finish"),
        ("NoData", "Undo", "Plan Decide Apply Release Verify Finish"),
        ("Worse", "Undo", "Plan Decide Apply Release Verify Undo Release Finish"),
        ("Worse", "Keep", "Plan Decide Apply Release Verify Undo Release Finish"),
        ("Ineffective", "Undo", "Plan Decide Apply Release Verify Undo Release Finish"),
        ("Ineffective", "Keep", "Plan Decide Apply Release Verify Finish"),
    ],
)
def test_the_way_from_the_beginning(verdict, on_ineffective, steps):
    found, taken = {}, []
    while (step := next_step(quick(found, on_ineffective), T0)) is not Step.NOTHING:
        taken.append(step.value)
        found = after(found, step, verdict)
    assert " ".join(taken) == steps


def held(seconds, *conditions, hold=60):
    """A Remediation that was applied at T0, so long ago, and what it says since."""
    plan = PLAN.model_copy(update={"hold_seconds": hold}).wire()
    forward = {"effect": "Forward", "time": rfc3339(T0), "resourceVersion": "2", "generation": 1, "proof": "Content"}
    done = [condition(kind) for kind in (PLANNED, ADMITTED, APPLIED, RELEASED)]
    status = {"conditions": [*done, *conditions], "plan": plan, "results": [forward]}
    return next_step(remediation(status=status), at(seconds))


@pytest.mark.parametrize("verified", [(), (condition(VERIFIED, "Unknown", "Verifying"),)])
def test_what_is_meant_for_a_time_ends_with_it_though_it_is_not_verified_yet(verified):
    """Seen: a cut said to hold for 60 s held for 120, as long as its verification."""
    assert held(59, *verified) is Step.VERIFY
    assert held(60, *verified) is Step.RESTORE
    assert held(60, *verified, condition(UNDONE, True, "Restored")) is Step.VERIFY


def test_what_is_verified_before_its_time_waits_for_it():
    healed = condition(VERIFIED, True, "Healed")
    assert held(30, healed) is Step.RESTORE
    assert held(90, healed, condition(UNDONE, True, "Restored")) is Step.FINISH


def test_what_a_person_took_back_is_not_verified_any_more():
    assert held(30, condition(UNDONE, True, "TakenBack")) is Step.FINISH
    assert held(30, condition(UNDONE, "Unknown", "TakenBack")) is Step.VERIFY


def test_what_did_not_help_is_undone_once_and_what_is_over_already_not_again():
    useless = condition(VERIFIED, False, "Ineffective")
    assert held(30, useless) is Step.UNDO
    assert held(120, useless, condition(UNDONE, True, "Restored")) is Step.FINISH


def test_a_finished_remediation_is_left_alone_whatever_else_it_says():
    for found in every_combination():
        assert next_step(quick(found | {FINISHED: ("True", "Denied")}), T0) is Step.NOTHING


@pytest.mark.parametrize("kind", [PLANNED, ADMITTED, APPLIED])
@pytest.mark.parametrize("status", ["False", "Unknown"])
def test_a_condition_that_is_not_true_is_worked_on(kind, status):
    order = {PLANNED: Step.PLAN, ADMITTED: Step.DECIDE, APPLIED: Step.APPLY}
    before = list(order)[: list(order).index(kind)]
    assert next_step(case([*(condition(k) for k in before), condition(kind, status)]), T0) is order[kind]


def test_nothing_is_undone_without_a_plan_or_a_verdict():
    assert not needs_undo(case([]))
    assert not needs_undo(case([condition(VERIFIED, "Unknown", "Worse")]))
    assert not needs_undo(case([condition(VERIFIED, False, "Worse")], plan=False))
    assert needs_undo(case([condition(VERIFIED, False, "Worse")]))


# --- incident ----------------------------------------------------------------------------------------------


def words(found):
    return {c.type: (c.status.value, c.reason) for c in found}


def clear(since=0.0):
    return signal(state=SignalState.CLEAR, state_time=at(since))


def test_a_new_incident_says_unknown():
    assert words(incident_conditions(incident(signals=(signal(),)), [], at(1))) == {
        "Remediated": ("Unknown", "NotYet"),
        "Verified": ("Unknown", "NotYet"),
        "Resolved": ("False", "Open"),
    }


@pytest.mark.parametrize(
    ("signals", "now", "wanted"),
    [
        ((clear(),), LATER, ("True", "ClearedByItself")),
        ((clear(),), LATER - 0.001, ("False", "Open")),
        ((clear(), clear(5)), LATER + 4, ("False", "Open")),
        ((clear(), clear(5)), LATER + 5, ("True", "ClearedByItself")),
        ((clear(), signal("b")), 9999, ("False", "Open")),
        ((clear(), signal("b", state=SignalState.NO_DATA)), 9999, ("False", "NoData")),
        ((), 9999, ("False", "Open")),
    ],
)
def test_what_clears_by_itself_is_resolved_after_a_while(signals, now, wanted):
    found = words(incident_conditions(incident(signals=signals), [], at(now)))
    assert found["Resolved"] == wanted


def changed(summary, when, kind="Rollout"):
    said = {"key": f"change/{kind}/x", "kind": "Change", "subject": "x", "observedTime": at(when).isoformat()}
    return {"id": "E7", "summary": summary, **said}


UNDO = "Rollout of revision 3 12 s after the incident opened: image b -> a"


@pytest.mark.parametrize(
    ("evidence", "reason"),
    [
        (changed(UNDO, 12), "ClearedAfterChange"),
        (changed(UNDO, 25), "ClearedByItself"),  # it was clear already
        (changed(UNDO.replace("after", "before"), -12), "ClearedByItself"),
        (changed("ConfigMap x was changed at a callee, 9 s after the incident opened: y", 9), "ClearedByItself"),
        (changed("Node n was changed 9 s after the incident opened: Ready", 9, "Node"), "ClearedByItself"),
        (
            changed(
                "Deployment x was changed 9 s after the incident opened: y (by kube-controller-manager)", 9, "Scale"
            ),
            "ClearedByItself",
        ),
    ],
)
def test_what_others_mended_did_not_clear_by_itself(evidence, reason):
    past = incident(signals=(clear(20),), evidence=[evidence])
    found = find(incident_conditions(past, [], at(LATER + 20)), "Resolved")
    assert (found.status, found.reason) == ("True", reason)
    assert (f"{UNDO} (E7)" in found.message) == (reason == "ClearedAfterChange")


def test_an_incident_without_data_says_what_it_waits_for_and_says_it_once():
    """Nobody can tell `waits for data` from `forgotten` otherwise; and a word that changes is a write a second."""
    mute = incident(signals=(signal(state=SignalState.NO_DATA, state_time=at(80)),))
    told = [find(incident_conditions(mute, [], at(now)), "Resolved") for now in (90, 91, 5000)]
    (one,) = {(c.reason, c.message) for c in told}
    assert one[0] == "NoData"
    assert one[1].startswith("no calls of checkout -> payment since 12:01:00Z; it is resolved once")


@pytest.mark.parametrize("reason", ["DeniedByPerson", "Drifted", "NotNeeded"])
def test_what_ended_without_being_done_waits_for_nobody_any_more(reason):
    """It said for ever, resolved too, that an approval is needed."""
    waited = condition(ADMITTED, "Unknown", "NeedsApproval", message="a person decides")
    done = remediation("r", {"conditions": [waited, condition(FINISHED, True, reason, message="ada: not now")]})
    for signals in ((signal(),), (clear(),)):
        found = find(incident_conditions(incident(signals=signals), [done], at(LATER)), "Remediated")
        assert (found.status, found.reason, found.message) == ("False", reason, "r: ada: not now")


def test_what_a_person_must_know_of_an_action_is_not_hidden_by_silence():
    done = remediation("r", {"conditions": [condition(APPLIED, True), condition(FINISHED, True, "Ineffective")]})
    mute = incident(signals=(signal(state=SignalState.NO_DATA),))
    found = find(incident_conditions(mute, [done], at(99)), "Resolved")
    assert found.reason == "Ineffective"
    assert "no calls of checkout -> payment" in found.message


@pytest.mark.parametrize("reason", ["TargetReplaced", "TargetDeleted", "Retargeted"])
def test_an_incident_that_nobody_looks_at_any_more_ends_and_says_why(reason):
    left = incident(signals=(signal(),), conditions=(condition("Watched", False, reason, message="it is gone"),))
    found = find(incident_conditions(left, [], at(1)), "Resolved")
    assert (found.status, found.reason, found.message) == ("True", reason, "it is gone")


def test_without_its_watch_an_incident_ends_but_not_under_an_action_that_is_at_work():
    intent = {"effect": "Forward", "attempt": 1, "uid": "u", "resourceVersion": "1", "generation": 1}
    intents = [intent | {"time": rfc3339(at(0))}]
    busy = remediation("r", {"conditions": [condition(ADMITTED, True)], "intents": intents})
    waits = remediation("r", {"conditions": [condition(ADMITTED, "Unknown", "NeedsApproval")]})
    over = remediation("r", {"conditions": [condition(FINISHED, True, "Ineffective")], "intents": intents})
    ends = {}
    for name, done in (("busy", busy), ("waits", waits), ("over", over)):
        found = incident_conditions(incident(signals=(signal(),)), [done], at(1), unwatched="Watch payment was deleted")
        ends[name] = words(found)["Resolved"]
    assert ends == {
        "busy": ("False", "InProgress"),
        "waits": ("True", "WatchDeleted"),
        "over": ("True", "WatchDeleted"),
    }


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ([], ("Unknown Proposed", "Unknown NotYet", "False InProgress")),
        (
            [condition(ADMITTED, "Unknown", "NeedsApproval")],
            ("Unknown NeedsApproval", "Unknown NotYet", "False InProgress"),
        ),
        ([condition(APPLIED, True, "Applied")], ("True Applied", "Unknown NotYet", "False InProgress")),
        (
            [condition(APPLIED, True, "Applied"), condition(VERIFIED, "Unknown", "Verifying")],
            ("True Applied", "Unknown Verifying", "False InProgress"),
        ),
        (
            [
                condition(APPLIED, True, "Applied"),
                condition(VERIFIED, True, "Healed"),
                condition(FINISHED, True, "Healed"),
            ],
            ("True Applied", "True Healed", "True Healed"),
        ),
        (
            [
                condition(APPLIED, True, "Applied"),
                condition(VERIFIED, False, "Worse"),
                condition(FINISHED, True, "Worse"),
            ],
            ("True Applied", "False Worse", "False Worse"),
        ),
        ([condition(FINISHED, True, "Denied")], ("False Denied", "Unknown NotYet", "False Denied")),
    ],
)
def test_an_incident_says_what_its_remediation_says(raw, wanted):
    found = incident_conditions(incident(signals=(signal(),)), [case(raw)], at(1))
    assert tuple(f"{status} {reason}" for status, reason in words(found).values()) == wanted


def test_the_last_remediation_counts_whatever_the_order():
    first = case([condition(FINISHED, True, "Ineffective")])
    again = remediation("again", {"conditions": [condition(FINISHED, True, "Healed")]}, step=1, attempt=2)
    for order in ([first, again], [again, first]):
        assert words(incident_conditions(incident(), order, at(1)))["Resolved"] == ("True", "Healed")


def test_what_a_person_must_see_to_is_resolved_when_it_clears():
    done = case([condition(FINISHED, True, "NoData")])
    found = incident_conditions(incident(signals=(clear(),)), [done], at(LATER))
    assert words(found)["Resolved"] == ("True", "ClearedByItself")


def test_what_clears_after_something_was_applied_did_not_clear_by_itself():
    done = case([condition(APPLIED, True, "Applied"), condition(FINISHED, True, "NoData")])
    found = incident_conditions(incident(signals=(clear(),)), [done], at(LATER))
    assert words(found)["Resolved"] == ("True", "Cleared")
    assert done.metadata.name in next(c.message for c in found if c.type == "Resolved")


def test_a_resolved_incident_stays_as_it_is():
    kept = (condition("Resolved", True, "Healed"), condition("Remediated", True, "Applied"))
    found = incident_conditions(incident(conditions=kept, signals=(signal(),)), [case([])], at(1))
    assert words(found) == {"Resolved": ("True", "Healed"), "Remediated": ("True", "Applied")}


def test_what_observe_owns_is_not_written():
    kept = (condition("Detected"), condition("Diagnosed"))
    assert set(words(incident_conditions(incident(conditions=kept), [], at(1)))) == {
        "Remediated",
        "Verified",
        "Resolved",
    }


def test_saying_the_same_again_changes_nothing():
    raw = [condition(APPLIED, True, "Applied")]
    once = incident_conditions(incident(), [case(raw)], at(1))
    shown = incident(conditions=tuple(c.wire() for c in once))
    assert incident_conditions(shown, [case(raw)], at(99)) == once


def test_since_when_all_is_clear():
    assert all_clear_since(incident(signals=(clear(3), clear(9))), at(20)) == at(9)
    assert all_clear_since(incident(), at(20)) is None
    assert find(set_condition((), "A", True, "R", "", at(0)), "B") is None


def test_of_two_runbooks_what_is_at_work_counts_and_else_what_the_incident_names():
    """Steps count within a Runbook: the second step of the first one is older than the first of the second."""
    old = remediation("old", {"conditions": [condition("Finished", True, "Ineffective")]}, step=1)
    new = remediation("new", {"conditions": []}, runbookRef={"name": "other", "uid": "uid-other"})
    firing = incident(signals=(signal(),))
    assert find(incident_conditions(firing, [old, new], at(5)), "Resolved").reason == "InProgress"
    new = remediation(
        "new", {"conditions": [condition("Finished", True, "Healed")]}, runbookRef={"name": "other", "uid": "u"}
    )
    named = incident(signals=(signal(),), remediationRef={"name": "new"})
    assert find(incident_conditions(named, [old, new], at(5)), "Resolved").reason == "Healed"


TAKES_BACK = {"annotations": {"hemostat.dev/taken-back-by": "ann"}}


@pytest.mark.parametrize(
    ("more", "step"),
    [
        ([], Step.LIFTED),
        ([(UNDONE, "Unknown")], Step.LIFTED),
        ([(UNDONE, True), (RELEASED, "Unknown")], Step.RELEASE),
        ([(UNDONE, True), (RELEASED, True)], Step.NOTHING),
    ],
)
def test_what_a_person_takes_back_after_the_end_is_noted_and_let_go_of(more, step):
    applied = [condition(kind) for kind in (PLANNED, ADMITTED, APPLIED, VERIFIED, FINISHED)]
    done = case([*applied, *(condition(kind, status) for kind, status in more)])
    assert next_step(done, T0) is Step.NOTHING, "nobody says that he takes it back"
    marked = done.model_copy(update={"metadata": done.metadata.model_copy(update=TAKES_BACK)})
    assert next_step(marked, T0) is step
    never = case([condition(FINISHED)])
    never = never.model_copy(update={"metadata": marked.metadata})
    assert next_step(never, T0) is Step.NOTHING
