"""What a replay found, as plain values for JSON and YAML (pure)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hemostat.clock import rfc3339
from hemostat.diagnosis.panel.consultation import Usage
from hemostat.errors import Refused
from hemostat.replay.diagnosis.diagnose import Outcome
from hemostat.replay.diagnosis.score import Judged, Score, Share, score

Json = dict[str, Any]
NOTHING_FAILED = ("NoModel", "Decided", "Ungrounded")
"""Why no model has a part in a diagnosis: none was to be asked, or what it stated is borne by nothing."""


@dataclass(frozen=True, slots=True)
class Line:
    """One case: a diagnosis or why there is none, and what the judge says of it."""

    name: str
    outcome: Outcome | None
    error: Refused | None = None
    """Why it could not be diagnosed."""
    judged: tuple[Judged, ...] = ()
    unscored: Refused | None = None
    """Why there is nothing to judge by."""

    @property
    def state(self) -> str:
        """Matched, Explained (by a model, where no Runbook matches), Abstained or Failed."""
        if self.outcome is None:
            return "Failed"
        concluded = self.outcome.concluded
        if concluded.conclusion.matched:
            return "Matched"
        return "Explained" if concluded.consulted and concluded.conclusion.diagnosis.cause else "Abstained"

    @property
    def unheard(self) -> str:
        """Why a model that was to be asked gave no answer; empty where it did, or was not needed."""
        if self.outcome is None or self.outcome.concluded.consulted or self.outcome.concluded.reason in NOTHING_FAILED:
            return ""
        return f"{self.outcome.concluded.reason}: {self.outcome.concluded.message}"


def report(lines: Sequence[Line], judge: tuple[Sequence[str], Usage] | None) -> Json:
    """Return all cases and the total.

    :param judge: models that judged, and what that used; None where nobody did.
    """
    total: Json = {"cases": len(lines), **Counter(line.state.lower() for line in lines)}
    for state in ("matched", "explained", "abstained", "failed"):
        total.setdefault(state, 0)
    total["modelUnheard"] = sum(1 for line in lines if line.unheard)
    found: Json = {"cases": [_line(line) for line in lines], "total": total}
    if judge is not None:
        models, used = judge
        found["score"] = _score(score({line.name: line.judged for line in lines}), lines)
        found["score"]["judge"] = {"models": list(models), **_usage(used)}
    return found


def _line(line: Line) -> Json:
    found: Json = {"case": line.name, "state": line.state}
    if line.outcome is not None:
        found |= _outcome(line.outcome)
    for name, error in (("error", line.error), ("notScored", line.unscored)):
        if error is not None:
            found[name] = {"reason": error.reason, "message": str(error)}
    if line.judged:
        found["facts"] = [_judged(j) for j in line.judged]
    return found


def _outcome(outcome: Outcome) -> Json:
    seen, concluded = outcome.setting, outcome.concluded
    kind, namespace, name = seen.target
    return {
        "target": {"kind": kind, "namespace": namespace, "name": name, "recorded": seen.recorded},
        "time": rfc3339(seen.now) if seen.timed else None,
        "summary": outcome.summary,
        "diagnosed": {"reason": concluded.conclusion.reason, "message": concluded.conclusion.message},
        "consulted": {"counts": concluded.consulted, "reason": concluded.reason, "message": concluded.message},
        "silentSpecialists": dict(outcome.specialists),
        "answer": outcome.answer,
        "diagnosis": concluded.conclusion.diagnosis.wire(),
        "evidence": [e.wire() for e in outcome.evidence],
        "notKnown": list(outcome.not_known),
        "mightHaveBeenChosen": list(outcome.open_to),
        "outputs": dict(seen.read_as),
    }


def _judged(judged: Judged) -> Json:
    found: Json = {"fact": judged.fact, "stated": judged.stated, "quote": judged.quote or None}
    return found | ({"judgeFailed": judged.failure} if judged.failure else {})


def _score(found: Score, lines: Sequence[Line]) -> Json:
    return {
        "casesJudged": found.cases,
        "facts": _share(found.facts),
        "wholeCases": _share(found.whole),
        "interval": "Wilson, 95 %; that of facts as if each case were one draw",
        "factsTheJudgeFailedAt": found.unjudged,
        "casesNotDiagnosed": sum(1 for line in lines if line.outcome is None and line.judged),
        "casesWithoutExpectedFacts": sum(1 for line in lines if line.unscored is not None),
    }


def _share(share: Share) -> Json:
    rounded = {"share": share.value, "low": share.low, "high": share.high}
    return {"stated": share.hits, "of": share.of, **{k: v and round(v, 3) for k, v in rounded.items()}}


def _usage(used: Usage) -> Mapping[str, int | str]:
    return {
        "turns": used.turns,
        "tokensIn": used.tokens_in,
        "tokensOut": used.tokens_out,
        "usd": f"{used.usd:.6f}",
    }
