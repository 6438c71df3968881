"""Drafts the lesson of every Incident that is resolved; a person accepts it, this process cannot (shell)."""

from collections.abc import Mapping
from typing import Any

from hemostat.api.incident import Incident
from hemostat.api.meta import Condition
from hemostat.diagnosis.lesson import draft_lesson, lesson_due, resolved_since
from hemostat.handlers import key_of
from hemostat.observe.store import Store
from hemostat.workqueue import WorkQueue

Key = tuple[str, str]


class Lessons:
    """Writes drafts, once for each end of an Incident."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.queue: WorkQueue[Key] = WorkQueue("lessons", self.write)

    def note(self, body: Mapping[str, Any]) -> None:
        """Take note of an Incident that exists or was changed."""
        conditions = [Condition.model_validate(c) for c in body.get("status", {}).get("conditions", ())]
        if resolved_since(conditions) is not None and lesson_due(Incident.model_validate(body)) is not None:
            self.queue.add(key_of(body))

    def write(self, key: Key) -> None:
        """Draft the lesson of one Incident. Raises what the API server raises: it is tried again later."""
        incident = self._store.incident(*key)
        if incident is None or lesson_due(incident) is None:
            return
        lesson = draft_lesson(incident, self._store.remediations(incident))
        if lesson is not None:
            self._store.write_lesson(incident, lesson)
