"""What a model may change: the choice among what the matcher found, and confidence only downwards."""

from collections import Counter
from dataclasses import replace

import pytest
from tests.unit.diagnosis.panel.scripted import claim, verdict

from hemostat.api.incident import Abstention, Diagnosis, Hypothesis, RuledOut
from hemostat.api.meta import LocalRef
from hemostat.diagnosis.matcher import Conclusion
from hemostat.diagnosis.panel.conclude import conclude
from hemostat.diagnosis.panel.consultation import Consultation, Usage
from hemostat.diagnosis.panel.reply import Claim, Verdict, parse

GROUNDED = (claim(),)
REFS = {name: LocalRef(name=name, uid=f"uid-{name}") for name in ("rollout", "saturation", "quota")}


def matched(chosen="rollout", **percents):
    percents = percents or {"rollout": 100, "saturation": 60, "quota": 0}
    hypotheses = tuple(
        Hypothesis(
            runbook=n, cause=f"cause {n}", confidence_percent=p, ruled_out=None if n == chosen else "weighs less"
        )
        for n, p in percents.items()
    )
    return Conclusion(
        Diagnosis(by="Matcher", runbook_ref=REFS.get(chosen), hypotheses=hypotheses), "RunbookMatched", "m"
    )


def heard(runbook="rollout", confidence=90, claims=GROUNDED, failure=None, ruled_out=()):
    said = parse(Verdict, verdict(runbook, *claims, confidence=confidence, ruled_out=ruled_out))
    assert isinstance(said, Verdict)
    kept = tuple(Claim(**c) for c in claims)
    return Consultation(
        None if failure else said, kept, Counter(CitesNothing=2), (), {}, Usage(3, 900, 90, 0.03), ("m/1",), failure
    )


def percents(diagnosis):
    return {h.runbook: h.confidence_percent for h in diagnosis.hypotheses}


def test_agreement_takes_confidence_away_and_adds_none():
    assert percents(conclude(matched(), heard(confidence=70), REFS).conclusion.diagnosis)["rollout"] == 70
    assert percents(conclude(matched(), heard(confidence=100), REFS).conclusion.diagnosis)["rollout"] == 100
    low = matched(rollout=40)
    said = conclude(low, heard(confidence=100), REFS)
    assert (percents(said.conclusion.diagnosis), said.reason) == ({"rollout": 40}, "Agrees")
    assert said.conclusion.diagnosis.by == "Model"
    assert said.conclusion.diagnosis.cause == "a bad rollout"


def test_another_candidate_may_be_chosen_with_its_own_confidence():
    said = conclude(
        matched(),
        heard("saturation", 95, ruled_out=[{"runbook": "rollout", "why": "it began before", "cites": []}]),
        REFS,
    )
    diagnosis = said.conclusion.diagnosis
    assert (said.reason, diagnosis.runbook_ref) == ("Chose", REFS["saturation"])
    assert [(h.runbook, h.confidence_percent, h.ruled_out) for h in diagnosis.hypotheses] == [
        ("saturation", 60, None),
        ("rollout", 100, "it began before"),
        ("quota", 0, "weighs less"),
    ]
    assert diagnosis.hypotheses[0].cites == ("E1",)


def test_another_candidate_gets_no_more_confidence_than_the_matcher_s_own():
    """A small Runbook is found whole sooner: to prefer it must not carry anything past a gate."""
    said = conclude(matched(rollout=60, saturation=100), heard("saturation", 100), REFS)
    diagnosis = said.conclusion.diagnosis
    assert (said.reason, diagnosis.runbook_ref, percents(diagnosis)["saturation"]) == ("Chose", REFS["saturation"], 60)


def test_a_tie_is_what_a_model_is_for():
    tie = matched("", rollout=80, saturation=80)
    said = conclude(tie, heard("saturation"), REFS)
    assert said.conclusion.matched
    assert said.conclusion.reason == "RunbookChosen"
    cause = next(h.cause for h in tie.diagnosis.hypotheses if h.runbook == "saturation")
    assert said.conclusion.message == f"{cause} (chosen by a model)", "people wrote that; its words stand apart"
    assert said.message == (
        "the model chose saturation where the matcher could not decide; dropped of what it stated: CitesNothing 2"
    )


