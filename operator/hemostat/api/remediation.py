"""`Remediation`: one proposed action, its plan, and what became of it."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from hemostat.api.gatepolicy import Channels
from hemostat.api.incident import ConversationId, Ranking
from hemostat.api.meta import (
    ATOMIC,
    IMMUTABLE,
    SET,
    ApiVersion,
    BoundTargetRef,
    Conditions,
    Count,
    Digest,
    Label,
    LocalRef,
    Long,
    Model,
    Name,
    ObjectMeta,
    Percent,
    Short,
    Text,
    Time,
    Uid,
    Word,
    keyed,
    rules,
)
from hemostat.api.runbook import Parameters

PLANNED, ADMITTED, APPLIED, RELEASED, VERIFIED, UNDONE, FINISHED = (
    "Planned",
    "Admitted",
    "Applied",
    "Released",
    "Verified",
    "Undone",
    "Finished",
)
"""Condition types, in the order in which they become True. `Finished` is the summary."""
MAX_STEPS = 32
"""Writes of one plan."""
MAX_OWNERS = 4
"""Others that a plan names."""
MAX_INTENTS = 100
"""Attempts of one plan, all steps together."""
Proof = Literal["ManagedFields", "Content", "Gone", "Already"]
StepIndex = Annotated[int, Field(ge=0, le=MAX_STEPS - 1)]
UNATTENDED = "AllowedByPolicy"
"""Reason of the condition Admitted when no person was asked."""
WOULD_HAVE = "WouldHave"
"""Reason of the condition Finished where a GatePolicy in shadow matched: nothing was done."""


class OpKind(StrEnum):
    """The JSON Patch operations that plans may use (RFC 6902)."""

    ADD = "add"
    REPLACE = "replace"
    REMOVE = "remove"


class PatchOp(Model):
    """One operation of a JSON Patch (RFC 6902)."""

    op: OpKind
    """add, replace or remove."""
    path: Annotated[str, Field(min_length=1, max_length=512, pattern=r"^/")]
    """JSON pointer into the object."""
    value: Annotated[str, Field(max_length=131072)] | None = None
    """The new value as JSON text (so that the schema stays closed and the plan immutable); absent for remove."""


class Verb(StrEnum):
    """What a write does with its object."""

    PATCH = "Patch"
    CREATE = "Create"
    DELETE = "Delete"
    CALL = "Call"


class CallProtocol(StrEnum):
    """How another service is spoken to."""

    LITELLM = "LiteLLM"
    """A virtual key of a LiteLLM proxy, by its hash."""
    A2A = "A2A"
    """A task of an agent, protocol 1.0, by its id or that of its context."""
    A2A_03 = "A2AV03"
    """The same of protocol 0.3, by its id."""


class Call(Model):
    """What is asked of another service, instead of the API server."""

    protocol: CallProtocol
    """How it is spoken to."""
    url: Annotated[str, Field(max_length=512, pattern=r"^https?://[A-Za-z0-9._~:/-]+$")]
    """Where: a Service of the target's own namespace."""
    id: Annotated[str, Field(min_length=1, max_length=253)]
    """Of the key, or of the task."""


class Effect(Model):
    """One write to one object: a patch or a deletion only of the version that was looked at, a creation only of a name
    that this Remediation alone uses. Or a call of a Service, which is looked at before and after.
    """

    model_config = {
        "json_schema_extra": rules(
            (
                "(has(self.verb) && self.verb == 'Delete') != (has(self.ops) && self.ops.size() > 0)",
                "ops must be given for Patch, Create and Call, and must not for Delete",
            ),
            ("(has(self.verb) && self.verb == 'Call') == has(self.call)", "call must be given for Call, and only then"),
        )
    }

    verb: Verb = Verb.PATCH
    """Patch an object, Create one (from nothing but what ops add), Delete one, or Call a Service."""
    api_version: ApiVersion
    """API version of the object."""
    kind: Word
    """Kind of the object."""
    name: Name
    """Name of the object."""
    uid: Uid | None = None
    """uid of the object; absent for one that the plan itself creates."""
    namespace: Label | None = None
    """Namespace of the object, if it is another than the Remediation's."""
    subresource: Literal["", "scale", "eviction"] = ""
    """Subresource that is written to, or empty for the object itself. By eviction disruption budgets are respected."""
    ops: Annotated[tuple[PatchOp, ...], Field(max_length=8, json_schema_extra=ATOMIC)] = ()
    """The JSON Patch, of the object or of an empty one of that name; of a call, what a look is to show afterwards."""
    call: Call | None = None
    """What is asked of the Service."""


class PlanStep(Model):
    """One write of a plan, and what undoes it."""

    forward: Effect
    """The write."""
    inverse: Effect | None = None
    """The write that undoes it; absent if nothing does."""
    awaits_available: Count = 0
    """It is written once the target has so many available replicas."""


