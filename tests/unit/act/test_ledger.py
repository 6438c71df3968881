"""Who reads the log afterwards finds every step, on whose word it was taken, and what a decision rested on."""

import pytest
from hypothesis import given
from tests.unit.act.test_exactly_once import BUSY, CASES, DONE, KEY, World
from tests.unit.action.plans import PLAN
from tests.unit.builders import HASH, T0, at, condition, incident, policy, remediation, runbook, signal
from tests.unit.gate.test_checks import GOOD

from hemostat.act.ledger import changes, decided, known
from hemostat.act.recording import NotRecorded
from hemostat.api.remediation import ADMITTED, FINISHED, PLANNED, VERIFIED, RemediationStatus
from hemostat.audit.record import Record, Step, Word, digest
from hemostat.gate.checks import decide

INTENT = {"effect": "Forward", "attempt": 1, "uid": "u", "resourceVersion": "7", "generation": 2, "time": T0}
RESULT = {"effect": "Forward", "time": T0, "resourceVersion": "8", "generation": 3, "proof": "ManagedFields"}


def told(old, new, **more):
    """What is told when a status with some conditions becomes one with others."""
    fields = {"plan": PLAN, "planHash": HASH}
    before = remediation(status={"conditions": old} | fields)
    return changes(before, RemediationStatus.model_validate({"conditions": [*old, *new]} | fields | more))


@pytest.mark.parametrize(
    ("admitted", "more", "word", "names"),
    [
        ("AllowedByPolicy", {"decision": decide(GOOD).wire()}, Word.POLICY, ("allow",)),
        ("Approved", {"approvals": ["word"], "approvers": ["ada", "grace"]}, Word.PERSON, ("ada", "grace")),
    ],
)
def test_admission_intent_and_result_name_on_whose_word(admitted, more, word, names):
    asked = [condition(ADMITTED, True, admitted)]
    entries = (*told([], asked, **more), *told(asked, [], intents=[INTENT], results=[RESULT], **more))
    assert [e.step for e in entries] == [Step.ADMITTED, Step.INTENT, Step.RESULT]
    assert {(e.word, e.names) for e in entries} == {(word, names)}
    assert entries[1].says["resourceVersion"] == "7"
    assert entries[1].says["planHash"] == HASH
    for number, entry in enumerate(entries):
        assert Record.decode(Record(number, T0, "act", entry).encode()).entry == entry


def test_the_inverse_rests_on_the_verdict_not_on_who_allowed_the_action():
    worse = [condition(ADMITTED, True, "Approved"), condition(VERIFIED, False, "Worse")]
    (entry,) = told(worse, [], intents=[INTENT | {"effect": "Inverse"}], approvers=["ada"])
    assert (entry.word, entry.names) == (Word.PROCESS, ("Worse",))


def test_a_denial_is_a_persons_word():
    (entry,) = told([], [condition(FINISHED, True, "DeniedByPerson", message="ada: not now")])
    assert (entry.step, entry.word, entry.says["message"]) == (Step.FINISHED, Word.PERSON, "ada: not now")


def test_what_only_waits_or_stands_already_is_not_told():
    old = [condition(PLANNED, True, "Planned")]
    assert told(old, [condition(ADMITTED, "Unknown", "Held")], intents=[]) == ()


def test_a_decision_is_computed_again_from_what_was_kept():
    facts = type(GOOD)(**{f: getattr(GOOD, f) for f in GOOD.__dataclass_fields__} | {"incident": told_of()})
    decision = decide(facts)
    entry, kept = decided(facts, decision, [runbook()])
    again, runbooks = known(kept)
    assert again == facts
    assert decide(again) == decision
    assert runbooks == (runbook(),)
    assert entry.digests["prompt"] == "b" * 64
    assert entry.says["checks"]["Policy"].startswith("Pass: ")
    later = decided(facts.__class__(**_fields(facts) | {"now": at(60)}), decision, [runbook()])[1]
    fresh = {name for name, data in later.items() if digest(data) not in {digest(d) for d in kept.values()}}
    assert fresh == {"facts"}, "what is as it was is kept once"


@pytest.mark.parametrize("missing", ["facts", "facts.policies", "runbooks"])
def test_what_is_not_kept_is_named(missing):
    _, kept = decided(GOOD, decide(GOOD), [runbook()])
    with pytest.raises(ValueError, match=missing):
        known({name: data for name, data in kept.items() if name != missing})


def test_the_largest_decision_fits_a_record():
    """Every check says as much as it may."""
    decision = decide(GOOD)
    many = [c.model_copy(update={"message": "ß" * 1024}) for c in decision.checks]
    full = decision.model_copy(update={"checks": tuple(many)})
    entry, _ = decided(GOOD, full, [])
    assert Record(0, T0, "act", entry).encode()


@given(CASES, BUSY)
def test_no_effect_lands_whose_intent_is_not_in_the_log(case, script):
    world = World(case)
    world.api.script = list(script)
    world.run(DONE)
    landed = sum(len(found) for found in world.landed.values())
    assert landed <= len([e for e in world.records.entries if e.step is Step.INTENT])
    results = [r.resource_version for r in world.now().status.results]
    assert {e.says["resourceVersion"] for e in world.records.entries if e.step is Step.RESULT} >= set(results)


@pytest.mark.parametrize("room", range(3))
def test_with_a_log_that_takes_nothing_more_nothing_is_done_and_nothing_is_given_up(room):
    """The disk is full after so many records; later there is room again."""
    world = World("rollback")
    world.records.room = room
    while True:
        world.clock.step(1)
        try:
            world.process.remediation(KEY)
        except NotRecorded:
            break
    world.watch()
    landed = len(world.landed["Forward"])
    assert landed == min(room, 1), "the intent is recorded before, the result after it"
    for _ in range(3):
        with pytest.raises(NotRecorded):
            world.process.remediation(KEY)
        world.watch()
    assert len(world.landed["Forward"]) == landed
    assert FINISHED not in {c.type for c in world.now().status.conditions}
    world.records.room = None
    world.run(DONE)
    assert len(world.landed["Forward"]) == 1


def _fields(facts):
    return {name: getattr(facts, name) for name in facts.__dataclass_fields__}


def told_of():
    """An Incident whose diagnosis a model was asked for."""
    usage = {"turns": 1, "promptDigest": f"sha256:{'b' * 64}", "replyDigest": f"sha256:{'c' * 64}"}
    return incident(signals=(signal(),), diagnosis={"by": "Model", "usage": usage})


def test_policies_are_named_as_they_matched():
    strict = GOOD.__class__(**_fields(GOOD) | {"policies": (policy("one"), policy("two"))})
    entry, _ = decided(strict, decide(strict), [])
    assert set(entry.names) == {"one", "two"}
