"""From the matcher's conclusion and the panel's to one diagnosis (pure).

The model may choose among the Runbooks that the matcher found, and may take confidence away; it can add none: what it
prefers has no more than the matcher's own choice had. Where several match equally, and the matcher chooses none, the
diagnosis stays one that the matcher could not order: a gate asks a person, whatever its policies say.
"""

from dataclasses import dataclass, replace

from hemostat.api.incident import Abstention, Dropped, Hypothesis, ModelUsage, Statement
from hemostat.api.meta import LocalRef
from hemostat.diagnosis.matcher import INSUFFICIENT, LEAST_PERCENT, Conclusion
from hemostat.diagnosis.panel import grounding
from hemostat.diagnosis.panel.consultation import Consultation
from hemostat.diagnosis.panel.reply import Verdict

DOUBTED_PERCENT = 20
"""Confidence in what the matcher found and the model does not believe: a person decides."""


@dataclass(frozen=True, slots=True)
class Concluded:
    """One diagnosis, and whether a model had a part in it."""

    conclusion: Conclusion
    consulted: bool
    """Whether what a model said counts."""
    reason: str
    """Agrees, Chose, InsufficientEvidence, Doubts, Explains, Ungrounded, or why it could not be asked."""
    message: str


def conclude(matched: Conclusion, heard: Consultation, refs: dict[str, LocalRef]) -> Concluded:
    """Return the diagnosis; its message says what of the model's words was dropped, and why.

    :param refs: the Runbooks that the matcher considered, by name.
    """
    said = _concluded(matched, heard, refs)
    if not heard.dropped:
        return said
    less = f"; dropped of what it stated: {grounding.told(heard.dropped)}"
    return replace(said, message=said.message[: 1024 - len(less)] + less)


def _concluded(matched: Conclusion, heard: Consultation, refs: dict[str, LocalRef]) -> Concluded:
    verdict = heard.verdict
    if verdict is None:
        reason, message = heard.failure or ("NoReply", "the model did not conclude")
        return Concluded(_with(matched, heard), False, reason, f"{message}; the matcher's answer stands"[:1024])
    if not heard.claims:
        message = "nothing that the model states is borne by evidence; the matcher's answer stands"
        return Concluded(_with(matched, heard), False, "Ungrounded", message)
    candidates = {h.runbook: h for h in matched.diagnosis.hypotheses if h.candidate}
    chosen = matched.diagnosis.runbook_ref.name if matched.diagnosis.runbook_ref is not None else ""
    told = _with(matched, heard, verdict.cause)
    if not candidates:
        also = f", and names {verdict.runbook!r}, which does not match either" if verdict.runbook else ""
        message = f"no Runbook matches; the model says what it takes for the cause, {verdict.confidence} % sure{also}"
        told = replace(told, diagnosis=told.diagnosis.model_copy(update={"by": "Model"}))  # all that is said is its
        return Concluded(told, True, "Explains", message)
    if verdict.runbook is None or verdict.confidence < LEAST_PERCENT:
        return Concluded(_doubted(told, chosen, verdict), True, INSUFFICIENT, _abstains(verdict)[:1024])
    if verdict.runbook not in candidates:
        message = (
            f"the model names {verdict.runbook!r}, which does not match: it does not confirm what the matcher found"
        )
        return Concluded(_doubted(told, chosen), True, "Doubts", message[:1024])
    both = [candidates[name].confidence_percent for name in (verdict.runbook, chosen) if name in candidates]
    percent = min(verdict.confidence, *both)
    diagnosis = told.diagnosis.model_copy(
        update={
            "by": "Model",
            "abstained": None,
            "runbook_ref": refs[verdict.runbook],
            "hypotheses": _ordered(told.diagnosis.hypotheses, verdict.runbook, percent, heard),
        }
    )
    message = f"{candidates[verdict.runbook].cause} (chosen by a model)"  # its own words stand apart
    if verdict.runbook == chosen:
        return Concluded(replace(told, diagnosis=diagnosis), True, "Agrees", "the model concludes the same")
    conclusion = Conclusion(diagnosis, "RunbookChosen", message)
    before = f"instead of {chosen}" if chosen else "where the matcher could not decide"
    return Concluded(conclusion, True, "Chose", f"the model chose {verdict.runbook} {before}")


def _with(matched: Conclusion, heard: Consultation, cause: str = "") -> Conclusion:
    statements = tuple(Statement(text=c.text, about=c.entity, cites=c.cites) for c in heard.claims)
    update = {
        "cause": cause,
        "statements": statements if cause else (),
        "dropped": heard.dropped.total(),
        "dropped_because": tuple(Dropped(reason=why, count=count) for why, count in sorted(heard.dropped.items())),
        "usage": _usage(heard),
    }
    return replace(matched, diagnosis=matched.diagnosis.model_copy(update=update))


def _usage(heard: Consultation) -> ModelUsage | None:
    used = heard.usage
    if not used.turns:
        return None
    prompt, reply = heard.last if heard.last is not None else (None, None)
    return ModelUsage(
        models=tuple(m[:256] for m in heard.models[:8]),
        prompt_digest=prompt,
        reply_digest=reply,
        turns=used.turns,
        tokens_in=used.tokens_in,
        tokens_out=used.tokens_out,
        usd=f"{used.usd:.6f}",
    )


def _abstains(verdict: Verdict) -> str:
    missing = f"; it would have to see: {'; '.join(verdict.missing)}" if verdict.missing else ""
    if verdict.runbook is None:
        return f"insufficient evidence: the model abstains{missing}"
    sure = f"{verdict.confidence} % sure of {verdict.runbook}, at least {LEAST_PERCENT} % is an answer"
    return f"insufficient evidence: the model is {sure}{missing}"


def _doubted(told: Conclusion, chosen: str, abstains: Verdict | None = None) -> Conclusion:
    """Take away confidence; of a model that abstains, say what is missing."""
    hypotheses = tuple(
        h.model_copy(update={"confidence_percent": min(h.confidence_percent, DOUBTED_PERCENT)})
        if h.runbook == chosen
        else h
        for h in told.diagnosis.hypotheses
    )
    update: dict[str, object] = {"hypotheses": hypotheses}
    if abstains is not None:
        update["abstained"] = Abstention(by="Model", least_percent=LEAST_PERCENT, missing=abstains.missing)
    return replace(told, diagnosis=told.diagnosis.model_copy(update=update))


def _ordered(
    hypotheses: tuple[Hypothesis, ...], chosen: str, percent: int, heard: Consultation
) -> tuple[Hypothesis, ...]:
    """Put the chosen one first, with what it rests on, and say of the others why not."""
    assert heard.verdict is not None
    why = {r.runbook: r.why for r in heard.verdict.ruled_out}
    cites = tuple(dict.fromkeys(id_ for claim in heard.claims for id_ in claim.cites))
    first = [
        h.model_copy(update={"confidence_percent": percent, "cites": cites, "ruled_out": None})
        for h in hypotheses
        if h.runbook == chosen
    ]
    others = [
        h.model_copy(update={"ruled_out": (why.get(h.runbook) or f"the model chose {chosen}")[:1024]})
        if h.candidate
        else h
        for h in hypotheses
        if h.runbook != chosen
    ]
    return (*first, *others)
