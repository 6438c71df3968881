"""Agents on real pods: from the beginning of trouble to the order that stops it, and cuts among healthy conversations.

Every fault of the sample workload is switched on so many times, for a conversation of its own; time runs from its
beginning (rounds that are not yet repetitions included) until `act` has written the order. What Hemostat leaves to a
person is approved at once, and marked so. Then only healthy conversations run, twins of the faults: every order is a
false cut. Needs a cluster that is up (KUBECONFIG).

    eval "$(.venv/bin/python -m hemostat_chaos.cluster env --name bench)"
    .venv/bin/python tests/bench/agents_on_pods.py
"""

import argparse
import itertools
import json
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from bounds import poisson_upper

from hemostat.api.meta import is_true
from hemostat.api.remediation import Remediation
from hemostat.api.resources import REMEDIATION, WATCH
from hemostat.api.watch import Watch
from hemostat.cli.timeline import waiting_for_a_person
from hemostat.clock import SystemClock
from hemostat.errors import HemostatError, Retry
from hemostat.guard.orders import CONFIG_MAP
from hemostat.kube import Kube, path_of
from hemostat_chaos.agents.kinds import KINDS, TROUBLES
from hemostat_chaos.agents.lab import ByApiServer, Lab
from hemostat_chaos.cluster.paths import project_root
from hemostat_chaos.demo.agents import NAMESPACE, NEEDED
from hemostat_chaos.demo.command import APPROVER
from hemostat_chaos.demo.kubectl import Kubectl
from hemostat_chaos.demo.ready import not_ready
from hemostat_chaos.experiment import people
from hemostat_chaos.experiment.waiting import Waiter, print_line

OUT = project_root() / "build" / "bench" / "agents_on_pods.json"
GOAL_SECONDS = 15.0
DEADLINE_SECONDS = 240.0
OBJECTS = "incidents.hemostat.dev,remediations.hemostat.dev,approvals.hemostat.dev"
FOLDERS = ("operator/deploy", "chaos/agents", "chaos/agents/hemostat")
TWINS_PER_MINUTE = 20.0


