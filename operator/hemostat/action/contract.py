"""What an action is. A remediation package exports `Action` objects; Hemostat never imports such a package itself."""

import difflib
import hashlib
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from hemostat.action.owners import Owner, heeded, release_of
from hemostat.api import API_VERSION
from hemostat.api.identity import REMEDIATION_LABEL
from hemostat.api.incident import ConversationStatus
from hemostat.api.meta import BoundTargetRef
from hemostat.api.remediation import MAX_OWNERS, Call, Effect, OpKind, PatchOp, Plan, PlanStep, Remediation, Verb
from hemostat.api.runbook import Parameter
from hemostat.api.watch import HealthyRevision
from hemostat.errors import Refused

HOLD_ANNOTATION = "hemostat.dev/hold-seconds"
"""On what was created for a time: how long it is meant to be there."""


class Params(BaseModel):
    """Base of an action's parameters: frozen, camelCase, nothing unknown."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True)
class Rule:
    """An RBAC rule that the action needs in the target's namespace, beside reading the target."""

    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    names: tuple[str, ...] = ()
    """Only objects of these names; empty: of any."""


@dataclass(frozen=True, slots=True)
class World:
    """What a plan may look at, as read from the API server in one go."""

    target: Mapping[str, Any]
    """The live object."""
    revisions: Sequence[Mapping[str, Any]] = ()
    """What the target owns of its former templates: ReplicaSets of a Deployment, else ControllerRevisions."""
    healthy: Sequence[HealthyRevision] = ()
    """Revisions of the target that a Watch observed healthy, oldest first."""
    scalers: Sequence[Mapping[str, Any]] = ()
    """HorizontalPodAutoscalers whose scaleTargetRef is the target."""
    orders: Mapping[str, Any] | None = None
    """The ConfigMap from which `hemostat.guard` takes orders in the target's namespace; None if there is none."""
    conversations: Sequence[ConversationStatus] = ()
    """Trouble in conversations of AI agents that the Incident tells of and that goes on."""
    about: frozenset[str] = frozenset()
    """Of these conversations only those that the Remediation is about; empty: all."""
    proposed: datetime | None = None
    """When the Remediation was created."""
    remediation: str = ""
    """uid of the Remediation."""

    name: str = ""
    """Name of the Remediation."""
    namespace: str = ""
    """Namespace of the Remediation, and of its target where that has one."""
    deployments: Sequence[Mapping[str, Any]] = ()
    """Deployments of the target's namespace."""
    pods: Sequence[Mapping[str, Any]] = ()
    """Pods of the target's namespace; of a Node those that are there, of all namespaces."""
    nodes: Sequence[Mapping[str, Any]] | None = None
    """All nodes; None if they may not be listed."""
    services: Sequence[Mapping[str, Any]] = ()
    """Services of the target's namespace."""
    policies: Sequence[Mapping[str, Any]] | None = None
    """Objects of the kind that the action creates, in the namespace; None if the cluster knows no such kind."""
    others: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    """Objects of the kinds that the action `looks_at`, in the namespace, by kind."""

    @property
    def replicas(self) -> int:
        """How many replicas the target has, or is to have."""
        return int(self.target.get("spec", {}).get("replicas") or 0)


P = TypeVar("P", bound=Params)
MAX_DIFF = 16_000
"""Characters of a plan's diff that are shown."""
MAX_VALUE = 131_072
"""Longest JSON value of a patch, as the CRD bounds it."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What an action's `plan` returns: the effects and what they touch."""

    summary: str
    steps: tuple[PlanStep, ...]
    """Where nothing undoes one of them, a person must decide."""
    diff: str
    replaced_pods: int
    replicas_after: int
    reads: Any
    """JSON value of everything the plan depends on; when it changes, the plan is another one."""
    hold_seconds: int | None = None
    """The inverse follows by itself after so long; None: the effect stays."""
    deadline_seconds: int | None = None
    """Several steps are given up, and undone as far as they can be, so long after the first one."""


