"""The trouble of one target: its identity, its Incident, and whether it was there before (pure)."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hemostat.api.incident import RESOLVED, Incident, IncidentSpec, SignalSource, SignalStatus
from hemostat.api.meta import BoundTargetRef, LocalRef, find, is_true
from hemostat.api.watch import SignalKind, Watch
from hemostat.clock import rfc3339
from hemostat.signals.sentence import title
from hemostat.signals.severity import ORDER
from hemostat.signals.workload import Aspect

COMES_BACK_WITHIN = timedelta(minutes=15)
"""Trouble that returns so soon after it was resolved is the same trouble."""
MAX_RETURNS = 2
"""Trouble that came back more often is no longer acted on: what is done about it does not last."""
_NO_REASON = 3
_REASONS: Mapping[str, int] = {
    Aspect.PODS_REFUSED: 1,
    Aspect.QUOTA_EXHAUSTED: 1,
    Aspect.ROLLOUT_STUCK: 2,
    Aspect.QUOTA_NEAR: _NO_REASON,
    Aspect.AUTOSCALER_MAX: _NO_REASON,
}
"""What objects say after the pods' own reasons (0): why there are no more pods, what follows from that, and what is
said without being the reason of anything."""


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
    """Return the Incident with this fingerprint that is not over, if there is one."""
    return next((i for i in incidents if i.spec.fingerprint == print_ and not is_over(i)), None)


def is_over(incident: Incident) -> bool:
    """Tell whether it is resolved, and has not come back since: `act` has yet to say so then."""
    resolved = find(incident.status.conditions, RESOLVED)
    if resolved is None or not is_true(incident.status.conditions, RESOLVED):
        return False
    back = incident.status.reopened
    return back is None or back.time <= resolved.last_transition_time


def openings(incident: Incident) -> int:
    """Return how often it was reopened."""
    return incident.status.reopened.count if incident.status.reopened is not None else 0


def began(incident: Incident) -> datetime:
    """Return when it was opened, or when its trouble came back last."""
    back = incident.status.reopened
    return back.time if back is not None else incident.spec.opened_time


def returned(
    incidents: Sequence[Incident],
    watch: str,
    print_: str,
    firing: Sequence[SignalStatus],
    changed: datetime | None,
    now: datetime,
) -> Incident | None:
    """Return the Incident, resolved a short while ago, whose trouble this is: the same target, a signal of a kind that
    it had (of agents: in the same conversation), and the target was not rolled out anew since.

    :param changed: when the target's present revision began, if that was seen.
    """
    found = []
    for incident in incidents:
        resolved = find(incident.status.conditions, RESOLVED)
        if resolved is None or (incident.spec.fingerprint, incident.spec.watch_ref.name) != (print_, watch):
            continue
        since = resolved.last_transition_time
        had = [s for s in incident.status.signals if s.watch_ref is None]
        new = changed is not None and changed > since
        again = any(_same_trouble(s, before) for s in firing for before in had)
        if is_over(incident) and now - since <= COMES_BACK_WITHIN and not new and again:
            found.append((since, incident))
    return max(found, key=lambda pair: (pair[0], pair[1].metadata.name), default=(now, None))[1]


def _same_trouble(now: SignalStatus, before: SignalStatus) -> bool:
    """Another conversation's loop is another loop, though between the same agents."""
    names, known = ({c.id for c in s.conversation.conversations} if s.conversation else set() for s in (now, before))
    return now.kind == before.kind and (not names or not known or not names.isdisjoint(known))


def draft(watch: Watch, target: BoundTargetRef, firing: Sequence[SignalStatus]) -> Draft:
    """Return the Incident for signals that fire. The same first signal always yields the same name."""
    namespace = watch.metadata.namespace or ""
    print_ = fingerprint(namespace, target)
    first = min(firing, key=lambda s: (s.first_fired_time, s.key))
    opened = first.first_fired_time
    digest = hashlib.sha256(f"{print_}/{rfc3339(opened)}".encode()).hexdigest()[:8]
    return Draft(
        name=f"{target.name[:200].rstrip('.-')}-{digest}",
        spec=IncidentSpec(
            watch_ref=LocalRef(name=watch.metadata.name, uid=watch.metadata.uid or None),
            target_ref=target,
            fingerprint=print_,
            title=summary(firing),
            started_time=opened,
            opened_time=opened,
        ),
    )


def summary(firing: Sequence[SignalStatus]) -> str:
    """Say in one line what is wrong: why pods fail, if they do, else the worst signal, of equal ones the first."""
    return title(min(firing, key=_telling), len(firing) - 1)


def _telling(signal: SignalStatus) -> tuple[int, int, bool, datetime, str]:
    pods = signal.source is SignalSource.WORKLOAD
    reason = _REASONS.get(signal.subject.partition(" of ")[0], 0) if pods else _NO_REASON
    noticed = signal.kind is SignalKind.ERROR_RATE
    return reason, -ORDER.index(signal.severity), not noticed, signal.first_fired_time, signal.key
