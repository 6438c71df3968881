"""One look at one Watch: fetch, judge, attend, publish (shell)."""

import contextlib
import logging
import time
from collections.abc import Sequence
from datetime import datetime, timedelta

from hemostat.api.meta import find
from hemostat.api.watch import PresentRevision, Watch, WatchStatus
from hemostat.clock import Clock
from hemostat.errors import HemostatError
from hemostat.events import Events
from hemostat.metrics import FIRING, LOOK_LATE_SECONDS, LOOK_SECONDS, LOOKS
from hemostat.observe.attend import Attendant
from hemostat.observe.discreet import discreet
from hemostat.observe.gather import Gatherer, Problem
from hemostat.observe.memory import Memory, baselines, recall
from hemostat.observe.standing import essence, status_after
from hemostat.observe.store import Store
from hemostat.signals.changes import present_revision, revision_name, revision_of
from hemostat.signals.evaluate import look
from hemostat.signals.workload import Scene

LOG = logging.getLogger(__name__)
Key = tuple[str, str]
PUBLISH_EVERY = timedelta(seconds=30)
SHORTEST_PAUSE = 0.05
"""Between two looks at a Watch, so that one whose looks take long leaves room for the others."""


class Observer:
    """Looks at Watches; each by one worker at a time."""

    def __init__(self, store: Store, gatherer: Gatherer, attendant: Attendant, events: Events, clock: Clock) -> None:
        self._store = store
        self._gatherer = gatherer
        self._attendant = attendant
        self._events = events
        self._clock = clock
        self._memories: dict[Key, Memory] = {}

    def forget(self, key: Key) -> None:
        """Drop what is remembered about a Watch that was deleted."""
        self._memories.pop(key, None)
        self._gatherer.forget(key)
        self._attendant.forget(key)
        with contextlib.suppress(KeyError):
            FIRING.remove(*key)

    def watching(self, namespace: str, target: str) -> list[Key]:
        """Return the Watches known to look at this target."""
        return [k for k, m in list(self._memories.items()) if k[0] == namespace and m.target == target]

    def look(self, key: Key) -> float | None:
        """Look once. Returns the seconds until the next look, or None when the Watch is gone."""
        namespace, name = key
        watch = self._store.watch(namespace, name)
        if watch is None:
            self.forget(key)
            return None
        began = time.perf_counter()
        memory = self._memories.get(key) or self._recall(key, watch)
        LOOK_LATE_SECONDS.observe(memory.began(began))
        inputs, problems = self._gatherer.fetch(watch)
        now = self._clock.now()
        seen = discreet(look(watch.spec, inputs, memory.state, now))
        memory.state = seen.state
        self._revision(memory, inputs.scene, now)
        self._attendant.attend(watch, memory, inputs, seen, now)
        self._publish(watch, memory, status_after(watch, memory, seen, inputs, problems, now), problems, now)
        FIRING.labels(namespace, name).set(len(seen.firing))
        LOOKS.labels(problems[0][0] if problems else "ok").inc()
        LOOK_SECONDS.observe(time.perf_counter() - began)
        interval = min(2.0, watch.spec.interval_seconds) if memory.incident else float(watch.spec.interval_seconds)
        memory.due = began + interval
        return max(SHORTEST_PAUSE, memory.due - time.perf_counter())

    def _recall(self, key: Key, watch: Watch) -> Memory:
        memory = recall(watch, self._store.incidents(key[0]), self._clock.now())
        return self._memories.setdefault(key, memory)

    def _revision(self, memory: Memory, scene: Scene, now: datetime) -> None:
        """Notice a new revision of a workload that has some."""
        newest = present_revision(scene.target, scene.revisions) if scene.target is not None else None
        if scene.target is None or newest is None:
            return
        uid, number, old = scene.target["metadata"]["uid"], str(revision_of(newest)), memory.present
        if old is not None and (old.target_uid, old.number) == (uid, number):
            return
        memory.present = PresentRevision(
            target_uid=uid,
            number=number,
            template_hash=revision_name(newest),
            since_time=now if old is not None else None,
        )
        memory.healthy_since = None

    def _publish(
        self, watch: Watch, memory: Memory, status: WatchStatus, problems: Sequence[Problem], now: datetime
    ) -> None:
        due = memory.published is None or now - memory.published >= PUBLISH_EVERY
        if essence(status) == essence(memory.status) and not due:
            return
        self._tell(watch, memory.status, status, problems)
        if due:
            status = status.model_copy(update={"baselines": baselines(memory.state)})
        try:
            self._store.write_watch(watch, status)
        except HemostatError as error:
            LOG.warning("status of Watch %s could not be written: %s", watch.metadata.name, error)
            return
        memory.status, memory.published = status, now if due else memory.published

    def _tell(self, watch: Watch, old: WatchStatus, new: WatchStatus, problems: Sequence[Problem]) -> None:
        """Emit an Event when the target goes missing, or a source begins to fail."""
        ready = find(new.conditions, "Ready")
        missing = ready is not None and ready.reason in ("TargetMissing", "UnsupportedKind")
        if ready is not None and missing and find(old.conditions, "Ready") != ready:
            self._events.emit("Watch", watch.metadata, ready.reason, ready.message, "Warning")
        if problems and old.conditions != new.conditions:
            self._events.emit("Watch", watch.metadata, *problems[0], "Warning")
