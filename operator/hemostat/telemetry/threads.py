"""Threads that gRPC runs its calls in (shell)."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any

_Work = tuple[Callable[..., Any], tuple[Any, ...]]


class Threads:
    """A thread for each call, and it is known whether one is left. For one thread that submits.

    Threads are kept. There are no futures: gRPC does without, and they are a tenth of what a small request takes.

    :param at_most: how many threads there may be.
    """

    def __init__(self, at_most: int, name: str) -> None:
        self._at_most, self._name = at_most, name
        self._busy, self._started = 0, 0
        self._lock = threading.Lock()
        self._work: SimpleQueue[_Work | None] = SimpleQueue()

    @property
    def full(self) -> bool:
        """Whether every thread has a call: then nothing may be submitted."""
        return self._busy >= self._at_most

    def submit(self, fn: Callable[..., Any], *args: Any) -> None:
        """Have a thread run a function that raises nothing."""
        with self._lock:
            self._busy += 1
        if self._busy > self._started:
            threading.Thread(target=self._run, name=f"{self._name}_{self._started}", daemon=True).start()
            self._started += 1
        self._work.put((fn, args))

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            work[0](*work[1])
            del work  # else its call is kept until the next one
            with self._lock:
                self._busy -= 1

    def shutdown(self) -> None:
        """End the threads, each after the call that it has."""
        for _ in range(self._started):
            self._work.put(None)


class Here(ThreadPoolExecutor):
    """Runs a function at once, in the thread that submits it: for what never waits."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Run it. gRPC needs no future."""
        fn(*args, **kwargs)
