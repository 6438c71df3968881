"""What a message of ours says of itself, unseen by people: which Incident it is about, who was reminded when (pure).

Slack takes message and mark in one request: there is no moment in which one is there without the other.
https://docs.slack.dev/messaging/message-metadata
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Json = dict[str, Any]
EVENT = "hemostat_incident"
SNOOZE_SECONDS = 3600


class Mark(BaseModel):
    """Of one Incident. Times are Unix seconds; 0: never."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    incident: str = Field(min_length=1, max_length=64)
    """Its uid."""
    namespace: str = Field(min_length=1, max_length=63)
    name: str = Field(min_length=1, max_length=253)
    reminded: int = Field(default=0, ge=0)
    """When people were last reminded that somebody has to decide."""
    snoozed: int = Field(default=0, ge=0)
    """Until when they asked not to be."""

    def metadata(self) -> Json:
        """Return it as Slack takes it."""
        return {"event_type": EVENT, "event_payload": self.model_dump()}


@dataclass(frozen=True, slots=True)
class Root:
    """The message of an Incident: the first of its thread."""

    ts: str
    """Slack's name for it within the channel."""
    mark: Mark


def root_of(message: Mapping[str, Any], bot: str) -> Root | None:
    """Read a message of the channel's history; None unless it is one of ours, by the bot that wrote it."""
    metadata = message.get("metadata")
    if message.get("bot_id") != bot or not isinstance(metadata, dict) or metadata.get("event_type") != EVENT:
        return None
    if message.get("thread_ts") not in (None, message.get("ts")):  # a reply
        return None
    try:
        return Root(str(message["ts"]), Mark.model_validate(metadata.get("event_payload")))
    except (ValidationError, KeyError):
        return None


def due(mark: Mark, asked: float, every: float) -> float:
    """Return when people are to be reminded: `every` seconds after they were asked, then each time twice as late.

    :param asked: Unix seconds.
    """
    if mark.reminded <= asked:
        return max(asked + every, float(mark.snoozed))
    return max(asked + 2 * (mark.reminded - asked), float(mark.snoozed))
