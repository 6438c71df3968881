"""Trying Runbooks on a stored Incident: who would win, and whether that is certain."""

import pytest
from tests.unit.builders import T0, at, incident, runbook, signal, symptom

from hemostat.diagnosis.evidence import Change, Facts, number
from hemostat.diagnosis.matcher import match
from hemostat.diagnosis.rehearsal import rehearse
from hemostat.signals.workload import WorkloadState

ERRORS = symptom("errors", 'signals.exists(s, s.state == "Firing" && s.kind == "ErrorRate")', necessity="Required")
ROLLED_OUT = symptom("rolled-out", 'changes.exists(c, c.kind == "Rollout" && c.ageSeconds < 600.0)', 2)
COMPLETE = symptom("complete", "workload.complete")
SLOW = symptom("slow", 'signals.exists(s, s.kind == "Latency")', necessity="Required")
WELL = WorkloadState(desired=2, ready=2, updated=2, total=2, complete=True, stuck=False)
FACTS = Facts(
    {"kind": "Deployment", "name": "payment"},
    (signal(),),
    (Change("Rollout", "revision 2", at(-9), 9.0, "x"),),
    WELL,
    (),
)
EVIDENCE = number((), FACTS, {}, T0)
PAST = incident(signals=FACTS.signals, evidence=[e.wire() for e in EVIDENCE])


def book(name, *symptoms, **spec):
    return runbook(name, symptoms=list(symptoms), **spec)


def test_it_says_what_the_matcher_said():
    """Where nothing is unknown, a rehearsal is worth nothing unless both agree in every word."""
    books = [book("rollout", ERRORS, ROLLED_OUT), book("errors", ERRORS), book("slow", SLOW)]
    played = rehearse(books, PAST)
    assert played.conclusion == match(books, "Deployment", FACTS, EVIDENCE)
    assert played.winner == "rollout"
    assert [(p.percent, p.why_not) for p in played.played] == [
        (100, ""),
        (100, "weighs 1, less than rollout with 3"),
        (0, "required symptom not found: slow"),
    ]


def test_a_draft_is_taken_as_if_it_were_active():
    assert rehearse([book("mine", ERRORS, state="Draft")], PAST).winner == "mine"


def test_what_is_not_known_is_neither_found_nor_missing():
    (played,) = rehearse([book("mine", ERRORS, COMPLETE)], PAST).played
    assert played.symptoms == {"errors": True, "complete": None}
    assert played.percent == 50


@pytest.mark.parametrize(
    ("other", "open_to"),
    [
        (book("b", ERRORS, symptom("complete", "workload.complete", 1)), ("b",)),  # could tie
        (book("b", ERRORS, symptom("complete", "workload.complete", 9)), ("b",)),  # could win
        (book("b", SLOW, symptom("complete", "workload.complete", 9)), ()),  # cannot match
        (book("b", ERRORS), ()),  # nothing of it is unknown
    ],
)
def test_who_might_have_won_is_told(other, open_to):
    played = rehearse([book("a", ERRORS, symptom("seen", "signals.size() == 1")), other], PAST)
    assert played.open_to == open_to
    assert played.winner == (None if open_to else "a")
    assert played.conclusion.diagnosis.runbook_ref.name == "a"


def test_where_none_matches_for_certain_one_might():
    played = rehearse([book("a", symptom("complete", "workload.complete", necessity="Required"))], PAST)
    assert (played.winner, played.open_to) == (None, ("a",))


@pytest.mark.parametrize("expression", ['"abc"', "signals.size()", "signals.exists(s, s.kind)", "changes.exists(c"])
def test_what_nothing_answers_is_not_found_rather_than_not_known(expression):
    played = rehearse([book("a", symptom("broken", expression, necessity="Required"))], PAST)
    assert played.played[0].symptoms == {"broken": False}
    assert (played.winner, played.open_to) == (None, ())


def test_one_for_another_kind_of_target_says_so():
    played = rehearse([book("a", ERRORS, COMPLETE, kinds=["Job"])], PAST)
    assert played.played[0].why_not == "is for a Job, not for a Deployment"
    assert (played.winner, played.open_to) == (None, ())


def test_a_tie_has_no_winner():
    played = rehearse([book("a", ERRORS), book("b", ERRORS)], PAST)
    assert (played.winner, played.conclusion.reason, played.open_to) == (None, "RunbooksTie", ())


@pytest.mark.parametrize(("weight", "might"), [(1, ()), (2, ("thin",))])
def test_what_could_not_reach_the_share_that_an_answer_needs_might_not_have_won(weight, might):
    """The matcher abstains below 30 %: 2 of 9 at best is no answer, 3 of 10 may be one."""
    never = symptom("never", "false", 7)
    thin = book("thin", ERRORS, symptom("complete", "workload.complete", weight), never)
    played = rehearse([thin], PAST)
    assert played.conclusion.reason == "InsufficientEvidence"
    assert played.open_to == might