@dataclass(frozen=True, slots=True)
class Action(Generic[P]):
    """One thing that Hemostat can do, as data.

    `plan` is pure: it returns a Draft, or raises `Refused` with what stands in the way.
    """

    name: str
    summary: str
    kinds: frozenset[str]
    params: type[P]
    rules: tuple[Rule, ...]
    """What it needs in the target's namespace."""
    plan: Callable[[World, P], Draft]
    on_ineffective: Literal["Keep", "Undo"] = "Undo"
    creates: tuple[str, str] | None = None
    """apiVersion and kind of the objects that it creates, if it does."""
    cluster_rules: tuple[Rule, ...] = ()
    """What it needs on objects that have no namespace: they are granted apart, by a ClusterRoleBinding."""
    irreversible: str = ""
    """What of it nothing undoes, and why: such a plan always needs a person. Empty: every plan can be undone."""
    looks_at: tuple[tuple[str, str], ...] = ()
    """apiVersion and kind of further objects that its plan looks at; its rules let it list them."""


def parse(action: Action[Any], parameters: Sequence[Parameter]) -> Params:
    """Validate parameters by the action's own model. Raises `Refused` (BadParameters) naming each wrong one."""
    try:
        parsed: Params = action.params.model_validate({p.name: p.value for p in parameters})
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'parameters'}: {e['msg']}" for e in error.errors())
        raise Refused("BadParameters", f"action {action.name}: {wrong}") from error
    return parsed


def make_plan(action: Action[Any], target: BoundTargetRef, params: Params, world: World) -> Plan:
    """Compute the plan on the live object. Raises `Refused` when the action does not apply to it, or plans what
    nothing undoes and does not say so.
    """
    live = world.target
    if target.kind not in action.kinds:
        known = ", ".join(sorted(action.kinds))
        raise Refused("WrongKind", f"action {action.name} is for {known}, not for {target.kind}")
    if live["metadata"]["uid"] != target.uid:
        raise Refused("TargetReplaced", f"{target.kind} {target.name} was re-created since the incident")
    draft = action.plan(world, params)
    if not action.irreversible and any(step.inverse is None for step in draft.steps):
        said = f"action {action.name} plans what nothing undoes: its `irreversible` must say what, and why"
        raise Refused("Unsound", said)  # only this one ends: others must not wait for who mends the action
    others = heeded(
        [step.forward for step in draft.steps],
        [live, *world.scalers, *itertools.chain.from_iterable(world.others.values())],
    )
    return Plan(
        summary=_told(draft.summary, live, others),
        overwritten_by=tuple(owner.name[:253] for owner in others[:MAX_OWNERS]),
        steps=draft.steps,
        deadline_seconds=draft.deadline_seconds,
        diff=_cut(draft.diff),
        replaced_pods=draft.replaced_pods,
        replicas_after=draft.replicas_after,
        on_ineffective=action.on_ineffective,
        reads_digest=digest(draft.reads),
        hold_seconds=draft.hold_seconds,
    )


def _cut(diff: str) -> str:
    """Say that there is more, for people approve what they see."""
    if len(diff) <= MAX_DIFF:
        return diff
    more = f"... and {len(diff) - MAX_DIFF} more characters that do not fit: see all that is written in status.plan"
    return f"{diff[:MAX_DIFF]}\n{more}"


def _told(summary: str, live: Mapping[str, Any], others: Sequence[Owner]) -> str:
    """Say in the summary, which a person reads before anything is done, who may put it back."""
    notes = [f"{owner.name} applies it, too: {owner.advice}" for owner in others]
    if release := release_of(live):
        notes.append(f"the next upgrade of Helm release {release} may put it back")
    return "; ".join((summary, *notes))[:1024]


