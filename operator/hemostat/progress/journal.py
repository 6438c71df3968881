"""The steps of every Incident, numbered, as they are told: bounded, thread-safe, and nobody who listens is waited for.

Who follows an Incident keeps a number, not a queue: however slowly he reads, he costs nothing, and when he is too far
behind he is told that something is missing.
"""

import secrets
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Lock

from hemostat.api.incident import Incident
from hemostat.progress.derive import present, steps_of
from hemostat.progress.step import Page, Step, Told, shortened
from hemostat.signals.correlate import is_over

MAX_INCIDENTS = 256
MAX_STEPS = 256
"""Steps that are kept of one Incident: with their bounds, at most some 40 MB of all."""
MAX_PLACES = 10_000
MAX_KEYS = 1024


@dataclass(slots=True)
class _Log:
    epoch: str = field(default_factory=lambda: secrets.token_hex(4))
    told: deque[Told] = field(default_factory=lambda: deque(maxlen=MAX_STEPS))
    keys: OrderedDict[str, None] = field(default_factory=OrderedDict)
    number: int = 0
    over: bool = False
    wakes: set[Callable[[], None]] = field(default_factory=set)


class Journal:
    """Takes steps and tells those who follow. It is a `Listener`.

    :param now: the time that steps without one are stamped with.
    :param changed: called with an Incident's uid after each step, by whoever told it: it returns at once.
    """

    def __init__(self, now: Callable[[], datetime], changed: Callable[[str], None] = lambda _: None) -> None:
        self._now, self._changed = now, changed
        self._lock = Lock()
        self._logs: OrderedDict[str, _Log] = OrderedDict()
        self._places: OrderedDict[str, tuple[str, str]] = OrderedDict()

    def __call__(self, incident: str, step: Step) -> None:
        """Take note of a step."""
        self._take(incident, (step,), over=None)

    def heard(self, incident: Incident, *, wanted: bool = False) -> None:
        """Take note of what an Incident tells; of one that is over only if somebody wants it, or followed it so far."""
        uid = incident.metadata.uid
        with self._lock:
            self._places[uid] = (incident.metadata.namespace or "", incident.metadata.name)
            self._places.move_to_end(uid)
            if len(self._places) > MAX_PLACES:
                self._places.popitem(last=False)
            known = uid in self._logs
        if known or wanted or not is_over(incident):
            self._take(uid, steps_of(incident), over=is_over(incident))

    def place(self, incident: str) -> tuple[str, str] | None:
        """Return namespace and name of the Incident of a uid, if it is known."""
        with self._lock:
            return self._places.get(incident)

    def present(self, incident: str) -> Told | None:
        """Return the step that it has come to."""
        with self._lock:
            log = self._logs.get(incident)
            told = tuple(log.told) if log is not None else ()
        return present(told)

    def after(self, incident: str, epoch: str, number: int) -> Page:
        """Return what was told after a number; all that is kept, and `lost`, where the number is of another epoch."""
        with self._lock:
            log = self._logs.get(incident)
            if log is None:
                return Page("", (), lost=bool(epoch), over=False)
            mine = epoch == log.epoch and number <= log.number
            since = number if mine else 0
            told = tuple(t for t in log.told if t.number > since)
            first = log.told[0].number if log.told else 1
            return Page(log.epoch, told, lost=bool(epoch) and (not mine or first > since + 1), over=log.over)

    def follow(self, incident: str, wake: Callable[[], None]) -> Callable[[], None]:
        """Have `wake` called, by any thread, after each step; returns what ends it."""
        with self._lock:
            log = self._log(incident)
            log.wakes.add(wake)

        def leave() -> None:
            with self._lock:
                log.wakes.discard(wake)

        return leave

    def _take(self, incident: str, steps: tuple[Step, ...], *, over: bool | None) -> None:
        with self._lock:
            log = self._log(incident)
            before = log.number, log.over
            for step in steps:
                self._add(log, step)
            log.over = log.over if over is None else over
            wakes = tuple(log.wakes) if before != (log.number, log.over) else ()
            fresh = before[0] != log.number
        for wake in wakes:
            wake()
        if fresh:
            self._changed(incident)

    def _add(self, log: _Log, step: Step) -> None:
        if step.key and step.key in log.keys:
            return
        if step.key:
            log.keys[step.key] = None
            if len(log.keys) > MAX_KEYS:
                log.keys.popitem(last=False)
        log.number += 1
        bounded = replace(step, message=shortened(step.message), by=step.by[:63], what=step.what[:63])
        log.told.append(Told(log.number, step.time or self._now(), bounded))

    def _log(self, incident: str) -> _Log:
        """Return the log of an Incident; the one that was silent for longest gives way, unless somebody follows it."""
        log = self._logs.setdefault(incident, _Log())
        self._logs.move_to_end(incident)
        while len(self._logs) > MAX_INCIDENTS:
            idle = next((uid for uid, old in self._logs.items() if not old.wakes and uid != incident), None)
            if idle is None:
                break
            del self._logs[idle]
        return log
