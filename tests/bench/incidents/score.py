"""How the matcher does on the recorded Incidents: the answer, its confidence, and what they are worth (pure)."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.bench.incidents.recorded import ABSTAIN, HELD_OUT, INSUFFICIENT, SEEN, Recorded

from hemostat.api.runbook import Runbook
from hemostat.diagnosis.calibration import Curve, Judged, brier, risk_coverage
from hemostat.diagnosis.rehearsal import rehearse

Json = dict[str, Any]
Share = Callable[[int, int], dict[str, float]]
"""Of so many of so many, with an interval of confidence."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What the matcher said of one Incident."""

    recorded: Recorded
    answer: str | None
    """The Runbook chosen; None: it abstained."""
    percent: int
    """Its confidence; 0 where it abstained."""

    @property
    def right(self) -> bool:
        """Return whether an engineer on call would accept the answer."""
        return self.recorded.label.right(self.answer)

    @property
    def answerable(self) -> bool:
        """Return whether abstaining would be wrong."""
        return ABSTAIN not in self.recorded.label.accept

    @property
    def judged(self) -> Judged:
        """Return it as a statement that a Runbook fits, and whether that is so; abstaining states that none does."""
        return Judged(self.percent, self.right if self.answer else self.answerable)


def ask(runbooks: Sequence[Runbook], recordings: Iterable[Recorded]) -> list[Answered]:
    """Have the matcher choose among these Runbooks, for each Incident."""
    found = []
    for one in recordings:
        diagnosis = rehearse(runbooks, one.incident).conclusion.diagnosis
        name = diagnosis.runbook_ref.name if diagnosis.runbook_ref is not None else None
        percent = next((h.confidence_percent for h in diagnosis.hypotheses if h.runbook == name), 0)
        found.append(Answered(one, name, percent))
    return found


def of_split(answers: Iterable[Answered], split: str) -> list[Answered]:
    """Return those of one side of the split."""
    return [a for a in answers if a.recorded.label.split == split]


def figures(answers: Sequence[Answered], share: Share) -> Json:
    """Return what there is to report."""
    seen, held_out, insufficient = (of_split(answers, s) for s in (SEEN, HELD_OUT, INSUFFICIENT))
    labelled = [*seen, *held_out]
    curve = Curve(a.judged for a in seen if a.answer)
    calibrated = [
        Judged(worth, a.right)
        for a in held_out
        if a.answer and (worth := curve.worth(a.percent).percent) is not None  # else nobody may rely on it
    ]
    groups = {
        "matcher_top1": seen,
        "matcher_top1_held_out": held_out,
        "matcher_top1_answerable": [a for a in seen if a.answerable],
        "matcher_top1_answerable_held_out": [a for a in held_out if a.answerable],
        "matcher_abstains_on_insufficient": insufficient,
    }
    shares = {name: share(sum(a.right for a in group), len(group)) for name, group in groups.items() if group}
    return {name: found["share"] for name, found in shares.items()} | {
        "wilson_95": {name: [found["low"], found["high"]] for name, found in shares.items()},
        "incidents": {"seen": len(seen), "held_out": len(held_out), "insufficient": len(insufficient)},
        "kinds": {"seen": _kinds(seen), "held_out": _kinds(held_out)},
        "brier": round(brier([a.judged for a in labelled]), 4),
        "brier_held_out": round(brier([a.judged for a in held_out]), 4),
        "brier_of_answers": round(brier([a.judged for a in answers if a.answer]), 4),
        "brier_of_answers_held_out_calibrated_on_seen": round(brier(calibrated), 4) if calibrated else None,
        "risk_coverage": [p._asdict() for p in risk_coverage([a.judged for a in answers])],
        "risk_coverage_held_out": [p._asdict() for p in risk_coverage([a.judged for a in held_out])],
        "by_kind": {kind: _of_kind([a for a in answers if a.recorded.kind == kind]) for kind in _in_order(answers)},
    }


def _kinds(answers: Sequence[Answered]) -> int:
    return len({a.recorded.kind for a in answers})


def _in_order(answers: Sequence[Answered]) -> list[str]:
    return list(dict.fromkeys(a.recorded.kind for a in answers))


def _of_kind(answers: Sequence[Answered]) -> Json:
    label = answers[0].recorded.label
    return {
        "split": label.split,
        "accept": sorted(label.accept),
        "right": sum(a.right for a in answers),
        "n": len(answers),
        "answers": [f"{a.answer} {a.percent} %" if a.answer else ABSTAIN for a in answers],
    }
