"""Locks that agents in different processes share: leases, so that whoever dies holds nothing for long (pure)."""

from __future__ import annotations

from dataclasses import dataclass

LEASE_SECONDS = 10.0
MAX_LOCKS = 10_000


class TooManyLocks(Exception):
    """No further lock can be held."""


@dataclass(frozen=True, slots=True)
class _Lease:
    holder: str
    until: float


class LockTable:
    """Who holds which lock. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._leases: dict[str, _Lease] = {}

    def take(self, lock: str, who: str, now: float) -> str:
        """Take a lock, or renew it, and return who holds it now."""
        lease = self._leases.get(lock)
        if lease is not None and lease.until > now and lease.holder != who:
            return lease.holder
        if lease is None and len(self._leases) >= MAX_LOCKS:
            self._leases = {name: one for name, one in self._leases.items() if one.until > now}
            if len(self._leases) >= MAX_LOCKS:
                raise TooManyLocks(f"{MAX_LOCKS} locks are held")
        self._leases[lock] = _Lease(who, now + LEASE_SECONDS)
        return who

    def release(self, lock: str, who: str) -> None:
        """Give a lock back, if it is one's own."""
        lease = self._leases.get(lock)
        if lease is not None and lease.holder == who:
            del self._leases[lock]

    def held(self, now: float) -> dict[str, str]:
        """Return who holds what."""
        return {lock: lease.holder for lock, lease in self._leases.items() if lease.until > now}
