"""How long one decision of the gate takes with many GatePolicies, of which the most that one can say is said.

Run as `.venv/bin/python tests/bench/gate.py`; writes build/bench/gate.json. The moment moves on with every decision, as
it does in `act`. When a policy is in force is worked out once a minute: the decision that does that is told apart. Also
measured with one policy: what the rest costs.
"""

import json
import sys
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.unit.builders import at, policy
from tests.unit.gate.test_checks import GOOD

from hemostat.api.gatepolicy import GatePolicy
from hemostat.api.remediation import GateOutcome
from hemostat.gate.checks import decide
from hemostat.gate.input import GateInput, PastAction

OUT = Path(__file__).parents[2] / "build/bench/gate.json"
POLICIES, PAST, ROUNDS = 100, 200, 301


def matched(number: int) -> GatePolicy:
    """Return a policy that is in force, from a weekly window of its own, and names what it is about."""
    return policy(
        f"auto-{number:03}",
        namespaces=["shop", "bank"],
        actions=["rollback", "scale"],
        risks=["Low", "Medium"],
        budget={"maxActions": 1000},
        when=[{"schedule": f"{number % 60} 0 * * 0", "timeZone": "Europe/Berlin", "durationSeconds": 604800}],
    )


def case(policies: int) -> GateInput:
    """Return what is decided: everything is as it should be, so that every check goes its whole way."""
    elsewhere = tuple(PastAction(f"p{n}", f"uid-{n}", at(-3600 - n), True, True) for n in range(PAST))
    return replace(GOOD, policies=tuple(matched(n) for n in range(policies)), past=elsewhere)


def decision_ms(facts: GateInput, step: timedelta) -> float:
    """Return the median of the processor's milliseconds for one decision, `step` after the one before."""
    took = []
    for number in range(ROUNDS):
        moment = replace(facts, now=facts.now + number * step)
        began = time.process_time_ns()
        found = decide(moment)
        took.append(time.process_time_ns() - began)
        if found.outcome is not GateOutcome.ALLOW:
            raise SystemExit(f"it was to be allowed: {[c.message for c in found.checks if c.outcome != 'Pass']}")
    return round(median(took) / 1e6, 3)


def main() -> None:
    """Measure, write and print."""
    found = {
        "policies": POLICIES,
        "past_actions": PAST,
        "decision_ms": decision_ms(case(POLICIES), timedelta(milliseconds=100)),
        "decision_ms_in_a_new_minute": decision_ms(case(POLICIES), timedelta(minutes=1)),
        "decision_ms_one_policy": decision_ms(case(1), timedelta(milliseconds=100)),
    }
    OUT.parent.mkdir(parents=True, exist_ok=True)
    before = json.loads(OUT.read_text()) if OUT.exists() else {}
    OUT.write_text(json.dumps(before | found, indent=1) + "\n")
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
