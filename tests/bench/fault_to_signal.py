"""From the fault to the signal on a real cluster, for ten workload and trace faults; Prometheus scrapes every 5 s.

Time runs from the moment the fault is handed to the API server (of a bad rollout, before its pod has even started)
until the signal fires, by the times that the Incident shows. Needs a cluster that is up (KUBECONFIG).

    eval "$(.venv/bin/python -m hemostat_chaos.cluster env --name bench)"
    .venv/bin/python tests/bench/fault_to_signal.py
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from hemostat.api.incident import Incident
from hemostat.api.resources import INCIDENT, WATCH
from hemostat.api.watch import Watch
from hemostat.clock import SystemClock
from hemostat.errors import HemostatError
from hemostat.kube import Kube
from hemostat_chaos.demo import play
from hemostat_chaos.demo.kubectl import Kubectl
from hemostat_chaos.experiment.inflict import Inflictor
from hemostat_chaos.experiment.runner import Options
from hemostat_chaos.experiment.waiting import Waiter, print_line
from hemostat_chaos.experiment.workload_faults import FAULTS

ROOT = Path(__file__).parents[2]
OUT = ROOT / "build" / "bench" / "fault_to_signal.json"
NAMESPACE = "faults"
WORKLOAD_FAULTS = (
    "bad-image",
    "crash-loop",
    "out-of-memory",
    "unschedulable",
    "missing-key",
    "readiness",
    "failed-job",
)
GOAL_SECONDS = 10.0
DEADLINE_SECONDS = 90.0
QUIET_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class TraceFault:
    """A bad rollout of one service of the shop, seen by its callers' spans."""

    name: str
    service: str
    env: str
    kind: str


TRACE_FAULTS = (
    TraceFault("payment-errors", "payment", "SHOP_FAIL_PERCENT=60", "ErrorRate"),
    TraceFault("payment-latency", "payment", "SHOP_EXTRA_LATENCY_MS=500", "Latency"),
    TraceFault("catalog-errors", "catalog", "SHOP_FAIL_PERCENT=60", "ErrorRate"),
)


class Bench:
    """The shop with target-only Watches and no Runbooks: nothing heals it but us."""

    def __init__(self) -> None:
        self._kube, self._kubectl = Kube.connect(), Kubectl(ROOT)
        self._waiter = Waiter(SystemClock(), time.sleep, print_line)

    def prepare(self) -> None:
        """Install everything and wait for a learned baseline."""
        stage = play.Stage(ROOT, self._kube, self._kubectl, self._waiter, Options(), steps=3)
        play.install(stage, restart=True)
        play.wait_ready(stage)
        play.wait_baseline(stage)
        self._kubectl("delete", "runbooks.hemostat.dev,watches.hemostat.dev", "-n", play.SHOP, "--all")
        for service in sorted({f.service for f in TRACE_FAULTS}):
            self._kube.apply(WATCH.path(play.SHOP, service), _watch(service), "bench")
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        self._kube.apply(f"/api/v1/namespaces/{NAMESPACE}", namespace, "bench")

    def workload(self, name: str) -> float:
        """Inflict one workload fault; return the seconds until its signal fired."""
        fault = next(f for f in FAULTS if f.name == name)
        inflictor = Inflictor(self._kube, self._kubectl, self._waiter, NAMESPACE)
        try:
            inflictor.prepare(fault)
            return inflictor.wait(fault, inflictor.inflict(fault)).seconds
        finally:
            inflictor.take_away(fault)
            self._kubectl("delete", "incidents.hemostat.dev", "-n", NAMESPACE, "--all")
            self._until("its objects are gone", lambda: self._remains(name), 60.0)

    def trace(self, fault: TraceFault) -> float:
        """Roll out a bad version; return the seconds until the signal fired."""
        self._until(f"the shop is quiet before {fault.name}", self._noisy, QUIET_SECONDS)
        began = self._waiter.clock.now()
        self._kubectl("set", "env", f"deployment/{fault.service}", "-n", play.SHOP, fault.env)
        try:
            self._until(f"signal of {fault.name}", lambda: self._unseen(fault, began), DEADLINE_SECONDS)
            fired = self._fired(fault, began)
            assert fired is not None
            return (fired - began).total_seconds()
        finally:
            name = fault.env.split("=")[0]
            self._kubectl("set", "env", f"deployment/{fault.service}", "-n", play.SHOP, f"{name}-")

    def _until(self, what: str, missing: Callable[[], str | None], seconds: float) -> None:
        self._waiter.until(what, missing, seconds)

    def _remains(self, name: str) -> str | None:
        pods = self._kube.list(f"/api/v1/namespaces/{NAMESPACE}/pods", labelSelector=f"app={name}")
        return f"{len(pods)} pods" if pods else None

    def _noisy(self) -> str | None:
        for item in self._kube.list(WATCH.path(play.SHOP)):
            watch = Watch.model_validate(item)
            healthy = next((c for c in watch.status.conditions if c.type == "Healthy"), None)
            if healthy is None or healthy.status != "True":
                return f"Watch {watch.metadata.name}: {healthy.message if healthy else 'new'}"
        open_ = [i.metadata.name for i in self._incidents() if not _resolved(i)]
        return f"{open_[0]} is open" if open_ else None

    def _unseen(self, fault: TraceFault, since: datetime) -> str | None:
        return None if self._fired(fault, since) else "nothing fired"

    def _fired(self, fault: TraceFault, since: datetime) -> datetime | None:
        times = [
            s.state_time
            for i in self._incidents()
            for s in i.status.signals
            if s.kind == fault.kind and fault.service in s.subject and s.state == "Firing" and s.state_time > since
        ]
        return min(times, default=None)

    def _incidents(self) -> list[Incident]:
        return [Incident.model_validate(i) for i in self._kube.list(INCIDENT.path(play.SHOP))]


