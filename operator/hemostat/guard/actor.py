"""Who is at work here: the agent and the conversation of the running thread or asyncio task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass

from opentelemetry import trace

from hemostat.guard import names


@dataclass(frozen=True, slots=True)
class Actor:
    """An agent in a conversation; empty where not known."""

    agent: str = ""
    conversation: str = ""


@dataclass(slots=True)
class _Turn:
    """One `acting`. Left in another context than it was entered in (a generator that another task closes), or before
    one that was entered later (two generators in turn), the variable cannot be set back: then it is passed over.
    """

    actor: Actor
    outer: _Turn | None
    left: bool = False


_TURN: ContextVar[_Turn | None] = ContextVar("hemostat_guard_actor", default=None)


@contextmanager
def acting(agent: str, conversation: str) -> Iterator[Actor]:
    """Say whose turn it is; asyncio tasks and `asyncio.to_thread` begun inside inherit it, plain threads do not.

    Inside a generator it holds for whoever iterates, too, until the generator has ended: there give `call` and `wait`
    their `caller` and `conversation` instead.
    """
    turn = _Turn(Actor(agent, conversation), _present())
    token = _TURN.set(turn)
    try:
        yield turn.actor
    finally:
        _leave(turn, token)


def current() -> Actor:
    """Return who is at work: as said by `acting`, else as the current span's attributes say."""
    turn = _present()
    if turn is not None:
        return turn.actor
    attributes = getattr(trace.get_current_span(), "attributes", None)
    if not isinstance(attributes, Mapping):
        return Actor()
    return Actor(names.agent(attributes), names.conversation(attributes))


def _leave(turn: _Turn, token: Token[_Turn | None]) -> None:
    turn.left = _TURN.get() is not turn
    if not turn.left:
        try:
            _TURN.reset(token)
        except ValueError:  # another context, with a copy of it
            turn.left = True


def _present() -> _Turn | None:
    turn = _TURN.get()
    while turn is not None and turn.left:
        turn = turn.outer
    return turn
