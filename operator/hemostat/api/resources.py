"""The seven kinds: names, scope, printer columns and models, in one list."""

from dataclasses import dataclass

from hemostat.api import GROUP, VERSION
from hemostat.api.approval import Approval
from hemostat.api.chaosexperiment import ChaosExperiment
from hemostat.api.gatepolicy import GatePolicy
from hemostat.api.identity import TAKEN_BACK_BY
from hemostat.api.incident import Incident
from hemostat.api.meta import Model
from hemostat.api.remediation import Remediation
from hemostat.api.runbook import Runbook
from hemostat.api.watch import Watch


@dataclass(frozen=True, slots=True)
class Column:
    """A column of `kubectl get`. Priority 1 shows only with `-o wide`."""

    name: str
    path: str
    type: str = "string"
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of the API group."""

    model: type[Model]
    plural: str
    short: str
    columns: tuple[Column, ...]
    namespaced: bool = True
    selectable: tuple[str, ...] = ()
    """JSON paths by which a list may be narrowed with `fieldSelector` (CRD selectableFields, Kubernetes 1.32)."""

    @property
    def kind(self) -> str:
        """CamelCase kind, equal to the model's name."""
        return self.model.__name__

    @property
    def crd_name(self) -> str:
        """Name of its CustomResourceDefinition."""
        return f"{self.plural}.{GROUP}"

    @property
    def has_status(self) -> bool:
        """Whether it has a status subresource."""
        return "status" in self.model.model_fields

    def path(self, namespace: str | None, name: str = "", subresource: str = "") -> str:
        """Return the URL path of the collection, the object or its subresource."""
        parts = ["/apis", GROUP, VERSION]
        if self.namespaced and namespace is not None:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        parts += [part for part in (name, subresource) if part]
        return "/".join(parts)


def _condition(kind: str, field: str = "status") -> str:
    return f'.status.conditions[?(@.type=="{kind}")].{field}'


AGE = Column("Age", ".metadata.creationTimestamp", "date")

WATCH = Resource(
    Watch,
    "watches",
    "hwatch",
    (
        Column("Target", ".spec.target.name"),
        Column("Ready", _condition("Ready", "reason")),
        Column("Healthy", _condition("Healthy", "reason")),
        Column("Firing", ".status.firing", "integer"),
        Column("Last-Signal", ".status.lastSignal"),
        Column("Since", ".status.lastSignalTime", "date"),
        Column("Signals", ".status.watching", "integer"),
        Column("Series", ".status.series", "integer"),
        Column("Edges", ".status.edges", "integer"),
        Column("Objects", ".status.objects", "integer"),
        Column("Data", _condition("DataFresh", "reason"), priority=1),
        AGE,
    ),
    selectable=(".spec.target.name",),
)
RUNBOOK = Resource(
    Runbook,
    "runbooks",
    "rb",
    (
        Column("State", ".spec.state"),
        Column("Ready", _condition("Ready", "reason")),
        Column("Risk", ".spec.risk"),
        Column("Cause", ".spec.cause", priority=1),
        AGE,
    ),
)
GATEPOLICY = Resource(
    GatePolicy,
    "gatepolicies",
    "gp",
    (
        Column("Decision", ".spec.decision"),
        Column("Ready", _condition("Ready", "reason")),
        Column("Actions", ".spec.actions"),
        Column("Namespaces", ".spec.namespaces"),
        AGE,
    ),
    namespaced=False,
)
INCIDENT = Resource(
    Incident,
    "incidents",
    "inc",
    (
        Column("Severity", ".status.severity"),
        Column("Target", ".spec.targetRef.name"),
        Column("Resolved", _condition("Resolved")),
        Column("State", _condition("Resolved", "reason")),
        Column("Step", ".status.progress.step"),
        Column("Summary", ".status.summary"),
        Column("Progress", ".status.progress.message", priority=1),
        Column("Part-Of", ".status.partOf.name", priority=1),
        Column("Back", ".status.reopened.count", "integer", priority=1),
        Column("Storm", ".status.storm.targets", "integer", priority=1),
        Column("Runbook", ".status.diagnosis.runbookRef.name", priority=1),
        Column("Remediation", ".status.remediationRef.name", priority=1),
        AGE,
    ),
)
REMEDIATION = Resource(
    Remediation,
    "remediations",
    "rem",
    (
        Column("Action", ".spec.action"),
        Column("Target", ".spec.targetRef.name"),
        Column("Gate", ".status.decision.outcome"),
        Column("Finished", _condition("Finished", "reason")),
        Column("Taken-Back-By", ".metadata.annotations." + TAKEN_BACK_BY.replace(".", "\\.")),
        Column("Plan", ".status.planHash", priority=1),
        Column("Incident", ".spec.incidentRef.name", priority=1),
        AGE,
    ),
    selectable=(".spec.incidentRef.uid", ".status.stage"),
)
APPROVAL = Resource(
    Approval,
    "approvals",
    "appr",
    (
        Column("Remediation", ".spec.remediation"),
        Column("Decision", ".spec.decision"),
        Column("Approver", ".spec.approver"),
        AGE,
    ),
    selectable=(".spec.remediation",),
)
CHAOSEXPERIMENT = Resource(
    ChaosExperiment,
    "chaosexperiments",
    "chaos",
    (
        Column("Target", ".spec.target.name"),
        Column("Passed", _condition("Passed")),
        Column("Incident", ".status.incident", priority=1),
        AGE,
    ),
)

RESOURCES = (WATCH, RUNBOOK, GATEPOLICY, INCIDENT, REMEDIATION, APPROVAL, CHAOSEXPERIMENT)
