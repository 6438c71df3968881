"""`python -m hemostat_chaos.demo`: everything from a cluster that is up to three healed incidents."""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from kubernetes import config

from hemostat.clock import SystemClock
from hemostat.errors import HemostatError, Refused
from hemostat.kube import Kube
from hemostat_chaos.cluster.locks import held
from hemostat_chaos.cluster.paths import project_root
from hemostat_chaos.demo import kill, play
from hemostat_chaos.demo.agents import NAMESPACE, TURN, Pair
from hemostat_chaos.demo.kubectl import Kubectl
from hemostat_chaos.demo.owner import Proof
from hemostat_chaos.demo.report import About, report, summary
from hemostat_chaos.demo.tokens import saved
from hemostat_chaos.experiment.people import Person
from hemostat_chaos.experiment.record import Result
from hemostat_chaos.experiment.runner import Options
from hemostat_chaos.experiment.waiting import Waiter, print_error, print_line

APPROVER = Person("sre@example.com", "sre")
INTERN = Person("intern@example.com")


def main(arguments: Sequence[str]) -> int:
    """Run the demonstration; 0: everything healed, 1: not, 2: it could not be run."""
    options = _parser().parse_args(arguments)
    began = time.monotonic()
    try:
        kills = [kill.parse(text) for text in options.kill]
        stage = _stage(options, kills)
        about = play.about(stage, _context(options.context))
        versions = ", ".join(f"{k} {v}" for k, v in about.versions.items())
        print_line(f"Cluster {about.cluster_name} ({about.cluster_kind}); {versions}")
        with held(project_root() / "build" / "demo" / "lock", busy=_busy):
            return _perform(stage, about, began, options)
    except HemostatError as error:
        print_error(f"error: {error}")
        return 2


def _perform(stage: play.Stage, about: About, began: float, options: argparse.Namespace) -> int:
    chosen = _chosen(options)
    results: list[Result] = []
    proofs: list[Proof] = []
    try:
        play.install(stage, restart=options.restart)
        play.wait_ready(stage)
        play.wait_baseline(stage)
        for name in chosen:
            result, proof = _turn(stage, name)
            results.append(result)
            proofs.append(proof)
            if not result.passed:
                break  # the next one would not find a steady state
    finally:
        stage.phases["total"] = time.monotonic() - began
        account = saved(stage.pair.costs) if stage.pair is not None else None
        whole = report(about, results, proofs, stage.phases, len(chosen), account)
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")
    for line in summary(whole):
        print_line(line)
    print_line(f"Report: {options.output}; more: kubectl hemostat incidents -n {play.SHOP} (or -n {NAMESPACE})")
    return 0 if whole["healed"] else 1


def _stage(options: argparse.Namespace, kills: Sequence[kill.Kill]) -> play.Stage:
    kube, kubectl = Kube.connect(context=options.context), Kubectl(project_root(), options.context)
    people = Options(
        approver=APPROVER.connect(context=options.context), refused=INTERN.connect(context=options.context)
    )
    waiter = Waiter(SystemClock(), time.sleep, print_line)
    at = kill.killer(kills, kube, kubectl, waiter.say)
    chosen = _chosen(options)
    pair = Pair.connect(kubectl, time.monotonic) if TURN in chosen else None
    return play.Stage(project_root(), kube, kubectl, waiter, replace(people, at=at), 3 + 2 * len(chosen), pair)


def _chosen(options: argparse.Namespace) -> list[str]:
    return [name for name in play.FILES if name in (options.only or [name])]


def _turn(stage: play.Stage, name: str) -> tuple[Result, Proof]:
    if stage.pair is not None and name == TURN:
        return play.perform_agents(stage, stage.pair)
    return play.perform(stage, name, dict(play.EXPERIMENTS)[name])


def _busy(holder: str) -> None:
    raise Refused("Busy", f"a demonstration is running already, and two would undo each other's faults: {holder}")


def _context(chosen: str | None) -> str:
    _, active = config.list_kube_config_contexts()  # type: ignore[no-untyped-call]
    return chosen or str(active["name"])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m hemostat_chaos.demo", description=__doc__)
    parser.add_argument("--context", help="context of the kubeconfig instead of the current one")
    parser.add_argument(
        "--kill",
        action="append",
        default=[],
        metavar="PROCESS[@MOMENT]",
        help="kill observe or act after each injection and approval, or @injection or @approval only; repeatable",
    )
    parser.add_argument(
        "--only", action="append", choices=list(play.FILES), help="run this experiment alone; repeatable"
    )
    parser.add_argument("--restart", action="store_true", help="replace Hemostat's pods first (newly loaded image)")
    parser.add_argument("--output", type=Path, default=project_root() / "build" / "demo" / "report.json")
    return parser
