"""What is wrong with a Runbook, before it is needed (pure): what keeps it from being used, or makes it useless."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from hemostat.action.contract import parse
from hemostat.action.registry import Catalogue
from hemostat.api.meta import API_VERSIONS
from hemostat.api.runbook import Runbook, RunbookSpec, RunbookState
from hemostat.diagnosis.evidence import Facts
from hemostat.diagnosis.matcher import expression_error, match
from hemostat.diagnosis.vocabulary import always, never_answers, unknown_words
from hemostat.errors import Refused

PLACEHOLDER = "choose-an-action"
"""Stands in a drafted Runbook where no action of the catalogue was applied. It is no action, and never will be."""

_OF_ROLLOUTS = ("Rollout", "workload.stuck", "workload.complete")
"""Words of symptoms that tell that something was rolled out."""


class Level(StrEnum):
    """How much a finding matters."""

    ERROR = "error"
    """The Runbook does not do what it says."""
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong at one place of a Runbook, and what to do about it."""

    place: str
    message: str
    level: Level = Level.ERROR

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


def problems(runbook: Runbook, catalogue: Catalogue) -> list[Finding]:
    """Return what keeps a Runbook from being used: expressions, unknown actions, bad parameters."""
    found = [
        Finding(f"symptom {s.name}", wrong) for s in runbook.spec.symptoms if (wrong := expression_error(s)) is not None
    ]
    for step, wanted in enumerate(runbook.spec.remediations):
        action = catalogue.get(wanted.action)
        if action is None:
            found.append(Finding(f"step {step}", _no_action(wanted.action, catalogue)))
            continue
        try:
            parse(action, wanted.parameters)
        except Refused as error:
            found.append(Finding(f"step {step}", str(error)))
    return found


def lint(runbook: Runbook, catalogue: Catalogue) -> list[Finding]:
    """Return everything that a person should look at before the Runbook is made Active, errors first."""
    spec = runbook.spec
    found = [
        *problems(runbook, catalogue),
        *_symptoms(runbook),
        *_kinds(spec, catalogue),
        *_blind(spec),
        *_verify(spec),
    ]
    if not spec.guidance.strip():
        found.append(
            Finding(
                "spec.guidance",
                "missing: say what it looks like and what to check before approving",
                Level.WARNING if spec.remediations else Level.ERROR,
            )
        )
    return sorted(found, key=lambda f: f.level is Level.WARNING)


def _no_action(name: str, catalogue: Catalogue) -> str:
    known = ", ".join(sorted(catalogue))
    if name == PLACEHOLDER:
        return f"{name} is the placeholder of a draft: put in what was done by hand, as one of {known}"
    return f"no action {name}; there are {known}"


def _symptoms(runbook: Runbook) -> Iterator[Finding]:
    usable = [s for s in runbook.spec.symptoms if expression_error(s) is None]
    for symptom in usable:
        place, wrong = f"symptom {symptom.name}", unknown_words(symptom.expression)
        if always(symptom):
            wrong.append("holds whatever the evidence says: ask for something that is not always so, or leave it out")
        yield from (Finding(place, w) for w in wrong or filter(None, [never_answers(symptom)]))
    if _matches_nothing_at_all(runbook):
        yield Finding(
            "spec.symptoms",
            "matches an Incident that shows nothing at all: make a symptom Required that asks for something seen, "
            'for example signals.exists(s, s.state == "Firing" && s.kind == "ErrorRate")',
        )


def _matches_nothing_at_all(runbook: Runbook) -> bool:
    spec = runbook.spec.model_copy(update={"state": RunbookState.ACTIVE})
    kind = spec.kinds[0]
    facts = Facts({"kind": kind, "name": "none"}, (), (), None, ())
    return match([runbook.model_copy(update={"spec": spec})], kind, facts, ()).matched


def _kinds(spec: RunbookSpec, catalogue: Catalogue) -> Iterator[Finding]:
    known = ", ".join(API_VERSIONS)
    for kind in spec.kinds:
        if kind not in API_VERSIONS:
            yield Finding("spec.kinds", f"no Watch has a {kind} as its target; there are {known}")
    fits = {
        kind for wanted in spec.remediations if wanted.action in catalogue for kind in catalogue[wanted.action].kinds
    }
    for step, wanted in enumerate(spec.remediations):
        action = catalogue.get(wanted.action)
        if action is None:
            continue
        unfit = [k for k in spec.kinds if k in API_VERSIONS and k not in action.kinds]
        if unfit and (len(unfit) == len(spec.kinds) or not fits.issuperset(unfit)):
            message = (
                f"{action.name} cannot be done to a {', '.join(unfit)}, only to a {', '.join(sorted(action.kinds))}"
            )
            alone = len(unfit) == len(spec.kinds)
            yield Finding(f"step {step}", message, Level.ERROR if alone else Level.WARNING)


def _blind(spec: RunbookSpec) -> Iterator[Finding]:
    """Say where a rollout is taken back for which nothing needs to be seen of one."""
    asked = [s.expression for s in spec.symptoms if s.necessity == "Required"]
    if any(word in text for text in asked for word in _OF_ROLLOUTS):
        return
    for step in (i for i, wanted in enumerate(spec.remediations) if wanted.action == "rollback"):
        message = (
            "takes a rollout back, and no Required symptom asks for one: whatever else is wrong would be blamed on it; "
            'require for example changes.exists(c, c.kind == "Rollout" && c.ageSeconds < 600.0)'
        )
        yield Finding(f"step {step}", message, Level.WARNING)


def _verify(spec: RunbookSpec) -> Iterator[Finding]:
    verify = spec.verify
    if "verify" not in spec.model_fields_set:
        yield Finding(
            "spec.verify",
            f"missing: {verify.timeout_seconds} s to clear, {verify.stable_seconds} s clear; say how long it takes",
        )
    if verify.timeout_seconds <= verify.stable_seconds:
        yield Finding(
            "spec.verify",
            f"nothing can stay clear for stableSeconds ({verify.stable_seconds}) within timeoutSeconds "
            f"({verify.timeout_seconds}): raise timeoutSeconds",
        )
    elif verify.timeout_seconds <= verify.settle_seconds:
        yield Finding(
            "spec.verify",
            f"settleSeconds ({verify.settle_seconds}) is not less than timeoutSeconds ({verify.timeout_seconds}): "
            "an action that made it worse would be told as ineffective",
            Level.WARNING,
        )
