"""Which Incidents that are over nobody needs any more, with their finished Remediations (pure): no check and no undo.

All of one Incident go together: whether it came back is told by any of them, and what is remembered of it rests on all.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hemostat.action.undoing import undoes
from hemostat.api.incident import RESOLVED, Incident
from hemostat.api.meta import Conditions, find, is_true
from hemostat.api.remediation import APPLIED, FINISHED, UNDONE, Remediation
from hemostat.api.runbook import Parameter, Runbook
from hemostat.gate.earned import MAX_OUTCOMES

LEAST_DAYS = 7
"""The longest window of a GatePolicy: what ended before is read by no check but for what was earned."""
UNDER = 16
"""Of one object: so many that could be taken back, the newest, are kept while one of them stands on it."""
Kind = tuple[str, str, frozenset[Parameter]]
"""What is counted together as earned: the Runbook's uid, the action and its parameters."""
Object = tuple[str, str, str]
"""(apiVersion, kind, name)."""


@dataclass(frozen=True, slots=True)
class Keep:
    """How much is kept. What either of them says stays."""

    age: timedelta
    """Since it ended."""
    newest: int
    """Of each namespace, whatever their age."""


@dataclass(frozen=True, slots=True)
class Past:
    """As much of a Remediation as it takes to tell; there may be thousands."""

    name: str
    uid: str
    version: str
    incident: str
    """Its uid."""
    incident_name: str
    ended: datetime | None
    """None: it is not finished."""
    reason: str
    """How it ended."""
    kind: Kind | None
    """What it counts as; None: it was not applied."""
    began: datetime | None
    """When it took effect last; None: nothing was done."""
    objects: frozenset[Object]
    """What it did and could be taken back there, unless it was."""


def past(remediation: Remediation) -> Past:
    """Return what of a Remediation is looked at."""
    meta, spec, status = remediation.metadata, remediation.spec, remediation.status
    finished, ref = find(status.conditions, FINISHED), spec.incident_ref
    ended = finished is not None and is_true(status.conditions, FINISHED)
    back = () if is_true(status.conditions, UNDONE) else undoes(remediation)
    times = [i.time for i in status.intents if i.effect == "Forward"]
    times += [r.time for r in status.results if r.effect == "Forward"]
    return Past(
        name=meta.name,
        uid=meta.uid,
        version=meta.resource_version,
        incident=ref.uid or "",
        incident_name=ref.name,
        ended=finished.last_transition_time if finished is not None and ended else None,
        reason=finished.reason if finished is not None else "",
        kind=(spec.runbook_ref.uid or "", spec.action, frozenset(spec.parameters))
        if is_true(status.conditions, APPLIED)
        else None,
        began=max(times, default=None),
        objects=frozenset((u.forward.api_version, u.forward.kind, u.forward.name) for u in back),
    )


def kinds_of(runbooks: Iterable[Runbook]) -> frozenset[Kind]:
    """Return what may still be asked for what it has earned: what is no step of a Runbook is denied by the gate."""
    return frozenset(
        (runbook.metadata.uid, step.action, frozenset(step.parameters))
        for runbook in runbooks
        for step in runbook.spec.remediations
    )


def long_ago(known: Sequence[Past], kinds: Collection[Kind], keep: Keep, now: datetime) -> list[tuple[Past, ...]]:
    """Return what no check needs, by Incident, the oldest first. Whether it stands is not looked at here.

    :param known: all Remediations of a namespace.
    :param kinds: of which the last `MAX_OUTCOMES` Incidents are kept, as many as count.
    """
    incidents: dict[str, list[Past]] = {}
    for one in known:
        incidents.setdefault(one.incident, []).append(one)
    finished = sorted(_ended(known), key=lambda one: (one[0], one[1].uid), reverse=True)
    held = {one.incident for _, one in finished[: keep.newest]}
    held |= {incident for kind in kinds for incident in _counted(known, kind)}
    found = []
    for incident, group in incidents.items():
        ends = [when for when, _ in _ended(group)]
        if incident not in held and len(ends) == len(group) and now - max(ends) > keep.age:
            found.append((max(ends), tuple(sorted(group, key=lambda one: one.name))))
    return [group for _, group in sorted(found, key=lambda one: (one[0], one[1][0].uid))]


def _ended(known: Iterable[Past]) -> Iterator[tuple[datetime, Past]]:
    return ((one.ended, one) for one in known if one.ended is not None)


def _counted(known: Iterable[Past], kind: Kind) -> list[str]:
    """Return the Incidents whose outcomes count, as `gate.earned` chooses them."""
    last: dict[str, datetime] = {}
    for when, one in _ended(o for o in known if o.kind == kind):
        last[one.incident] = max(last.get(one.incident, when), when)
    return sorted(last, key=lambda incident: (last[incident], incident), reverse=True)[:MAX_OUTCOMES]


def left_over(incidents: Iterable[Incident], known: Iterable[Past], keep: Keep, now: datetime) -> list[Incident]:
    """Return the Incidents that are long over, not among the newest, and that no Remediation is left of."""
    about = {one.incident for one in known}
    ends = ((resolved_since(i.status.conditions), i) for i in incidents)
    over = sorted(((t, i) for t, i in ends if t is not None), key=lambda e: (e[0], e[1].metadata.uid), reverse=True)
    return [i for t, i in over[keep.newest :] if now - t > keep.age and i.metadata.uid not in about]


def on_top(known: Iterable[Past], place: Object) -> list[Past]:
    """Return the newest of what could be taken back on one object, the newest first: the last ones down to which
    people would take it back one by one."""
    found = [(one.began, one) for one in known if place in one.objects and one.began is not None]
    return [one for _, one in sorted(found, key=lambda o: (o[0], o[1].uid), reverse=True)[:UNDER]]


def over_since(incident: Incident | None, uid: str, keep: Keep, now: datetime) -> bool:
    """Tell whether an Incident is gone, or has been over for so long that it does not come back."""
    if incident is None or incident.metadata.uid != uid:
        return True
    since = resolved_since(incident.status.conditions)
    return since is not None and now - since > keep.age


def resolved_since(conditions: Conditions) -> datetime | None:
    """Return since when an Incident is over, None: it is not."""
    resolved = find(conditions, RESOLVED)
    return resolved.last_transition_time if resolved is not None and is_true(conditions, RESOLVED) else None
