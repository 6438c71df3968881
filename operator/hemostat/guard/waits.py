"""Waits that only the application knows of: a lock, another agent's answer, a person."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from opentelemetry import trace

from hemostat.guard import names
from hemostat.guard.actor import Actor

Kind = Literal["lock", "agent", "person"]
Mode = Literal["all", "any"]


@contextmanager
def waiting(
    tracer: trace.Tracer, actor: Actor, for_: str, kind: Kind, mode: Mode, holder: str | None
) -> Iterator[None]:
    """Run the body inside a span that says what is waited for; the span processor tells of it while it is open.

    A span and not a log event of its own: it is in the trace too when it has ended, and there is one way to be seen.
    """
    attributes = {names.WAIT_FOR: for_, names.WAIT_KIND: kind, names.WAIT_MODE: mode}
    said = {names.WAIT_HOLDER: holder, names.AGENT: actor.agent, names.CONVERSATION: actor.conversation}
    attributes |= {key: value for key, value in said.items() if value}
    with tracer.start_as_current_span(f"wait {for_}", attributes=attributes):
        yield
