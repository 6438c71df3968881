"""Did the loop do what it must, in time? (pure)"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from hemostat.api.chaosexperiment import Expectation
from hemostat.api.incident import RESOLVED, Incident
from hemostat.api.meta import find, is_true
from hemostat.api.remediation import APPLIED, FINISHED, Remediation
from hemostat.diagnosis.outcomes import ROUNDS, UNFIT, WORSE
from hemostat.diagnosis.propose import AGAIN
from hemostat.signals.correlate import began

HEALED = "Healed"
_GOES_ON = AGAIN | (ROUNDS - {WORSE}) | UNFIT | {HEALED}
"""Ends of a Remediation after which the loop itself goes on; an experiment is over once it made something worse."""


class Mark(StrEnum):
    """How an expectation stands."""

    WAITING = "Waiting"
    MET = "Met"
    MISSED = "Missed"


@dataclass(frozen=True, slots=True)
class Finding:
    """One expectation."""

    name: str
    mark: Mark
    message: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known some time after the injection."""

    injected: datetime
    incident: Incident | None
    incident_seen: datetime | None
    """When the Incident object was first read."""
    remediations: tuple[Remediation, ...]
    """Those of the Incident."""
    now: datetime


@dataclass(frozen=True, slots=True)
class Verdict:
    """All findings together."""

    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether everything that was expected happened in time."""
        return all(f.mark is Mark.MET for f in self.findings)

    @property
    def over(self) -> bool:
        """Whether nothing can change any more."""
        return self.passed or any(f.mark is Mark.MISSED for f in self.findings)

    @property
    def message(self) -> str:
        """Say what was missed, else what is waited for, else that it passed."""
        for mark in (Mark.MISSED, Mark.WAITING):
            said = [f"{f.name}: {f.message}" for f in self.findings if f.mark is mark]
            if said:
                return "; ".join(said)
        return "; ".join(f.message for f in self.findings)


def judge(expect: Expectation, seen: Seen) -> Verdict:
    """Compare what was seen with what is expected."""
    checks: tuple[tuple[str, Callable[[Expectation, Seen], tuple[Mark, str]]], ...] = (
        ("Signal", _signal),
        ("Runbook", _runbook),
        ("Action", _action),
        ("Resolved", _resolved),
    )
    return Verdict(tuple(Finding(name, *check(expect, seen)) for name, check in checks))


def in_time(finding: Finding, expect: Expectation, seen: Seen) -> Finding:
    """Return what is still waited for as missed, once there is no more time for it."""
    if finding.mark is not Mark.WAITING:
        return finding
    mark, message = _or_missed(seen, expect.resolved_deadline_seconds, finding.message)
    return Finding(finding.name, mark, message)


def time_to_detect(seen: Seen) -> float | None:
    """Seconds from the injection until the first signal fired."""
    return (began(seen.incident) - seen.injected).total_seconds() if seen.incident else None


def time_to_recover(seen: Seen) -> float | None:
    """Seconds from the injection until the Incident was resolved."""
    resolved = find(seen.incident.status.conditions, RESOLVED) if seen.incident else None
    if resolved is None or resolved.status != "True":
        return None
    return (resolved.last_transition_time - seen.injected).total_seconds()


def _signal(expect: Expectation, seen: Seen) -> tuple[Mark, str]:
    limit = expect.signal_deadline_seconds
    fired = [
        (s.first_fired_time - seen.injected).total_seconds()
        for s in (seen.incident.status.signals if seen.incident else ())
        if s.kind == expect.signal
    ]
    if fired and min(fired) <= limit:
        return Mark.MET, f"{expect.signal} fired after {min(fired):.1f} s"
    if fired:
        return Mark.MISSED, f"{expect.signal} fired after {min(fired):.1f} s, later than {limit} s"
    return _or_missed(seen, limit, f"no signal {expect.signal} yet")


def _runbook(expect: Expectation, seen: Seen) -> tuple[Mark, str]:
    diagnosis = seen.incident.status.diagnosis if seen.incident else None
    chosen = diagnosis.runbook_ref.name if diagnosis and diagnosis.runbook_ref else None
    if chosen == expect.runbook:
        return Mark.MET, f"Runbook {chosen} chosen"
    if chosen is not None:
        return Mark.MISSED, f"Runbook {chosen} chosen instead of {expect.runbook}"
    return _or_missed(seen, expect.resolved_deadline_seconds, f"Runbook {expect.runbook} is not chosen yet")


def _action(expect: Expectation, seen: Seen) -> tuple[Mark, str]:
    applied = [r for r in seen.remediations if is_true(r.status.conditions, APPLIED)]
    other = [r.spec.action for r in applied if r.spec.action != expect.action]
    if other:
        return Mark.MISSED, f"{other[0]} was applied, not {expect.action}"
    if len(applied) > 1:
        return Mark.MISSED, f"{expect.action} was applied {len(applied)} times"
    if applied:
        return Mark.MET, f"{expect.action} applied once"
    if given_up := _given_up(seen):
        return Mark.MISSED, given_up
    return _or_missed(seen, expect.resolved_deadline_seconds, f"{expect.action} is not applied yet")


def _resolved(expect: Expectation, seen: Seen) -> tuple[Mark, str]:
    limit = expect.resolved_deadline_seconds
    took = time_to_recover(seen)
    resolved = find(seen.incident.status.conditions, RESOLVED) if seen.incident else None
    if took is None or resolved is None:
        if given_up := _given_up(seen):
            return Mark.MISSED, given_up
        why = f" ({resolved.reason}: {resolved.message})" if resolved else ""
        return _or_missed(seen, limit, f"not resolved yet{why}")
    if resolved.reason != HEALED:
        return Mark.MISSED, f"resolved as {resolved.reason}, not {HEALED}"
    if took > limit:
        return Mark.MISSED, f"resolved after {took:.1f} s, later than {limit} s"
    return Mark.MET, f"resolved after {took:.1f} s"


def _given_up(seen: Seen) -> str | None:
    """Return how the last Remediation ended if only a person can go on from there."""
    last = seen.remediations[-1] if seen.remediations else None
    finished = find(last.status.conditions, FINISHED) if last is not None else None
    if last is None or finished is None or finished.status != "True" or finished.reason in _GOES_ON:
        return None
    return f"{last.metadata.name} ended as {finished.reason}: {finished.message}"


def _or_missed(seen: Seen, limit: float, message: str) -> tuple[Mark, str]:
    if seen.now - seen.injected > timedelta(seconds=limit):
        return Mark.MISSED, f"{message}, after {limit} s"
    return Mark.WAITING, message
