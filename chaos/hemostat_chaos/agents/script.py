"""What a scripted model answers: a pure function of the script and of the conversation so far.

A script calls its tools turn by turn, so many rounds, and then speaks. How far it is, it reads from the
conversation alone, as a model does: the same conversation always gets the same answer, from any replica and
after any restart, and agents that hand one conversation to each other each find their own place in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter

_MARK = re.compile(r"\[script: ?([a-z0-9-]{1,63})\]")
_SYSTEM = frozenset({"system", "developer"})
_MOST_WORDS = 2000
"""An answer grows no longer than that."""


@dataclass(frozen=True, slots=True)
class Call:
    """One tool call: of the model, or read from a conversation."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation, whatever the API wrote it in."""

    role: str
    text: str = ""
    calls: tuple[Call, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model says next: text, or tool calls (perhaps with text)."""

    text: str
    calls: tuple[Call, ...] = ()


class Step(BaseModel):
    """One tool call of a script; `{n}` in a string becomes the number of the turn, counted from 1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tool: Annotated[str, Field(min_length=1, max_length=64)]
    arguments: dict[str, JsonValue] = {}


class Script(BaseModel):
    """The policy of one agent's model.

    `turns` are the tool calls of one round, turn by turn (calls of one turn are parallel); `rounds` is how often
    they come, 0 for ever. With `until` they come until a tool's answer contains that text, whatever `rounds` says.
    `stuck` is called in place of `turns` by a model that never stops. `say` are the texts once there is nothing left
    to call: the n-th answer without a call takes the n-th text, from the beginning again after the last. `busy` is
    how many requests of each conversation the provider refuses first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    turns: tuple[tuple[Step, ...], ...] = ()
    rounds: Annotated[int, Field(ge=0, le=10_000)] = 1
    until: Annotated[str, Field(max_length=200)] = ""
    stuck: tuple[tuple[Step, ...], ...] = ()
    busy: Annotated[int, Field(ge=0, le=100)] = 0
    say: Annotated[tuple[str, ...], Field(min_length=1, max_length=100)] = ("Done.",)

    def answer(self, messages: Sequence[Message], *, endless: bool = False, growing: int = 0) -> Answer:
        """Return what comes next in this conversation.

        `endless`: call tools for ever, whatever `rounds` says. `growing`: add so many words per answer given so far.
        """
        tools = {step.tool for turn in (*self.turns, *self.stuck) for step in turn}
        spoken = [message for message in messages if message.role == "assistant"]
        called = sum(any(call.name in tools for call in message.calls) for message in spoken)
        words = min(growing * (len(spoken) + 1), _MOST_WORDS)
        padding = " ".join(f"word{n}" for n in range(words))
        turns = self.stuck if endless and self.stuck else self.turns
        if turns and (endless or self._goes_on(called, messages)):
            turn = turns[called % len(turns)]
            return Answer(padding, tuple(Call(step.tool, _filled(step.arguments, called + 1)) for step in turn))
        texts = sum(not message.calls for message in spoken)
        text = _filled(self.say[texts % len(self.say)], texts + 1)
        return Answer(f"{text} {padding}".strip())

    def _goes_on(self, called: int, messages: Sequence[Message]) -> bool:
        if self.until:
            return not any(self.until in message.text for message in messages if message.role == "tool")
        return self.rounds == 0 or called < self.rounds * len(self.turns)


Scripts = Mapping[str, Script]
_SCRIPTS: TypeAdapter[dict[str, Script]] = TypeAdapter(
    dict[Annotated[str, Field(pattern=r"^[a-z0-9-]{1,63}$")], Script]
)


def load(text: str) -> Scripts:
    """Read scripts by name from YAML; raise ValueError that names what is wrong."""
    try:
        read = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"the scripts are no YAML: {error}") from None
    return _SCRIPTS.validate_python(read)


def chosen(model: str, messages: Iterable[Message]) -> str:
    """Return the name of the script: the last `[script: NAME]` in a system message, else the model's name."""
    marks = [mark for message in messages if message.role in _SYSTEM for mark in _MARK.findall(message.text)]
    return str(marks[-1]) if marks else model


def _filled(value: Any, number: int) -> Any:
    if isinstance(value, str):
        return value.replace("{n}", str(number))
    if isinstance(value, dict):
        return {key: _filled(inner, number) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, number) for inner in value]
    return value
