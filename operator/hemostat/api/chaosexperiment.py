"""`ChaosExperiment`: a fault and what the loop must do about it."""

from typing import Annotated, Literal

from pydantic import Field

from hemostat.api.meta import (
    ATOMIC,
    Conditions,
    Label,
    Model,
    Name,
    ObjectMeta,
    Seconds,
    Short,
    TargetRef,
    Text,
    Time,
    exactly_one,
    keyed,
    rules,
)
from hemostat.api.watch import SignalKind


class EnvVar(Model):
    """An environment variable of the fault."""

    name: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
    """Its name."""
    value: Short
    """Its value."""


class Rollout(Model):
    """A new revision that is bad: other environment variables, another image, too little memory."""

    env: Annotated[tuple[EnvVar, ...], Field(max_length=16, json_schema_extra=keyed("name"))] = ()
    """Variables to set in the first container."""
    image: Short | None = None
    """Image to set in the first container."""
    memory_limit: Annotated[str, Field(max_length=16, pattern=r"^[1-9][0-9]*(Ki|Mi|Gi)$")] | None = None
    """Memory limit (and request) to set in the first container."""


class AgentsFault(Model):
    """Conversations of the sample agents (chaos/agents) that cannot come to an end."""

    trouble: Label
    """What is wrong in them, for example `ping-pong` or `mutual-wait`: `python -m hemostat_chaos.agents fault --help`
    lists them."""


class Fault(Model):
    """What is done: exactly one of `rollout` and `agents`."""

    model_config = {"json_schema_extra": rules(exactly_one("rollout", "agents"))}

    rollout: Rollout | None = None
    """Roll out a changed template of the target; its owner's field manager does it, as a deploy pipeline would."""
    agents: AgentsFault | None = None
    """Begin conversations of agents in which something is wrong. It is taken back as soon as they are stopped: the cut
    gives the time to do that."""
    cleanup: Literal["Restore", "Leave"] = "Restore"
    """Restore puts the recorded template back at the end, or takes the agents' faults back; Leave trusts the loop."""


class Expectation(Model):
    """What the loop must do, each with a deadline counted from the injection."""

    signal: SignalKind
    """A signal of this kind fires."""
    signal_deadline_seconds: Seconds = 60
    """Until then."""
    runbook: Name
    """This Runbook is chosen."""
    action: Label
    """This action is applied."""
    resolved_deadline_seconds: Seconds = 180
    """Until then the Incident is resolved."""


class ChaosExperimentSpec(Model):
    """A fault and what must follow."""

    target: TargetRef
    """The workload the fault is injected into; of agents, the one that owns the conversations."""
    watch: Name
    """The Watch whose Healthy condition is the steady state, and that must notice. Which side of an edge between agents
    tells of a loop is not certain: there any Watch may notice that names the conversation."""
    fault: Fault
    """What is done."""
    expect: Expectation
    """What the loop must do."""


class Milestone(Model):
    """A moment of the run."""

    id: Annotated[str, Field(min_length=1, max_length=63)]
    """Which."""
    time: Time
    """When."""
    message: Text
    """What was seen."""


class ChaosExperimentStatus(Model):
    """The verdict."""

    conditions: Conditions = ()
    """SteadyState, Injected, Passed, CleanedUp."""
    milestones: Annotated[tuple[Milestone, ...], Field(max_length=50, json_schema_extra=ATOMIC)] = ()
    """What happened, oldest first."""
    incident: Name | None = None
    """The Incident that the fault opened."""


class ChaosExperiment(Model):
    """A fault and what the loop must do about it."""

    metadata: ObjectMeta
    spec: ChaosExperimentSpec
    status: ChaosExperimentStatus = ChaosExperimentStatus()
