"""`act`'s part of an Incident's status (shell around `lifecycle`)."""

from collections.abc import Callable

from hemostat.act.pace import LATER, SELDOM, UNSEEN, WAIT, Key, patience
from hemostat.act.store import Store
from hemostat.act.timeline import ending, entries, merged
from hemostat.api.incident import RESOLVED, Incident
from hemostat.api.meta import find
from hemostat.clock import Clock
from hemostat.events import Events
from hemostat.lifecycle import all_clear_since, incident_conditions
from hemostat.signals.correlate import is_over


class Summary:
    """Brings the status of Incidents up to date."""

    def __init__(
        self,
        store: Store,
        events: Events,
        clock: Clock,
        crowd: Callable[[], int],
    ) -> None:
        """:param crowd: how many there are that wait or are worked on."""
        self._store = store
        self._events = events
        self._clock = clock
        self._crowd = crowd

    def incident(self, key: Key) -> float | None:
        """Bring `act`'s part of an Incident's status up to date."""
        found = self._store.incident(*key)
        if found is None or is_over(found):
            return None
        now = self._clock.now()
        own = self._store.proposed(key[0], found.metadata.uid)
        cause = found.status.part_of
        parent = self._store.incident(key[0], cause.name) if cause is not None else None
        conditions = incident_conditions(found, own, now, parent, unwatched=self._unwatched(found))
        timeline = merged(found, (*entries(own), *ending(found, conditions)))
        if any(find(found.status.conditions, c.type) != c for c in conditions) or any(
            entry not in found.status.timeline for entry in timeline
        ):
            self._store.write_incident(found, conditions, timeline)
        resolved = find(conditions, RESOLVED)
        if resolved is not None and resolved.status == "True":
            self._events.emit("Incident", found.metadata, "Resolved", f"{resolved.reason}: {resolved.message}")
            return None
        if all_clear_since(found, now) is not None:
            return WAIT  # only time is awaited
        return patience(now - found.spec.opened_time, LATER, SELDOM, self._crowd())  # changes are told as events

    def _unwatched(self, incident: Incident) -> str:
        """Say that the Watch is gone, if so; asked only of an Incident that was not looked at for a while."""
        namespace, name = incident.metadata.namespace or "", incident.spec.watch_ref.name
        latest = max((s.observed_time for s in incident.status.signals), default=incident.spec.opened_time)
        if self._clock.now() - latest < UNSEEN or self._store.watch(namespace, name) is not None:
            return ""
        return f"Watch {name} was deleted: nobody sees any more whether it is well"
