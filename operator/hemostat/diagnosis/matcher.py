"""The deterministic matcher: which Runbook's symptoms does the evidence show? (pure)

It always answers, with or without a model. Symptoms are CEL; a symptom that cannot be evaluated counts as absent
and is reported, so that a broken runbook never wins.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Protocol

import cel

from hemostat.api.incident import Abstention, Diagnosis, Evidence, EvidenceKind, Hypothesis, Ranking, RuledOut
from hemostat.api.meta import LocalRef
from hemostat.api.runbook import Runbook, RunbookState, Symptom
from hemostat.diagnosis.evidence import CEL_VARIABLES
from hemostat.diagnosis.outcomes import NOTHING_SPENT, Spent

BY = "Matcher"
NO_RUNBOOKS, NO_MATCH, INSUFFICIENT = "NoRunbooks", "NoRunbookMatches", "InsufficientEvidence"
EXHAUSTED = "Exhausted"
LEAST_PERCENT = 30
"""Share of a Runbook's symptoms, by weight, below which the evidence is insufficient: the matcher abstains."""
MAX_MISSING = 16
_WHERE = "to choose from (an Incident has those of its own namespace)"
UNKNOWN_KIND = "Unknown"
"""Kind of a target that nothing tells of; only records have such."""
CEL_FUNCTIONS = frozenset(
    {"size", "contains", "startsWith", "endsWith", "int", "uint", "double", "string", "bool", "type"}
)
"""Named functions of the CEL standard that make sense over evidence; operators and macros are always there.

Not `matches`: a pattern is compiled anew each time, and one of thirty letters (`(\\pL{20}){20}`) takes 0.2 s; in two
loops that is minutes in which nothing else of the process runs.
"""
UNANSWERED = (ValueError, RuntimeError, TypeError, ArithmeticError, LookupError)
"""What a sound expression may raise: TypeError for operands that do not go together, KeyError for no such field."""
World = Any
"""CEL's own copy of the variables; `world` makes it."""
_LOOPS = re.compile(r"\b(?:all|exists|exists_one|existsOne|filter|map|bind|transform\w*)\b")
_ITEMS = 32
"""The most signals, changes or troubles there are."""
MAX_STEPS = 100_000
"""How often the body of a macro may run in one expression: CEL holds the interpreter while it counts."""
BOUND = re.compile(r"(?<!\w)(\w*)\.(?:all|exists|exists_one|filter|map)\(\s*([A-Za-z_]\w*)\s*,")
"""What is looped over, if it has a name, and variables that CEL's macros bind: `s` in `signals.exists(s, ...)`."""


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What the matcher says, with a reason for the Incident's `Diagnosed` condition."""

    diagnosis: Diagnosis
    reason: str
    """RunbookMatched, NoRunbooks, NoRunbookMatches, InsufficientEvidence, RunbooksTie or Exhausted."""
    message: str

    @property
    def matched(self) -> bool:
        """Whether exactly one runbook was chosen."""
        return self.diagnosis.runbook_ref is not None


@dataclass(frozen=True, slots=True)
class _Score:
    runbook: Runbook
    percent: int
    weight: int
    found: tuple[str, ...]
    missing: tuple[str, ...]
    absent_required: tuple[str, ...]
    spent: Spent | None

    @property
    def fits(self) -> bool:
        """Whether the evidence shows it, and enough of it."""
        return not self.absent_required and self.percent >= LEAST_PERCENT

    @property
    def matches(self) -> bool:
        return self.fits and self.spent is None

    @property
    def refused(self) -> bool:
        """Whether it would match, had people not denied all that it would do."""
        return self.fits and self.spent is not None and self.spent.refused


def expression_error(symptom: Symptom) -> str | None:
    """Return why the expression cannot be used, or None. Unknown variables are errors."""
    return _error(symptom.expression)


@lru_cache(maxsize=512)
def _error(expression: str) -> str | None:
    """Say it of the text alone: asked again at every look, it would take longer than the answers."""
    if _steps(expression) > MAX_STEPS:
        return f"it could take more than {MAX_STEPS} steps; nest and add up fewer lists"
    try:
        program = _compile(expression)
    except ValueError as error:
        return str(error).splitlines()[0]
    unknown = sorted(set(program.variables()) - {name for _, name in BOUND.findall(expression)} - CEL_VARIABLES)
    if unknown:
        known = ", ".join(sorted(CEL_VARIABLES))
        return f"unknown variable {', '.join(unknown)}; there are {known}"
    foreign = sorted(f for f in program.functions() if f.isidentifier() and f not in CEL_FUNCTIONS)
    if foreign:
        known = ", ".join(sorted(CEL_FUNCTIONS))
        return f"unknown function {', '.join(foreign)}; there are {known}"
    return None


