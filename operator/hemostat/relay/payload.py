"""What Slack tells of a click, read with suspicion (pure). What is not as it has to be is nobody's click.

https://docs.slack.dev/reference/interaction-payloads
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hemostat.relay.message import Button
from hemostat.relay.modals import DENIAL, REASON
from hemostat.relay.ticket import Ticket, parse

Id = Annotated[str, Field(min_length=1, max_length=64)]


class Press(StrEnum):
    """What somebody did."""

    APPROVE = "Approve"
    ASK_REASON = "AskReason"
    """Pressed Deny: the modal that asks for the reason is wanted."""
    DENY = "Deny"
    SNOOZE = "Snooze"
    EXPLAIN = "Explain"


_OF_BUTTON = {
    Button.APPROVE: Press.APPROVE,
    Button.DENY: Press.ASK_REASON,
    Button.SNOOZE: Press.SNOOZE,
    Button.EXPLAIN: Press.EXPLAIN,
}


@dataclass(frozen=True, slots=True)
class Click:
    """Somebody's click. Two tellings of the same one are equal."""

    press: Press
    ticket: Ticket | None
    """None: it was on nothing that we made."""
    user: str
    """Slack id of who clicked, as Slack says."""
    channel: str
    ts: str
    """The message it was on."""
    at: float
    """When, in Unix seconds by Slack's clock."""
    reason: str = ""
    id: str = ""
    """The same whenever Slack tells of this click."""
    trigger: str = ""
    """With it a modal can be opened, within three seconds."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Identified(_Part):
    id: Id


class _Said(_Part):
    ts: Id
    bot_id: Id | None = None


class _Action(_Part):
    action_id: Id
    action_ts: Annotated[str, Field(pattern=r"^[0-9]{1,12}(\.[0-9]{1,9})?$")]
    value: Annotated[str, Field(max_length=2000)] = ""


class _Pressed(_Part):
    user: _Identified
    channel: _Identified
    message: _Said
    actions: Annotated[list[_Action], Field(min_length=1, max_length=1)]
    trigger_id: Annotated[str, Field(max_length=256)] = ""


class _Field(_Part):
    value: Annotated[str, Field(max_length=4000)] | None = None


class _State(_Part):
    values: dict[str, dict[str, _Field]] = {}


class _View(_Part):
    id: Id
    callback_id: str
    private_metadata: Annotated[str, Field(max_length=3000)]
    state: _State = _State()


class _Submitted(_Part):
    user: _Identified
    view: _View


class Private(BaseModel):
    """What a modal carries besides: where it was opened, and when."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ticket: Annotated[str, Field(max_length=2000)]
    channel: Id
    ts: Id
    at: float

    def text(self) -> str:
        """Return it as Slack keeps it with the window."""
        return self.model_dump_json()


def pressed(body: Mapping[str, Any], bot: str) -> Click | None:
    """Read the press of a button (`block_actions`); None for what cannot be answered."""
    try:
        found = _Pressed.model_validate(body)
        press = _OF_BUTTON[Button(found.actions[0].action_id)]
    except ValueError:
        return None
    return Click(
        press=press,
        ticket=parse(found.actions[0].value) if found.message.bot_id == bot else None,
        user=found.user.id,
        channel=found.channel.id,
        ts=found.message.ts,
        at=float(found.actions[0].action_ts),
        id=found.actions[0].action_ts,
        trigger=found.trigger_id,
    )


def submitted(body: Mapping[str, Any], at: float) -> Click | None:
    """Read the submission of the modal that asks why (`view_submission`); None unless it is ours.

    :param at: Unix seconds: Slack does not say when it was sent.
    """
    try:
        found = _Submitted.model_validate(body)
        private = Private.model_validate_json(found.view.private_metadata)
    except ValidationError:
        return None
    if found.view.callback_id != DENIAL:
        return None
    reason = found.view.state.values.get(REASON, {}).get(REASON, _Field()).value or ""
    return Click(
        press=Press.DENY,
        ticket=parse(private.ticket),
        user=found.user.id,
        channel=private.channel,
        ts=private.ts,
        at=at,
        id=found.view.id,
        reason=reason.strip()[:1024],
    )
