"""Reads and writes of Hemostat's own objects for `observe` (shell)."""

import logging
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, TypeVar

from pydantic import ValidationError

from hemostat.api.incident import OBSERVED, Incident, IncidentStatus, Lesson, Progress, Used
from hemostat.api.meta import Model, ObjectMeta, TargetRef
from hemostat.api.remediation import Remediation
from hemostat.api.resources import INCIDENT, REMEDIATION, RUNBOOK, WATCH
from hemostat.api.runbook import Runbook, RunbookStatus
from hemostat.api.watch import Watch, WatchStatus
from hemostat.diagnosis.propose import Proposal
from hemostat.kube import Conflict, Json, Kube, NotFound
from hemostat.observe.scene import changes_around, scene_of, service_changes
from hemostat.observe.world import World
from hemostat.signals.changes import Noted
from hemostat.signals.correlate import Draft
from hemostat.signals.workload import KINDS, Scene

LOG = logging.getLogger(__name__)
MANAGER = "hemostat-observe"
PROGRESS_MANAGER = "hemostat-observe-progress"
BY = "observe"


_SERVING = ("Deployment", "StatefulSet", "DaemonSet")
_HOST = re.compile(r"[a-z0-9-]+\.(?P<namespace>[a-z0-9-]+)\.svc(?:\..*)?")
"""A Service's name in DNS."""
M = TypeVar("M", bound=Model)


