"""The generator and the detectors share no code; import-linter says so too, but knows the package by one name only."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[3]
WORLD = ROOT / "tests/bench/agentworld"


def imported(path: Path) -> set[str]:
    """Return the first part of every absolute import of a file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").partition(".")[0])
    return found


def test_the_world_imports_nothing_of_the_project():
    files = list(WORLD.rglob("*.py"))
    assert len(files) > 20
    ours = {"hemostat", "hemostat_remediations", "hemostat_chaos"}
    assert [path for path in files if imported(path) & ours] == []


def test_the_project_imports_nothing_of_the_world():
    files = [path for root in ("operator", "remediations", "chaos") for path in (ROOT / root).rglob("*.py")]
    assert len(files) > 100
    named = [path for path in files if "agentworld" in path.read_text()]
    assert [path for path in named if imported(path) & {"agentworld", "tests"}] == []


def test_simulated_time_only():
    clocks = {"time", "datetime", "random", "threading", "asyncio", "socket"}
    assert [path for path in WORLD.rglob("*.py") if imported(path) & clocks] == []
