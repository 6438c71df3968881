"""`Runbook`: how a failure looks and what may be done about it."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from hemostat.api.meta import (
    ATOMIC,
    SET,
    Conditions,
    Count,
    Label,
    Long,
    Model,
    ObjectMeta,
    Short,
    Word,
    keyed,
)


class Parameter(Model):
    """A parameter of an action. Values are text; the action's own model parses and bounds them."""

    name: Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z][A-Za-z0-9]*$")]
    """Its name, camelCase."""
    value: Annotated[str, Field(max_length=4096)]
    """Its value, as text: "200", "true"."""


Parameters = Annotated[tuple[Parameter, ...], Field(max_length=16, json_schema_extra=keyed("name"))]


class Risk(StrEnum):
    """What an action may break at worst."""

    LOW = "Low"
    MEDIUM = "Medium"
    HIGH = "High"


class RunbookState(StrEnum):
    """Only an Active runbook is ever used. People activate; no process of Hemostat can."""

    DRAFT = "Draft"
    ACTIVE = "Active"


class Symptom(Model):
    """A question to the evidence, in CEL; true counts `weight` for this runbook."""

    name: Label
    """Name of the symptom, unique in the Runbook."""
    expression: Annotated[str, Field(min_length=1, max_length=2048)]
    """CEL over `signals`, `changes`, `calleeChanges`, `workload` and `target` that yields a bool.
    Examples: signals.exists(s, s.kind == "ErrorRate" && s.state == "Firing"); "OOMKilled" in workload.aspects;
    changes.exists(c, c.kind in ["Rollout", "ConfigMap", "Model"] && c.ageSeconds < 600.0)"""
    weight: Annotated[int, Field(ge=1, le=100)] = 1
    """How much it counts."""
    necessity: Literal["Required", "Supporting"] = "Supporting"
    """Required: without it the runbook does not match."""


class RunbookRemediation(Model):
    """An action to try, in order."""

    action: Label
    """Name of a registered action, for example `rollback` or `scale`."""
    parameters: Parameters = ()
    """Its parameters; the action's own schema decides what is valid."""


class Verify(Model):
    """When the action counts as having worked."""

    timeout_seconds: Annotated[int, Field(ge=5, le=7200)] = 180
    """How long the signals may take to clear after the action."""
    stable_seconds: Annotated[int, Field(ge=0, le=3600)] = 10
    """How long everything must stay clear."""
    settle_seconds: Annotated[int, Field(ge=0, le=3600)] = 30
    """How long after the action samples from before it may still be seen: a signal that begins later than this and
    keeps firing means the action made it worse. At least the longest window of the Watch and its scrape interval."""


class RunbookSpec(Model):
    """How a failure looks and what may be done."""

    state: RunbookState = RunbookState.DRAFT
    """Active runbooks are used, drafts are not."""
    cause: Short
    """The cause these symptoms point to, in one sentence."""
    kinds: Annotated[tuple[Word, ...], Field(min_length=1, max_length=8, json_schema_extra=SET)] = ("Deployment",)
    """Kinds of target it is meant for."""
    symptoms: Annotated[tuple[Symptom, ...], Field(min_length=1, max_length=32, json_schema_extra=keyed("name"))]
    """What must or may be seen."""
    guidance: Long = ""
    """Markdown for the person on call (and for a model)."""
    remediations: Annotated[tuple[RunbookRemediation, ...], Field(max_length=8, json_schema_extra=ATOMIC)] = ()
    """What to try, in order; the next is proposed when one was ineffective. None: a person is told what it is, and
    that the guidance says what to look at."""
    verify: Verify = Verify()
    """When it counts as healed."""
    risk: Risk = Risk.MEDIUM
    """What following it may break at worst; policies are matched against it."""


class RunbookStatus(Model):
    """Whether it can be used."""

    observed_generation: Count = 0
    """The generation these conditions are about."""
    conditions: Conditions = ()
    """Ready: expressions compile and every action is registered with valid parameters."""


class Runbook(Model):
    """How a failure looks and what may be done."""

    metadata: ObjectMeta
    spec: RunbookSpec
    status: RunbookStatus = RunbookStatus()
