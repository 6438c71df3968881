"""Two replicas of `act`: one acts, whichever is stopped, however long its requests are under way, whatever its clock
says. What the API server wrote down is the judge, as in `test_killed`.
"""

import json
import os
import re
import signal
import sys
import textwrap
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.api.killer import BEFORE
from tests.api.postgres import postgres
from tests.api.programs import answers, free_port, until
from tests.api.proposals import AUTO, World
from tests.api.replicas import Kept, Pauser, Replica
from tests.api.support import MANAGER, ROOT, Cluster, eventually, refusal, rest
from tests.api.test_gone import GROUPS
from tests.api.test_killed import AUDIT, Life

from hemostat.action.contract import Rule
from hemostat.api.identity import ACT, ACT_USER, NAMESPACE
from hemostat.audit.keys import Signer
from hemostat.audit.opening import NAME
from hemostat_chaos.cluster import run, spawn
from hemostat_chaos.cluster.apiserver import ApiServer

Json = dict[str, Any]
README = ROOT / "README.md"
AT_ONCE = 7
MOST = 40
CLOCKS = ((0.0, 0.0), (3600.0, 0.0), (0.0, 20.0), (-3600.0, 0.0))
"""Seconds by which the wall clocks of the one that is stopped and of the other jump meanwhile; a Lease lasts eight."""


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
            until(self.finished, 240, f"{self.name} ends")
            if self.pauser.kills is not None:
                self.resumed(first)
        finally:
            self.pauser.later.set()
            first.end()
            second.end()
            self.pauser.close()

    def paused(self, first: Replica, second: Kept) -> None:
        until(lambda: self.pauser.stopped.is_set() or self.finished(), 240, f"{self.name}: the first is stopped")
        first.shift.value, second.shift = self.clocks
        until(lambda: self.holder().startswith("second"), 120, f"{self.name}: the second leads")
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
    assert len(stopped) > len(pairs) / 2, "most were stopped where they were to be; others lost the Lease before"
    for pair in stopped:
        assert pair.code == 1, f"{pair.name}: it ends by itself"
        assert pair.written_after == [], f"{pair.name}: it writes nothing any more"


def shipped() -> Json:
    """Return the Lease as the manifests have it."""
    documents = yaml.safe_load_all((ROOT / "operator/deploy/act.yaml").read_text())
    return next(d for d in documents if d["kind"] == "Lease")


