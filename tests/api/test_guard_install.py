"""The guard in a fresh virtual environment that has the OpenTelemetry SDK and pybreaker, and nothing else."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NEEDED = (
    "opentelemetry-sdk",
    "opentelemetry-api",
    "opentelemetry-semantic-conventions",
    "typing-extensions",
    "pybreaker",
)
PROGRAM = """
import importlib.metadata, sys
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from hemostat.guard import EdgeCut, OrderDirectory, acting, install
from hemostat.guard.orders import Cut, render

kept = InMemoryLogRecordExporter()
logs, traces = LoggerProvider(), TracerProvider(resource=Resource({"service.name": "crew"}))
logs.add_log_record_processor(SimpleLogRecordProcessor(kept))
guard = install(tracer_provider=traces, logger_provider=logs, orders=OrderDirectory(sys.argv[1]))
attributes = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "planner"}
with traces.get_tracer("crew").start_as_current_span("invoke_agent planner", attributes=attributes):
    guard.desk.deliver({"one": render(Cut(id="one", callee="critic", until=0, reason="over"))})
    with acting("planner", "c"), guard.call("critic"), guard.wait("lock:orders"):
        print(*(record.log_record.event_name for record in kept.get_finished_logs()))
guard.shutdown()
print(*sorted(d.metadata["Name"].lower().replace("_", "-") for d in importlib.metadata.distributions()))
"""


def locked(names: tuple[str, ...]) -> str:
    """Return the lock's own lines, hashes included, of these distributions alone."""
    blocks = re.split(r"^(?=[a-z0-9])", (ROOT / "operator/requirements.lock").read_text(), flags=re.M)
    return "".join(block for block in blocks if block.partition("==")[0] in names)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("application")
    lock = directory / "requirements.lock"
    lock.write_text(locked(NEEDED))
    subprocess.run([sys.executable, "-m", "venv", directory / "venv"], check=True, timeout=120)
    python = directory / "venv/bin/python"
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    subprocess.run([*install, "--requirement", lock], check=True, timeout=300)
    (packages,) = (directory / "venv").glob("lib/python*/site-packages")
    shutil.copytree(ROOT / "operator/hemostat", packages / "hemostat", ignore=shutil.ignore_patterns("__pycache__"))
    return python


def test_it_runs_with_the_sdk_and_pybreaker_alone(python, tmp_path):
    done = subprocess.run(
        [python, "-W", "error", "-c", PROGRAM, tmp_path], capture_output=True, text=True, timeout=60, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    events, installed = done.stdout.splitlines()
    assert events.split() == ["hemostat.span.start", "hemostat.span.start"]
    assert set(NEEDED) <= set(installed.split()) <= {*NEEDED, "pip", "setuptools"}


def test_importing_it_is_light(python, tmp_path):
    """An application pays for it at every start: no more modules than the SDK's own and ours."""
    code = "import opentelemetry.sdk.trace, opentelemetry.sdk._logs, pybreaker, sys; n = len(sys.modules); "
    code += "import hemostat.guard; print(len(sys.modules) - n)"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=60, cwd=tmp_path, check=True)
    assert int(done.stdout) < 120
