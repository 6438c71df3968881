"""Two replicas of `act` for one Remediation: one is stopped with a request on its way, and its clock may be set."""

import ctypes
import itertools
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from tests.api.killer import CONTEXT, Killer

from hemostat.act.leading import Pace

PACE = Pace(lease=8, renew_within=6.5, renew_every=0.5, look_every=0.2)
"""As in earnest, but quicker."""


class Pauser(Killer):
    """Stops who talks through it (SIGSTOP) when it sends the request that it was told, and passes that on later."""

    def __init__(self, kubeconfig: Path, counts: Callable[[str, str], bool]) -> None:
        super().__init__(kubeconfig, counts)
        self.stopped, self.later = threading.Event(), threading.Event()

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        """Pass one request on, now or later."""
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        if self._doomed(request.command, request.path):
            assert self.victim is not None
            assert self.victim.pid is not None
            os.kill(self.victim.pid, signal.SIGSTOP)
            self.stopped.set()
            self.later.wait(300)
        answer = self._ask(request.command, request.path, body, request.headers)
        with suppress(ConnectionError):  # nobody is left to hear it
            self._answer(request, *answer)


class Replica:
    """One of them, as a process.

    `shift`: seconds that its wall clock is wrong by; may be set at any time.
    """

    def __init__(self, *arguments: str) -> None:
        """:param arguments: kubeconfig, log, path of the Lease, namespace and name of the Remediation, own name."""
        self.shift = CONTEXT.Value(ctypes.c_double, 0.0)
        self.process: ForkServerProcess = CONTEXT.Process(target=_act, args=(*arguments, self.shift), daemon=True)
        self.process.start()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self.process.pid is not None
        with suppress(ProcessLookupError):  # it has ended
            os.kill(self.process.pid, number)

    def end(self) -> None:
        """Kill it, stopped or not."""
        self.process.kill()
        self.process.join(10)


class Kept:
    """One that is started anew whenever it ends, under another name, as a Deployment does."""

    def __init__(self, *arguments: str) -> None:
        self.shift, self._arguments, self._stop = 0.0, arguments, threading.Event()
        self._thread = threading.Thread(target=self._keep)
        self._thread.start()

    def _keep(self) -> None:
        for number in itertools.count():
            replica = Replica(*self._arguments, f"second-{number}")
            while replica.process.is_alive() and not self._stop.wait(0.05):
                replica.shift.value = self.shift
            replica.end()
            if self._stop.is_set():
                return

    def end(self) -> None:
        """Kill it."""
        self._stop.set()
        self._thread.join()


def _act(kubeconfig: str, log: str, lease: str, namespace: str, name: str, me: str, shift: Any) -> None:
    """Be one of them: told of one Remediation, and ended by the loss of the Lease alone."""
    from hemostat.act.elector import Elector
    from hemostat.act.process import Act
    from hemostat.clock import SystemClock
    from hemostat.kube import Kube
    from hemostat.settings import Settings

    logging.basicConfig(filename=f"{log}.txt", level=logging.INFO, format=f"%(asctime)s {me} %(message)s")
    SystemClock.now = lambda _: datetime.now(UTC) + timedelta(seconds=shift.value)  # type: ignore[method-assign]
    kube = Kube.connect(kubeconfig)
    elector = Elector(kube, me, SystemClock(), PACE, lease)
    elector.start()
    while not elector.leads():
        time.sleep(0.02)
    process = Act(kube, Settings(prometheus_url="http://127.0.0.1:1", audit=log), elector.permit)
    process.remediations.add((namespace, name))
    process.start()
    while elector.leads():
        time.sleep(0.02)
    sys.exit(1)
