"""The alerts that are live, bounded in number and bytes (pure: time is an argument)."""

import sys
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from hemostat.telemetry.alerts import Alert, Standing

MAX_ALERTS = 10_000
"""Alerts that are kept, live or lately resolved."""
MAX_BYTES = 32 << 20
"""What all of them take: 3 KB each, which is a dozen labels as people write them, with room to spare."""
RESOLVED_FOR = timedelta(minutes=15)
"""How long a resolved alert is still known to be resolved."""


@dataclass(slots=True)
class _Kept:
    alert: Alert
    heard: datetime
    size: int


class AlertStore:
    """Alerts as they were heard last. Not thread-safe.

    :param stale_after: how long an alert that is not repeated is believed; longer than Alertmanager's
        `repeat_interval`.
    """

    def __init__(self, stale_after: timedelta, max_alerts: int = MAX_ALERTS, max_bytes: int = MAX_BYTES) -> None:
        self._stale_after = stale_after
        self._max = max_alerts
        self._max_bytes = max_bytes
        self._kept: dict[str, _Kept] = {}
        """By identity, the one heard longest ago first."""
        self._names: dict[str, dict[str, None]] = {}
        self._spaces: dict[str, dict[str, None]] = {}
        self._expired: datetime | None = None
        self.dropped = 0
        """Alerts not taken because there were too many live ones."""
        self.size = 0
        """Bytes that the alerts take, by estimate."""

    def __len__(self) -> int:
        """Return how many alerts are kept."""
        return len(self._kept)

    def put(self, alerts: Iterable[Alert], now: datetime) -> int:
        """Take a notification; return how many of its alerts were taken."""
        self._expire(now)
        spare = self._spare(now)
        taken = 0
        for alert in alerts:
            size = size_of(alert)
            if alert.identity in self._kept:
                self._drop(alert.identity)
            elif not self._room(size, spare):
                self.dropped += 1
                continue
            self._keep(alert, now, size)
            taken += 1
        return taken

    def about(self, names: Collection[str], namespace: str, now: datetime) -> Iterator[tuple[Alert, Standing]]:
        """Yield the alerts of these names, or, when there are none, those whose label `namespace` is this one."""
        keys = [k for n in names for k in self._names.get(n, ())] if names else list(self._spaces.get(namespace, ()))
        for key in keys:
            kept = self._kept[key]
            yield kept.alert, self._standing(kept, now)

    def _standing(self, kept: _Kept, now: datetime) -> Standing:
        alert = kept.alert
        if alert.resolved or (alert.ends is not None and alert.ends <= now):
            return Standing.RESOLVED
        return Standing.STALE if now - kept.heard > self._stale_after else Standing.FIRING

    def _expire(self, now: datetime) -> None:
        """Forget what was resolved or went stale long ago; once a second, for it looks at all."""
        if self._expired is not None and timedelta(0) <= now - self._expired < timedelta(seconds=1):
            return
        self._expired = now
        old = [k for k, kept in self._kept.items() if self._over(kept, now)]
        for key in old:
            self._drop(key)

    def _over(self, kept: _Kept, now: datetime) -> bool:
        resolved = self._standing(kept, now) is Standing.RESOLVED
        return now - kept.heard > (RESOLVED_FOR if resolved else self._stale_after + RESOLVED_FOR)

    def _room(self, size: int, spare: Iterator[str]) -> bool:
        """Tell whether there is room for one more, once everything that can be spared for it is gone."""
        while len(self._kept) >= self._max or self.size + size > self._max_bytes:
            if next(spare, None) is None:
                return False
        return True

    def _spare(self, now: datetime) -> Iterator[str]:
        """Drop one that does not fire for each `next`, as long as there are: live ones are never crowded out."""
        for key in list(self._kept):
            kept = self._kept.get(key)
            if kept is not None and self._standing(kept, now) is not Standing.FIRING:
                self._drop(key)
                yield key

    def _keep(self, alert: Alert, now: datetime, size: int) -> None:
        self._kept[alert.identity] = _Kept(alert, now, size)
        self._names.setdefault(alert.name, {})[alert.identity] = None
        self._spaces.setdefault(alert.namespace, {})[alert.identity] = None
        self.size += size

    def _drop(self, key: str) -> None:
        kept = self._kept.pop(key)
        self.size -= kept.size
        for index, value in ((self._names, kept.alert.name), (self._spaces, kept.alert.namespace)):
            index[value].pop(key, None)
            if not index[value]:
                del index[value]


def size_of(alert: Alert) -> int:
    """Return the bytes that an alert takes in the store: its texts, and what holds them together."""
    return 800 + sys.getsizeof(alert.summary) + sum(64 + sys.getsizeof(k) + sys.getsizeof(v) for k, v in alert.labels)