class Bench:
    """The agents without work that comes by itself: what runs is what is begun here."""

    def __init__(self) -> None:
        self._kube, self._kubectl = Kube.connect(), Kubectl(project_root())
        self._waiter = Waiter(SystemClock(), time.sleep, print_line)
        self._approver = APPROVER.connect()
        self.lab = Lab(ByApiServer(self._kubectl, NAMESPACE))

    def prepare(self) -> None:
        """Install everything that the agents need, and wait until it is up."""
        self._kubectl("apply", "--server-side", "--force-conflicts", "-f", "crds")
        for folder in FOLDERS:
            self._kubectl("apply", "--server-side", "--force-conflicts", "-k", folder)
        self._kubectl("set", "env", "-n", NAMESPACE, "deployment/planner", "AGENTS_RATE=0")
        self._waiter.until("the agents are up", self._missing, DEADLINE_SECONDS)

    def quiet(self) -> None:
        """Take back what is left of the last run, and wait until all Watches are well."""
        for conversation in self.lab.faulty():
            self.lab.clear(conversation)
        self._waiter.until("all is quiet", self._noisy, DEADLINE_SECONDS)

    def fault(self, name: str) -> dict[str, Any]:
        """Begin the fault; return what it took until the order was written, and what it had cost by then."""
        conversations = self.lab.inflict(name)
        began = time.time()
        approved: set[str] = set()
        found: list[Remediation] = []

        def unordered() -> str | None:
            mine = [r for r in self._remediations() if _about(r, conversations)]
            self._approve(mine, approved)
            found[:] = [r for r in mine if r.status.results]
            return None if found else f"no order; {len(mine)} proposed"

        self._waiter.until(f"order against {name}", unordered, DEADLINE_SECONDS)
        tokens = sum(self.lab.spent(c) for c in conversations)
        first = min(found, key=lambda r: r.status.results[0].time)
        return {
            "seconds": round(first.status.results[0].time.timestamp() - began, 1),
            "proposed_after": round(first.metadata.creation_timestamp.timestamp() - began, 1),
            "tokens": tokens,
            "action": first.spec.action,
            "by_a_person": first.metadata.name in approved,
        }

    def orders(self) -> dict[str, str]:
        """Return the orders in force."""
        live = self._kube.get(path_of("v1", "ConfigMap", NAMESPACE, CONFIG_MAP))
        return dict(live.get("data") or {})

    def forget(self) -> None:
        """Take every order back and delete what was written of it: the next run is none of its business."""
        self._kubectl("delete", OBJECTS, "-n", NAMESPACE, "--all", "--timeout=30s")
        self._kube.merge_patch(path_of("v1", "ConfigMap", NAMESPACE, CONFIG_MAP), {"data": None}, "bench")

    def told(self) -> Sequence[str]:
        """Return what the Watches say fires now."""
        return [str(w.status.last_signal) for w in self._watches() if w.status.firing]

    def _noisy(self) -> str | None:
        self.forget()
        loud = [w.metadata.name for w in self._watches() if not is_true(w.status.conditions, "Healthy")]
        return f"{', '.join(loud)} not well" if loud else None

    def _watches(self) -> list[Watch]:
        return [Watch.model_validate(w) for w in self._kube.list(WATCH.path(NAMESPACE))]

    def _remediations(self) -> list[Remediation]:
        return [Remediation.model_validate(r) for r in self._kube.list(REMEDIATION.path(NAMESPACE))]

    def _approve(self, remediations: Sequence[Remediation], approved: set[str]) -> None:
        for remediation in remediations:
            if remediation.metadata.name not in approved and waiting_for_a_person(remediation):
                try:
                    people.approve(self._approver, remediation, "bench")
                except Retry:
                    continue
                approved.add(remediation.metadata.name)

    def _missing(self) -> str | None:
        deployments = self._kube.list(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments")
        pods = self._kube.list(f"/api/v1/namespaces/{NAMESPACE}/pods")
        return not_ready(deployments, pods, NEEDED[NAMESPACE])


def _about(remediation: Remediation, conversations: Sequence[str]) -> bool:
    """Tell whether its orders name one of the conversations, or an edge as a whole."""
    plan = remediation.status.plan
    return plan is not None and (" in " not in plan.summary or any(c in plan.summary for c in conversations))


def faults(bench: Bench, names: Sequence[str], repeats: int) -> dict[str, Any]:
    """Switch every fault on so many times; return the figures by fault."""
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    missed: dict[str, list[str]] = {name: [] for name in names}
    for _, name in itertools.product(range(repeats), names):
        try:
            bench.quiet()
            run = bench.fault(name)
        except HemostatError as error:
            missed[name].append(str(error))
            print_line(f"{name:16} MISSED: {error}")
            continue
        runs[name].append(run)
        print_line(f"{name:16} {run['seconds']:5.1f} s  {run}")
    return {
        name: {
            "median": statistics.median(r["seconds"] for r in found) if found else None,
            "tokens_median": statistics.median(r["tokens"] for r in found) if found else None,
            "runs": found,
            "missed": missed[name],
        }
        for name, found in runs.items()
    }


def twins(bench: Bench, minutes: float) -> dict[str, Any]:
    """Run healthy conversations alone for so long; return the figures."""
    bench.quiet()
    began, kinds = time.monotonic(), itertools.cycle(KINDS)
    begun = 0
    cuts: dict[str, str] = {}
    told: Counter[str] = Counter()
    before: frozenset[str] = frozenset()
    while (elapsed := time.monotonic() - began) < minutes * 60:
        try:
            if begun < elapsed * TWINS_PER_MINUTE / 60:
                bench.lab.begin(next(kinds))
                begun += 1
            for key, order in bench.orders().items():
                if key not in cuts:
                    print_line(f"{elapsed:6.0f} s  FALSE CUT {order}")
                cuts[key] = order
            now = frozenset(bench.told())
            told.update(now - before)
            before = now
        except HemostatError as error:
            print_line(f"{elapsed:6.0f} s  could not look: {error}")
        time.sleep(0.5)
    hours = minutes / 60
    return {
        "minutes": minutes,
        "begun": begun,
        "states": bench.lab.board()["counts"],
        "cuts": len(cuts),
        "orders": list(cuts.values()),
        "cuts_per_hour_upper_95": poisson_upper(len(cuts), hours),
        "told": dict(told),
    }


def main() -> int:
    """Run, print, write build/bench/agents_on_pods.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=60.0, help="of healthy conversations")
    parser.add_argument("--only", action="append", choices=TROUBLES, help="this fault alone; repeatable")
    options = parser.parse_args()
    bench = Bench()
    bench.prepare()
    by_fault = faults(bench, options.only or list(TROUBLES), options.repeats)
    alone = [r["seconds"] for f in by_fault.values() for r in f["runs"] if not r["by_a_person"]]
    figures = {
        "repeats": options.repeats,
        "goal_seconds": GOAL_SECONDS,
        "median_without_a_person": statistics.median(alone) if alone else None,
        "faults": by_fault,
        "twins": twins(bench, options.minutes) if options.minutes else None,
    }
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps({"agents_on_pods": figures}, indent=2) + "\n", encoding="utf-8")
    print_line(json.dumps(figures, indent=2))
    false_cuts = figures["twins"]["cuts"] if figures["twins"] else 0
    met = bool(alone) and statistics.median(alone) <= GOAL_SECONDS
    return 0 if met and not false_cuts and not any(f["missed"] for f in by_fault.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
