"""The incident that the command line's tests show, as `relay` tells it."""

import json
from copy import deepcopy
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from hemostat.api.approval import Approval
from hemostat.api.incident import Incident, Plot
from hemostat.api.remediation import Remediation

SAMPLES = Path(__file__).parents[1] / "cli/samples.yaml"
NOW = datetime(2026, 11, 21, 6, 0, 10, tzinfo=UTC)
PLOT = {
    "unit": "%",
    "startTime": "2026-11-21T05:50:00Z",
    "seconds": [0, 60, 120, 180, 240],
    "values": ["0", "0.5", "1", "40", "58.3"],
    "high": "5",
    "firedTime": "2026-11-21T05:53:00Z",
}


@cache
def _load() -> dict[str, Any]:
    return {item["kind"]: item for item in yaml.safe_load_all(SAMPLES.read_text(encoding="utf-8"))}


@pytest.fixture
def raw() -> dict[str, Any]:
    return deepcopy(_load())


@pytest.fixture
def incident(raw) -> Incident:
    return Incident.model_validate(raw["Incident"])


@pytest.fixture
def remediation(raw) -> Remediation:
    return Remediation.model_validate(raw["Remediation"])


@pytest.fixture
def approval(raw) -> Approval:
    return Approval.model_validate(raw["Approval"])


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
