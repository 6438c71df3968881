"""Runs of the Who&When data (messages, no spans) as steps that the product's normaliser makes of them.

An instruction and the answer to it are one invocation of the agent that is instructed, as a GenAI span would tell of
it. Messages have no times: ten seconds each are assumed. Of the orchestrator's thoughts, which hold the labels, only
the position is used: there a label is asked for, and whoever was instructed has come back by then.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hemostat.telemetry.steps import Step
from hemostat.telemetry.steps.normalise import step
from hemostat.telemetry.steps.raw import Raw

SECONDS = 10.0
"""From one message to the next."""
_INSTRUCTS = re.compile(r"^(.+) \(-> (.+)\)$")
_THINKS = re.compile(r"^.+ \((?:thought|termination condition)\)$")


@dataclass(frozen=True, slots=True)
class Exchange:
    """What one agent asked of another, and the answer."""

    at: int
    """Position of the instruction in the run."""
    until: int
    """Position from which on the answer is known; a label that is asked for there may use it."""
    caller: str
    callee: str
    asked: str
    answered: str


@dataclass(frozen=True, slots=True)
class Run:
    """A run: what happened, and where somebody said whether it is in a loop."""

    name: str
    messages: int
    exchanges: tuple[Exchange, ...]
    turns: tuple[int, ...] = ()
    labels: tuple[bool, ...] = ()


def labelled(data: Path) -> list[Run]:
    """Return the runs with labels; turns whose label could not be read are left out."""
    found = []
    for name, known in sorted(json.loads((data / "loop_labels.json").read_text()).items()):
        turns = [t for t in known["ledger"] if "is_in_loop" in t]
        history = _history(data / "Hand-Crafted" / name)
        positions = tuple(int(t["turn"]) for t in turns)
        found.append(
            Run(
                name,
                len(history),
                tuple(instructions(history, positions)),
                positions,
                tuple(bool(t["is_in_loop"]) for t in turns),
            )
        )
    return found


def unlabelled(data: Path) -> list[Run]:
    """Return the group chats, in which each message goes to whoever speaks next."""
    paths = sorted((data / "Algorithm-Generated").glob("*.json"))
    return [Run(p.name, len(h := _history(p)), tuple(chat(h))) for p in paths]


def instructions(history: Sequence[Mapping[str, str]], asked_at: Iterable[int] = ()) -> Iterator[Exchange]:
    """Yield the exchanges of a run that an orchestrator leads, in order; `asked_at` ends those without an answer."""
    ends = set(asked_at)
    pending: tuple[int, str, str, str] | None = None
    for at, message in enumerate(history):
        role, content = message["role"], message["content"]
        instructs = _INSTRUCTS.match(role)
        if pending is not None and (instructs or at in ends or not _THINKS.match(role)):
            answer = content if role == pending[2] else ""
            # An answer at `at` is known from the next position on; without one the call is over where it is noticed.
            yield Exchange(pending[0], at + (role == pending[2]), *pending[1:], answer)
            pending = None
        if instructs:
            pending = (at, instructs[1], instructs[2], content)


def chat(history: Sequence[Mapping[str, str]]) -> Iterator[Exchange]:
    """Yield the exchanges of a group chat."""
    for at in range(len(history) - 1):
        said, answer = history[at], history[at + 1]
        yield Exchange(at, at + 2, said["name"], answer["name"], said["content"], answer["content"])


def steps(run: Run) -> Iterator[tuple[Exchange, Step]]:
    """Yield each exchange with the step that the normaliser makes of its span."""
    for number, exchange in enumerate(run.exchanges, 1):
        attributes: dict[str, Any] = {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": exchange.callee,
            "gen_ai.conversation.id": run.name,
            "gen_ai.input.messages": exchange.asked,
            "gen_ai.output.messages": exchange.answered,
        }
        found = step(
            Raw(
                service=exchange.caller,
                tenant="",
                name=f"invoke_agent {exchange.callee}",
                trace=b"\x01" * 16,
                span=number.to_bytes(8, "big"),
                parent=b"\x01" * 8,
                started=SECONDS * (exchange.at + 1),
                ended=SECONDS * exchange.until,
                error=False,
                attributes=attributes,
            )
        )
        if found is None:
            raise ValueError(f"{run.name}: no step was made of message {exchange.at}")
        yield exchange, found


def _history(path: Path) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(path.read_text())["history"]
    return found
