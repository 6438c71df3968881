"""Writes where each open Incident is into its status, for `kubectl get incident -w`: at most once a second (shell)."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from hemostat.api.incident import Incident, Progress
from hemostat.clock import Clock
from hemostat.kube import NotFound
from hemostat.observe.store import Store
from hemostat.progress.journal import Journal
from hemostat.progress.step import Stage, Told, shortened
from hemostat.signals.correlate import is_over
from hemostat.workqueue import WorkQueue

EVERY_SECONDS = 1.0
MAX_WRITTEN = 10_000


class Bulletin:
    """Keeps the journal of what Incidents tell, and writes the present step of each (thread-safe)."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self.queue: WorkQueue[str] = WorkQueue("progress", self._write)
        self.journal = Journal(clock.now, lambda incident: self.queue.add(incident, EVERY_SECONDS))
        self._written: OrderedDict[str, Progress] = OrderedDict()

    def note(self, body: Mapping[str, Any]) -> None:
        """Take note of an Incident that exists or was changed."""
        incident = Incident.model_validate(body)
        shown = incident.status.progress
        if shown is not None:
            self._remember(incident.metadata.uid, shown)
        unfinished = shown is not None and shown.stage != Stage.RESOLUTION and is_over(incident)
        self.journal.heard(incident, wanted=unfinished)  # it ended while this process was down

    def _write(self, incident: str) -> float | None:
        told, place = self.journal.present(incident), self.journal.place(incident)
        if told is None or place is None:
            return None
        progress = progress_of(told)
        if self._written.get(incident) == progress:
            return None
        try:
            self._store.write_progress(*place, incident, progress)
        except NotFound:
            return None
        self._remember(incident, progress)
        return None

    def _remember(self, incident: str, progress: Progress) -> None:
        self._written[incident] = progress
        while len(self._written) > MAX_WRITTEN:
            self._written.popitem(last=False)


def progress_of(told: Told) -> Progress:
    """Return a step as an Incident's status has it."""
    step = told.step
    message = f"{step.by}: {step.message}" if step.by not in ("", "observe", "act") else step.message
    return Progress(step=step.what, stage=step.stage.value, message=shortened(message), time=told.time)
