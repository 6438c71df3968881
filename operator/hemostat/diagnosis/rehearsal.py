"""What the matcher would say of a stored Incident, given some Runbooks (pure)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hemostat.api.incident import Evidence, Incident
from hemostat.api.runbook import Runbook, RunbookState, Symptom
from hemostat.diagnosis.matcher import LEAST_PERCENT, Conclusion, World, expression_error, holds, match, world
from hemostat.diagnosis.recall import Recalled, recall
from hemostat.diagnosis.vocabulary import never_answers


@dataclass(frozen=True, slots=True)
class Played:
    """What one Runbook would have made of the Incident."""

    runbook: Runbook
    symptoms: Mapping[str, bool | None]
    """Whether each symptom holds; None: the stored Incident does not tell."""
    percent: int
    """Share of the symptoms' weight that was found for certain."""
    why_not: str
    """Why it was not chosen; empty for the one that was."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What would have been concluded, and how sure that is."""

    conclusion: Conclusion
    played: tuple[Played, ...]
    open_to: tuple[str, ...]
    """Runbooks that might have won, were what the Incident does not tell in their favour."""
    lossy: tuple[str, ...]

    @property
    def winner(self) -> str | None:
        """The Runbook that would have been chosen whatever is not known, or None."""
        ref = self.conclusion.diagnosis.runbook_ref
        return ref.name if ref is not None and not self.open_to else None


def rehearse(runbooks: Sequence[Runbook], incident: Incident) -> Rehearsal:
    """Match Runbooks, drafts as if they were Active, against an Incident. What is not known counts as not found."""
    return play(runbooks, incident.spec.target_ref.kind, recall(incident), incident.status.evidence)


def play(runbooks: Sequence[Runbook], kind: str, known: Recalled, evidence: Sequence[Evidence]) -> Rehearsal:
    """Do the same with what is known of a target of this kind, wherever from."""
    variables = world(known.cel())
    active = [r.model_copy(update={"spec": r.spec.model_copy(update={"state": RunbookState.ACTIVE})}) for r in runbooks]
    conclusion = match(active, kind, known, evidence)
    ruled_out = {h.runbook: h.ruled_out or "" for h in conclusion.diagnosis.hypotheses}
    played = tuple(_played(r, kind, variables, ruled_out) for r in active)
    return Rehearsal(conclusion, played, _open_to(played, kind, conclusion), known.lossy)


def _played(runbook: Runbook, kind: str, variables: World, ruled_out: Mapping[str, str]) -> Played:
    found = {s.name: False if _broken(s) else holds(s, variables) for s in runbook.spec.symptoms}
    if kind in runbook.spec.kinds:
        why_not = ruled_out.get(runbook.metadata.name, "matches less than 16 others")
    else:
        why_not = f"is for a {', '.join(runbook.spec.kinds)}, not for a {kind}"
    weight = sum(s.weight for s in runbook.spec.symptoms if found[s.name])
    return Played(runbook, found, _percent(runbook, weight), why_not)


def _broken(symptom: Symptom) -> bool:
    """Tell whether no evidence would ever be the answer: that is not the same as not being known."""
    return expression_error(symptom) is not None or bool(never_answers(symptom))


def _open_to(played: Sequence[Played], kind: str, conclusion: Conclusion) -> tuple[str, ...]:
    """Return the Runbooks that at their best weigh as much as the chosen one, or match at all where none is chosen."""
    ref = conclusion.diagnosis.runbook_ref
    chosen = next((p for p in played if ref is not None and p.runbook.metadata.name == ref.name), None)
    least = _rank(chosen, False) if chosen is not None else (1, 0)
    return tuple(
        p.runbook.metadata.name
        for p in played
        if p is not chosen and kind in p.runbook.spec.kinds and None in p.symptoms.values() and _rank(p, True) >= least
    )


def _rank(played: Played, unknown: bool) -> tuple[int, int]:  # noqa: FBT001 - what is not known counts so
    """Return by what Runbooks are compared: weight and percent; (0, 0) where one does not match."""
    symptoms = played.runbook.spec.symptoms
    found = {name: unknown if held is None else held for name, held in played.symptoms.items()}
    if any(s.necessity == "Required" and not found[s.name] for s in symptoms):
        return 0, 0
    weight = sum(s.weight for s in symptoms if found[s.name])
    percent = _percent(played.runbook, weight)
    return (weight, percent) if percent >= LEAST_PERCENT else (0, 0)


def _percent(runbook: Runbook, weight: int) -> int:
    return 100 * weight // sum(s.weight for s in runbook.spec.symptoms)
