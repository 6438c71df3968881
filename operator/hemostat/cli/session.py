"""Which cluster and namespace a command talks to, and typed reads of Hemostat's objects there (shell)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from hemostat.errors import Broken, Refused

if TYPE_CHECKING:
    from hemostat.api.approval import Approval
    from hemostat.api.incident import Incident
    from hemostat.api.meta import Model
    from hemostat.api.remediation import Remediation
    from hemostat.api.resources import Resource
    from hemostat.kube import Kube

Json = dict[str, Any]
M = TypeVar("M", bound="Model")
_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(frozen=True, slots=True)
class Scope:
    """What the options say; None means: the default."""

    kubeconfig: str | None = None
    context: str | None = None
    namespace: str | None = None

    def over(self, outer: Scope | None) -> Scope:
        """Return these options with the gaps filled from those given before the command's name."""
        outer = outer or Scope()
        return Scope(
            self.kubeconfig or outer.kubeconfig,
            self.context or outer.context,
            self.namespace or outer.namespace,
        )


class Session:
    """Reads Hemostat's objects as the person of the kubeconfig."""

    def __init__(self, kube: Kube, namespace: str) -> None:
        self.kube = kube
        self.namespace = namespace

    @classmethod
    def open(cls, scope: Scope) -> Session:
        """Connect. Raises `Refused` (NoCluster) that says where was looked."""
        from hemostat.kube import Kube

        kube = Kube.connect(scope.kubeconfig, scope.context)
        return cls(kube, scope.namespace or default_namespace(scope))

    def incidents(self, *, everywhere: bool = False) -> list[Json]:
        """Return the Incidents as they came."""
        from hemostat.api.resources import INCIDENT

        return self._list(INCIDENT, None if everywhere else self.namespace)

    def incident(self, name: str) -> Incident:
        """Return one Incident; `Refused` (NotFound) names those that exist."""
        from hemostat.api.incident import Incident
        from hemostat.api.resources import INCIDENT

        return self._get(INCIDENT, Incident, name)

    def watch(self, name: str) -> Json:
        """Return one Watch as it came, for it is a person's; `Refused` (NotFound) says what to do."""
        from hemostat.api.resources import WATCH
        from hemostat.kube import NotFound

        try:
            return self.kube.get(WATCH.path(self.namespace, name))
        except NotFound:
            raise Refused(
                "NotFound", f"Watch {name} is gone from namespace {self.namespace}: nothing tells it"
            ) from None

    def remediation(self, name: str) -> Remediation:
        """Return one Remediation; `Refused` (NotFound) names those that exist."""
        from hemostat.api.remediation import Remediation
        from hemostat.api.resources import REMEDIATION

        return self._get(REMEDIATION, Remediation, name)

    def remediations(self, incident: Incident) -> list[Remediation]:
        """Return the Remediations of an Incident in the order in which they were proposed."""
        from hemostat.api.remediation import Remediation
        from hemostat.api.resources import REMEDIATION

        found = [parse(Remediation, item) for item in self._list(REMEDIATION, self.namespace)]
        mine = [r for r in found if r.spec.incident_ref.uid == incident.metadata.uid]
        return sorted(mine, key=lambda r: (r.spec.step, r.spec.attempt))

    def every_remediation(self, *, everywhere: bool) -> list[Json]:
        """Return all Remediations of the namespace, or of all, as they came."""
        from hemostat.api.resources import REMEDIATION

        return self._list(REMEDIATION, None if everywhere else self.namespace)

    def approvals(self) -> list[Approval]:
        """Return all Approvals of the namespace, oldest first."""
        from hemostat.api.approval import Approval
        from hemostat.api.resources import APPROVAL

        found = [parse(Approval, item) for item in self._list(APPROVAL, self.namespace)]
        return sorted(found, key=lambda a: str(a.metadata.creation_timestamp))

    def _get(self, resource: Resource, model: type[M], name: str) -> M:
        from hemostat.kube import NotFound

        try:
            return parse(model, self.kube.get(resource.path(self.namespace, name)))
        except NotFound:
            others = [i["metadata"]["name"] for i in self._list(resource, self.namespace)]
        known = f"there are: {', '.join(sorted(others)[:10])}" if others else "there are none; another -n?"
        raise Refused("NotFound", f"no {resource.kind} {name!r} in namespace {self.namespace}; {known}")

    def _list(self, resource: Resource, namespace: str | None) -> list[Json]:
        from hemostat.kube import NotFound

        try:
            found = self.kube.list(resource.path(namespace))
        except NotFound:
            raise Refused(
                "NotInstalled", "this cluster does not know Hemostat's kinds; install them: kubectl apply -f crds/"
            ) from None
        if not found and namespace is not None:
            self._exists(namespace)
        return found

    def _exists(self, namespace: str) -> None:
        """Raise `Refused` (NotFound) where there is no such namespace: none of something there says nothing."""
        from hemostat.errors import HemostatError
        from hemostat.kube import NotFound

        try:
            self.kube.get(f"/api/v1/namespaces/{namespace}")
        except NotFound:
            raise Refused("NotFound", f"no namespace {namespace!r}; another -n?") from None
        except HemostatError:
            return  # who may not look at namespaces is told what he asked for


def parse(model: type[M], item: Json) -> M:
    """Read an object; `Broken` names what cannot be understood (a newer or older CRD)."""
    from pydantic import ValidationError

    try:
        return model.model_validate(item)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        name = item.get("metadata", {}).get("name", "?")
        raise Broken(f"{model.__name__} {name} cannot be read: {where}: {first['msg']}") from error


def default_namespace(scope: Scope) -> str:
    """Return the namespace of the kubeconfig's context, or of the pod we run in, or `default`."""
    from kubernetes import config

    try:
        contexts, active = config.list_kube_config_contexts(scope.kubeconfig)  # type: ignore[no-untyped-call]
    except config.ConfigException:
        return _POD_NAMESPACE.read_text(encoding="utf-8").strip() if _POD_NAMESPACE.exists() else "default"
    chosen = next((c for c in contexts if c["name"] == scope.context), active)
    return str(chosen["context"].get("namespace") or "default")
