"""Takes and keeps the Lease, or finds that it is lost (shell around `leading`)."""

import logging
import math
import threading
import time
from collections.abc import Callable

from hemostat.act.leading import Move, Pace, Seen, claimed, decide, noticed, released
from hemostat.api.identity import LEASE, NAMESPACE
from hemostat.clock import Clock
from hemostat.errors import HemostatError, Retry
from hemostat.kube import Conflict, Kube, NotFound, path_of
from hemostat.metrics import LEADER

LOG = logging.getLogger(__name__)
MANAGER = "hemostat-act"
REQUEST_SECONDS = 3.0
"""Of one request, so that one that hangs does not cost the Lease."""
PATH = path_of("coordination.k8s.io/v1", "Lease", NAMESPACE, LEASE)


class NotLeading(Retry):
    """Another replica acts, or may by now: nothing may be written."""


def steady() -> float:
    """Return seconds that nobody sets. They pass while the process is stopped, and on Linux in the machine's sleep."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class Elector:
    """Has one replica act at a time. `start` begins to look; `permit` is asked before whatever is written.

    :param me: a name that no other process has that runs at the same time, for example that of its pod.
    :param clock: for the times in the Lease, which are for people.
    :param path: of the Lease.
    """

    name = "lease"

    def __init__(
        self,
        kube: Kube,
        me: str,
        clock: Clock,
        pace: Pace | None = None,
        path: str = PATH,
        steady: Callable[[], float] = steady,
    ) -> None:
        self._kube, self._me, self._path = kube.within(REQUEST_SECONDS), me, path
        self._clock, self._pace, self._steady = clock, pace or Pace(), steady
        self._until: float | None = None
        self._seen: Seen | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._progress = self._steady()
        self._told = ""
        LEADER.set(0)

    def start(self) -> None:
        """Look for the Lease, take it when it is free, and renew it from then on."""
        self._thread.start()

    def ready(self) -> bool:
        """Tell whether the Lease was read: it takes over when it is to."""
        return self._seen is not None

    def leads(self) -> bool:
        """Tell whether this replica is the one that acts. Once lost it stays lost."""
        until = self._until
        return until is not None and self._steady() < until

    def lost(self) -> bool:
        """Tell whether it led, and does not any more though it did not resign."""
        return self._until is not None and not self.leads()

    def permit(self) -> None:
        """Raise `NotLeading` unless this replica acts."""
        if not self.leads():
            raise NotLeading(f"{self._me} does not hold Lease {LEASE}: nothing is written")

    def stuck_for(self) -> float:
        """Return for how many seconds nothing was heard and nothing failed, or since when the Lease is lost."""
        return max(0.0, self._steady() - self._progress - self._pace.renew_every)

    def resign(self) -> None:
        """Give the Lease back, so that the next one need not wait until it runs out. Nothing is written any more."""
        self._ended.set()
        self._thread.join(2 * REQUEST_SECONDS)
        LEADER.set(0)
        if not self.leads():
            return
        self._until = None
        try:
            lease = self._kube.get(self._path)
            if lease["spec"].get("holderIdentity") == self._me:
                self._kube.replace(self._path, released(lease, self._clock.now()), MANAGER)
        except HemostatError as error:
            LOG.info("Lease %s is left to run out: %s", LEASE, error)

    def step(self) -> float:
        """Read the Lease, and take or renew it if that is due. Returns in how many seconds to look again.

        Raises `NotLeading` once it is lost, other errors when the API server did not answer or somebody was faster.
        """
        try:
            lease = self._kube.get(self._path)
        except NotFound as error:
            raise Retry(f"there is no Lease {LEASE} in {NAMESPACE}: apply operator/deploy again") from error
        now = self._steady()
        self._seen = noticed(lease, self._seen, now, self._pace)
        move = decide(self._seen, self._me, self._until, now)
        if move is Move.LOST:
            raise NotLeading(f"it is held by {self._seen.holder or 'nobody'}, or could not be renewed in time")
        if move is Move.WAIT:
            self._tell(f"{self._seen.holder} acts; {self._me} stands by")
            return self._pace.look_every
        written = self._kube.replace(self._path, claimed(lease, self._me, self._clock.now(), self._pace), MANAGER)
        if written["metadata"]["resourceVersion"] == self._seen.version:
            raise Retry("the renewal changed nothing: the clock of this machine stands still")
        if self.lost():
            raise NotLeading("it was renewed too late")
        if not self._ended.is_set():  # it may have been given back while the answer was under way
            self._until = now + self._pace.renew_within
        self._tell(f"{self._me} acts")
        return self._pace.renew_every

    def _run(self) -> None:
        wait = 0.0
        while not self._ended.wait(wait):
            wait = self._tried()
            if self.lost():
                LEADER.set(0)
                LOG.error("Lease %s is lost: this process ends, so that nothing is done twice", LEASE)
                return
            self._progress = self._steady()

    def _tried(self) -> float:
        try:
            return self.step()
        except NotLeading as error:
            self._until = -math.inf
            LOG.warning("Lease %s: %s", LEASE, error)
        except Conflict:
            LOG.info("Lease %s: another one was faster", LEASE)
        except HemostatError as error:
            self._tell(f"Lease {LEASE}: {error}")
        except Exception:
            LOG.exception("Lease %s", LEASE)
        return self._pace.look_every

    def _tell(self, what: str) -> None:
        if what != self._told:
            self._told = what
            LOG.info("%s", what)
        LEADER.set(self.leads())
