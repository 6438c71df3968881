"""What differs between two versions of an object (pure).

Values of variables and ConfigMaps are never told, only their names; which model, prompt or tools an agent uses is.
Objects may be whole, or trimmed with digests in place of values.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from hemostat.signals.agentconfig import part_of, told_value
from hemostat.signals.changes.noted import ChangeKind, Json, Noted, ref_of
from hemostat.signals.changes.template import annotations, named_difference, variables
from hemostat.signals.rules import cut


def differences(old: Json, new: Json, managed: Sequence[Json], now: datetime) -> list[Noted]:
    """Return what differs between two versions of an object.

    :param managed: `managedFields` of the new version: they say who wrote a field.
    """
    ref = ref_of(new)
    compare = _COMPARE.get(ref.kind)
    if compare is None:
        return []
    return [Noted(kind, ref, now, detail, writer(managed, field)) for kind, detail, field in compare(old, new)]


Difference = tuple[ChangeKind, str, str]
"""Kind, what to say, and the field (`f:spec/f:replicas`) whose writer is to blame."""


def _scaled(old: Json, new: Json) -> Iterator[Difference]:
    before, after = _spec(old, "replicas"), _spec(new, "replicas")
    if before != after:
        yield ChangeKind.SCALE, f"replicas {before} -> {after}", "f:replicas"
    yield from _agents(old["metadata"].get("annotations") or {}, new["metadata"].get("annotations") or {}, "annotation")
    yield from _agents(annotations(_template(old)), annotations(_template(new)), "annotation")
    yield from _agents(variables(_template(old)), variables(_template(new)), "env")


def _autoscaled(old: Json, new: Json) -> Iterator[Difference]:
    for name in ("minReplicas", "maxReplicas"):
        before, after = _spec(old, name), _spec(new, name)
        if before != after:
            yield ChangeKind.AUTOSCALER, f"{name} {before} -> {after}", f"f:{name}"


def _configured(old: Json, new: Json) -> Iterator[Difference]:
    said = named_difference(old.get("data") or {}, new.get("data") or {}, "key")
    if said:
        yield ChangeKind.CONFIG, cut("; ".join(said), 900), "f:data"
    yield from _agents(old.get("data") or {}, new.get("data") or {}, "key")


def _limited(old: Json, new: Json) -> Iterator[Difference]:
    before, after = (o.get("status", {}).get("hard") or {} for o in (old, new))
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            yield (
                ChangeKind.QUOTA,
                f"{name} {before.get(name, 'unlimited')} -> {after.get(name, 'unlimited')}",
                "f:hard",
            )


def _node_changed(old: Json, new: Json) -> Iterator[Difference]:
    before, after = bool(_spec(old, "unschedulable")), bool(_spec(new, "unschedulable"))
    if before != after:
        yield ChangeKind.NODE, "cordoned" if after else "uncordoned", "f:unschedulable"
    was, now = _ready(old), _ready(new)
    if was != now:
        yield ChangeKind.NODE, f"Ready {was} -> {now}", ""
    versions = [(o.get("status", {}).get("nodeInfo") or {}).get("kubeletVersion") for o in (old, new)]
    if versions[0] != versions[1]:
        yield ChangeKind.NODE, f"kubelet {versions[0]} -> {versions[1]}", ""


_COMPARE: Mapping[str, Callable[[Json, Json], Iterator[Difference]]] = {
    "Deployment": _scaled,
    "StatefulSet": _scaled,
    "DaemonSet": _scaled,
    "HorizontalPodAutoscaler": _autoscaled,
    "ConfigMap": _configured,
    "ResourceQuota": _limited,
    "Node": _node_changed,
}


def _agents(was: Json, now: Json, what: str) -> Iterator[Difference]:
    for name in sorted(was.keys() | now.keys()):
        part = part_of(name)
        if part is not None and was.get(name) != now.get(name):
            values = [_tellable(name, v.get(name)) for v in (was, now)]
            told = f" {values[0]} -> {values[1]}" if all(values) else " changed"
            yield ChangeKind(part.value), f"{what} {name}{told}", ""


def _tellable(name: str, value: Any) -> str:
    if value is None:
        return "none"
    text = value.get("value", "") if isinstance(value, Mapping) else value
    return told_value(name, str(text)) or ""


def writer(managed: Sequence[Json], field: str) -> str:
    """Return the manager that last wrote the field, or an empty text. Who keeps the status only repeats it there."""
    wrote = [e for e in managed if e.get("subresource") != "status"]
    mine = [e for e in wrote if field and owns(e.get("fieldsV1") or {}, field)]
    return str(max(mine, key=lambda e: e.get("time") or "").get("manager", "")) if mine else ""


def owns(fields: Json, field: str, depth: int = 3) -> bool:
    """Tell whether a `fieldsV1` tree names this field."""
    if field in fields:
        return True
    return depth > 0 and any(owns(v, field, depth - 1) for v in fields.values() if isinstance(v, Mapping))


def _spec(item: Json, name: str) -> Any:
    return (item.get("spec") or {}).get(name)


def _template(item: Json) -> Json:
    found: Json = _spec(item, "template") or {}
    return found


def _ready(node: Json) -> str:
    conditions = node.get("status", {}).get("conditions") or ()
    return next((str(c.get("status")) for c in conditions if c["type"] == "Ready"), "Unknown")
