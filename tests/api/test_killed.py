"""`act` is killed before every request that matters is sent, and after the API server has done it but before the reply
is read. What the API server itself wrote down is the judge: each effect took place once, and an end was reached.
"""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.api import killer, objects
from tests.api.programs import until
from tests.api.proposals import AUTO, World
from tests.api.support import Cluster, rest
from tests.api.test_gone import GROUPS

from hemostat.api.identity import ACT_USER
from hemostat.audit.record import Record, Step
from hemostat.audit.sqlite import SqliteStore
from hemostat_chaos.cluster.apiserver import ApiServer

Json = dict[str, Any]
AUDIT = """
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: Metadata
    verbs: [create, update, patch, delete]
    resources: [{group: apps}]
  - level: None
"""
AT_ONCE = 6
MOST = 80
"""Requests of one Remediation's life that matter; there are some thirty."""


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with ApiServer(audit_policy=AUDIT) as server:
        cluster = Cluster(server)
        cluster.install()
        yield World(cluster, timeoutSeconds=5, stableSeconds=0, settleSeconds=0)


class Life:
    """One Remediation from proposal to end, and `act`, which is killed once on the way."""

    def __init__(self, world: World, name: str, folder: Path, kills: tuple[int, str] | None) -> None:
        self.world, self.name, self.log = world, name, folder / f"{name}.db"
        self.path = objects.KINDS["Remediation"].path(AUTO, name)
        account = world.cluster.server.user_kubeconfig(ACT_USER, GROUPS)
        copy = folder / f"{name}.kubeconfig"
        copy.write_text(account.read_text())
        self.killer = killer.Killer(copy, self.counts)
        self.killer.kills = kills
        self.through = str(self.killer.kubeconfig(folder / f"{name}.proxied"))

    def counts(self, _: str, path: str) -> bool:
        """Tell which requests matter."""
        return f"/deployments/{self.name}" in path or f"/remediations/{self.name}/status" in path

    def begin(self) -> Json:
        """Make the trouble, and propose what is to be done."""
        return self.world.propose(self.world.trouble(AUTO, self.name))

    def run(self) -> None:
        """Live it to its end."""
        self.uid = self.begin()["metadata"]["uid"]
        stop = threading.Event()
        keeper = threading.Thread(target=self._restart, args=(stop,))
        keeper.start()
        try:
            until(self.finished, 120, f"{self.name} ends")
        finally:
            stop.set()
            keeper.join()
            self.killer.close()

    def _restart(self, stop: threading.Event) -> None:
        """Keep a process running, as a Deployment does."""
        while not stop.is_set():
            victim = self.killer.victim = killer.begun(self.through, str(self.log), AUTO, self.name)
            while victim.is_alive() and not stop.wait(0.05):
                pass
            victim.kill()
            victim.join(10)

    def now(self) -> Json:
        return self.world.cluster.admin.get(self.path)

    def condition(self, kind: str) -> Json:
        found = self.now().get("status", {}).get("conditions", ())
        return next((c for c in found if c["type"] == kind), {})

    def finished(self) -> bool:
        self.world.still_fires(AUTO, self.name)
        return bool(self.condition("Finished").get("status") == "True")

    def writes(self, events: list[Json]) -> Counter[str]:
        """What the API server has done to the target, by field manager, dry runs left out."""
        found: Counter[str] = Counter()
        for event in events:
            if event["user"]["username"] != ACT_USER or event["objectRef"].get("name") != self.name:
                continue
            query = parse_qs(urlsplit(event["requestURI"]).query)
            if "dryRun" not in query and event["responseStatus"]["code"] < 300:
                found[query["fieldManager"][0].removeprefix(f"hemostat-{self.uid}-")] += 1
        return found

    def replicas(self) -> int:
        live = self.world.cluster.admin.get(rest("deployments", AUTO, "apps/v1", self.name))
        return int(live["spec"]["replicas"])

    def recorded(self) -> Counter[str]:
        with closing(SqliteStore(self.log, read_only=True)) as store:
            entries = [Record.decode(row.body).entry for row in store.rows()]
        return Counter(str(e.says["effect"]) for e in entries if e.step is Step.INTENT)


@pytest.mark.timeout(600)
def test_it_is_done_once_and_undone_once_wherever_it_was_killed(world: World, tmp_path: Path) -> None:
    whole = Life(world, "whole", tmp_path, None)
    whole.run()
    reached = list(whole.killer.seen)
    assert any("PATCH" in r and "dryRun" not in r for r in reached)
    assert 10 < len(reached) < MOST
    lives = [
        Life(world, f"at-{at}-{n}", tmp_path, (at, when))
        for at, request in enumerate(reached)
        for n, when in enumerate((killer.BEFORE, killer.AFTER))
        if n == 0 or not request.startswith("GET ")
    ]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for done in [pool.submit(life.run) for life in lives]:
            done.result()
    events = world.cluster.server.audit_events()
    for life in [whole, *lives]:
        said = f"{life.name}: {json.dumps(life.now()['status'].get('conditions'))}"
        writes = life.writes(events)
        assert (writes["0-forward"], writes["0-inverse"]) == (1, 1), said
        assert life.replicas() == 1, said
        assert life.condition("Finished")["reason"] == "Ineffective", said
        recorded = life.recorded()
        assert recorded["Forward"] >= 1, said
        assert recorded["Inverse"] >= 1, said
    killed = [life for life in lives if life.killer.kills is not None and len(life.killer.seen) > life.killer.kills[0]]
    assert len(killed) > len(lives) * 3 / 4, "almost every one was killed where it was to be"
