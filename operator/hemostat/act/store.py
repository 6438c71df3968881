"""Reads and writes of Hemostat's own objects for `act` (shell)."""

import logging
from collections.abc import Iterator
from datetime import datetime
from typing import TypeVar

from hemostat.act.ledger import Recorder, changes
from hemostat.api.approval import Approval
from hemostat.api.gatepolicy import GatePolicy, GatePolicyStatus
from hemostat.api.incident import RESOLVED, Incident, TimelineEntry
from hemostat.api.meta import Condition, Model, is_true
from hemostat.api.remediation import ADMITTED, FINISHED, Remediation, RemediationStatus
from hemostat.api.resources import APPROVAL, GATEPOLICY, INCIDENT, REMEDIATION, RUNBOOK, WATCH
from hemostat.api.runbook import Runbook
from hemostat.api.watch import Watch
from hemostat.clock import parse_time
from hemostat.errors import Refused, Retry
from hemostat.kube import Conflict, Json, Kube, NotFound

LOG = logging.getLogger(__name__)
MANAGER = "hemostat-act"
_DECIDED = "status.stage=Decided"
"""What only waits is left out by the API server: it may be a thousand, and each takes a millisecond to read."""
MAX_ALL = 10_000
"""Remediations of all namespaces that count for one decision."""


M = TypeVar("M", bound=Model)