class Known(Protocol):
    """What a Runbook's symptoms may ask about."""

    def cel(self) -> dict[str, Any]:
        """Return the CEL variables."""


def match(
    runbooks: Sequence[Runbook],
    kind: str,
    facts: Known,
    evidence: Sequence[Evidence],
    spent: Mapping[str, Spent] = NOTHING_SPENT,
) -> Conclusion:
    """Return the one runbook whose symptoms weigh most, with every alternative and why it was ruled out.

    It abstains where none weighs enough, or several weigh the same, and says what is missing.

    :param spent: the Runbooks that have nothing left to try for this Incident, by name.
    """
    variables = world(facts.cel())
    candidates = [r for r in runbooks if r.spec.state is RunbookState.ACTIVE and kind in r.spec.kinds]
    by_name = sorted(candidates, key=lambda r: r.metadata.name)
    scores = sorted(
        (_score(r, variables, spent.get(r.metadata.name)) for r in by_name),
        key=lambda s: (s.matches, s.weight, s.percent),
        reverse=True,
    )
    matching = [s for s in scores if s.matches]
    if not matching:
        return _conclude(scores, None, evidence, *_none(runbooks, scores, kind))
    best = matching[0]
    ties = [s for s in matching if (s.weight, s.percent) == (best.weight, best.percent)]
    if len(ties) > 1:
        names = " and ".join(sorted(s.runbook.metadata.name for s in ties))
        message = f"Runbooks {names} match equally (weight {best.weight}); make one more specific or weigh it higher"
        return _conclude(scores, None, evidence, "RunbooksTie", message)
    message = f"{best.runbook.spec.cause} (symptoms: {', '.join(best.found)})"
    return _conclude(scores, best, evidence, "RunbookMatched", message)


def grounds(evidence: Sequence[Evidence], began: datetime) -> tuple[Evidence, ...]:
    """Return what a cause may rest on: whatever was changed after the trouble began is none, nor what is past."""
    return tuple(e for e in evidence if not e.past and (e.kind is not EvidenceKind.CHANGE or e.observed_time <= began))


def unheard(diagnosis: Diagnosis | None, evidence: Sequence[Evidence]) -> bool:
    """Tell whether signals say something that the choice of the Runbook does not rest on yet."""
    ref = diagnosis.runbook_ref if diagnosis is not None else None
    if diagnosis is None or ref is None:
        return True
    cited = {id_ for h in diagnosis.hypotheses if h.runbook == ref.name for id_ in h.cites}
    return any(e.kind is EvidenceKind.SIGNAL and not e.past and e.id not in cited for e in evidence)


def _none(runbooks: Sequence[Runbook], scores: Sequence[_Score], kind: str) -> tuple[str, str]:
    """Say why nothing matches. Who has no Runbooks only wants to be told what is wrong."""
    if not runbooks:
        return NO_RUNBOOKS, f"there are no Runbooks {_WHERE}: Hemostat says what is wrong and does nothing"
    if not scores:
        return NO_MATCH, _for_others(runbooks, kind)
    tried = [s.spent.why for s in scores if s.fits and s.spent is not None]
    if tried:
        why = "; ".join(dict.fromkeys(tried))
        return EXHAUSTED, f"no Runbook that matches has anything left to do: {why}; a person decides"
    thin = next((s for s in scores if not s.absent_required and s.weight), None)
    if thin is not None:
        name, absent = thin.runbook.metadata.name, ", ".join(thin.missing)
        said = (
            f"insufficient evidence: {thin.percent} % of Runbook {name} was found, at least {LEAST_PERCENT} % must be"
        )
        return INSUFFICIENT, f"{said}; not found: {absent}"
    return NO_MATCH, f"no active Runbook for {_one(kind)} matches the evidence; {len(scores)} considered"


def _for_others(runbooks: Sequence[Runbook], kind: str) -> str:
    active = [r for r in runbooks if r.spec.state is RunbookState.ACTIVE]
    if not active:
        return f"none of {len(runbooks)} Runbooks is Active"
    kinds = ", ".join(sorted({k for r in active for k in r.spec.kinds}))
    return f"no active Runbook is for {_one(kind)}; those that are Active ({len(active)}) are for: {kinds}"


def _one(kind: str) -> str:
    return f"a {kind}" if kind != UNKNOWN_KIND else "a target that is not known"


