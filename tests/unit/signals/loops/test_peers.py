"""The peers' rules fire where their descriptions say (agent-telemetry.md, section 4), so that beating them counts."""

import importlib.util
import sys
from itertools import cycle, islice
from pathlib import Path

import pytest
from tests.unit.signals.loops.talks import steps

from hemostat.telemetry.steps import Failure


def _module():
    path = Path(__file__).resolve().parents[3] / "bench" / "agents_peers.py"
    spec = importlib.util.spec_from_file_location("agents_peers", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


PEERS = _module()


def alarms(*changes):
    found = PEERS.peers(steps(*changes))
    return {name: alarm.calls if alarm else None for name, alarm in found.items()}


def periodic(period, n=60):
    return list(islice(cycle([{"peer": f"t{i}"} for i in range(period)]), n))


@pytest.mark.parametrize(
    ("period", "openhands", "gemini"), [(1, 4, 5), (2, 6, 10), (3, None, 15), (5, None, 25), (6, None, None)]
)
def test_periods(period, openhands, gemini):
    assert alarms(*periodic(period)) == {"OpenHands": openhands, "gemini-cli": gemini}


def test_polling_whose_results_change_is_a_loop_for_one_that_ignores_results():
    assert alarms(*({"result": i} for i in range(20))) == {"OpenHands": None, "gemini-cli": 5}


def test_errors_that_differ_and_noise():
    assert alarms(*({"failed": Failure.OTHER, "result": i} for i in range(9))) == {"OpenHands": 4, "gemini-cli": 5}
    noisy = [{"peer": f"n{i}"} if i % 5 == 4 else {"peer": "ab"[i % 2]} for i in range(40)]
    assert alarms(*noisy) == {"OpenHands": None, "gemini-cli": None}
    assert alarms(*({"asked": i} for i in range(20))) == {"OpenHands": None, "gemini-cli": None}