def _resolved(incident: Incident) -> bool:
    return any(c.type == "Resolved" and c.status == "True" for c in incident.status.conditions)


def _watch(service: str) -> dict[str, Any]:
    return {
        "apiVersion": "hemostat.dev/v1alpha1",
        "kind": "Watch",
        "metadata": {"name": service, "namespace": play.SHOP},
        "spec": {"target": {"kind": "Deployment", "name": service}, "intervalSeconds": 1},
    }


def run(repeats: int) -> dict[str, Any]:
    """Inflict every fault so many times; return the figures."""
    bench = Bench()
    bench.prepare()
    seconds: dict[str, list[float]] = {}
    missed: dict[str, list[str]] = {}
    todo: list[tuple[str, Callable[[], float]]] = [
        *((fault.name, partial(bench.trace, fault)) for fault in TRACE_FAULTS),
        *((name, partial(bench.workload, name)) for name in WORKLOAD_FAULTS),
    ]
    for _ in range(repeats):
        for name, inflict in todo:
            try:
                took = inflict()
            except HemostatError as error:
                missed.setdefault(name, []).append(str(error))
                print_line(f"{name:18} MISSED: {error}")
                continue
            seconds.setdefault(name, []).append(took)
            print_line(f"{name:18} {took:5.1f} s")
    per_fault = {
        name: {
            "median": statistics.median(seconds[name]) if seconds.get(name) else None,
            "seconds": [round(s, 2) for s in seconds.get(name, [])],
            "missed": missed.get(name, []),
        }
        for name, _ in todo
    }
    every = [s for found in seconds.values() for s in found]
    return {
        "repeats": repeats,
        "median_of_all": statistics.median(every),
        "worst_median": max(f["median"] or float("inf") for f in per_fault.values()),
        "goal_seconds": GOAL_SECONDS,
        "faults": per_fault,
    }


def main() -> int:
    """Run, print, write build/bench/fault_to_signal.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    figures = run(parser.parse_args().repeats)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps({"fault_to_signal": figures}, indent=2) + "\n", encoding="utf-8")
    print_line(json.dumps(figures, indent=2))
    missed = any(f["missed"] for f in figures["faults"].values())
    return 0 if not missed and figures["worst_median"] <= GOAL_SECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
