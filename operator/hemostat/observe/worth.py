"""What a diagnosis' confidence was worth in the past, by what is remembered of the namespace (shell)."""

import logging
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hemostat.api.remediation import Calibration
from hemostat.diagnosis.calibration import Curve, Judged, least, lowered
from hemostat.errors import HemostatError
from hemostat.memory.episode import Episode, Outcome
from hemostat.memory.store import MAX_TRIED, Memory

LOG = logging.getLogger(__name__)
KNOWN_FOR = timedelta(minutes=1)
MAX_NAMESPACES = 500
MODEL = "Model"
_RIGHT = {
    Outcome.HEALED: True,
    Outcome.RELAPSED: False,
    Outcome.INEFFECTIVE: False,
    Outcome.WORSE: False,
}
"""Every other outcome says nothing of the diagnosis: it was not applied, or nobody knows."""


@dataclass(frozen=True, slots=True)
class Curves:
    """What confidence is worth in one namespace. A model that agrees has the matcher's confidence or less, and must
    not make it worth more: of the model's curve and that of all answers the lower counts.
    """

    all: Curve
    model: Curve
    runbooks: Mapping[str, Sequence[bool]]
    """Whether each outcome of a Runbook says that it was right, by the Runbook's name: few of them have a curve."""

    def worth(self, by: str, percent: int, runbook: str) -> Calibration:
        """Return what a confidence in a Runbook is worth: what others earned it may lose, and not add to."""
        found = self.all.worth(percent)
        if by == MODEL:
            found = least(found, self.model.worth(percent))
        own = self.runbooks.get(runbook, ())
        found = lowered(found, sum(own), len(own))
        return Calibration(by=by, percent=found.percent, outcomes=found.outcomes)


def curves(episodes: Iterable[Episode]) -> Curves:
    """Fit to the outcomes of everything that was tried, as far as it is known who was how sure (pure)."""
    every: Counter[Judged] = Counter()
    model: Counter[Judged] = Counter()
    runbooks: dict[str, list[bool]] = {}
    for episode in episodes:
        for done in episode.tries:
            right = _RIGHT.get(done.outcome)
            if right is None or not done.by:
                continue
            every[Judged(done.percent, right)] += 1
            runbooks.setdefault(done.runbook, []).append(right)
            if done.by == MODEL:
                model[Judged(done.percent, right)] += 1
    return Curves(Curve(every), Curve(model), runbooks)


class Worth:
    """Asks the memory, for each namespace once a minute at most (thread-safe). What cannot be read is uncalibrated.

    :param now: the present moment.
    """

    def __init__(self, memory: Memory, now: Callable[[], datetime]) -> None:
        self._memory, self._now = memory, now
        self._lock = threading.Lock()
        self._known: OrderedDict[str, tuple[datetime, Curves]] = OrderedDict()

    def of(self, namespace: str, by: str, percent: int, runbook: str) -> Calibration:
        """Return what a confidence in a Runbook is worth in a namespace."""
        now = self._now()
        with self._lock:
            known = self._known.get(namespace)
        if known is not None and timedelta(0) <= now - known[0] < KNOWN_FOR:
            return known[1].worth(by, percent, runbook)
        try:
            found = curves(self._memory.tried(namespace, MAX_TRIED))
        except HemostatError as error:
            LOG.warning("outcomes of namespace %s cannot be read, confidence is uncalibrated: %s", namespace, error)
            return Calibration(by=by)
        with self._lock:
            self._known[namespace] = (now, found)
            self._known.move_to_end(namespace)
            if len(self._known) > MAX_NAMESPACES:
                self._known.popitem(last=False)
        return found.worth(by, percent, runbook)
