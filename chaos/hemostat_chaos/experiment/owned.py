"""What an owner applied, read back from the live object's managedFields (pure).

With it a fault can be injected as the owner would have done it: the whole manifest, changed, applied again under the
owner's own field manager. The format is FieldsV1:
https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
"""

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from hemostat.errors import Refused

OWNER = "kubectl"
"""The field manager of `kubectl apply --server-side`."""

Json = dict[str, Any]


def applied_manifest(live: Mapping[str, Any], manager: str = OWNER) -> Json:
    """Return the manifest that this manager last applied. Raises `Refused` (NotApplied) if it never did."""
    meta = live["metadata"]
    entry = next(
        (
            e
            for e in meta.get("managedFields", ())
            if e["manager"] == manager and e["operation"] == "Apply" and not e.get("subresource")
        ),
        None,
    )
    if entry is None:
        raise Refused(
            "NotApplied",
            f"{live['kind']} {meta['name']} was not applied by {manager}; use kubectl apply --server-side",
        )
    manifest: Json = _extract(live, entry["fieldsV1"])
    manifest["apiVersion"], manifest["kind"] = live["apiVersion"], live["kind"]
    manifest.setdefault("metadata", {}).update({k: meta[k] for k in ("name", "namespace") if k in meta})
    return manifest


def managers(live: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of all field managers of the object."""
    return tuple(dict.fromkeys(e["manager"] for e in live["metadata"].get("managedFields", ())))


def _extract(value: Any, fields: Mapping[str, Any]) -> Any:
    children = {k: v for k, v in fields.items() if k != "."}
    if not fields:
        return deepcopy(value)
    if isinstance(value, list):
        return _items(value, children)
    if not isinstance(value, Mapping):
        return deepcopy(value)
    named = {k.removeprefix("f:"): v for k, v in children.items() if k.startswith("f:")}
    return {k: _extract(value[k], v) for k, v in named.items() if k in value}


def _items(value: Sequence[Any], children: Mapping[str, Any]) -> list[Any]:
    out = []
    for item in value:
        for selector, fields in children.items():
            if _selects(selector, item):
                out.append(_extract(item, fields))
                break
    return out


def _selects(selector: str, item: Any) -> bool:
    kind, _, text = selector.partition(":")
    if kind == "k" and isinstance(item, Mapping):
        wanted: Json = json.loads(text)
        return all(item.get(k) == v for k, v in wanted.items())
    return kind == "v" and bool(item == json.loads(text))
