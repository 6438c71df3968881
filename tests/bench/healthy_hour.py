"""An hour of the healthy shop under varying load and deploys: how often does Hemostat cry wolf?

Every service of the shop is watched with a target-only Watch, that is with the defaults. Load goes up and down, healthy
versions are rolled out, services are scaled, pods are evicted one at a time, as on any working day. Every signal that
fires and every Incident that opens is a false alarm. Needs a cluster that is up (KUBECONFIG).

    eval "$(.venv/bin/python -m hemostat_chaos.cluster env --name bench)"
    .venv/bin/python tests/bench/healthy_hour.py
"""

import argparse
import json
import math
import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from bounds import poisson_upper

from hemostat.api.resources import INCIDENT, WATCH
from hemostat.clock import SystemClock
from hemostat.errors import HemostatError
from hemostat.kube import Kube
from hemostat_chaos.demo import play
from hemostat_chaos.demo.kubectl import Kubectl
from hemostat_chaos.experiment.runner import Options
from hemostat_chaos.experiment.waiting import Waiter, print_line

ROOT = Path(__file__).parents[2]
OUT = ROOT / "build" / "bench" / "healthy_hour.json"
SERVICES = ("frontend", "catalog", "checkout", "inventory", "payment")
SECONDS_BETWEEN_CHANGES = 45.0
POLL_SECONDS = 1.0
SEED = 20261121


def watches() -> list[dict[str, Any]]:
    """Return a target-only Watch for each service."""
    return [
        {
            "apiVersion": "hemostat.dev/v1alpha1",
            "kind": "Watch",
            "metadata": {"name": f"healthy-{name}", "namespace": play.SHOP},
            "spec": {"target": {"kind": "Deployment", "name": name}},
        }
        for name in SERVICES
    ]


class Day:
    """A working day of the shop, seeded: what its owners do."""

    def __init__(self, kubectl: Kubectl) -> None:
        self._kubectl = kubectl
        self._random = random.Random(SEED)
        self._version = 1
        self._replicas = dict.fromkeys(SERVICES, 0)

    def change(self, elapsed: float) -> str:
        """Do the next thing; return what it was."""
        what = self._random.choice(("load", "load", "deploy", "scale", "evict"))
        service = self._random.choice(SERVICES)
        return {"load": self._load, "deploy": self._deploy, "scale": self._scale, "evict": self._evict}[what](
            service, elapsed
        )

    def _load(self, _: str, elapsed: float) -> str:
        wave = 10 + 4 * math.sin(2 * math.pi * elapsed / 1200) + self._random.uniform(-1.5, 1.5)
        self._kubectl("set", "env", "deployment/load", "-n", play.SHOP, f"SHOP_RPS={wave:.1f}")
        return f"load {wave:.1f} requests/s"

    def _deploy(self, service: str, _: float) -> str:
        self._version += 1
        self._kubectl("set", "env", f"deployment/{service}", "-n", play.SHOP, f"SHOP_VERSION=1.{self._version}")
        return f"deploy {service} 1.{self._version}"

    def _scale(self, service: str, _: float) -> str:
        more = self._replicas[service] == 0
        self._replicas[service] = 1 if more else 0
        count = 3 if more else 2
        self._kubectl("scale", f"deployment/{service}", "-n", play.SHOP, f"--replicas={count}")
        return f"scale {service} to {count}"

    def _evict(self, service: str, _: float) -> str:
        selector = f"app.kubernetes.io/name={service}"
        pods = self._kubectl("get", "pods", "-n", play.SHOP, "-l", selector, "-o", "name").split()
        if len(pods) < 2:
            return f"{service} has one pod: left alone"
        self._kubectl("delete", self._random.choice(pods), "-n", play.SHOP, "--wait=false")
        return f"delete a pod of {service}"


def firing(kube: Kube) -> dict[str, str]:
    """Return what each Watch says fires now."""
    found = {}
    for watch in kube.list(WATCH.path(play.SHOP)):
        status = watch.get("status", {})
        if status.get("firing", 0):
            found[watch["metadata"]["name"]] = str(status.get("lastSignal"))
    return found


def run(minutes: float) -> dict[str, Any]:
    """Watch a healthy shop for so long; return the figures."""
    kube, kubectl = Kube.connect(), Kubectl(ROOT)
    waiter = Waiter(SystemClock(), time.sleep, print_line)
    stage = play.Stage(ROOT, kube, kubectl, waiter, Options(), steps=3)
    play.install(stage, restart=True)
    play.wait_ready(stage)
    play.wait_baseline(stage)
    for manifest in watches():
        kube.apply(WATCH.path(play.SHOP, manifest["metadata"]["name"]), manifest, "bench")
    day, began, next_change = Day(kubectl), time.monotonic(), SECONDS_BETWEEN_CHANGES
    before: dict[str, str] = {}
    signals: list[dict[str, Any]] = []
    changes: Counter[str] = Counter()
    lost = 0
    while (elapsed := time.monotonic() - began) < minutes * 60:
        if elapsed >= next_change:
            said = day.change(elapsed)
            changes[said.split()[0]] += 1
            print_line(f"{elapsed:6.0f} s  {said}")
            next_change += SECONDS_BETWEEN_CHANGES
        try:
            now = firing(kube)
        except HemostatError as error:
            lost += 1
            print_line(f"{elapsed:6.0f} s  could not look: {error}")
            now = before
        for name, what in now.items():
            if name not in before:
                signals.append({"seconds": round(elapsed), "watch": name, "signal": what})
                print_line(f"{elapsed:6.0f} s  FALSE ALARM {name}: {what}")
        before = now
        time.sleep(POLL_SECONDS)
    incidents = [i["spec"]["title"] for i in kube.list(INCIDENT.path(play.SHOP))]
    for manifest in watches():
        kubectl("delete", "watch.hemostat.dev", manifest["metadata"]["name"], "-n", play.SHOP)
    hours = minutes / 60
    return {
        "minutes": minutes,
        "watches": len(SERVICES) + 2,
        "changes": dict(changes),
        "polls_lost": lost,
        "incidents": len(incidents),
        "incident_titles": incidents,
        "incidents_per_hour": len(incidents) / hours,
        "incidents_per_hour_upper_95": poisson_upper(len(incidents), hours),
        "watches_that_began_to_fire": len(signals),
        "signals": signals,
    }


def main() -> int:
    """Run, print, write build/bench/healthy_hour.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    figures = run(parser.parse_args().minutes)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps({"healthy_hour": figures}, indent=2) + "\n", encoding="utf-8")
    print_line(json.dumps(figures, indent=2))
    return 0 if figures["incidents"] == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
