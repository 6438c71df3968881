"""Who owns the fields that an effect writes, and how they are given back (pure).

Server-side apply remembers per field manager which fields it set. Just dropping our entry would leave fields that
nobody owns, and the owner's next apply could not remove them. So they go to the manager that had applied the patched
part of the object before, and only if it had: an owner that never set /spec/replicas must not get it, or its next
apply would delete it. https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Fields = Mapping[str, Any]
Json = dict[str, Any]


def owner_of(live: Mapping[str, Any], paths: Iterable[str]) -> str | None:
    """Return the manager whose server-side apply set most fields at or under these JSON pointers, or None."""
    pointers = [_keys(path) for path in paths]
    weights: dict[str, int] = {}
    for entry in live["metadata"].get("managedFields", ()):
        if entry.get("operation") != "Apply" or entry.get("subresource"):
            continue
        count = sum(
            _size(found) for keys in pointers if (found := _within(entry.get("fieldsV1", {}), keys)) is not None
        )
        if count:
            weights[entry["manager"]] = count
    return max(sorted(weights), key=lambda name: weights[name], default=None)


def managers(live: Mapping[str, Any] | None) -> frozenset[str]:
    """Return the field managers that the object names; none where it is not there."""
    entries = live.get("metadata", {}).get("managedFields", ()) if live is not None else ()
    return frozenset(str(entry.get("manager", "")) for entry in entries)


def wrote(live: Mapping[str, Any], names: Sequence[str], paths: Iterable[str]) -> bool:
    """Tell whether one of these managers set fields at or under these JSON pointers. Where an object names none of
    them, nobody can tell which fields are theirs: then all are.
    """
    entries = [e for e in live["metadata"].get("managedFields", ()) if e.get("manager") in names]
    pointers = [_keys(path) for path in paths]
    return not entries or any(_within(e.get("fieldsV1", {}), keys) is not None for e in entries for keys in pointers)


def last_writer(live: Mapping[str, Any], paths: Iterable[str]) -> str:
    """Say who wrote at or under these JSON pointers last, as managedFields tell; empty where they do not."""
    pointers = [_keys(path) for path in paths]
    found = [
        (str(entry.get("time", "")), str(entry.get("manager", ""))[:128])
        for entry in live["metadata"].get("managedFields", ())
        if any(_within(entry.get("fieldsV1", {}), keys) is not None for keys in pointers)
    ]
    when, who = max(found, default=("", ""))
    return f"{who} wrote it at {when}" if when else who


def handed_back(entries: Sequence[Mapping[str, Any]], ours: frozenset[str], owner: str | None) -> list[Json]:
    """Return the JSON Patch that removes our entries and gives their fields to the owner; empty if there are none."""
    mine = [i for i, entry in enumerate(entries) if entry.get("manager") in ours]
    ops: list[Json] = []
    heir = next((i for i, e in enumerate(entries) if _is_heir(e, owner)), None)
    if heir is not None and mine:
        merged: Fields = entries[heir].get("fieldsV1", {})
        for i in mine:
            merged = union(merged, entries[i].get("fieldsV1", {}))
        ops.append({"op": "replace", "path": f"/metadata/managedFields/{heir}/fieldsV1", "value": merged})
    ops += [{"op": "remove", "path": f"/metadata/managedFields/{i}"} for i in reversed(mine)]
    return ops


def union(left: Fields, right: Fields) -> Json:
    """Return the union of two FieldsV1 sets."""
    out = dict(left)
    for key, value in right.items():
        out[key] = union(out[key], value) if key in out else value
    return out


def _is_heir(entry: Mapping[str, Any], owner: str | None) -> bool:
    return entry.get("manager") == owner and entry.get("operation") == "Apply" and not entry.get("subresource")


def _keys(pointer: str) -> list[str]:
    parts = pointer.strip("/").split("/")
    return ["f:" + part.replace("~1", "/").replace("~0", "~") for part in parts]


def _within(fields: Fields, keys: Sequence[str]) -> Fields | None:
    for key in keys:
        if key not in fields:
            return None
        fields = fields[key]
    return fields


def _size(fields: Fields) -> int:
    return 1 + sum(_size(value) for value in fields.values())
