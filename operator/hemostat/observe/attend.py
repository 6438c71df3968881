"""Opens the Incident of a Watch whose signals fire, and has it kept up to date (shell)."""

import logging
from datetime import datetime
from typing import Any

from hemostat.api.incident import Incident
from hemostat.api.meta import BoundTargetRef
from hemostat.api.watch import Watch
from hemostat.events import Events
from hemostat.metrics import INCIDENTS
from hemostat.observe.incident import IncidentKeeper
from hemostat.observe.memory import Memory
from hemostat.observe.store import Store
from hemostat.signals.correlate import draft, fingerprint, open_incident
from hemostat.signals.evaluate import Inputs, Look

LOG = logging.getLogger(__name__)


class Attendant:
    """Attends to the trouble of one Watch after each look."""

    def __init__(self, store: Store, keeper: IncidentKeeper, events: Events) -> None:
        self._store = store
        self._keeper = keeper
        self._events = events

    def attend(self, watch: Watch, memory: Memory, inputs: Inputs, seen: Look, now: datetime) -> None:
        """Feed the open Incident of the target, or open one when a signal fires."""
        if inputs.deployment is None or not (seen.firing or memory.incident):
            return
        namespace = watch.metadata.namespace or ""
        target = _bound(watch, inputs.deployment)
        incident = open_incident(self._store.incidents(namespace), fingerprint(namespace, target))
        if incident is None and seen.firing:
            incident = self._open(watch, target, seen)
        memory.incident = incident is not None
        if incident is not None:
            self._keeper.keep(incident, seen, inputs.scene, memory.present, now)

    def _open(self, watch: Watch, target: BoundTargetRef, seen: Look) -> Incident:
        wanted = draft(watch, target, seen.firing)
        incident = self._store.open(watch.metadata.namespace or "", wanted)
        INCIDENTS.labels(wanted.spec.severity.value).inc()
        LOG.info("opened Incident %s: %s", wanted.name, wanted.spec.title)
        self._events.emit("Incident", incident.metadata, "Detected", wanted.spec.title, "Warning")
        return incident


def _bound(watch: Watch, deployment: Any) -> BoundTargetRef:
    target = watch.spec.target
    return BoundTargetRef(
        api_version=target.api_version, kind=target.kind, name=target.name, uid=deployment["metadata"]["uid"]
    )
