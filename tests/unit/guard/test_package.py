"""An application installs the guard without the operator: what it imports is bounded, by name."""

import ast
import sys
from pathlib import Path

import pytest

HEMOSTAT = Path(__file__).parents[3] / "operator/hemostat"
ALLOWED = {"opentelemetry", "pybreaker"}
NOT_BROUGHT_BY_THE_SDK = ("opentelemetry.exporter", "opentelemetry.proto", "opentelemetry.instrumentation")


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where they lead"
            yield node.module


@pytest.mark.parametrize("path", sorted((HEMOSTAT / "guard").glob("**/*.py")), ids=lambda path: path.name)
def test_a_module_of_the_guard_imports_the_standard_library_the_sdk_and_pybreaker_only(path):
    for name in imported(path):
        root = name.partition(".")[0]
        assert name.startswith("hemostat.guard") or root in ALLOWED or root in sys.stdlib_module_names, name
        assert not name.startswith(NOT_BROUGHT_BY_THE_SDK), name


def test_the_package_above_it_imports_nothing():
    assert list(imported(HEMOSTAT / "__init__.py")) == []
