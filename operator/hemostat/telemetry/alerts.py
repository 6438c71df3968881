"""Alertmanager's webhook -> `Alert`, and a bounded store of those that are live (pure: time is an argument).

Format: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config (version 4). What arrives is not
trusted: texts are cut and made printable, and the identity of an alert is computed from its labels.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from hemostat.errors import Refused

MAX_LABELS = 64
MAX_TEXT = 256
MAX_ALERTS = 10_000
"""Alerts that are kept, live or lately resolved."""
RESOLVED_FOR = timedelta(minutes=15)
"""How long a resolved alert is still known to be resolved."""
_NAME, _NAMESPACE = "alertname", "namespace"


class Standing(StrEnum):
    """How an alert stands at a moment."""

    FIRING = "Firing"
    RESOLVED = "Resolved"
    STALE = "Stale"
    """Not repeated for longer than Alertmanager would wait: whether it still fires is not known."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert of a notification."""

    identity: str
    """Digest of all its labels, as Alertmanager identifies alerts by them: 16 hex digits."""
    labels: tuple[tuple[str, str], ...]
    """Sorted by name; at most 64."""
    resolved: bool
    ends: datetime | None
    """When it ends or ended by the sender's clock; None while that is open."""
    summary: str
    """The annotation `summary`, or `description`, or nothing."""

    @property
    def name(self) -> str:
        """The label `alertname`."""
        return self.label(_NAME)

    def label(self, name: str) -> str:
        """Return the value of a label, or an empty text."""
        return next((v for k, v in self.labels if k == name), "")


class _Item(BaseModel):
    model_config = ConfigDict(extra="ignore")

    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    annotations: dict[str, str] = {}
    endsAt: AwareDatetime | None = None  # noqa: N815 - the sender's word


class _Notification(BaseModel):
    model_config = ConfigDict(extra="ignore")

    version: Literal["4"]
    alerts: Annotated[list[_Item], Field(max_length=MAX_ALERTS)]


def parse(body: bytes) -> tuple[Alert, ...]:
    """Parse one notification. Raises `Refused` (BadAlert) with what is wrong; never anything else."""
    try:
        found = _Notification.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(_printable(str(part)) for part in first["loc"]) or "body"
        raise Refused("BadAlert", f"not an Alertmanager notification of version 4: {where}: {first['msg']}") from None
    return tuple(_alert(item) for item in found.alerts)


def _alert(item: _Item) -> Alert:
    whole = json.dumps(sorted(item.labels.items())).encode()
    labels = sorted((_printable(k), _printable(v)) for k, v in item.labels.items())
    # the two that decide whose it is are kept, whatever else there is
    labels.sort(key=lambda pair: pair[0] not in (_NAME, _NAMESPACE))
    said = item.annotations.get("summary") or item.annotations.get("description") or ""
    open_ = item.endsAt is None or item.endsAt.year <= 1  # Go's zero time
    return Alert(
        identity=hashlib.sha256(whole).hexdigest()[:16],
        labels=tuple(sorted(labels[:MAX_LABELS])),
        resolved=item.status == "resolved",
        ends=None if open_ else item.endsAt,
        summary=" ".join(_printable(said).split()),
    )


def _printable(text: str) -> str:
    """Names end up in conditions, Events and logs: no line breaks, no terminal escapes."""
    cut = text[:MAX_TEXT]
    return cut if cut.isprintable() else "".join(c if c.isprintable() else " " for c in cut)


@dataclass(slots=True)
class _Kept:
    alert: Alert
    heard: datetime


class AlertStore:
    """Alerts as they were heard last. Not thread-safe.

    :param stale_after: how long an alert that is not repeated is believed; longer than Alertmanager's
        `repeat_interval`.
    """

    def __init__(self, stale_after: timedelta, max_alerts: int = MAX_ALERTS) -> None:
        self._stale_after = stale_after
        self._max = max_alerts
        self._kept: dict[str, _Kept] = {}
        """By identity, the one heard longest ago first."""
        self._names: dict[str, dict[str, None]] = {}
        self._spaces: dict[str, dict[str, None]] = {}
        self._expired: datetime | None = None
        self.dropped = 0
        """Alerts not taken because there were too many live ones."""

    def __len__(self) -> int:
        """Return how many alerts are kept."""
        return len(self._kept)

    def put(self, alerts: Iterable[Alert], now: datetime) -> int:
        """Take a notification; return how many of its alerts were taken."""
        self._expire(now)
        spare = self._spare(now)
        taken = 0
        for alert in alerts:
            key = alert.identity
            known = self._kept.pop(key, None)
            if known is None and len(self._kept) >= self._max and next(spare, None) is None:
                self.dropped += 1
                continue
            self._kept[key] = _Kept(alert, now)
            self._names.setdefault(alert.name, {})[key] = None
            self._spaces.setdefault(alert.label(_NAMESPACE), {})[key] = None
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

    def _spare(self, now: datetime) -> Iterator[str]:
        """Drop one that does not fire for each `next`, as long as there are: live ones are never crowded out."""
        for key in list(self._kept):
            kept = self._kept.get(key)
            if kept is not None and self._standing(kept, now) is not Standing.FIRING:
                self._drop(key)
                yield key

    def _drop(self, key: str) -> None:
        alert = self._kept.pop(key).alert
        for index, value in ((self._names, alert.name), (self._spaces, alert.label(_NAMESPACE))):
            index[value].pop(key, None)
            if not index[value]:
                del index[value]
