"""What the live target says of itself, as far as the gate asks (pure)."""

from collections.abc import Mapping
from typing import Any

from hemostat.gate.input import TargetFacts


def told_by(live: Mapping[str, Any]) -> TargetFacts:
    """Return what can be read of an object; what is not as it should be is None."""
    meta = live.get("metadata", {})
    return TargetFacts(labels=_texts(meta.get("labels", {})))


def _texts(value: Any) -> dict[str, str] | None:
    """Return labels or annotations; the API server leaves empty ones out, or says null."""
    if value is None:
        return {}
    if isinstance(value, Mapping) and all(isinstance(part, str) for item in value.items() for part in item):
        return dict(value)
    return None