class Plan(Model):
    """What would be done and how it would be undone. Computed by `act` alone, written once."""

    model_config = {
        "json_schema_extra": rules(
            IMMUTABLE,
            ("!has(self.holdSeconds) || self.steps.size() == 1", "what is there for a time only must be one step"),
        )
    }

    summary: Text
    """The action in one sentence."""
    steps: Annotated[tuple[PlanStep, ...], Field(min_length=1, max_length=MAX_STEPS, json_schema_extra=ATOMIC)]
    """The writes that are meant to heal, one after the other; what was done is undone from the last one back."""
    deadline_seconds: Annotated[int, Field(ge=1, le=86400)] | None = None
    """What is not through so long after its first write is given up and undone, as far as it can be."""
    diff: Long
    """What changes, for people (unified diff)."""
    replaced_pods: Count
    """How many of the target's pods the action replaces or removes."""
    replicas_after: Count
    """How many replicas the target has afterwards."""
    on_ineffective: Literal["Keep", "Undo"]
    """What to do when it applied but did not help."""
    hold_seconds: Annotated[int, Field(ge=1, le=86400)] | None = None
    """The inverse follows by itself this long after the action; absent: the effect stays."""
    overwritten_by: Annotated[tuple[Short, ...], Field(max_length=MAX_OWNERS, json_schema_extra=SET)] = ()
    """Who else applies what it writes, and may put it back: then a person decides."""
    reads_digest: Digest
    """Digest of everything the plan depends on; when it changes, approvals are void."""

    @property
    def effects(self) -> tuple[Effect, ...]:
        """The writes, in order."""
        return tuple(step.forward for step in self.steps)

    @property
    def for_good(self) -> tuple[Effect, ...]:
        """The writes that nothing undoes."""
        return tuple(step.forward for step in self.steps if step.inverse is None)


class CheckOutcome(StrEnum):
    """What one check of the gate says."""

    PASS = "Pass"  # noqa: S105 - not a password
    ASK = "Ask"
    SHADOW = "Shadow"
    HOLD = "Hold"
    DENY = "Deny"


class Check(Model):
    """One check of the gate and its reason."""

    name: Word
    """Which check."""
    outcome: CheckOutcome
    """Pass, Ask (a person decides), Shadow (nothing is done), Hold (not now) or Deny."""
    message: Text
    """Why."""


class GateOutcome(StrEnum):
    """What the whole chain says: the strictest of its checks."""

    ALLOW = "Allow"
    NEEDS_APPROVAL = "NeedsApproval"
    SHADOW = "Shadow"
    HOLD = "Hold"
    DENY = "Deny"


class GateDecision(Model):
    """The gate's verdict with every check's reason."""

    outcome: GateOutcome
    """Allow, NeedsApproval, Shadow (it ends as WouldHave), Hold (asked again later) or Deny."""
    checks: Annotated[tuple[Check, ...], Field(max_length=32, json_schema_extra=keyed("name"))]
    """Every check, in order."""
    policies: Annotated[tuple[Name, ...], Field(max_length=16, json_schema_extra=SET)] = ()
    """The GatePolicies that matched."""
    quorum: Annotated[int, Field(ge=1, le=8)] = 1
    """How many people must approve, where a person decides."""
    refused_channels: Channels = ()
    """Ways by which no approval is taken."""
    time: Time
    """When it was decided."""


class Intent(Model):
    """Written before an effect: what is about to be written, and on which version of the object."""

    effect: Literal["Forward", "Inverse"]
    """Which effect of its step."""
    step: StepIndex = 0
    """Which of the plan's steps, from 0."""
    attempt: Annotated[int, Field(ge=1, le=100)]
    """1 for the first try; a lost race on resourceVersion begins the next."""
    uid: Uid | None = None
    """uid of the object; absent while it is to be created."""
    resource_version: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    """The only version of the object the effect may land on; absent while it is to be created."""
    generation: Count
    """`metadata.generation` of that version."""
    owner: Short | None = None
    """The field manager that had applied this part of the object, and gets its fields back."""
    time: Time
    """When it was written."""


class Result(Model):
    """What an effect did, as read back from the object."""

    effect: Literal["Forward", "Inverse"]
    """Which effect of its step."""
    step: StepIndex = 0
    """Which of the plan's steps, from 0."""
    time: Time
    """When the API server accepted it."""
    resource_version: Annotated[str, Field(min_length=1, max_length=64)]
    """Version of the object afterwards."""
    generation: Count
    """Generation of the object afterwards."""
    proof: Proof
    """How it was seen: our field manager stands in managedFields, the fields are as the effect writes them, the object
    is gone, or on its way; or it was so already before anything was sent, and nothing was."""