@pytest.mark.parametrize(("named", "sure"), [(None, 100), ("rollout", 29), ("saturation", 0)])
def test_a_model_may_say_that_the_evidence_is_insufficient_and_what_is_missing(named, sure):
    found = heard(named, sure)
    told = found.verdict.model_copy(update={"missing": ("logs of payment from before 12:00",)})
    said = conclude(matched(), replace(found, verdict=told), REFS)
    assert (said.reason, said.consulted) == ("InsufficientEvidence", True)
    assert "insufficient evidence" in said.message
    assert "logs of payment" in said.message
    abstained = said.conclusion.diagnosis.abstained
    assert (abstained.by, abstained.least_percent, abstained.missing) == ("Model", 30, told.missing)
    assert percents(said.conclusion.diagnosis)["rollout"] == 20
    assert said.conclusion.diagnosis.by == "Matcher"


def test_where_the_model_answers_the_matcher_s_abstention_is_over():
    tie = matched("", rollout=80, saturation=80)
    unsure = Abstention(by="Matcher", least_percent=30, missing=("rollout: changed",))
    tie = replace(tie, diagnosis=tie.diagnosis.model_copy(update={"abstained": unsure}))
    assert conclude(tie, heard("saturation"), REFS).conclusion.diagnosis.abstained is None
    assert conclude(tie, heard(failure=("Deadline", "late")), REFS).conclusion.diagnosis.abstained == unsure


@pytest.mark.parametrize("named", ["quota", "drop-database", ""])
def test_what_is_no_candidate_is_doubt_and_a_person_decides(named):
    said = conclude(matched(), heard(named, 100), REFS)
    assert said.conclusion.diagnosis.runbook_ref == REFS["rollout"]
    assert percents(said.conclusion.diagnosis) == {"rollout": 20, "saturation": 60, "quota": 0}
    assert said.reason == "Doubts"


@pytest.mark.parametrize("chosen", ["rollout", ""])
def test_what_a_person_denied_is_no_candidate_however_sure_the_model_is_of_its_cause(chosen):
    """It keeps its confidence as a cause; what would be done about it was refused."""
    found = matched(chosen, rollout=60, quota=100)
    rollout, quota = found.diagnosis.hypotheses
    denied = quota.model_copy(update={"ruled_out": "denied", "ruled_out_only": RuledOut.ACTION})
    diagnosis = found.diagnosis.model_copy(update={"hypotheses": (rollout, denied)})
    said = conclude(replace(found, diagnosis=diagnosis), heard("quota", 100), REFS)
    assert said.conclusion.diagnosis.runbook_ref == REFS.get(chosen)
    assert said.reason == "Doubts"


def test_without_a_candidate_the_model_explains_and_nothing_follows():
    said = conclude(matched("", quota=0), heard("quota", 100), REFS)
    assert (said.reason, said.conclusion.matched, said.conclusion.diagnosis.cause) == (
        "Explains",
        False,
        "a bad rollout",
    )
    assert said.conclusion.diagnosis.by == "Model", "the matcher said nothing of it"


@pytest.mark.parametrize(
    ("of", "reason"),
    [({"claims": ()}, "Ungrounded"), ({"failure": ("Deadline", "no reply within 60 s")}, "Deadline")],
)
def test_without_grounds_or_reply_the_matcher_s_answer_stands(of, reason):
    said = conclude(matched(), heard("saturation", **of), REFS)
    diagnosis = said.conclusion.diagnosis
    assert (said.consulted, said.reason) == (False, reason)
    assert (diagnosis.by, diagnosis.runbook_ref, diagnosis.statements, diagnosis.cause) == (
        "Matcher",
        REFS["rollout"],
        (),
        "",
    )
    assert percents(diagnosis) == percents(matched().diagnosis)


def test_what_was_used_and_dropped_is_told():
    diagnosis = conclude(matched(), heard(), REFS).conclusion.diagnosis
    assert diagnosis.dropped == 2
    assert sum(d.count for d in diagnosis.dropped_because) == 2
    assert diagnosis.usage.wire() == {
        "models": ["m/1"], "turns": 3, "tokensIn": 900, "tokensOut": 90, "usd": "0.030000",
    }  # fmt: skip
