"""Lists the metadata of every kind now and then and compares it with the cache (shell).

kopf tells of what is; of what was deleted while a watch was interrupted nobody tells. A list of names and versions
costs little, mends that, and shows when a stream has stopped telling although nobody closed it. What such a stream
does not tell is read here, until kopf gives it up and begins another (after 70 s of silence).
"""

import logging
import time
from datetime import timedelta

from hemostat.clock import Clock
from hemostat.errors import HemostatError
from hemostat.kube import Kube
from hemostat.metrics import API_ANSWERED, WORLD_REPAIRS
from hemostat.observe.freshness import UNCHECKED
from hemostat.observe.kinds import BY_NAME, KINDS
from hemostat.observe.world import World, version_of

EVERY_SECONDS = 15.0
LOG = logging.getLogger(__name__)
REPAIR_AFTER = timedelta(seconds=4)
"""A stream that is so far behind is not waited for: the objects are read."""
SETTLING_SECONDS = 1.0
"""Until everything was told once."""
MAX_SHARE = 0.02
"""Of the time: in a cluster so large that lists take long they come less often."""
LONGEST_SECONDS = UNCHECKED.total_seconds() / 2
"""But not so seldom that one slow list, as in a burst, leaves a kind in doubt until the next one."""
CHECKED = tuple(kind.name for kind in KINDS if kind.name != "Event")
"""Events need none: they are forgotten by age."""


class Resync:
    """Compares one kind at a time; the handler of a work queue of kinds."""

    def __init__(self, kube: Kube, world: World, clock: Clock) -> None:
        self._kube = kube
        self._world = world
        self._clock = clock

    def check(self, kind: str) -> float:
        """Compare one kind. Returns in how many seconds to do so again."""
        began, started = self._clock.now(), time.perf_counter()
        try:
            listed = self._kube.versions(BY_NAME[kind].path)
            versions = {meta["uid"]: version_of(meta) for meta in listed}
        except HemostatError as error:
            self._world.unread(kind, str(error))
            raise
        API_ANSWERED.labels("observe").set(began.timestamp())
        self._world.reconcile(kind, versions, began)
        behind = self._world.behind(kind)
        if behind > REPAIR_AFTER:
            LOG.warning(
                "the watch stream of %s is %.0f s behind; they are read", BY_NAME[kind].plural, behind.total_seconds()
            )
            for item in self._kube.each(BY_NAME[kind].path):
                self._world.put(kind, item)
            WORLD_REPAIRS.labels(kind).inc()
            return EVERY_SECONDS / 3
        if not self._world.settled(kind):
            return SETTLING_SECONDS
        return pause(time.perf_counter() - started)


def pause(took: float) -> float:
    """Return the seconds until the next list of a kind, when the last one took so long (pure)."""
    return min(LONGEST_SECONDS, max(EVERY_SECONDS, took / MAX_SHARE))
