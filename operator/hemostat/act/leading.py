"""Which of several replicas acts, from what a Lease says and a clock that nobody sets (pure).

As client-go has it: the times in a Lease are for people. A candidate counts from when it saw the Lease change last, and
the leader from when it asked for its last renewal, each by its own steady clock; so wall clocks may differ and jump. A
Lease is no fence: a request of a leader that was stopped may land later. What lands only once is guarded by its intent
(`hemostat.action.moves`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any

from hemostat.clock import rfc3339

Json = dict[str, Any]
MOST_SECONDS = 60
"""Longer nobody waits for a leader that is silent, whatever its Lease says."""
_MOST_TRANSITIONS = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Pace:
    """How long what may take, in seconds; the defaults are those of client-go."""

    lease: int = 15
    """A leader that is silent for so long has lost."""
    renew_within: float = 10.0
    """A leader whose renewals fail for so long stops by itself: well before others may begin."""
    renew_every: float = 2.0
    look_every: float = 0.5
    """Of a candidate: what it adds to a hand-over."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a candidate knows of the Lease."""

    version: str
    """Its resourceVersion, which every renewal changes."""
    holder: str
    """Empty: nobody's."""
    seconds: float
    """For how long it is the holder's without a renewal."""
    since: float
    """When this version was seen first, by the steady clock."""


class Move(Enum):
    """What a replica has to do next."""

    TAKE = auto()
    RENEW = auto()
    WAIT = auto()
    LOST = auto()
    """It led and does not any more: it ends, and never leads again."""


def noticed(lease: Mapping[str, Any], before: Seen | None, now: float, pace: Pace) -> Seen:
    """Return what is known once the Lease was read; `now`: after the answer came."""
    spec, version = lease.get("spec") or {}, lease["metadata"]["resourceVersion"]
    if before is not None and before.version == version:
        return before
    said = spec.get("leaseDurationSeconds") or pace.lease
    return Seen(version, spec.get("holderIdentity") or "", float(max(pace.lease, min(said, MOST_SECONDS))), now)


def decide(seen: Seen, me: str, until: float | None, now: float) -> Move:
    """Return what to do.

    :param me: who asks: no two that run at the same time have the same name. What bears it was this one before it was
        restarted, and need not be waited for.
    :param until: when its own time as leader ends, unless it is renewed; None: it does not lead.
    """
    if until is not None:
        return Move.RENEW if seen.holder == me and now < until else Move.LOST
    free = seen.holder in ("", me) or now - seen.since >= seen.seconds
    return Move.TAKE if free else Move.WAIT


def claimed(lease: Json, me: str, now: datetime, pace: Pace) -> Json:
    """Return the Lease as whoever takes or renews it writes it."""
    spec = dict(lease.get("spec") or {})
    if spec.get("holderIdentity") != me or "acquireTime" not in spec:
        changes = int(spec.get("leaseTransitions") or 0) + 1
        spec |= {"acquireTime": rfc3339(now), "leaseTransitions": min(changes, _MOST_TRANSITIONS)}
    spec |= {"holderIdentity": me, "leaseDurationSeconds": pace.lease, "renewTime": rfc3339(now)}
    return lease | {"spec": spec}


def released(lease: Json, now: datetime) -> Json:
    """Return the Lease as its holder gives it back: the next one need not wait."""
    return lease | {"spec": (lease.get("spec") or {}) | {"holderIdentity": "", "renewTime": rfc3339(now)}}
