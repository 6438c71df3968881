"""What `act` tells of itself twice a minute: may it act, does the API server answer, has the log room (shell).

Nothing rests on it but the alerts of `alerting`, every decision asks anew; and it has the clock set.
"""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from threading import Event

from hemostat.clock import Clock
from hemostat.gate.input import Go
from hemostat.metrics import API_ANSWERED, AUDIT_REFUSED, AUDIT_VOLUME, STOPPED

LOG = logging.getLogger(__name__)
EVERY_SECONDS = 30.0


class Pulse:
    """The handler of a work queue with one key.

    :param go: asks the API server what the stop switch lets us do; None when it does not say.
    :param compared: set once the audit log is known to be the one that was published.
    :param folder: where the audit log is; None if that is no folder of ours.
    :param set_clock: compares the clock with the API server's.
    """

    def __init__(
        self,
        go: Callable[[], Go | None],
        compared: Event,
        folder: Path | None,
        clock: Clock,
        set_clock: Callable[[], object],
    ) -> None:
        self._go, self._compared, self._folder, self._clock = go, compared, folder, clock
        self._set_clock = set_clock

    def look(self, _: str = "") -> float:
        """Look once. Returns the seconds until the next look."""
        AUDIT_REFUSED.set(not self._compared.is_set())
        if self._folder is not None:
            size, free = room(self._folder)
            AUDIT_VOLUME.labels("size").set(size)
            AUDIT_VOLUME.labels("free").set(free)
        go = self._go()
        if go is not None:
            API_ANSWERED.labels("act").set(self._clock.now().timestamp())
            STOPPED.set(0 if go.begin else 1 if go.undo else 2)
        self._set_clock()
        return EVERY_SECONDS


def room(folder: Path) -> tuple[int, int]:
    """Return the bytes of a volume, and how many may still be written: none where it cannot be read, or not written."""
    try:
        found = os.statvfs(folder)
    except OSError as error:
        LOG.warning("the volume of the audit log cannot be read: %s", error)
        return 0, 0
    writable = not found.f_flag & os.ST_RDONLY
    return found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize if writable else 0
