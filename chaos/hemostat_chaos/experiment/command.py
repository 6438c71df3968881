"""`python -m hemostat_chaos.experiment FILE...`: run experiments on the cluster of the kubeconfig."""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from hemostat.clock import SystemClock
from hemostat.errors import HemostatError, Refused
from hemostat.kube import Kube
from hemostat_chaos.agents.lab import ByApiServer, Lab
from hemostat_chaos.cluster.paths import project_root
from hemostat_chaos.demo.kubectl import Kubectl
from hemostat_chaos.experiment.people import Person
from hemostat_chaos.experiment.record import Result
from hemostat_chaos.experiment.runner import STEADY_DEADLINE_SECONDS, Options, Runner
from hemostat_chaos.experiment.waiting import Waiter, print_error, print_line
from hemostat_chaos.experiment.world import World

Json = dict[str, Any]


def main(arguments: Sequence[str]) -> int:
    """Run every experiment; 0: all passed, 1: one did not, 2: something else is wrong."""
    options = _parser().parse_args(arguments)
    try:
        manifests = [m for path in options.files for m in load(path)]
        kube = Kube.connect(options.kubeconfig, options.context)
        results = [_run(kube, manifest, options) for manifest in manifests]
    except HemostatError as error:
        print_error(f"error: {error}")
        return 2
    if options.output is not None:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps([r.report() for r in results], indent=2) + "\n", encoding="utf-8")
    return 0 if results and all(r.passed for r in results) else 1


def load(path: Path) -> list[Json]:
    """Read ChaosExperiments from a file. `Refused` (BadFile) when there is something else in it."""
    try:
        found = [m for m in yaml.safe_load_all(path.read_text(encoding="utf-8")) if m is not None]
    except (OSError, yaml.YAMLError) as error:
        raise Refused("BadFile", f"{path}: {error}") from error
    wrong = [m for m in found if not isinstance(m, dict) or m.get("kind") != "ChaosExperiment"]
    if wrong or not found:
        raise Refused("BadFile", f"{path} must hold ChaosExperiments and nothing else")
    return found


def tell(result: Result) -> list[str]:
    """Return the verdict as lines."""
    word = "PASSED" if result.passed else "FAILED" if result.started else "NOT STARTED"
    said = [f"{word}: {result.name}: {result.message}"]
    times = (
        ("time to detect", result.time_to_detect_seconds),
        ("time until the Incident could be read", result.time_to_see_seconds),
        ("time to recover", result.time_to_recover_seconds),
    )
    return said + [f"  {name}: {seconds:.1f} s" for name, seconds in times if seconds is not None]


def _run(kube: Kube, manifest: Json, options: argparse.Namespace) -> Result:
    namespace = manifest["metadata"].get("namespace", "default")
    kubectl = Kubectl(project_root(), options.context, options.kubeconfig)
    people = Options(
        approver=_connect(options.approve_as, options.approve_group, options),
        refused=_connect(options.refuse, None, options),
        steady_deadline_seconds=options.steady_deadline_seconds,
        lab=Lab(ByApiServer(kubectl, namespace)),
    )
    waiter = Waiter(SystemClock(), time.sleep, print_line)
    print_line(f"Experiment {manifest['metadata']['name']}")
    result = Runner(World(kube, namespace), waiter, people).run(manifest)
    for line in tell(result):
        print_line(line)
    return result


def _connect(user: str | None, group: str | None, options: argparse.Namespace) -> Kube | None:
    return Person(user, group).connect(options.kubeconfig, options.context) if user is not None else None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m hemostat_chaos.experiment", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="YAML with ChaosExperiments")
    parser.add_argument("--approve-as", metavar="USER", help="approve what waits for a person as this user")
    parser.add_argument("--approve-group", metavar="GROUP", help="the group that user is in")
    parser.add_argument("--refuse", metavar="USER", help="let this user try first; the API server must refuse")
    parser.add_argument("--steady-deadline-seconds", type=float, default=STEADY_DEADLINE_SECONDS)
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the results as JSON")
    parser.add_argument("--kubeconfig")
    parser.add_argument("--context")
    return parser
