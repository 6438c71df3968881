"""Async generators: a call that was begun in one may only be ended while the generator itself is being waited for.

While it stands at its `yield`, its task does the consumer's work, and a cancellation would hit that (which is why trio
and anyio forbid cancel scopes there). Generators that `contextlib.asynccontextmanager` drives are no such streams.
"""

import asyncio
import contextlib
import gc
import inspect
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

_MANAGER = contextlib._AsyncGeneratorContextManager  # noqa: SLF001 - its frames are told apart by their code
_MANAGERS = (_MANAGER.__aenter__.__code__, _MANAGER.__aexit__.__code__)
_RUN = asyncio.Handle._run.__code__  # noqa: SLF001 - below it nothing is of this task
_STEPS = ("async_generator_asend", "async_generator_athrow")
_DEEPEST = 1000


def around() -> tuple[FrameType, ...]:
    """Return the frames of the async generators in which the caller runs, innermost first; usually none."""
    found = []
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the interpreter's own way
    while frame is not None and frame.f_code is not _RUN:
        back = frame.f_back
        if frame.f_code.co_flags & inspect.CO_ASYNC_GENERATOR and (back is None or back.f_code not in _MANAGERS):
            found.append(frame)
        frame = back
    return tuple(found)


def awaits(task: asyncio.Task[Any], frames: tuple[FrameType, ...]) -> bool:
    """Tell whether a task that is suspended waits inside all of these; False where that cannot be told."""
    return set(frames) <= set(_chain(task.get_coro()))


def _chain(inside: Any) -> Iterator[FrameType]:
    for _ in range(_DEEPEST):
        if inspect.iscoroutine(inside):
            frame, inside = inside.cr_frame, inside.cr_await
        elif inspect.isasyncgen(inside):
            frame, inside = inside.ag_frame, inside.ag_await
        elif inspect.isgenerator(inside):
            frame, inside = inside.gi_frame, inside.gi_yieldfrom
        elif type(inside).__name__ in _STEPS:  # only the collector is told whose step it is
            frame, inside = None, next(filter(inspect.isasyncgen, gc.get_referents(inside)), None)
        else:
            return
        if frame is not None:
            yield frame
