"""Calls and waits that are under way, so that a halt or a cut can end them: a mutual wait ends in no other way."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Any

from hemostat.guard.forks import in_child
from hemostat.guard.refusal import Refusal
from hemostat.guard.streams import around, awaits

MAX_SCOPES = 10_000


@dataclass(slots=True, eq=False)
class Scope:
    """One call or wait under way in an asyncio task."""

    conversation: str
    caller: str
    callee: str
    """Empty for a wait."""
    task: asyncio.Task[Any]
    timeout: asyncio.Timeout
    streams: tuple[FrameType, ...]
    """Async generators in which it was begun."""
    refusal: Refusal | None = None
    left: bool = False

    def end(self, refusal: Refusal) -> None:
        """Make the task leave the scope with this error; from any thread, at most once.

        Inside an async generator that stands at its `yield` nothing is done: it is to be said again later.
        """
        if self.refusal is None:
            self.refusal = refusal
            try:
                self.task.get_loop().call_soon_threadsafe(self._expire)
            except RuntimeError:  # the loop is closed: nothing is under way in it
                return

    def _expire(self) -> None:
        if self.left or self.timeout.expired():
            return
        if self.streams and not awaits(self.task, self.streams):
            self.refusal = None
            return
        self.timeout.reschedule(self.task.get_loop().time())


class Scopes:
    """The scopes under way in this process, at most MAX_SCOPES. `unbreakable` counts what was beyond, and what was
    begun outside of asyncio (trio): calls are refused there, but none under way is ended.
    """

    def __init__(self) -> None:
        self.unbreakable = 0
        self._renew()
        in_child(self._renew)

    def _renew(self) -> None:
        self._lock = threading.RLock()
        self._open: set[Scope] = set()

    def sweep(self, verdict: Callable[[Scope], Refusal | None]) -> int:
        """End every scope that the verdict refuses; return how many."""
        with self._lock:
            under_way = list(self._open)
        refused = [(scope, refusal) for scope in under_way if (refusal := verdict(scope)) is not None]
        for scope, refusal in refused:
            scope.end(refusal)
        return len(refused)

    @asynccontextmanager
    async def breakable(self, conversation: str, caller: str, callee: str) -> AsyncIterator[None]:
        """Run the body so that `sweep` can stop it: it is cancelled, and the Refusal is raised in its place."""
        task = _task()
        if task is None:
            self.unbreakable += 1
            yield
            return
        scope: Scope | None = None
        try:
            async with asyncio.timeout(None) as timeout:
                scope = Scope(conversation, caller, callee, task, timeout, around())
                with self._held(scope):
                    yield
        except TimeoutError:
            if scope is None or scope.refusal is None:
                raise  # the body's own
            raise scope.refusal from None

    @contextmanager
    def _held(self, scope: Scope) -> Iterator[None]:
        with self._lock:
            if len(self._open) < MAX_SCOPES:
                self._open.add(scope)
            else:
                self.unbreakable += 1
        try:
            yield
        finally:
            scope.left = True
            with self._lock:
                self._open.discard(scope)


def _task() -> asyncio.Task[Any] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:  # no loop of asyncio runs here
        return None


class Passage:
    """A context manager for both `with` and `async with`; for one use."""

    def __init__(
        self,
        sync: Callable[[], AbstractContextManager[None]],
        asynchronous: Callable[[], AbstractAsyncContextManager[None]],
    ) -> None:
        self._sync = sync
        self._async = asynchronous

    def __enter__(self) -> None:
        self._entered = self._sync()
        self._entered.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return self._entered.__exit__(kind, error, trace)

    async def __aenter__(self) -> None:
        self._awaited = self._async()
        await self._awaited.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return await self._awaited.__aexit__(kind, error, trace)
