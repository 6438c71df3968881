"""Top-level folders are source roots, never packages: `operator` must stay the standard library's."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("folder", ["operator", "remediations", "chaos", "tests", "tests/unit"])
def test_a_source_root_is_no_package(folder):
    assert (ROOT / folder).is_dir()
    assert not (ROOT / folder / "__init__.py").exists()


def test_tests_are_no_packages():
    """The world of agents is no test but a package that mypy and import-linter read."""
    world = ROOT / "tests/bench/agentworld"
    assert [found for found in (ROOT / "tests").rglob("__init__.py") if world not in found.parents] == []


@pytest.mark.parametrize("arguments", [["-c"], ["-P", "-c"]])
def test_a_fresh_interpreter_started_here_has_the_operator_of_the_standard_library(arguments):
    code = "import operator; operator.eq; import hemostat; print(operator.__file__, hemostat.__file__, sep='\\n')"
    done = subprocess.run(
        [sys.executable, *arguments, code], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    )
    standard, ours = map(Path, done.stdout.splitlines())
    assert ROOT not in standard.parents
    assert ours == ROOT / "operator/hemostat/__init__.py"


def test_every_package_carries_its_types():
    assert (ROOT / "operator/hemostat/py.typed").exists()
    assert (ROOT / "remediations/hemostat_remediations/py.typed").exists()
