"""The API server's time: what replicas on several machines can agree on, whatever their own clocks say (shell).

How long ago another replica announced a request decides whether it may still land. Set by the API server's answers, and
counted on by a clock that nobody sets; between two answers nothing is asked.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from hemostat.clock import Clock

LOG = logging.getLogger(__name__)
COARSE = timedelta(seconds=1)
"""The API server tells whole seconds, which have begun."""
AGREES = timedelta(seconds=1)
"""So far beyond that the clocks may be apart: what is finer than this machine's own clock is not made coarser."""
SLOW = 5.0
"""Seconds after which an answer says too little of the time."""


class ServerClock:
    """A clock that follows the API server's, but for two seconds.

    :param server_now: asks the API server. Raises `Retry` when it does not answer.
    :param local: this machine's clock, which is believed while it agrees.
    :param steady: seconds that nobody sets, and that pass while the process is stopped.
    """

    def __init__(self, server_now: Callable[[], datetime], local: Clock, steady: Callable[[], float]) -> None:
        """Ask for the first time. Raises what `server_now` raises."""
        self._server_now, self._steady = server_now, steady
        self._base = local.now(), steady()
        self.set()

    def now(self) -> datetime:
        """Return the present moment in UTC."""
        then, steady = self._base
        return then + timedelta(seconds=self._steady() - steady)

    def set(self) -> None:
        """Ask, and go by the answer if it is another time. Raises what `server_now` raises."""
        asked, server = self._steady(), self._server_now()
        took = self._steady() - asked
        if took > SLOW:
            return
        ours, latest = self.now(), server + COARSE + timedelta(seconds=took)
        if not server - AGREES <= ours <= latest + AGREES:
            LOG.warning("this machine's clock says %s, and the API server's %s: that is gone by", ours, server)
            self._base = server + (latest - server) / 2, self._steady()