class Blocked(Model):
    """A step that was to be undone and is not: it is left as it is, for a person."""

    step: StepIndex
    """Which of the plan's steps, from 0."""
    time: Time
    """When it was given up."""
    reason: Word
    """UndoBlocked (somebody changed it since), or what else stands in the way."""
    message: Text
    """What and why."""


class Calibration(Model):
    """What remembered outcomes say of a confidence like this one."""

    by: Word
    """Matcher or Model: whose confidence it is. They are calibrated apart."""
    percent: Percent | None = None
    """How often answers of such a confidence were right; absent while too few outcomes are known."""
    outcomes: Count = 0
    """On how many outcomes that rests."""


class Asked(Model):
    """For how long people could have answered."""

    since_time: Time | None = None
    """Since when they are asked; absent while they are not, as when it is held back."""
    seconds: Count = 0
    """For how long they were before that."""


class RemediationSpec(Model):
    """What is proposed. Never changes."""

    model_config = {"json_schema_extra": rules(IMMUTABLE)}

    incident_ref: LocalRef
    """The Incident it is meant to heal."""
    runbook_ref: LocalRef
    """The Runbook it comes from."""
    step: Annotated[int, Field(ge=0, le=7)] = 0
    """Which of the Runbook's remediations."""
    attempt: Annotated[int, Field(ge=1, le=20)] = 1
    """Counts proposals of the same step (drift of the target voids one)."""
    opening: Annotated[int, Field(ge=0, le=1000)] = 0
    """Which opening of the Incident it answers: 0 is the first, 1 that after it was reopened once."""
    action: Label
    """Name of a registered action."""
    target_ref: BoundTargetRef
    """The workload to act on."""
    parameters: Parameters = ()
    """Parameters of the action, as the Runbook gives them."""
    conversations: Annotated[tuple[ConversationId, ...], Field(max_length=16, json_schema_extra=SET)] = ()
    """Conversations of agents it is about, of those that the Incident names; empty: whatever the Incident is about."""
    requested_by: Short
    """User name of whoever created it; the API server checks that it is true."""
    confidence_percent: Percent = 0
    """How sure the diagnosis is, by its own word."""
    calibration: Calibration | None = None
    """What that was worth in the past; without it a gate cannot rely on it."""
    ranking: Ranking = Ranking.TIED
    """Whether the deterministic matcher could order the Runbooks that match; if not, or not said, a person decides."""


class RemediationStatus(Model):
    """What became of it. Written by `act` alone."""

    model_config = {
        "json_schema_extra": rules(
            ("!has(oldSelf.plan) || has(self.plan)", "plan must not be removed"),
            ("!has(oldSelf.planHash) || has(self.planHash)", "planHash must not be removed"),
        )
    }

    conditions: Conditions = ()
    """Planned, Admitted, Applied, Released, Verified, Undone and the summary Finished."""
    stage: Literal["Waiting", "Decided"] = "Waiting"
    """Decided: it was admitted or has ended. The conditions say so too; a list can be narrowed by this."""
    plan: Plan | None = None
    """What would be done."""
    plan_hash: Annotated[Digest, Field(json_schema_extra=rules(IMMUTABLE))] | None = None
    """Digest of the plan: what an Approval approves."""
    decision: GateDecision | None = None
    """What the gate said last."""
    asked: Asked | None = None
    """For how long people have been asked to decide."""
    approvals: Annotated[tuple[Name, ...], Field(max_length=16, json_schema_extra=SET)] = ()
    """Names of the Approvals that let it through."""
    approvers: Annotated[tuple[Short, ...], Field(max_length=16, json_schema_extra=SET)] = ()
    """User names of the people whose Approvals these are."""
    intents: Annotated[tuple[Intent, ...], Field(max_length=MAX_INTENTS, json_schema_extra=ATOMIC)] = ()
    """Every attempt, oldest first."""
    results: Annotated[
        tuple[Result, ...], Field(max_length=2 * MAX_STEPS, json_schema_extra=keyed("effect", "step"))
    ] = ()
    """Effects that took place: of each step at most one forward and one inverse."""
    blocked: Annotated[tuple[Blocked, ...], Field(max_length=MAX_STEPS, json_schema_extra=keyed("step"))] = ()
    """Steps that could not be undone; the others were."""


class Remediation(Model):
    """One proposed action."""

    model_config = {
        "json_schema_extra": rules(
            (
                "!has(oldSelf.status) || !has(oldSelf.status.planHash) || has(self.status)",
                "status must not be removed once it holds a plan",
            )
        )
    }

    metadata: ObjectMeta
    spec: RemediationSpec
    status: RemediationStatus = RemediationStatus()
