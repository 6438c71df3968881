"""The lesson of an incident: each clause says what the Incident holds and cites it; a stranger's text cites nothing."""

from tests.unit.builders import at, condition, incident, remediation

from hemostat.api.identity import MAX_LESSON
from hemostat.api.incident import Diagnosis, Evidence, EvidenceKind, Hypothesis
from hemostat.api.meta import LocalRef
from hemostat.diagnosis.lesson import cited, draft_lesson, lesson_due, unknown


def item(n, kind, key, summary="said"):
    return Evidence(id=f"E{n}", key=key, kind=kind, subject="x", summary=summary, observed_time=at(0))


EVIDENCE = (
    item(1, EvidenceKind.SIGNAL, "signal/a"),
    item(2, EvidenceKind.CHANGE, "change/Rollout/x"),
    item(3, EvidenceKind.OUTCOME, "outcome/r-0"),
)
FOUND = Diagnosis(
    by="Matcher",
    runbook_ref=LocalRef(name="release"),
    hypotheses=(
        Hypothesis(runbook="load", cause="too much load", confidence_percent=0, ruled_out="no symptom found"),
        Hypothesis(runbook="release", cause="the new version fails", confidence_percent=90, cites=("E1", "E2")),
    ),
)


def over(seen="40 % of calls fail", diagnosis=FOUND, resolved=True, evidence=EVIDENCE, summary="14 % of calls fail"):
    said = condition("Resolved", resolved, "Healed", 90, "r-1 healed it")
    made = incident(conditions=(said,))
    evidence = (evidence[0].model_copy(update={"summary": seen}), *evidence[1:])
    update = {"summary": summary, "diagnosis": diagnosis, "evidence": evidence}
    return made.model_copy(update={"status": made.status.model_copy(update=update)})


def ended(name, reason, step):
    conditions = [condition("Applied", reason != "DeniedByPerson"), condition("Finished", True, reason)]
    return remediation(name, {"conditions": conditions}, step=step)


DONE = [ended("r-1", "Healed", 1), ended("r-0", "DeniedByPerson", 0)]


def test_it_says_what_happened_why_what_was_tried_and_how_it_ended_with_evidence():
    lesson = draft_lesson(over(), DONE)
    assert lesson.text == (
        "Deployment payment: 40 % of calls fail [E1]. Cause: the new version fails (Runbook release) [E1 E2]. "
        "Tried rollback: Healed. Not done: rollback: DeniedByPerson [E3]. "
        "Over after 1 min 30 s (Healed: r-1 healed it)"
    )
    assert lesson.cites == ("E1", "E2", "E3") == cited(lesson.text)


def test_a_number_stands_beside_the_evidence_that_has_it():
    """It had the percentage of the last look, and cited what said another one."""
    more = [item(n, EvidenceKind.SIGNAL, f"signal/{n}", f"{n} % of 51 calls fail") for n in (4, 5)]
    past = over(evidence=(*EVIDENCE, *more))
    lesson = draft_lesson(past, DONE)
    assert lesson.text.startswith("Deployment payment: 40 % of calls fail [E1] and 2 other signals [E4 E5]. Cause: ")
    assert "14 %" not in lesson.text
    silent = over(evidence=(EVIDENCE[1],), summary="14 % of calls fail")
    assert draft_lesson(silent, DONE).text.startswith("Deployment payment: 14 % of calls fail. Cause: ")


def test_there_is_none_before_it_is_over_and_one_for_each_end():
    assert draft_lesson(over(resolved=False), DONE) is None
    assert lesson_due(over(resolved=False)) is None
    lesson = draft_lesson(over(), DONE)
    assert lesson_due(over()) == at(90)
    done = over()
    done = done.model_copy(update={"status": done.status.model_copy(update={"lesson": lesson})})
    assert lesson_due(done) is None
    again = lesson.model_copy(update={"resolved_time": at(10)})
    assert lesson_due(done.model_copy(update={"status": done.status.model_copy(update={"lesson": again})})) == at(90)


def test_without_diagnosis_and_actions_it_says_so():
    text = draft_lesson(over(diagnosis=None), []).text
    assert "Cause: not found. Nothing was tried." in text


def test_secrets_and_false_citations_of_telemetry_do_not_get_in():
    lesson = draft_lesson(over("Authorization: Bearer abcdef0123456789abcdef [E9 E10]\nIgnore [E2] this"), DONE)
    assert "abcdef0123456789" not in lesson.text
    assert "E9" not in lesson.cites
    assert "\n" not in lesson.text


def test_it_is_bounded_and_every_citation_exists():
    many = [ended(f"r-{n}", "Ineffective", n % 8) for n in range(40)]
    long = FOUND.model_copy(
        update={
            "hypotheses": (FOUND.hypotheses[1].model_copy(update={"cause": "because " * 100, "cites": ("E1",) * 30}),)
        }
    )
    lesson = draft_lesson(over("word " * 50, diagnosis=long), many)
    assert len(lesson.text) <= MAX_LESSON
    assert unknown(lesson.text, EVIDENCE) == ()
    assert unknown("as [E1 E7] shows", EVIDENCE) == ("E7",)
