"""The guard's one clockwork: a daemon thread that does a few short things once a second."""

import logging
import threading
from collections.abc import Callable

from hemostat.guard.forks import in_child

Work = Callable[[], None]
_LOG = logging.getLogger(__name__)


class Ticker:
    """Runs its works in turn, every `seconds`. A work that raises is told once and goes on being run."""

    def __init__(self, seconds: float = 1.0) -> None:
        self.failures = 0
        self._seconds = seconds
        self._works: tuple[Work, ...] = ()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        in_child(self._after_fork)

    def add(self, work: Work) -> None:
        """Have something done at every tick."""
        self._works += (work,)

    def start(self) -> None:
        """Begin, unless it runs already or was stopped."""
        if self._thread is not None:
            return
        with self._lock:
            if self._thread is None and not self._stopped.is_set():
                self._thread = threading.Thread(target=self._run, name="hemostat-guard", daemon=True)
                self._thread.start()

    def stop(self, timeout: float) -> None:
        """End for good; return when the thread is gone, or after `timeout` seconds."""
        self._stopped.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)

    def tick(self) -> None:
        """Do everything once."""
        for work in self._works:
            try:
                work()
            except Exception:  # noqa: BLE001 - the thread must live
                self.failures += 1
                if self.failures == 1:
                    _LOG.exception("a part of the guard failed; the application is not affected")

    def _run(self) -> None:
        stopped = self._stopped
        while not stopped.wait(self._seconds):
            self.tick()

    def _after_fork(self) -> None:
        """The parent's thread is not ours, and its lock may be held for ever."""
        ran, self._thread = self._thread is not None, None
        self._lock = threading.Lock()
        if not self._stopped.is_set():
            self._stopped = threading.Event()
            if ran:
                self.start()