class Store:
    """Typed access to what `observe` may read and write.

    :param shared: services that Watches of any namespace may name, or `*`.
    """

    def __init__(self, kube: Kube, world: World, shared: Collection[str] = ()) -> None:
        self._kube = kube
        self._world = world
        self._shared = shared

    def watch(self, namespace: str, name: str) -> Watch | None:
        """Return the Watch, or None. It is asked for only when the streams did not tell of it."""
        known = self._world.find("Watch", namespace, name)
        try:
            return self._at_home(Watch.model_validate(known or self._kube.get(WATCH.path(namespace, name))))
        except NotFound:
            return None

    def watches(self, namespace: str) -> list[Watch]:
        """Return all Watches of a namespace that can be read."""
        return [self._at_home(w) for w in _readable(Watch, self._kube.list(WATCH.path(namespace)))]

    def foreign(self, namespace: str, name: str) -> str:
        """Say why the service that a Watch names is not looked at; empty if it is.

        Spans have no namespaces that could be relied on: a service is of the namespace that has a workload of its name.
        """
        service = (self._world.find("Watch", namespace, name) or {}).get("spec", {}).get("service", "")
        owner = self._owner(namespace, service)
        if not owner:
            return ""
        return (
            f"service {service} is of namespace {owner} by its name, and none of {namespace}: nothing of it is told"
            " here; give this one another service.name, or have HEMOSTAT_SHARED_SERVICES name it"
        )

    def _at_home(self, watch: Watch) -> Watch:
        if not self._owner(watch.metadata.namespace or "", watch.spec.service or ""):
            return watch
        return watch.model_copy(update={"spec": watch.spec.model_copy(update={"service": None})})

    def _owner(self, namespace: str, service: str) -> str:
        """Return the other namespace whose service this is; empty if none's, or this one's too."""
        if not service or service in self._shared or "*" in self._shared:
            return ""
        host = _HOST.fullmatch(service)
        if host is not None and host["namespace"] != namespace:
            return host["namespace"]
        if any(self._world.find(kind, namespace, service) is not None for kind in _SERVING):
            return ""
        return next((ns for kind in _SERVING if (ns := self._world.elsewhere(kind, namespace, service))), "")

    def scene(self, namespace: str, target: TargetRef) -> Scene:
        """Return the target and what it depends on, as the streams last told; costs no request."""
        kind = target.kind if KINDS.get(target.kind) == target.api_version else ""
        return scene_of(self._world, namespace, kind, target.name)

    def changes(self, namespace: str, kind: str, name: str, now: datetime) -> list[Noted]:
        """Return what was changed at a workload and around it in the last half hour, newest first; rollouts apart.

        Around it are the ConfigMaps it refers to, its autoscalers, quotas and nodes.
        """
        return changes_around(self._world, namespace, kind, name, now)

    def service_changes(self, namespace: str, services: Iterable[str], now: datetime) -> dict[str, list[Noted]]:
        """Return the same for services by the names that they have in traces, their rollouts included.

        A service is the workload of that name, or the target of the Watch that says so. Services that are no
        workload of the namespace are left out.
        """
        named = {
            w["spec"]["service"]: w["spec"]["target"] for w in self._world.within("Watch", namespace) if _renamed(w)
        }
        found: dict[str, list[Noted]] = {}
        for service in dict.fromkeys(services):
            target = named.get(service, {"name": service})
            kinds = (target["kind"],) if "kind" in target else ("Deployment", "StatefulSet", "DaemonSet")
            for kind in kinds:
                if self._world.find(kind, namespace, target["name"]) is not None:
                    found[service] = service_changes(self._world, namespace, kind, target["name"], now)
                    break
        return found

    def annotations(self, namespace: str) -> Mapping[str, str]:
        """Return the annotations of a Namespace."""
        found: Mapping[str, str] = (
            self._kube.get(f"/api/v1/namespaces/{namespace}")["metadata"].get("annotations") or {}
        )
        return found

    def incidents(self, namespace: str) -> list[Incident]:
        """Return all Incidents of a namespace that can be read."""
        return _readable(Incident, self._kube.list(INCIDENT.path(namespace)))

    def each_incident(self, namespace: str) -> Iterator[Incident]:
        """Yield the Incidents of a namespace that can be read, or of all for "", a page of them in memory at a time."""
        for item in self._kube.each(INCIDENT.path(namespace or None)):
            yield from _readable(Incident, [item])

    def incident(self, namespace: str, name: str) -> Incident | None:
        """Return the Incident as it is now, or None."""
        try:
            return Incident.model_validate(self._kube.get(INCIDENT.path(namespace, name)))
        except NotFound:
            return None

    def runbooks(self, namespace: str) -> list[Runbook]:
        """Return all Runbooks of a namespace that can be read, or of all for ""."""
        return _readable(Runbook, self._kube.list(RUNBOOK.path(namespace or None)))

    def remediations(self, incident: Incident) -> list[Remediation]:
        """Return the Remediations of an Incident."""
        own = f"spec.incidentRef.uid={incident.metadata.uid}"
        found = self._kube.list(REMEDIATION.path(incident.metadata.namespace), fieldSelector=own)
        return [Remediation.model_validate(o) for o in found]

    def open(self, namespace: str, draft: Draft) -> Incident:
        """Create the Incident, or return the one that an earlier process created."""
        body = _object("Incident", namespace, draft.name) | {"spec": draft.spec.wire()}
        try:
            return Incident.model_validate(self._kube.create(INCIDENT.path(namespace), body, MANAGER))
        except Conflict:
            return Incident.model_validate(self._kube.get(INCIDENT.path(namespace, draft.name)))

    def propose(self, namespace: str, proposal: Proposal) -> None:
        """Create the Remediation if it does not exist."""
        body = _object("Remediation", namespace, proposal.name) | {"spec": proposal.spec.wire()}
        try:
            self._kube.create(REMEDIATION.path(namespace), body, MANAGER)
        except Conflict:
            return  # the name says all that the spec says: it is this one

    def write_incident(self, incident: Incident, status: IncidentStatus) -> None:
        """Apply `observe`'s part of the status: all but what `act` owns, and what managers of their own write."""
        part = status.wire()
        part["conditions"] = [c for c in part["conditions"] if c["type"] in OBSERVED]
        part["timeline"] = [t for t in part["timeline"] if t["by"] == BY]
        for apart in ("progress", "lesson", "usage"):
            part.pop(apart, None)
        self._apply("Incident", incident, INCIDENT, part)

    def write_lesson(self, incident: Incident, lesson: Lesson) -> None:
        """Apply the draft of a lesson, and nothing else: looks go on meanwhile."""
        meta = incident.metadata
        body = _object("Incident", meta.namespace, meta.name) | {"status": {"lesson": lesson.wire()}}
        body["metadata"]["uid"] = meta.uid  # another one of that name is another incident
        self._kube.apply(INCIDENT.path(meta.namespace, meta.name, "status"), body, f"{MANAGER}-lesson", force=True)

    def write_usage(self, meta: ObjectMeta, used: Used) -> None:
        """Apply what models use, as a manager of its own: who consults does not wait for looks."""
        body = _object("Incident", meta.namespace, meta.name) | {"status": {"usage": used.wire()}}
        body["metadata"]["uid"] = meta.uid  # another one of that name has a budget of its own
        self._kube.apply(INCIDENT.path(meta.namespace, meta.name, "status"), body, f"{MANAGER}-usage", force=True)

    def write_progress(self, namespace: str, name: str, uid: str, progress: Progress) -> None:
        """Apply where the Incident of this uid is, as a manager of its own. Raises `NotFound` if it is gone."""
        body = _object("Incident", namespace, name) | {"status": {"progress": progress.wire()}}
        body["metadata"]["uid"] = uid
        try:
            self._kube.apply(INCIDENT.path(namespace, name, "status"), body, PROGRESS_MANAGER, force=True)
        except Conflict as error:
            raise NotFound(f"Incident {namespace}/{name} is another one by now") from error

    def write_watch(self, watch: Watch, status: WatchStatus) -> None:
        """Apply the whole status."""
        self._apply("Watch", watch, WATCH, status.wire())

    def write_runbook(self, runbook: Runbook, status: RunbookStatus) -> None:
        """Apply the whole status."""
        self._apply("Runbook", runbook, RUNBOOK, status.wire())

    def _apply(self, kind: str, owner: Any, resource: Any, status: Json) -> None:
        meta = owner.metadata
        body = _object(kind, meta.namespace, meta.name) | {"status": status}
        self._kube.apply(resource.path(meta.namespace, meta.name, "status"), body, MANAGER, force=True)


def _renamed(watch: Mapping[str, Any]) -> bool:
    return bool(watch.get("spec", {}).get("service"))


def _readable(model: type[M], items: Iterable[Json]) -> list[M]:
    """One object that a newer or older CRD let in must not blind us to a whole namespace."""
    found = []
    for item in items:
        try:
            found.append(model.model_validate(item))
        except ValidationError as error:
            first = error.errors()[0]
            LOG.warning("%s %s is left out: %s: %s", item["kind"], item["metadata"]["name"], first["loc"], first["msg"])
    return found


def _object(kind: str, namespace: str | None, name: str) -> Json:
    return {
        "apiVersion": "hemostat.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
    }
