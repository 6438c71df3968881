"""Firing signals -> one Incident per trouble (pure)."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from hemostat.api.incident import (
    MAX_SIGNALS,
    RESOLVED,
    Incident,
    IncidentSpec,
    Severity,
    SignalSource,
    SignalState,
    SignalStatus,
)
from hemostat.api.meta import BoundTargetRef, LocalRef, is_true
from hemostat.api.watch import SignalKind, Watch
from hemostat.clock import rfc3339

MAX_TRACED = 24
"""Of the signals an Incident shows, as many may come from traces: the others are harder to make up."""
_CRITICAL = frozenset({SignalKind.ERROR_RATE, SignalKind.WORKLOAD})


@dataclass(frozen=True, slots=True)
class Draft:
    """An Incident that should exist."""

    name: str
    spec: IncidentSpec


def fingerprint(namespace: str, target: BoundTargetRef) -> str:
    """Identity of the trouble: the target. 16 hex digits."""
    text = "/".join((namespace, target.api_version, target.kind, target.name, target.uid))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def open_incident(incidents: Sequence[Incident], print_: str) -> Incident | None:
    """Return the unresolved Incident with this fingerprint, if there is one."""
    return next(
        (i for i in incidents if i.spec.fingerprint == print_ and not is_true(i.status.conditions, RESOLVED)),
        None,
    )


def draft(watch: Watch, target: BoundTargetRef, firing: Sequence[SignalStatus]) -> Draft:
    """Return the Incident for signals that fire. The same first signal always yields the same name."""
    namespace = watch.metadata.namespace or ""
    print_ = fingerprint(namespace, target)
    first = min(firing, key=lambda s: (s.first_fired_time, s.key))
    opened = first.first_fired_time
    digest = hashlib.sha256(f"{print_}/{rfc3339(opened)}".encode()).hexdigest()[:8]
    worst = next((s for s in firing if s.kind in _CRITICAL), first)
    return Draft(
        name=f"{target.name[:200].rstrip('.-')}-{digest}",
        spec=IncidentSpec(
            watch_ref=LocalRef(name=watch.metadata.name, uid=watch.metadata.uid or None),
            target_ref=target,
            fingerprint=print_,
            severity=Severity.CRITICAL if worst.kind in _CRITICAL else Severity.WARNING,
            title=title(target, worst),
            started_time=opened,
            opened_time=opened,
        ),
    )


def title(target: BoundTargetRef, signal: SignalStatus) -> str:
    """Say what is wrong in one line."""
    number = f" {signal.value}{signal.unit}" if signal.value is not None else ""
    limit = f" (limit {signal.threshold}{signal.unit})" if signal.threshold is not None else ""
    return f"{target.kind} {target.name}: {signal.kind} {signal.subject}{number}{limit}"[:256]


def merge(shown: Sequence[SignalStatus], seen: Sequence[SignalStatus]) -> tuple[SignalStatus, ...]:
    """Return what the Incident should show: signals it already shows, as last seen, and others that fire."""
    latest = {s.key: s for s in seen}
    kept = [_since_first(s, latest.get(s.key, s)) for s in shown]
    known = {s.key for s in shown}
    new = [s for s in seen if s.key not in known and s.state is SignalState.FIRING]
    traced = [s for s in new if s.source is SignalSource.TRACES]
    room = max(0, MAX_TRACED - sum(s.source is SignalSource.TRACES for s in kept))
    others = [s for s in new if s.source is not SignalSource.TRACES]
    return tuple((*kept, *others, *traced[:room])[:MAX_SIGNALS])


def _since_first(shown: SignalStatus, now: SignalStatus) -> SignalStatus:
    """Trouble that comes back in the same Incident is not new: it began when it first fired."""
    return now.model_copy(update={"first_fired_time": min(shown.first_fired_time, now.first_fired_time)})
