"""The one executor: everything that Hemostat writes on other people's objects goes through here (shell).

Exactly once, without a lock: before the effect an intent {uid, resourceVersion} is written to the Remediation by
compare-and-set; the effect is a JSON Patch that tests that resourceVersion, under a field manager unique to the
Remediation. After a kill the next process looks at the object: either our manager stands in its managedFields, or the
spec moved on to just what the effect writes (a patch that only removes fields leaves no managedFields entry: seen on a
real API server), and the effect took place; or the object is still at the intent's version (send it again: only one
can land); or only its status moved on (the old request can never land any more, so a new intent is safe).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from hemostat.action.ownership import handed_back, owner_of
from hemostat.api.remediation import Effect, Intent, OpKind, Plan, Remediation, Result
from hemostat.errors import Refused, Retry
from hemostat.kube import Conflict, Json, Kube, NotFound, path_of

Which = Literal["Forward", "Inverse"]
IN_FLIGHT = timedelta(seconds=60)
"""A request older than the API server's own request timeout can no longer land."""
MAX_ATTEMPTS = 20
"""Lost races on resourceVersion before a person is asked."""


@dataclass(frozen=True, slots=True)
class Landed:
    """The effect has taken place."""

    result: Result


@dataclass(frozen=True, slots=True)
class Send:
    """The intent stands and the object is still at its version: send the patch."""

    intent: Intent


@dataclass(frozen=True, slots=True)
class NewIntent:
    """The effect has not taken place and no earlier request can land: write this intent first."""

    intent: Intent


@dataclass(frozen=True, slots=True)
class Lost:
    """It cannot go on by itself; a person decides."""

    reason: str
    """Unclear: it cannot be told whether the effect took place. TooBusy: it did not."""
    message: str


def manager(remediation: Remediation, which: Which) -> str:
    """Return the field manager that only this effect of this Remediation uses."""
    return f"hemostat-{remediation.metadata.uid}-{which.lower()}"


def next_move(
    remediation: Remediation, which: Which, live: Mapping[str, Any], now: datetime
) -> Landed | Send | NewIntent | Lost:
    """Decide from the live object what an unfinished effect needs (pure)."""
    meta = live["metadata"]
    version, generation = meta["resourceVersion"], int(meta.get("generation", 0))
    tries = [i for i in remediation.status.intents if i.effect == which]
    proof = _proof(remediation, which, live, tries[-1] if tries else None)
    if proof is not None:
        result = Result(effect=which, time=now, resource_version=version, generation=generation, proof=proof)
        return Landed(result)
    if tries and tries[-1].resource_version == version:
        return Send(tries[-1])
    if tries and tries[-1].generation != generation:
        return Lost("Unclear", "its spec was changed while the action was in flight")
    if len(tries) >= MAX_ATTEMPTS:
        return Lost("TooBusy", f"its status changes faster than it can be patched ({MAX_ATTEMPTS} attempts)")
    return NewIntent(
        Intent(
            effect=which,
            attempt=len(tries) + 1,
            uid=meta["uid"],
            resource_version=version,
            generation=generation,
            owner=owner_of(live, (op.path for op in effect_of(remediation, which).ops)),
            time=now,
        )
    )


def planned(remediation: Remediation) -> Plan:
    """Return the plan. Raises `Refused` (NoPlan) when the status lost it."""
    if remediation.status.plan is None:
        raise Refused("NoPlan", "the plan is missing from the status")
    return remediation.status.plan


def effect_of(remediation: Remediation, which: Which) -> Effect:
    """Return one of the plan's effects."""
    plan = planned(remediation)
    return plan.forward if which == "Forward" else plan.inverse


def _proof(
    remediation: Remediation, which: Which, live: Mapping[str, Any], last: Intent | None
) -> Literal["ManagedFields", "Content"] | None:
    """Return by what the live object shows that the effect took place, or None."""
    ours = manager(remediation, which)
    if last is None:
        return None
    if any(entry.get("manager") == ours for entry in live["metadata"].get("managedFields", ())):
        return "ManagedFields"
    meta = live["metadata"]
    if "generation" in meta:
        moved = int(meta["generation"]) > last.generation
    else:  # as ConfigMaps, which only people and we write
        moved = meta["resourceVersion"] != last.resource_version
    return "Content" if moved and still_ours(effect_of(remediation, which), live) else None


