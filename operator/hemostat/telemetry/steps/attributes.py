"""Attributes of OTLP as Python values, bounded (pure)."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from hemostat.telemetry.names import printable

MAX_ATTRIBUTES = 256
MAX_DEPTH = 4
MAX_ITEMS = 256
MAX_NAME = 253
"""Characters of a name that are kept."""
REDACTED = "__REDACTED__"
"""OpenInference's word for what it was told to hide: equal everywhere, and no content."""
Attributes = Mapping[str, Any]


def plain(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    """Return attributes by key; the last of several counts, as in the SDKs."""
    found: dict[str, Any] = {}
    for pair in islice(pairs, MAX_ATTRIBUTES):
        read = value(pair.value)
        if read != REDACTED:
            found[pair.key] = read
    return found


def value(any_value: AnyValue, depth: int = 0) -> Any:
    """Return the value; what is nested too deeply is None."""
    which = any_value.WhichOneof("value")
    if which is None or depth >= MAX_DEPTH:
        return None
    if which == "array_value":
        return [value(v, depth + 1) for v in any_value.array_value.values[:MAX_ITEMS]]
    if which == "kvlist_value":
        return {p.key: value(p.value, depth + 1) for p in any_value.kvlist_value.values[:MAX_ITEMS]}
    return getattr(any_value, which)


def first(attributes: Attributes, names: Iterable[str]) -> Any:
    """Return the first of these that is there and not empty; None if there is none."""
    for name in names:
        found = attributes.get(name)
        if found is not None and found != "":
            return found
    return None


def text(attributes: Attributes, *names: str) -> str:
    """Return the first of these as one printable line of bounded length; empty if there is none."""
    found = first(attributes, names)
    return "" if found is None else printable(str(found)[:MAX_NAME])


def number(attributes: Attributes, *names: str) -> int:
    """Return the first of these as a count; 0 if there is none, or it is none."""
    found = first(attributes, names)
    if isinstance(found, str) and found.isdecimal() and len(found) < 12:
        return int(found)
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found < 1 << 32:
        return 0
    return int(found)
