"""The incident that the command line's tests show, as `relay` tells it."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.unit.samples import approval, incident, raw, remediation  # noqa: F401 - fixtures

from hemostat.api.incident import Plot

NOW = datetime(2026, 11, 21, 6, 0, 10, tzinfo=UTC)
PLOT = {
    "unit": "%",
    "startTime": "2026-11-21T05:50:00Z",
    "seconds": [0, 60, 120, 180, 240],
    "values": ["0", "0.5", "1", "40", "58.3"],
    "high": "5",
    "firedTime": "2026-11-21T05:53:00Z",
}


@pytest.fixture
def plot() -> Plot:
    return Plot.model_validate(PLOT)


def changed(model, **fields):
    """Return the object with its status changed."""
    return model.model_copy(update={"status": model.status.model_copy(update=fields)})


def strings(blocks) -> list[str]:
    """Return every text in blocks, wherever it stands."""
    if isinstance(blocks, dict):
        own = [blocks["text"]] if isinstance(blocks.get("text"), str) else []
        return own + [s for v in blocks.values() for s in strings(v)]
    return [s for item in blocks for s in strings(item)] if isinstance(blocks, list | tuple) else []


def types(blocks) -> set[str]:
    """Return every type of block, element and text there is."""
    if isinstance(blocks, dict):
        return {str(blocks.get("type", ""))} | {t for v in blocks.values() for t in types(v)}
    return {t for item in blocks for t in types(item)} if isinstance(blocks, list | tuple) else set()


def pressing(blocks) -> dict[str, Any]:
    """Return the buttons by their names."""
    return {e["action_id"]: e for b in blocks if b["type"] == "actions" for e in b["elements"]}


def size(blocks) -> int:
    return len(json.dumps(blocks, ensure_ascii=False))
