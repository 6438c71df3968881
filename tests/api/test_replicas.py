"""Two replicas of `act`: one acts, whichever is stopped, however long its requests are under way, whatever its clock
says. What the API server wrote down is the judge, as in `test_killed`.
"""

import json
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.api.killer import BEFORE
from tests.api.programs import until
from tests.api.proposals import AUTO, World
from tests.api.replicas import Kept, Pauser, Replica
from tests.api.support import Cluster, rest
from tests.api.test_killed import AUDIT, Life

from hemostat.action.contract import Rule
from hemostat.api.identity import ACT_USER
from hemostat_chaos.cluster.apiserver import ApiServer

AT_ONCE = 6
MOST = 40
CLOCKS = ((0.0, 0.0), (3600.0, 0.0), (0.0, 20.0), (-3600.0, 0.0))
"""Seconds by which the wall clocks of the one that is stopped and of the other jump while it is; a Lease lasts four."""


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with ApiServer(audit_policy=AUDIT) as server:
        cluster = Cluster(server)
        cluster.install()
        made = World(cluster, timeoutSeconds=5, stableSeconds=0, settleSeconds=0)
        cluster.grant(ACT_USER, AUTO, [Rule("coordination.k8s.io", ("leases",), ("get", "update"))])
        yield made


class Pair(Life):
    """One Remediation, and two that would work on it; the first is stopped on the way, with a request under way.

    :param at: which of its writes that is, from 0; None: none.
    :param soon: the write goes on its way as soon as the other one leads, else when all is over.
    """

    def __init__(
        self,
        world: World,
        name: str,
        folder: Path,
        at: int | None,
        *,
        soon: bool,
        clocks: tuple[float, float] = CLOCKS[0],
    ) -> None:
        super().__init__(world, name, folder, None)
        self.killer.close()
        mine = (f"/deployments/{name}", f"/remediations/{name}/status")
        self.account = folder / f"{name}.kubeconfig"
        self.pauser = Pauser(self.account, lambda verb, path: verb != "GET" and any(m in path for m in mine))
        self.pauser.kills = None if at is None else (at, BEFORE)
        self.through = str(self.pauser.kubeconfig(folder / f"{name}.proxied"))
        self.soon, self.clocks = soon, clocks
        self.lease = rest("leases", AUTO, "coordination.k8s.io/v1", name)
        self.code: int | None = None
        self.written_after: list[str] = []

    def holder(self) -> str:
        return str(self.world.cluster.admin.get(self.lease)["spec"].get("holderIdentity"))

    def run(self) -> None:
        meta = {"name": self.name, "namespace": AUTO}
        self.world.cluster.make({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta})
        self.uid = self.world.propose(self.world.trouble(AUTO, self.name))["metadata"]["uid"]
        about = (str(self.log), self.lease, AUTO, self.name)
        first = Replica(self.through, *about, "first")
        self.pauser.victim = first.process
        until(lambda: self.holder() == "first", 60, f"{self.name}: the first leads")
        second = Kept(str(self.account), *about)
        try:
            if self.pauser.kills is not None:
                self.paused(first, second)
            until(self.finished, 120, f"{self.name} ends")
            if self.pauser.kills is not None:
                self.resumed(first)
        finally:
            self.pauser.later.set()
            first.end()
            second.end()
            self.pauser.close()

    def paused(self, first: Replica, second: Kept) -> None:
        until(lambda: self.pauser.stopped.is_set() or self.finished(), 60, f"{self.name}: the first is stopped")
        first.shift.value, second.shift = self.clocks
        until(lambda: self.holder().startswith("second"), 60, f"{self.name}: the second leads")
        if self.soon:
            self.pauser.later.set()

    def resumed(self, first: Replica) -> None:
        """All is over: its write lands now at the latest, and then it goes on where it was stopped."""
        sent = len(self.pauser.seen)
        self.pauser.later.set()
        first.signal(signal.SIGCONT)
        first.process.join(60)
        self.code, self.written_after = first.process.exitcode, self.pauser.seen[sent:]


def cases(reached: list[str]) -> Iterator[tuple[int, bool]]:
    """Yield at which write the first is stopped, and whether that lands soon: each to the target, and its intents."""
    for at, request in enumerate(reached):
        if "/deployments/" in request:
            yield at, False
            yield at, True
            if "/scale?" in request and "dryRun" not in request:
                yield at - 1, False


@pytest.mark.timeout(600)
def test_who_was_stopped_does_nothing_twice_whatever_was_under_way(world: World, tmp_path: Path) -> None:
    whole = Pair(world, "whole", tmp_path, None, soon=False)
    whole.run()
    reached = list(whole.pauser.seen)
    assert 5 < len(reached) < MOST
    pairs = [
        Pair(world, f"at-{at}-{n}", tmp_path, at, soon=soon, clocks=CLOCKS[n % len(CLOCKS)])
        for n, (at, soon) in enumerate(cases(reached))
    ]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for done in [pool.submit(pair.run) for pair in pairs]:
            done.result()
    events = world.cluster.server.audit_events()
    for pair in [whole, *pairs]:
        said = f"{pair.name}: {json.dumps(pair.now()['status'].get('conditions'))}"
        writes, ahead = pair.writes(events), pair.clocks[1] > 0
        assert writes["0-forward"] == 1, said
        assert writes["0-inverse"] == (0 if ahead and pair.condition("Finished")["reason"] == "NoData" else 1), said
        assert pair.replicas() == 2 - writes["0-inverse"], said
    stopped = [pair for pair in pairs if pair.pauser.stopped.is_set()]
    assert len(stopped) > len(pairs) * 3 / 4, "almost every one was stopped where it was to be"
    for pair in stopped:
        assert pair.code == 1, f"{pair.name}: it ends by itself"
        assert pair.written_after == [], f"{pair.name}: it writes nothing any more"
