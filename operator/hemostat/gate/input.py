"""What the gate may know of one action (pure): as `act` read it, for the audit log to keep and to decide again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from hemostat.api.gatepolicy import GatePolicy
from hemostat.api.incident import Incident
from hemostat.api.remediation import CheckOutcome, Plan, Remediation
from hemostat.api.runbook import Runbook

PASS, ASK, SHADOW, HOLD, DENY = (
    CheckOutcome.PASS,
    CheckOutcome.ASK,
    CheckOutcome.SHADOW,
    CheckOutcome.HOLD,
    CheckOutcome.DENY,
)


@dataclass(frozen=True, slots=True)
class Edit:
    """That somebody wrote an object."""

    manager: str
    """Field manager, as the API server noted it."""
    time: datetime


@dataclass(frozen=True, slots=True)
class TakenBack:
    """That somebody says he takes an action back."""

    manager: str
    """User name, as the API server noted it."""
    time: datetime | None
    """None: it cannot be told when."""

    def after(self, moment: datetime) -> bool:
        """Tell whether it was, or may have been, after that."""
        return self.time is None or self.time > moment


@dataclass(frozen=True, slots=True)
class PastAction:
    """An action that Hemostat took earlier."""

    name: str
    target_uid: str
    time: datetime | None
    """When its forward effect was applied; None while it is admitted and not applied."""
    finished: bool
    unattended: bool
    """Whether no person approved it."""
    conversations: frozenset[str] = frozenset()
    """The only conversations of agents that it touches; empty: it touches more than those."""
    settled: bool = False
    """Whether it was verified to have healed: it may still be there for a time."""
    services: frozenset[str] = frozenset()
    """Names of its target, in the API server and in traces."""
    taken_back: TakenBack | None = None
    """Which person took it back, and when."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an action in one Incident."""

    incident: str
    """uid of the Incident."""
    time: datetime
    """When that was known."""
    healed: bool
    """Whether it healed, for good; what nobody knows did not."""


@dataclass(frozen=True, slots=True)
class Go:
    """What the stop switch lets `act` do."""

    begin: bool
    undo: bool
    words: str = ""
    """Who stopped it, why and when."""


@dataclass(frozen=True, slots=True)
class Connections:
    """How many connections to something the target would hold, as workloads' annotations say."""

    name: str
    limit: int
    """How many it takes."""
    each: int
    """How many a replica of the target may hold."""
    replicas: int
    """Of the target, with those that the plan adds."""
    others: int
    """How many the other workloads of the namespace may hold."""

    @property
    def held(self) -> int:
        """How many would be held by all of them."""
        return self.each * self.replicas + self.others


@dataclass(frozen=True, slots=True)
class Room:
    """Whether there is room for more replicas, and for what they lean on. None: it cannot be told."""

    added: int | None
    """How many the plan adds; the others are asked for only where it adds some."""
    quota: int | None = None
    nodes: int | None = None
    connections: tuple[Connections, ...] | None = ()
    troubled: tuple[str, ...] | None = ()
    """Services that the target calls and that are in trouble themselves, by the word of telemetry."""


@dataclass(frozen=True, slots=True)
class TargetFacts:
    """What the live target says of itself. None: it cannot be told."""

    labels: Mapping[str, str] | None
    """Of the object itself, not of its pods."""
    annotations: Mapping[str, str] | None
    edits: tuple[Edit, ...] | None
    """By people and their tools, the newest first."""


@dataclass(frozen=True, slots=True)
class GateInput:
    """Everything the gate may know. None means: could not be read, and never helps."""

    remediation: Remediation
    plan: Plan
    go: Go | None
    incident: Incident | None
    runbook: Runbook | None
    policies: tuple[GatePolicy, ...] | None
    """All GatePolicies of the cluster."""
    protected: bool | None
    """Whether the namespace is one that Hemostat must not touch."""
    target: TargetFacts
    room: Room
    ready_pods: int | None
    corroboration: str | None
    """What the API server or Prometheus itself says of the trouble; None when neither confirms it."""
    past: tuple[PastAction, ...] | None
    """What was done in this namespace."""
    elsewhere: tuple[PastAction, ...] | None
    """What was done in other namespaces, where a policy counts that."""
    outcomes: tuple[Outcome, ...] | None
    """What came of the same action before, one for each Incident."""
    now: datetime
    actions: tuple[str, ...] = ()
    """Names of the catalogue, for policies that name what is not in it; none in records that older versions kept."""

    @property
    def namespace(self) -> str:
        """The namespace the action is about."""
        return self.remediation.metadata.namespace or ""


Matched = tuple[GatePolicy, ...]
"""The policies that are about this action, here, at this risk, now."""
Verdict = tuple[CheckOutcome, str]
"""What one check says, and why."""
CheckFunction = Callable[[GateInput, Matched], Verdict]
