"""Has every step recorded before it is taken (shell)."""

import logging
from collections.abc import Callable, Mapping
from threading import Event
from types import MappingProxyType

from hemostat.act.ledger import Recorder
from hemostat.audit.log import Log
from hemostat.audit.record import Entry
from hemostat.audit.store import FOREIGN
from hemostat.errors import Refused, Retry
from hemostat.metrics import UNRECORDED

LOG = logging.getLogger(__name__)
NOTHING: Mapping[str, bytes] = MappingProxyType({})
AGAIN_SECONDS = 5.0


class NotRecorded(Retry):
    """The log did not take the record: the step waits, whatever the reason, and is never given up for that."""


def recorder(log: Log, compared: Event, permit: Callable[[], None], spent: Event) -> Recorder:
    """Return what writes into this log. It raises `NotRecorded`, and what `permit` raises.

    :param compared: set once the log is known to hold what was published of it.
    :param permit: raises where another process writes the log.
    :param spent: set when another process wrote to the log, or took something away: this one can record no more.
    """

    def record(entry: Entry, kept: Mapping[str, bytes] = NOTHING) -> None:
        permit()
        if not compared.is_set():
            raise NotRecorded(
                "the audit log is not known yet to be the one that was published; see this process' log", 1
            )
        try:
            log.append(entry, kept)
        except (Refused, Retry) as error:
            UNRECORDED.inc()
            if isinstance(error, Refused) and error.reason == FOREIGN:
                LOG.warning("this process ends, to begin anew: %s", error)
                spent.set()
            raise NotRecorded(f"nothing is done that is not recorded: {error}", AGAIN_SECONDS) from error

    return record
