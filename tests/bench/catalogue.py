"""How long the plan of every action takes, on the worlds that its own unit tests plan on.

Run as `.venv/bin/python tests/bench/catalogue.py`; writes build/bench/catalogue.json, a row for each action: of the
slowest of its worlds the median of many plans. An action that no test plans is an error. Goal: 1 ms.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from hemostat.action.contract import Action, Draft, Params, World
from hemostat.action.registry import discover

ROOT = Path(__file__).parents[2]
OUT = ROOT / "build/bench/catalogue.json"
ROUNDS, MOST_WORLDS = 101, 200
Plan = Callable[[World, Params], Draft]
Case = tuple[World, Params]


@contextmanager
def overheard(action: Action[Any], cases: list[Case]) -> Iterator[None]:
    """Note on what an action plans, where it makes a plan."""
    plan: Plan = action.plan

    def noted(world: World, params: Params) -> Draft:
        draft = plan(world, params)
        if len(cases) < MOST_WORLDS:
            cases.append((world, params))
        return draft

    object.__setattr__(action, "plan", noted)
    try:
        yield
    finally:
        object.__setattr__(action, "plan", plan)


def milliseconds(plan: Plan, world: World, params: Params) -> float:
    """Return the median time of one plan."""
    took = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        plan(world, params)
        took.append(time.perf_counter() - begun)
    return 1000 * median(took)


def main() -> None:
    """Measure, write and print."""
    actions = list(discover().values())
    known: dict[str, list[Case]] = {action.name: [] for action in actions}
    with ExitStack() as stack:
        for action in actions:
            stack.enter_context(overheard(action, known[action.name]))
        failed = pytest.main(["-q", "-p", "no:cacheprovider", str(ROOT / "tests/unit/action")])
    if failed:
        raise SystemExit("the tests whose worlds are measured do not pass")
    if unplanned := [name for name, cases in known.items() if not cases]:
        raise SystemExit(f"no unit test plans {', '.join(unplanned)}")
    rows = {
        action.name: {
            "worlds": len(known[action.name]),
            "plan_ms": round(max(milliseconds(action.plan, *case) for case in known[action.name]), 3),
            "undone": not action.irreversible,
        }
        for action in actions
    }
    found = {"plan_ms_max": max(row["plan_ms"] for row in rows.values()), "actions": rows}
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(found, indent=1) + "\n")
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
