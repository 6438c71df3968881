"""Alertmanager's webhook -> `Alert` (pure).

Format: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config (version 4). What arrives is not
trusted: texts are cut and made printable, and the identity of an alert is computed from its labels.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, FailFast, Field, ValidationError

from hemostat.errors import Refused
from hemostat.telemetry.jsontext import values

MAX_LABELS = 64
MAX_TEXT = 256
MAX_VALUES = 250_000
"""Values in the JSON of one notification: some 12,000 alerts as people write them."""
_NAME, _NAMESPACE = "alertname", "namespace"
OWN = "hemostat_alert"
"""Label of the alerts about Hemostat itself: what they say is for people, and never becomes an Incident."""


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

    @property
    def namespace(self) -> str:
        """The label `namespace`."""
        return self.label(_NAMESPACE)

    def label(self, name: str) -> str:
        """Return the value of a label, or an empty text."""
        return next((v for k, v in self.labels if k == name), "")


@dataclass(frozen=True, slots=True)
class Notification:
    """What one request told."""

    alerts: tuple[Alert, ...]
    truncated: int
    """Alerts that Alertmanager left out because of `max_alerts` of the receiver."""


class _Item(BaseModel):
    model_config = ConfigDict(extra="ignore")

    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    annotations: dict[str, str] = {}
    endsAt: AwareDatetime | None = None  # noqa: N815 - the sender's word


class _Notification(BaseModel):
    model_config = ConfigDict(extra="ignore")

    version: Literal["4"]
    alerts: Annotated[list[_Item], FailFast()]
    truncatedAlerts: Annotated[int, Field(ge=0, lt=2**64)] = 0  # noqa: N815 - the sender's word


def parse(body: bytes) -> Notification:
    """Parse one notification. Raises `Refused` (BadAlert with what is wrong, TooLarge); never anything else."""
    if values(body) > MAX_VALUES:  # each costs some 100 bytes once it is parsed, however short it is
        raise Refused("TooLarge", f"more than {MAX_VALUES:,} JSON values; set max_alerts of the receiver")
    try:
        found = _Notification.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(_printable(str(part)) for part in first["loc"]) or "body"
        raise Refused("BadAlert", f"not an Alertmanager notification of version 4: {where}: {first['msg']}") from None
    return Notification(tuple(_alert(item) for item in found.alerts), found.truncatedAlerts)


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
    cut = text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"
    return cut if cut.isprintable() else "".join(c if c.isprintable() else " " for c in cut)