class Store:
    """Typed access. Nothing is cached: every decision rests on what the API server says now."""

    def __init__(self, kube: Kube, record: Recorder) -> None:
        """:param record: writes the audit log; what it raises comes before anything is written."""
        self._kube = kube
        self._record = record

    def remediation(self, namespace: str, name: str) -> Remediation | None:
        """Return the Remediation, or None."""
        return self._one(REMEDIATION.path(namespace, name), Remediation)

    def incident(self, namespace: str, name: str) -> Incident | None:
        """Return the Incident, or None."""
        return self._one(INCIDENT.path(namespace, name), Incident)

    def incidents(self, namespace: str) -> Iterator[Incident]:
        """Yield the Incidents of a namespace that say who calls their target, a page of them in memory."""
        for item in self._kube.each(INCIDENT.path(namespace)):
            if item.get("status", {}).get("callers", {}).get("total"):
                yield Incident.model_validate(item)

    def openings(self, namespace: str) -> dict[str, int]:
        """Return how often each Incident of a namespace came back, by its uid."""
        found = self._kube.each(INCIDENT.path(namespace))
        return {o["metadata"]["uid"]: int(o.get("status", {}).get("reopened", {}).get("count", 0)) for o in found}

    def runbook(self, namespace: str, name: str) -> Runbook | None:
        """Return the Runbook, or None."""
        return self._one(RUNBOOK.path(namespace, name), Runbook)

    def watch(self, namespace: str, name: str) -> Watch | None:
        """Return the Watch, or None."""
        return self._one(WATCH.path(namespace, name), Watch)

    def runbooks(self, namespace: str) -> list[Runbook]:
        """Return all Runbooks of a namespace."""
        return [Runbook.model_validate(o) for o in self._kube.list(RUNBOOK.path(namespace))]

    def proposed(self, namespace: str, incident: str) -> list[Remediation]:
        """Return the Remediations that were proposed for the Incident of this uid."""
        found = self._kube.list(REMEDIATION.path(namespace), fieldSelector=f"spec.incidentRef.uid={incident}")
        return [Remediation.model_validate(o) for o in found]

    def decided(self, namespace: str) -> list[Remediation]:
        """Return the Remediations of a namespace that were admitted or have ended; not those that only wait."""
        found = self._kube.list(REMEDIATION.path(namespace), fieldSelector=_DECIDED)
        return [Remediation.model_validate(o) for o in found]

    def decided_everywhere(self, since: datetime) -> Iterator[Remediation]:
        """Yield those of all namespaces that are at work or have ended after `since`, a page of them in memory.

        Raises `Refused` (TooMany) beyond `MAX_ALL` of these: a decision must not wait for ever.
        """
        found = (o for o in self._kube.each(REMEDIATION.path(None), fieldSelector=_DECIDED) if not _over(o, since))
        for number, item in enumerate(found):
            if number >= MAX_ALL:
                raise Refused("TooMany", f"more than {MAX_ALL} Remediations are at work, or were lately")
            yield Remediation.model_validate(item)

    def namespaces(self) -> list[str]:
        """Return the namespaces that hold Incidents, Remediations or Approvals."""
        kinds = (INCIDENT, REMEDIATION, APPROVAL)
        return sorted({meta["namespace"] for kind in kinds for meta in self._kube.versions(kind.path(None))})

    def each(self, namespace: str) -> Iterator[Remediation]:
        """Yield all Remediations of a namespace, a page of them in memory."""
        return (Remediation.model_validate(o) for o in self._kube.each(REMEDIATION.path(namespace)))

    def over(self, namespace: str) -> Iterator[Incident]:
        """Yield the Incidents of a namespace that are over, a page of them in memory."""
        found = (Incident.model_validate(o) for o in self._kube.each(INCIDENT.path(namespace)))
        return (incident for incident in found if is_true(incident.status.conditions, RESOLVED))

    def words(self, namespace: str) -> list[Approval]:
        """Return all Approvals of a namespace."""
        return [Approval.model_validate(o) for o in self._kube.list(APPROVAL.path(namespace))]

    def remove(self, namespace: str, name: str, uid: str, version: str, *, dry_run: bool = False) -> None:
        """Delete a finished Remediation if nobody wrote to it since it was read. Raises `Retry` if somebody did."""
        self._remove(REMEDIATION.path(namespace, name), uid, version, dry_run=dry_run)

    def remove_incident(self, incident: Incident) -> None:
        """Delete an Incident that is over if nobody wrote to it since it was read. Raises `Retry` if somebody did."""
        meta = incident.metadata
        self._remove(INCIDENT.path(meta.namespace, meta.name), meta.uid, meta.resource_version)

    def remove_approval(self, approval: Approval) -> None:
        """Delete an Approval whose Remediation is gone."""
        meta = approval.metadata
        self._remove(APPROVAL.path(meta.namespace, meta.name), meta.uid, meta.resource_version)

    def approvals(self, namespace: str, remediation: str) -> list[Approval]:
        """Return the Approvals that name this Remediation."""
        found = self._kube.list(APPROVAL.path(namespace), fieldSelector=f"spec.remediation={remediation}")
        return [Approval.model_validate(o) for o in found]

    def policy(self, name: str) -> GatePolicy | None:
        """Return the GatePolicy, or None."""
        return self._one(GATEPOLICY.path(None, name), GatePolicy)

    def policies(self) -> list[GatePolicy]:
        """Return all GatePolicies."""
        return [GatePolicy.model_validate(o) for o in self._kube.list(GATEPOLICY.path(None))]

    def watches(self, namespace: str) -> list[Watch]:
        """Return all Watches of a namespace."""
        return [Watch.model_validate(o) for o in self._kube.list(WATCH.path(namespace))]

    def watches_of(self, namespace: str, target: str) -> list[Watch]:
        """Return the Watches of targets of this name, of any kind."""
        found = self._kube.list(WATCH.path(namespace), fieldSelector=f"spec.target.name={target}")
        return [Watch.model_validate(o) for o in found]

    def write(self, remediation: Remediation, status: RemediationStatus) -> Remediation:
        """Write the status if nobody else did since it was read (compare and set). Raises `Retry` otherwise.

        What it says anew is in the audit log before.
        """
        meta = remediation.metadata
        decided = any(is_true(status.conditions, kind) for kind in (ADMITTED, FINISHED))
        status = status.model_copy(update={"stage": "Decided" if decided else "Waiting"})
        for entry in changes(remediation, status):
            self._record(entry)
        body = {
            "apiVersion": "hemostat.dev/v1alpha1",
            "kind": "Remediation",
            "metadata": {
                "name": meta.name,
                "namespace": meta.namespace,
                "uid": meta.uid,
                "resourceVersion": meta.resource_version,
            },
            "spec": remediation.spec.wire(),
            "status": status.wire(),
        }
        try:
            written = self._kube.replace(REMEDIATION.path(meta.namespace, meta.name, "status"), body, MANAGER)
        except (Conflict, NotFound) as error:
            raise Retry(f"Remediation {meta.name} changed while it was worked on", 0.1) from error
        return Remediation.model_validate(written)

    def write_incident(
        self, incident: Incident, conditions: tuple[Condition, ...], timeline: tuple[TimelineEntry, ...]
    ) -> None:
        """Apply `act`'s part of the Incident's status, unless it was written to since it was read. Raises `Retry` then.

        One that is on its way while another replica acts does not take back what that one says.
        """
        meta = incident.metadata
        body = {
            "apiVersion": "hemostat.dev/v1alpha1",
            "kind": "Incident",
            "metadata": {
                "name": meta.name,
                "namespace": meta.namespace,
                "uid": meta.uid,
                "resourceVersion": meta.resource_version,
            },
            "status": {
                "conditions": [c.wire() for c in conditions],
                "timeline": [t.wire() for t in timeline],
            },
        }
        try:
            self._kube.apply(INCIDENT.path(meta.namespace, meta.name, "status"), body, MANAGER, force=True)
        except (Conflict, NotFound) as error:
            raise Retry(f"Incident {meta.name} changed while it was worked on", 0.1) from error

    def write_policy(self, policy: GatePolicy, status: GatePolicyStatus) -> None:
        """Apply the whole status of a GatePolicy."""
        name = policy.metadata.name
        body = {"apiVersion": "hemostat.dev/v1alpha1", "kind": "GatePolicy", "metadata": {"name": name}}
        path = GATEPOLICY.path(None, name, "status")
        self._kube.apply(path, body | {"status": status.wire()}, MANAGER, force=True)

    def _remove(self, path: str, uid: str, version: str, *, dry_run: bool = False) -> None:
        try:
            self._kube.delete(path, uid, version, dry_run=dry_run)
        except NotFound:
            LOG.info("%s was deleted by somebody else", path)
        except Conflict as error:
            raise Retry(f"{path} changed since it was read", 10) from error

    def _one(self, path: str, model: type[M]) -> M | None:
        try:
            return model.model_validate(self._kube.get(path))
        except NotFound:
            return None


def _over(item: Json, since: datetime) -> bool:
    """Tell whether it has ended by then; asked before it is read as a whole, which takes a millisecond."""
    for condition in item.get("status", {}).get("conditions", ()):
        if condition["type"] == FINISHED and condition["status"] == "True":
            return parse_time(condition["lastTransitionTime"]) <= since
    return False