def plan_hash(remediation: Remediation, plan: Plan) -> str:
    """Return what an Approval approves: the digest of this very Remediation, what it asks for, and the whole plan.

    The uid makes an Approval single-use: a Remediation that is created again under the same name has another hash.
    """
    spec, whole = remediation.spec, plan.wire()
    if not plan.overwritten_by:  # versions that did not know of it have stored plans
        del whole["overwrittenBy"]
    return digest(
        {
            "remediation": remediation.metadata.uid,
            "action": spec.action,
            "target": spec.target_ref.wire(),
            "parameters": sorted((p.name, p.value) for p in spec.parameters),
            "plan": whole,
        }
    )


def digest(value: Any) -> str:
    """SHA-256 over canonical JSON (sorted keys, no spaces), as `sha256:<hex>`."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def replace(path: str, value: Any) -> PatchOp:
    """Return a JSON Patch `replace` whose value is canonical JSON text; `Refused` (TooLarge) beyond 128 KiB."""
    text = json.dumps(value, sort_keys=True)
    if len(text) > MAX_VALUE:
        raise Refused("TooLarge", f"{path} takes {len(text)} characters, more than {MAX_VALUE} a plan may hold")
    return PatchOp(op=OpKind.REPLACE, path=path, value=text)


def add(path: str, value: Any) -> PatchOp:
    """Return a JSON Patch `add`, as `replace` does."""
    return replace(path, value).model_copy(update={"op": OpKind.ADD})


def remove(path: str) -> PatchOp:
    """Return a JSON Patch `remove`."""
    return PatchOp(op=OpKind.REMOVE, path=path)


def effect(target: Mapping[str, Any], ops: tuple[PatchOp, ...], subresource: str = "") -> Effect:
    """Return a patch of this live object."""
    return Effect(
        api_version=target["apiVersion"],
        kind=target["kind"],
        name=target["metadata"]["name"],
        uid=target["metadata"]["uid"],
        subresource=subresource,
        ops=ops,
    )


def once(forward: Effect, inverse: Effect | None = None) -> tuple[PlanStep, ...]:
    """Return the one step of a plan that writes once."""
    return (PlanStep(forward=forward, inverse=inverse),)


def deletion(live: Mapping[str, Any], subresource: Literal["", "eviction"] = "") -> Effect:
    """Return the deletion of this live object."""
    return effect(live, (), subresource).model_copy(update={"verb": Verb.DELETE})


def calling(service: str, call: Call, **wanted: Any) -> Effect:
    """Return the call of a Service after which a look shows these fields."""
    ops = tuple(replace(f"/{field}", value) for field, value in wanted.items())
    return Effect(verb=Verb.CALL, api_version="v1", kind="Service", name=service, ops=ops, call=call)


def creation(
    kind: tuple[str, str],
    world: World,
    spec: Mapping[str, Any],
    hold_seconds: int | None = None,
    owners: Sequence[Mapping[str, Any]] = (),
) -> tuple[Effect, Effect]:
    """Return the creation of an object, and its deletion.

    Its name and label are of this Remediation alone, which also owns it: where that is deleted, the cluster removes it.

    :param hold_seconds: how long it is meant to be there; None: it stays.
    :param owners: who else owns it (OwnerReference).
    """
    api_version, name = kind
    made = Effect(verb=Verb.CREATE, api_version=api_version, kind=name, name=f"hemostat-{world.remediation}")
    owner = {
        "apiVersion": API_VERSION,
        "kind": "Remediation",
        "name": world.name,
        "uid": world.remediation,
    }
    ops = (
        add("/metadata/labels", {REMEDIATION_LABEL: world.remediation}),
        *([add("/metadata/annotations", {HOLD_ANNOTATION: str(hold_seconds)})] if hold_seconds is not None else []),
        add("/metadata/ownerReferences", [owner, *owners]),
        add("/spec", spec),
    )
    return made.model_copy(update={"ops": ops}), made.model_copy(update={"verb": Verb.DELETE})


def unified_diff(before: Any, after: Any, name: str) -> str:
    """Return a unified diff of two JSON values as people read them."""
    old, new = (json.dumps(v, indent=1, sort_keys=True).splitlines() for v in (before, after))
    return "\n".join(difflib.unified_diff(old, new, f"{name} (now)", f"{name} (after)", n=1, lineterm=""))
