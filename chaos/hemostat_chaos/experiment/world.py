"""Reads and writes of the runner, as plain JSON and typed objects (shell)."""

from typing import Any

from hemostat.api.chaosexperiment import ChaosExperiment
from hemostat.api.incident import Incident
from hemostat.api.remediation import Remediation
from hemostat.api.resources import CHAOSEXPERIMENT, INCIDENT, REMEDIATION, WATCH
from hemostat.api.watch import Watch
from hemostat.kube import Kube, NotFound, path_of
from hemostat_chaos.experiment.owned import OWNER
from hemostat_chaos.experiment.steady import SteadyInput

Json = dict[str, Any]
MANAGER = "hemostat-chaos"


class World:
    """One namespace of one cluster."""

    def __init__(self, kube: Kube, namespace: str) -> None:
        self._kube = kube
        self._namespace = namespace

    def deployment(self, name: str) -> Json:
        """Return a Deployment."""
        return self._kube.get(path_of("apps/v1", "Deployment", self._namespace, name))

    def apply_as_owner(self, manifest: Json, *, force: bool = False) -> Json:
        """Apply a manifest as `kubectl apply --server-side` does."""
        meta = manifest["metadata"]
        path = path_of(manifest["apiVersion"], manifest["kind"], meta["namespace"], meta["name"])
        return self._kube.apply(path, manifest, OWNER, force=force)

    def steady_input(self, experiment: ChaosExperiment) -> SteadyInput:
        """Read everything the steady state is about."""
        watch = self._watch(experiment.spec.watch)
        return SteadyInput(
            watch=watch,
            watched=self._deployment(watch.spec.target.name) if watch is not None else None,
            target=self._deployment(experiment.spec.target.name),
            replicasets=self._kube.list(f"/apis/apps/v1/namespaces/{self._namespace}/replicasets"),
            incidents=self.incidents(),
            action=experiment.spec.expect.action,
        )

    def incidents(self) -> list[Incident]:
        """Return all Incidents."""
        return [Incident.model_validate(i) for i in self._kube.list(INCIDENT.path(self._namespace))]

    def remediations(self, incident: Incident) -> tuple[Remediation, ...]:
        """Return the Remediations of an Incident in the order in which they were proposed."""
        found = [Remediation.model_validate(i) for i in self._kube.list(REMEDIATION.path(self._namespace))]
        mine = [r for r in found if r.spec.incident_ref.uid == incident.metadata.uid]
        return tuple(sorted(mine, key=lambda r: (r.spec.step, r.spec.attempt)))

    def submit(self, manifest: Json) -> ChaosExperiment:
        """Apply the ChaosExperiment itself."""
        path = CHAOSEXPERIMENT.path(self._namespace, manifest["metadata"]["name"])
        return ChaosExperiment.model_validate(self._kube.apply(path, manifest, OWNER, force=True))

    def write_status(self, experiment: ChaosExperiment, body: Json) -> None:
        """Apply the status."""
        path = CHAOSEXPERIMENT.path(self._namespace, experiment.metadata.name, "status")
        self._kube.apply(path, body, MANAGER, force=True)

    def _watch(self, name: str) -> Watch | None:
        try:
            return Watch.model_validate(self._kube.get(WATCH.path(self._namespace, name)))
        except NotFound:
            return None

    def _deployment(self, name: str) -> Json | None:
        try:
            return self.deployment(name)
        except NotFound:
            return None