def _abstention(scores: Sequence[_Score]) -> Abstention:
    """Say what would have to be seen for an answer: of the Runbooks that come nearest first."""
    nearest = sorted((s for s in scores if s.spent is None), key=lambda s: (-s.weight, s.runbook.metadata.name))
    missing = [f"{s.runbook.metadata.name}: {name}" for s in nearest for name in (s.absent_required or s.missing)]
    return Abstention(by=BY, least_percent=LEAST_PERCENT, missing=tuple(m[:256] for m in missing[:MAX_MISSING]))


def _conclude(
    scores: Sequence[_Score], best: _Score | None, evidence: Sequence[Evidence], reason: str, message: str
) -> Conclusion:
    cites = tuple(e.id for e in evidence if e.kind in (EvidenceKind.SIGNAL, EvidenceKind.CHANGE))
    said = {e.key: e.id for e in evidence if e.kind is EvidenceKind.OUTCOME}
    hypotheses = tuple(
        Hypothesis(
            runbook=s.runbook.metadata.name,
            cause=s.runbook.spec.cause,
            confidence_percent=s.percent if s.matches or s.refused else 0,
            cites=(*(cites if s.matches or s.refused else ()), *_outcomes(s, said)),
            ruled_out=None if s is best else _why_not(s, best),
            ruled_out_only=RuledOut.ACTION if s.refused else None,
        )
        for s in scores[:16]
    )
    ref = None
    if best is not None:
        meta = best.runbook.metadata
        ref = LocalRef(name=meta.name, uid=meta.uid or None)
    abstained = _abstention(scores) if best is None and scores and reason != EXHAUSTED else None
    diagnosis = Diagnosis(
        by=BY,
        runbook_ref=ref,
        ranking=Ranking.ORDERED if best is not None else Ranking.TIED,
        hypotheses=hypotheses,
        abstained=abstained,
    )
    return Conclusion(diagnosis, reason, message[:2048])


def _outcomes(score: _Score, said: Mapping[str, str]) -> tuple[str, ...]:
    """Return the evidence that rules a Runbook out."""
    return tuple(id_ for key, id_ in said.items() if score.spent is not None and key in score.spent.keys)


def _why_not(score: _Score, best: _Score | None) -> str:
    if score.spent is not None:  # what a person said of it, or what came of it, is not lost once symptoms pass
        return score.spent.why
    if score.absent_required:
        return f"required symptom not found: {', '.join(score.absent_required)}"[:1024]
    if score.weight and not score.fits:
        return f"insufficient evidence: {score.percent} % of it was found, at least {LEAST_PERCENT} % must be"
    if best is not None:
        return f"weighs {score.weight}, less than {best.runbook.metadata.name} with {best.weight}"
    return "matches equally with another Runbook" if score.matches else "no symptom found"


def _score(runbook: Runbook, variables: World, spent: Spent | None) -> _Score:
    found, missing, required = [], [], []
    weight = 0
    for symptom in runbook.spec.symptoms:
        if holds(symptom, variables):  # a question that is not answered is not a symptom that was found
            found.append(symptom.name)
            weight += symptom.weight
        else:
            missing.append(symptom.name)
            if symptom.necessity == "Required":
                required.append(symptom.name)
    total = sum(s.weight for s in runbook.spec.symptoms)
    return _Score(runbook, 100 * weight // total, weight, tuple(found), tuple(missing), tuple(required), spent)


def world(variables: Mapping[str, Any]) -> World:
    """Return the variables as CEL has them: made once, for it takes far longer than to answer a symptom."""
    return cel.Context(variables=dict(variables))


def holds(symptom: Symptom, variables: World) -> bool | None:
    """Tell whether the evidence shows a symptom; None where it does not answer the question."""
    if expression_error(symptom) is not None:
        return None
    try:
        said = answer(symptom, variables)
    except UNANSWERED:
        return None
    return said if isinstance(said, bool) else None


def answer(symptom: Symptom, variables: World) -> Any:
    """Return what a sound expression says, whatever that is. Raises one of `UNANSWERED` where it says nothing."""
    return _compile(symptom.expression).execute(variables)


def _steps(expression: str) -> int:
    """Bound from above how often the body of a macro runs, or how often a value is doubled, by the text alone.

    As if every macro were nested in the others, and looped over everything that is listed or added up anywhere.
    """
    longest = _ITEMS * (1 + expression.count("+")) + expression.count(",")
    return int(longest ** len(_LOOPS.findall(expression)))


@lru_cache(maxsize=512)
def _compile(expression: str) -> Any:
    return cel.compile(expression)