class Executor:
    """Reads targets and sends guarded patches."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube

    def read(self, effect: Effect, namespace: str) -> Json:
        """Return the live object. Raises `Refused` (TargetReplaced) when it is gone or another one."""
        try:
            live = self._kube.get(path_of(effect.api_version, effect.kind, namespace, effect.name))
        except NotFound as error:
            raise Refused("TargetReplaced", f"{effect.kind} {effect.name} is gone") from error
        if live["metadata"]["uid"] != effect.uid:
            raise Refused("TargetReplaced", f"{effect.kind} {effect.name} was re-created")
        return live

    def dry_run(self, effect: Effect, namespace: str, live: Mapping[str, Any], field_manager: str) -> None:
        """Have the API server check the patch without doing it, on whatever version there is. Raises `Refused` with
        its words."""
        self._patch(effect, namespace, None, field_manager, live, dry_run=True)

    def send(self, effect: Effect, namespace: str, live: Mapping[str, Any], intent: Intent, field_manager: str) -> None:
        """Send the patch for the object as it was read; it lands only on the intent's version, which is that one's.

        Raises `Retry` when the race was lost.
        """
        self._patch(effect, namespace, intent.resource_version, field_manager, live, dry_run=False)

    def release(self, effect: Effect, namespace: str, managers: frozenset[str], owner: str | None) -> None:
        """Let go of the fields and give them back, so that the owner's next apply needs no force and misses nothing."""
        live = self.read(effect, namespace)
        meta = live["metadata"]
        ops = handed_back(meta.get("managedFields", []), managers, owner)
        if not ops:
            return
        test: Json = {"op": "test", "path": "/metadata/resourceVersion", "value": meta["resourceVersion"]}
        path = path_of(effect.api_version, effect.kind, namespace, effect.name)
        try:
            self._kube.json_patch(path, [test, *ops], "hemostat-release")
        except Conflict as error:
            raise Retry(f"{effect.kind} {effect.name} changed while our fields were let go", 0.2) from error

    def _patch(
        self,
        effect: Effect,
        namespace: str,
        version: str | None,
        field_manager: str,
        live: Mapping[str, Any],
        *,
        dry_run: bool,
    ) -> None:
        path = path_of(effect.api_version, effect.kind, namespace, effect.name, effect.subresource)
        ops: list[Json] = [
            {"op": "test", "path": "/metadata/uid", "value": effect.uid},
            *([{"op": "test", "path": "/metadata/resourceVersion", "value": version}] if version else []),
            *({"op": "add", "path": parent, "value": {}} for parent in missing_parents(effect, live)),
            *(_wire(op) for op in effect.ops),
        ]
        try:
            self._kube.json_patch(path, ops, field_manager, dry_run=dry_run)
        except NotFound as error:
            raise Refused("TargetReplaced", f"{effect.kind} {effect.name} is gone") from error
        except Conflict as error:
            raise Retry(f"{effect.kind} {effect.name} moved on from version {version}", 0.2) from error


def missing_parents(effect: Effect, live: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the maps that `add`s go into and that the live object has not (pure): the API server stores no empty ones,
    and a patch of such a map itself would take away what others have put there since.
    """
    parents = dict.fromkeys(op.path.rpartition("/")[0] for op in effect.ops if op.op is OpKind.ADD)
    return tuple(parent for parent in parents if parent and _at(live, parent) is None)


def still_ours(effect: Effect, live: Mapping[str, Any]) -> bool:
    """Tell whether the live object still holds what the effect wrote (pure): else there is nothing of ours to undo."""
    return all(_at(live, op.path) == _value(op) for op in effect.ops)


def _at(live: Any, pointer: str) -> Any:
    for part in pointer.strip("/").split("/"):
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(live, Mapping) and key in live:
            live = live[key]
        elif isinstance(live, list) and key.isdigit() and int(key) < len(live):
            live = live[int(key)]
        else:
            return None
    return live


def _value(op: Any) -> Any:
    return json.loads(op.value) if op.value is not None else None


def _wire(op: Any) -> Json:
    out: Json = {"op": op.op.value, "path": op.path}
    return out if op.op is OpKind.REMOVE else out | {"value": _value(op)}
