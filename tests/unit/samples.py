"""An incident in the middle of its life, as `observe` and `act` would have written it: fixtures of who shows it."""

from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from hemostat.api.approval import Approval
from hemostat.api.incident import Incident
from hemostat.api.remediation import Remediation

SAMPLES = Path(__file__).parent / "cli/samples.yaml"


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