class Program:
    """`hemostat act`, as a pod runs it.

    :param audit: address of its log, whose key is in the folder.
    """

    def __init__(self, world: World, folder: Path, audit: str, name: str) -> None:
        self.port = free_port()
        account = world.cluster.server.user_kubeconfig(ACT_USER, GROUPS)
        env = {
            "KUBECONFIG": str(account),
            "HEMOSTAT_REPLICA": name,
            "HEMOSTAT_AUDIT": audit,
            "HEMOSTAT_AUDIT_KEY": str(folder / "key.pem"),
            "HEMOSTAT_HTTP_PORT": str(self.port),
            "HEMOSTAT_PROMETHEUS_URL": "http://127.0.0.1:1",
        }
        self.log = folder / f"{name}.log"
        argv = [sys.executable, "-m", "hemostat", "act"]
        self.process = spawn.background(argv, self.log, env={**os.environ, **env})

    def page(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
            return str(answer.read().decode())

    def stands_by(self) -> bool:
        ready = answers(f"http://127.0.0.1:{self.port}/readyz")
        return ready and "hemostat_leader 0.0" in self.page("/metrics")

    def acts(self) -> bool:
        return "hemostat act is up" in self.log.read_text() and "hemostat_leader 1.0" in self.page("/metrics")


def proposed(world: World, name: str, folder: Path) -> Life:
    """Return a Remediation that was just proposed and applied."""
    life = Life(world, name, folder, None)
    life.killer.close()
    life.uid = world.propose(world.trouble(AUTO, name))["metadata"]["uid"]
    until(lambda: life.condition("Applied") or life.finished(), 60, f"{name} is applied")
    return life


@pytest.mark.timeout(300)
def test_the_next_one_takes_over_from_one_that_ends_and_from_one_that_is_stopped(
    world: World, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    world.cluster.make(shipped())
    signer, pem = Signer.generate(NAME)
    (tmp_path / "key.pem").write_bytes(pem)
    (tmp_path / "key").write_text(str(signer.verifier))
    with ExitStack() as stack:
        audit = stack.enter_context(postgres(tmp_path, fsync="on")).address()

        def started(name: str) -> Program:
            program = Program(world, tmp_path, audit, name)
            stack.callback(spawn.end, program.process, grace=10)
            return program

        first = started("first")
        until(first.acts, 60, "the first acts")
        second = started("second")
        until(second.stands_by, 60, "the second stands by, ready")
        one = proposed(world, "ends", tmp_path)
        began = time.monotonic()
        first.process.terminate()
        until(lambda: "second acts" in second.log.read_text(), 60, "the second has the Lease")
        took = time.monotonic() - began
        assert took < 10, "who ends gives the Lease back; else the next one waits for fifteen seconds"
        until(lambda: not one.finished() and second.acts(), 60, "the second acts")
        record_property("handover_seconds", time.monotonic() - began)
        assert first.process.wait(30) == 0
        until(one.finished, 60, "what the first began is ended by the second")

        third = started("third")
        until(third.stands_by, 60, "the third stands by, ready")
        other = proposed(world, "is-stopped", tmp_path)
        second.process.send_signal(signal.SIGSTOP)
        until(lambda: not other.finished() and third.acts(), 90, "the third acts")
        until(other.finished, 60, "what the second began is ended by the third")
        second.process.send_signal(signal.SIGCONT)
        assert second.process.wait(60) == 1, "it ends, for another one acts"
        assert "is lost: this process ends" in second.log.read_text()
        assert third.acts()
        verify = ["audit", "verify", audit, "--key", str(tmp_path / "key")]
        run.output([sys.executable, "-m", "hemostat", *verify], deadline=60)  # whole, and all of it signed
    events = world.cluster.server.audit_events()
    for life in (one, other):
        writes = life.writes(events)
        assert (writes["0-forward"], writes["0-inverse"]) == (1, 1), f"{life.name}: {writes}"
        assert life.replicas() == 1


def test_act_may_write_no_other_lease(world: World) -> None:
    path = rest("leases", NAMESPACE, "coordination.k8s.io/v1")
    other = shipped() | {"metadata": {"name": "other", "namespace": NAMESPACE}}
    world.cluster.make(other)
    act = world.cluster.act
    live = world.cluster.admin.get(f"{path}/other")
    assert "forbidden" in refusal(lambda: act.replace(f"{path}/other", live, MANAGER))
    assert "forbidden" in refusal(lambda: act.create(path, other, MANAGER))
    world.cluster.grant(ACT_USER, NAMESPACE, [Rule("coordination.k8s.io", ("leases",), ("get", "update"))])
    eventually(
        lambda: "must not act in a protected namespace" in refusal(lambda: act.replace(f"{path}/other", live, MANAGER)),
        "refused by the policy, whatever it is granted",
    )


def test_what_the_readme_says_makes_two_replicas(world: World) -> None:
    for document in yaml.safe_load_all((ROOT / "operator/deploy/act.yaml").read_text()):
        if document["kind"] == "Deployment":
            world.cluster.make(document)
    (patch,) = re.findall(r"kubectl patch deployment hemostat-act .*? --patch '(.*?)'\n", README.read_text(), re.DOTALL)
    world.cluster.kubectl("patch", "deployment", ACT, f"--namespace={NAMESPACE}", "--patch", textwrap.dedent(patch))
    spec = world.cluster.admin.get(rest("deployments", NAMESPACE, "apps/v1", ACT))["spec"]
    assert (spec["replicas"], spec["strategy"]["type"]) == (2, "RollingUpdate")
    pod = spec["template"]["spec"]
    assert not any("persistentVolumeClaim" in volume for volume in pod["volumes"]), "a claim is one pod's"
    env = {e["name"]: e for e in pod["containers"][0]["env"]}
    assert env["HEMOSTAT_AUDIT"]["value"].startswith("postgresql://")
    assert env["HEMOSTAT_REPLICA"]["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name", "a name of its own"
