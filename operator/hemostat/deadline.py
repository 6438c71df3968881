"""Calls that end in time whatever they call: each in a thread of its own, of which there is a bounded number."""

import queue
import threading
import time
from collections.abc import Callable
from typing import TypeVar, cast

T = TypeVar("T")


class Busy(Exception):
    """As many calls as may are under way, and none of them ended in time."""


class Late(Exception):
    """The call did not end in time. Its thread goes on, and keeps its place until it does."""


class InTime:
    """Makes calls with a deadline (thread-safe).

    :param name: of the threads.
    :param most: calls under way at once: those that never end must not pile up.
    """

    def __init__(self, name: str, most: int) -> None:
        self._name, self._free = name, threading.Semaphore(most)

    def call(self, work: Callable[[], T], seconds: float, wait: float | None = None) -> T:
        """Return what it returns, and raise what it raises. Raises `Busy` and `Late`.

        :param seconds: how long it may take.
        :param wait: seconds to wait for a place before that; None: waiting counts among `seconds`.
        """
        ends = time.monotonic() + seconds
        first = seconds if wait is None else wait
        if first <= 0 or not self._free.acquire(timeout=first):
            raise Busy
        if wait is not None:
            ends = time.monotonic() + seconds
        answers: queue.SimpleQueue[tuple[T | None, Exception | None]] = queue.SimpleQueue()

        def run() -> None:
            try:
                answers.put((work(), None))
            except Exception as error:  # noqa: BLE001 - raised again where it was called
                answers.put((None, error))
            finally:
                self._free.release()

        threading.Thread(target=run, name=self._name, daemon=True).start()
        try:
            found, error = answers.get(timeout=max(0.0, ends - time.monotonic()))
        except queue.Empty:
            raise Late from None
        if error is not None:
            raise error
        return cast("T", found)
