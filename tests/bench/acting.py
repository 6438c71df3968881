"""`act` on a real API server whose etcd waits for the disk: from a proposal to its effect, nobody asked.

Run as `.venv/bin/python tests/bench/acting.py`; adds to build/bench/gate.json. One proposal follows the other, each
for a Deployment of its own whose pod crashes. Time runs from before it is sent to the moment a watch of the Deployment
shows the effect. Then the same again while so many others wait for a person.
"""

import argparse
import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median, quantiles
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from kubernetes import client, watch
from tests.api import objects
from tests.api.proposals import ASK, AUTO, World
from tests.api.support import Cluster
from tests.api.test_gone import running
from urllib3.exceptions import ProtocolError

from hemostat.api.identity import ACT_USER
from hemostat_chaos.cluster.apiserver import ApiServer

OUT = Path(__file__).parents[2] / "build/bench/gate.json"
PAUSE = 0.5


@contextmanager
def effects(cluster: Cluster) -> Iterator[dict[str, float]]:
    """Watch Deployments; yield when each had two replicas first, by its name."""
    from kubernetes.config import new_client_from_config

    seen: dict[str, float] = {}
    watching = watch.Watch()
    apps = client.AppsV1Api(new_client_from_config(str(cluster.server.kubeconfig)))

    def follow() -> None:
        with suppress(ProtocolError):  # the server ends first
            for event in watching.stream(apps.list_namespaced_deployment, AUTO, _request_timeout=600):
                if event["object"].spec.replicas == 2:
                    seen.setdefault(event["object"].metadata.name, time.monotonic())

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        watching.stop()


def said(folder: Path) -> str:
    """Return the newest of what `act` has said of its work."""
    lines = (folder / "act.log").read_text().splitlines()
    return "\n".join([line for line in lines if "reconcile" in line][-5:])


def seconds(world: World, count: int, name: str, folder: Path) -> list[float]:
    """Return how long each of so many proposals took. What is applied is taken away: here nothing ever heals."""
    took = []
    with effects(world.cluster) as seen:
        time.sleep(1)
        for number in range(count):
            remediation = world.trouble(AUTO, f"{name}-{number}")
            time.sleep(PAUSE)
            proposed, begun = remediation["metadata"]["name"], time.monotonic()
            made = world.propose(remediation)
            while proposed not in seen:
                if time.monotonic() - begun > 60:
                    raise SystemExit(f"{proposed} is not applied; act says:\n{said(folder)}")
                time.sleep(0.002)
            took.append(seen[proposed] - begun)
            where = objects.KINDS["Remediation"].path(AUTO, proposed)
            world.cluster.admin.delete(where, made["metadata"]["uid"])
    return took


def figures(name: str, took: list[float]) -> dict[str, Any]:
    """Name median, p99 and how many."""
    return {
        f"proposal_to_applied_p99_seconds{name}": round(quantiles(took, n=100, method="inclusive")[98], 3),
        f"proposal_to_applied_median_seconds{name}": round(median(took), 3),
    }


def main() -> None:
    """Measure, write and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--proposals", type=int, default=200)
    parser.add_argument("--waiting", type=int, default=1000)
    options = parser.parse_args()
    with ApiServer(durable=True) as server, tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        cluster = Cluster(server)
        cluster.install()
        world = World(cluster)
        with running(cluster, "act", ACT_USER, folder):
            found = {"proposals": options.proposals, **figures("", seconds(world, options.proposals, "alone", folder))}
            for n in range(options.waiting):
                world.propose(world.trouble(ASK, f"waits-{n}"))
            path = objects.KINDS["Remediation"].path(ASK)
            began = time.monotonic()
            while sum("decision" in r.get("status", {}) for r in cluster.admin.list(path)) < options.waiting:
                if time.monotonic() - began > 1800:
                    raise SystemExit(f"not all are decided; act says:\n{said(folder)}")
                time.sleep(10)
            beside = figures("_beside_waiting", seconds(world, options.proposals, "beside", folder))
            found |= {"waiting": options.waiting, **beside}
    OUT.parent.mkdir(parents=True, exist_ok=True)
    before = json.loads(OUT.read_text()) if OUT.exists() else {}
    OUT.write_text(json.dumps(before | found, indent=1) + "\n")
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
