"""The matcher picks the one runbook that the evidence shows, or says why none."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.builders import T0, runbook, signal, symptom

from hemostat.api.runbook import Symptom
from hemostat.diagnosis.evidence import Change, Facts, number
from hemostat.diagnosis.matcher import expression_error, match

TRUE, FALSE = "signals.exists(s, s.kind == 'ErrorRate')", "signals.exists(s, s.kind == 'Latency')"
BROKEN = [
    "signals.exists(s",
    "signals",
    "1",
    "'true'",
    "nonsense > 1",
    "nonsense(1) == 1",
    "target.missing == 'x'",
    "target['missing'] == 'x'",
    "signals[9].kind == 'x'",
    "signals[0].missing == 1",
    "signals.all(s, s.missing == 1)",
    "1 / 0 == 1",
    "9223372036854775807 + 1 > 0",
    "target.name + 1 == 'x'",
    "target.name.matches('(')",
    "duration('x') > duration('y')",
    "int('x') == 1",
]
CHANGE = Change("Rollout", "revision 2", T0, 60.0, "image a -> b")
FACTS = Facts({"kind": "Deployment", "name": "payment"}, (signal(),), (CHANGE,), None, ())
EVIDENCE = number((), FACTS, {"calls/errors/checkout->payment": "traces t"}, T0)


def said(*runbooks, kind="Deployment", facts=FACTS):
    return match(runbooks, kind, facts, EVIDENCE)


def chosen(conclusion):
    ref = conclusion.diagnosis.runbook_ref
    return ref.name if ref else None


def test_the_runbook_whose_symptoms_show_is_chosen_and_cites_signals_and_changes():
    found = said(runbook("yes"), runbook("no", symptoms=[symptom("slow", FALSE)]))
    assert (found.matched, found.reason) == (True, "RunbookMatched")
    assert "the cause yes is about" in found.message
    assert "errors" in found.message
    assert found.diagnosis.runbook_ref.uid == "uid-yes"
    best, other = found.diagnosis.hypotheses
    assert (best.runbook, best.confidence_percent, best.cites, best.ruled_out) == ("yes", 100, ("E1", "E3"), None)
    assert (other.runbook, other.confidence_percent, other.cites) == ("no", 0, ())
    assert other.ruled_out


@pytest.mark.parametrize(
    ("symptoms", "confidence"),
    [
        ([symptom("a", TRUE, 3), symptom("b", FALSE, 1)], 75),
        ([symptom("a", TRUE, 1), symptom("b", FALSE, 2)], 33),
        ([symptom("a", TRUE, 1, "Required"), symptom("b", FALSE, 1)], 50),
        ([symptom("a", FALSE, 1, "Required"), symptom("b", TRUE, 99)], None),
        ([symptom("a", FALSE)], None),
    ],
)
def test_confidence_is_the_share_of_the_weight_and_required_is_required(symptoms, confidence):
    found = said(runbook(symptoms=symptoms))
    assert found.matched == (confidence is not None)
    assert found.diagnosis.hypotheses[0].confidence_percent == (confidence or 0)


def test_a_missing_required_symptom_is_named():
    found = said(runbook(symptoms=[symptom("rollout", FALSE, necessity="Required"), symptom("b", TRUE)]))
    assert found.diagnosis.hypotheses[0].ruled_out == "required symptom not found: rollout"


def test_the_heavier_runbook_wins_and_the_other_is_told_why():
    found = said(runbook("light"), runbook("heavy", symptoms=[symptom("a", TRUE, 2)]))
    assert chosen(found) == "heavy"
    assert found.diagnosis.hypotheses[1].ruled_out == "weighs 1, less than heavy with 2"


def test_of_equal_weight_the_more_complete_one_wins():
    found = said(runbook("half", symptoms=[symptom("a", TRUE), symptom("b", FALSE)]), runbook("whole"))
    assert chosen(found) == "whole"


def test_a_tie_chooses_nobody_and_names_both():
    found = said(runbook("b"), runbook("a"))
    assert (found.matched, found.reason) == (False, "RunbooksTie")
    assert "a and b match equally" in found.message
    assert {h.ruled_out for h in found.diagnosis.hypotheses} == {"matches equally with another Runbook"}


@pytest.mark.parametrize(
    ("runbooks", "reason", "words"),
    [
        ([], "NoRunbooks", "there are no Runbooks to choose from (an Incident has those of its own namespace)"),
        ([runbook(state="Draft")], "NoRunbookMatches", "none of 1 Runbooks is Active"),
        (
            [runbook(kinds=["StatefulSet"])],
            "NoRunbookMatches",
            "no active Runbook is for a Deployment; those that are Active (1) are for: StatefulSet",
        ),
        ([runbook(symptoms=[symptom("slow", FALSE)])], "NoRunbookMatches", "matches the evidence; 1 considered"),
    ],
)
def test_when_none_matches_a_person_is_told_why(runbooks, reason, words):
    found = said(*runbooks)
    assert (found.matched, found.reason, found.diagnosis.runbook_ref) == (False, reason, None)
    assert words in found.message


def test_a_runbook_is_for_its_kinds():
    assert chosen(said(runbook(kinds=["StatefulSet"]), kind="StatefulSet")) == "bad-release"


@pytest.mark.parametrize("expression", BROKEN)
def test_a_broken_expression_never_wins_and_never_stops_the_others(expression):
    broken = runbook("broken", symptoms=[symptom("broken", expression, 100)])
    assert not said(broken).matched
    assert chosen(said(broken, runbook("sound"))) == "sound"


@pytest.mark.parametrize("expression", BROKEN)
def test_a_broken_required_symptom_rules_the_runbook_out(expression):
    symptoms = [symptom("broken", expression, necessity="Required"), symptom("a", TRUE, 100)]
    assert not said(runbook(symptoms=symptoms)).matched


@given(st.text(max_size=30))
def test_any_text_is_a_symptom_that_is_absent_or_an_expression(text):
    found = said(
        runbook("sound", symptoms=[symptom("a", TRUE, 2)]), runbook("any", symptoms=[symptom("x", text or "?")])
    )
    assert chosen(found) == "sound"


@pytest.mark.parametrize(
    ("expression", "error"),
    [
        (TRUE, None),
        ("changes.exists(c, c.ageSeconds < 300)", None),
        ("changes.size() > 0 && changes[0].ageSeconds < 300", None),
        ("workload.ready < workload.desired && target.name.startsWith('p')", None),
        ("signals.filter(s, s.kind == 'Latency').map(x, x.value).all(v, v > 1.0)", None),
        ("signals.exists_one(s, changes.all( c , c.kind == s.kind))", None),
        ("signal.exists(s, true)", "unknown variable signal"),
        ("signals.exists(s, s.kind == kind)", "unknown variable kind"),
        ("a == b", "unknown variable a, b"),
        ("signals.exists(s", "Failed to parse expression"),
    ],
)
def test_what_cannot_be_used_is_said_beforehand(expression, error):
    found = expression_error(Symptom(name="x", expression=expression))
    assert found is None if error is None else error in found
    if error and "unknown" in error:
        assert found == f"{error}; there are calleeChanges, changes, signals, target, workload"


@pytest.mark.parametrize("expression", ["changes.exists(c, c.ageSeconds < 300)", "changes[0].kind == 'Rollout'"])
def test_changes_can_be_asked_about(expression):
    assert said(runbook(symptoms=[symptom("rollout", expression)])).matched


def test_the_order_of_reading_changes_nothing():
    runbooks = [
        runbook("a"),
        runbook("b", symptoms=[symptom("x", TRUE, 2), symptom("y", FALSE, 1)]),
        runbook("c", symptoms=[symptom("x", TRUE, 2), symptom("y", FALSE, 1)]),
        runbook("d", symptoms=[symptom("x", FALSE)]),
    ]
    for some in (runbooks, runbooks[:2], runbooks[1:3]):
        assert len({str(said(*order)) for order in itertools.permutations(some)}) == 1


def test_many_runbooks_stay_within_the_schema():
    found = said(*(runbook(f"r{i:03}", symptoms=[symptom("a", TRUE, i % 50 + 1)]) for i in range(50)))
    assert len(found.diagnosis.hypotheses) == 16
    assert chosen(found) == "r049"
    assert found.diagnosis.hypotheses[0].runbook == "r049"


def test_a_tie_of_very_many_is_a_bounded_message():
    assert len(said(*(runbook(f"{'r' * 200}{i:03}") for i in range(50))).message) <= 2048


TEN = "[0,1,2,3,4,5,6,7,8,9]"


def nested(depth):
    text = "true"
    for i in range(depth):
        text = f"{TEN}.all(v{i}, {text})"
    return text


@pytest.mark.parametrize("bomb", [nested(9), '["aaaaaaaa"]' + ".map(x,x+x)" * 40 + ".exists(x,x==1)"])
def test_an_expression_that_could_run_for_ever_is_refused_and_never_run(bomb):
    assert "steps" in expression_error(Symptom(name="x", expression=bomb))
    assert chosen(said(runbook("bomb", symptoms=[symptom("x", bomb)]))) is None


@pytest.mark.parametrize("call", ["s.name.matches('((a{100}){100})z')", "matches(s.name, '(\\\\pL{20}){20}')"])
def test_patterns_are_refused(call):
    """Two loops are a thousand patterns that are compiled, milliseconds each, while the whole process stands still."""
    text = f"signals.exists(s, changes.exists(c, {call}))"
    assert expression_error(Symptom(name="x", expression=text)).startswith("unknown function matches; there are")


def test_an_ordinary_nested_question_is_allowed():
    text = "signals.all(s, changes.all(c, workload.troubles.all(t, s.subject != c.subject && t != '')))"
    assert expression_error(Symptom(name="x", expression=text)) is None


def test_it_abstains_where_too_little_of_a_runbook_was_found_and_says_what_is_missing():
    book = runbook(
        "thin",
        symptoms=[symptom("errors", "size(signals) > 0", 29), symptom("full", "size(changes) > 50", 71)],
    )
    found = answer(book)
    assert (found.matched, found.reason) == (False, "InsufficientEvidence")
    assert "29 % of Runbook thin was found, at least 30 % must be; not found: full" in found.message
    assert (found.diagnosis.abstained.least_percent, found.diagnosis.abstained.missing) == (30, ("thin: full",))
    assert found.diagnosis.hypotheses[0].ruled_out.startswith("insufficient evidence: 29 %")
    enough = runbook("enough", symptoms=[symptom("errors", "size(signals) > 0", 30), symptom("full", "false", 70)])
    assert answer(enough).matched


def test_a_tie_and_no_match_are_abstentions_too_and_an_answer_is_none():
    need = [symptom("errors", "size(signals) > 0", 5), symptom("rollout", "false", 1, "Required")]
    assert answer(runbook("a", symptoms=need)).diagnosis.abstained.missing == ("a: rollout",)
    same = [symptom("errors", "size(signals) > 0", 5), symptom("more", "false", 1)]
    tie = answer(runbook("a", symptoms=same), runbook("b", symptoms=same))
    assert (tie.reason, tie.diagnosis.abstained.missing) == ("RunbooksTie", ("a: more", "b: more"))
    assert answer(runbook("a", symptoms=same)).diagnosis.abstained is None


def answer(*books):
    facts = Facts(
        target={"kind": "Deployment", "name": "x"}, signals=(signal(),), changes=(), workload=None, troubles=()
    )
    return match(books, "Deployment", facts, ())
