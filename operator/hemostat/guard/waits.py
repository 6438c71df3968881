"""Waits that only the application knows of: a lock, another agent's answer, a person; and who holds the lock."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from opentelemetry import trace

from hemostat.guard import names
from hemostat.guard.actor import Actor
from hemostat.guard.forks import in_child

Kind = Literal["lock", "agent", "person"]
Mode = Literal["all", "any"]
MAX_LOCKS = 10_000


class Waits:
    """Makes spans of waits, and tells them who holds what they wait for, as far as `holding` says so in this process.

    A span and not a log event of its own: it is in the trace too when it has ended, and there is one way to be seen.
    """

    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer
        self._renew()
        in_child(self._renew)

    def _renew(self) -> None:
        self._lock = threading.RLock()
        self._holders: dict[str, list[Actor]] = {}
        self._waiting: dict[str, set[trace.Span]] = {}

    @contextmanager
    def waiting(self, actor: Actor, for_: str, kind: Kind, mode: Mode, holder: str | None) -> Iterator[None]:
        """Run the body inside a span that says what is waited for; `holder` is looked up if it is None."""
        attributes = {names.WAIT_FOR: for_, names.WAIT_KIND: kind, names.WAIT_MODE: mode}
        said = {names.WAIT_HOLDER: holder, names.AGENT: actor.agent, names.CONVERSATION: actor.conversation}
        attributes |= {key: value for key, value in said.items() if value}
        if holder is None:
            with self._lock:
                attributes |= self._holder(for_)
        with self._tracer.start_as_current_span(f"wait {for_}", attributes=attributes) as span:
            if holder is not None:
                yield
                return
            with self._listed(for_, span):
                yield

    @contextmanager
    def holding(self, actor: Actor, lock: str) -> Iterator[None]:
        """Say that this agent holds a lock while the body runs; those who wait for it are told."""
        with self._lock:
            if known := lock in self._holders or len(self._holders) < MAX_LOCKS:
                self._holders.setdefault(lock, []).append(actor)
                self._tell(lock)
        try:
            yield
        finally:
            with self._lock:
                if known and actor in (holders := self._holders.get(lock, [])):
                    holders.remove(actor)
                    self._tell(lock)
                    if not holders:
                        del self._holders[lock]

    @contextmanager
    def _listed(self, for_: str, span: trace.Span) -> Iterator[None]:
        with self._lock:
            self._waiting.setdefault(for_, set()).add(span)
            span.set_attributes(self._holder(for_))
        try:
            yield
        finally:
            with self._lock:
                waiting = self._waiting.get(for_, set())
                waiting.discard(span)
                if not waiting:
                    self._waiting.pop(for_, None)

    def _tell(self, lock: str) -> None:
        """Nobody is told as nobody: an attribute cannot be taken back, and the last holder would stay for ever."""
        said = self._holder(lock) or {names.WAIT_HOLDER: "", names.WAIT_HOLDER_CONVERSATION: ""}
        for span in self._waiting.get(lock, ()):
            span.set_attributes(said)

    def _holder(self, lock: str) -> dict[str, str]:
        holders = self._holders.get(lock, [])
        if len(set(holders)) != 1:  # of several who hold a semaphore any may let go: who is waited for is not known
            return {}
        return {names.WAIT_HOLDER: holders[0].agent, names.WAIT_HOLDER_CONVERSATION: holders[0].conversation}
