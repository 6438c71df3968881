"""What an effect writes, and whether a live object is as it leaves it (pure)."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from hemostat.action.calls.base import Seen
from hemostat.action.calls.dialects import DIALECTS
from hemostat.api.remediation import Effect, OpKind, PatchOp, Verb
from hemostat.guard.orders import CONFIG_MAP

Live = Mapping[str, Any]
CLUSTER_SCOPED = frozenset({("v1", "Node"), ("storage.k8s.io/v1", "StorageClass")})
"""apiVersion and kind of what plans may look at or write to and has no namespace."""


def missing_parents(effect: Effect, live: Live) -> tuple[str, ...]:
    """Return the maps that `add`s go into and that the live object has not: the API server stores no empty ones,
    and a patch of such a map itself would take away what others have put there since.
    """
    parents = dict.fromkeys(op.path.rpartition("/")[0] for op in effect.ops if op.op is OpKind.ADD)
    return tuple(parent for parent in parents if parent and at(live, parent) is None)


def still_ours(effect: Effect, live: Live | None) -> bool:
    """Tell whether the live object (None: there is none) is as the effect leaves it: else there is nothing of ours to
    undo. The API server fills in defaults in what was created, so that it may say more than was written.
    """
    if effect.verb is Verb.DELETE or live is None:
        return effect.verb is Verb.DELETE and live is None
    if effect.verb is Verb.CREATE:
        return all(_covers(at(live, op.path), value_of(op)) for op in effect.ops)
    return all(at(live, op.path) == value_of(op) for op in effect.ops)


def can_be_undone(effect: Effect, live: Live | None) -> bool:
    """Tell whether nobody wrote over what the effect left; of what it added some may be gone: taken back by others."""
    if effect.verb is not Verb.PATCH or live is None:
        return still_ours(effect, live)
    return all(
        found == value_of(op) or (found is None and op.op is OpKind.ADD)
        for op in effect.ops
        for found in (at(live, op.path),)
    )


def conversations_of(effects: Sequence[Effect]) -> frozenset[str]:
    """Return the only conversations of agents that orders to their guards touch; empty: they touch more than those."""
    if any((e.kind, e.name, e.verb) != ("ConfigMap", CONFIG_MAP, Verb.PATCH) for e in effects):
        return frozenset()
    orders = [op for e in effects for op in e.ops if op.op is OpKind.ADD]
    named = [json.loads(value_of(op)).get("conversation", "") for op in orders]
    return frozenset(named) if all(named) else frozenset()


def place(effect: Effect, namespace: str) -> str | None:
    """Return the namespace of what is written to; None: it belongs to the whole cluster."""
    return effect.namespace or home(effect.api_version, effect.kind, namespace)


def home(api_version: str, kind: str, namespace: str) -> str | None:
    """Return the namespace of an object of this kind; None: it belongs to the whole cluster."""
    return None if (api_version, kind) in CLUSTER_SCOPED else namespace


def beyond(effects: Sequence[Effect]) -> tuple[Effect, ...]:
    """Return those that write to what belongs to the whole cluster, or to another namespace than the Remediation's."""
    return tuple(e for e in effects if place(e, "") != "")


def right_of(effect: Effect) -> dict[str, str]:
    """Return what who does this himself must be allowed (ResourceAttributes): to patch a Node, or to evict a pod."""
    if effect.kind == "Node":
        return {"group": "", "resource": "nodes", "verb": "patch", "name": effect.name}
    where = {"namespace": effect.namespace or "", "name": effect.name}
    return {"group": "", "resource": "pods", "subresource": effect.subresource, "verb": "create", **where}


def obstacle(effect: Effect, seen: Live) -> tuple[str, str] | None:
    """Return reason and message of what stands in the way of a call."""
    assert effect.call is not None  # as the schema demands
    return DIALECTS[effect.call.protocol].obstacle(effect.call, wanted(effect), dict(seen))


def wanted(effect: Effect) -> Seen:
    """Return what a look shows once the call has taken effect."""
    return {op.path.strip("/"): value_of(op) for op in effect.ops}


def wire(effect: Effect, live: Live) -> list[dict[str, Any]]:
    """Return the effect's operations as JSON Patch has them, without removals of what is gone: it would refuse all."""
    return [
        {"op": op.op.value, "path": op.path} | ({} if op.op is OpKind.REMOVE else {"value": value_of(op)})
        for op in effect.ops
        if op.op is not OpKind.REMOVE or at(live, op.path) is not None
    ]


def body_of(effect: Effect, namespace: str) -> dict[str, Any]:
    """Return the object that a creation makes."""
    made: dict[str, Any] = {
        "apiVersion": effect.api_version,
        "kind": effect.kind,
        "metadata": {"name": effect.name, "namespace": namespace},
    }
    for op in effect.ops:
        *parents, last = op.path.strip("/").split("/")
        inside = made
        for part in parents:
            inside = inside.setdefault(part, {})
        inside[last] = value_of(op)
    return made


def _covers(live: Any, wanted: Any) -> bool:
    if isinstance(wanted, Mapping):
        return isinstance(live, Mapping) and all(k in live and _covers(live[k], v) for k, v in wanted.items())
    if isinstance(wanted, list):
        same = isinstance(live, list) and len(live) == len(wanted)
        return same and all(_covers(one, other) for one, other in zip(live, wanted, strict=True))
    return bool(live == wanted)


def at(live: Any, pointer: str) -> Any:
    """Return what stands at a JSON pointer; None where nothing does."""
    for part in pointer.strip("/").split("/"):
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(live, Mapping) and key in live:
            live = live[key]
        elif isinstance(live, list) and key.isdigit() and int(key) < len(live):
            live = live[int(key)]
        else:
            return None
    return live


def value_of(op: PatchOp) -> Any:
    """Return the value that an operation writes; None of a removal."""
    return json.loads(op.value) if op.value is not None else None
