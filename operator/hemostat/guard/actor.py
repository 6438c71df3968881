"""Who is at work here: the agent and the conversation of the running thread or asyncio task."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from opentelemetry import trace

from hemostat.guard import names


@dataclass(frozen=True, slots=True)
class Actor:
    """An agent in a conversation; empty where not known."""

    agent: str = ""
    conversation: str = ""


_ACTOR: ContextVar[Actor | None] = ContextVar("hemostat_guard_actor", default=None)


@contextmanager
def acting(agent: str, conversation: str) -> Iterator[Actor]:
    """Say whose turn it is; asyncio tasks and `asyncio.to_thread` begun inside inherit it, plain threads do not."""
    actor = Actor(agent, conversation)
    token = _ACTOR.set(actor)
    try:
        yield actor
    finally:
        _ACTOR.reset(token)


def current() -> Actor:
    """Return who is at work: as said by `acting`, else as the current span's attributes say."""
    actor = _ACTOR.get()
    if actor is not None:
        return actor
    attributes = getattr(trace.get_current_span(), "attributes", None)
    if not isinstance(attributes, Mapping):
        return Actor()
    return Actor(names.agent(attributes), names.conversation(attributes))
