"""`hemostat undo` against a real API server: without the operator, beside it, after others, and with too few rights.

How often a target was changed is told by its generation, which only the API server counts.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from tests.api import objects
from tests.api.proposals import AUTO, World
from tests.api.support import MANAGER, Cluster, can, eventually, refusal, rest
from tests.unit.act.double import Records
from typer.testing import CliRunner, Result

from hemostat.act.facts import Facts
from hemostat.act.reconcile import Reconciler
from hemostat.act.store import Store
from hemostat.action.contract import Rule
from hemostat.action.execute import Executor
from hemostat.action.registry import discover
from hemostat.api import GROUP, stop
from hemostat.api.meta import find
from hemostat.api.remediation import FINISHED, RELEASED, UNDONE, VERIFIED, Remediation
from hemostat.api.stop import Level
from hemostat.cli import main as entry
from hemostat.clock import SystemClock
from hemostat.errors import Retry
from hemostat.events import Events
from hemostat.kube import Kube
from hemostat.lifecycle import TAKEN_BACK
from hemostat_chaos.cluster.apiserver import ApiServer

Json = dict[str, Any]
OWNER = "owner"
FULL = (
    Rule(GROUP, ("remediations",), ("get", "list", "patch")),
    Rule("apps", ("deployments",), ("get", "patch")),
    Rule("apps", ("deployments/scale",), ("patch",)),
)


class Between(Kube):
    """`act`'s requests; before it writes the target something else happens, once."""

    def __init__(self, kube: Kube) -> None:
        super().__init__(kube._api)
        self.before: Callable[[], object] | None = None

    def json_patch(self, path: str, ops: Any, manager: str, *, dry_run: bool = False) -> Json:
        if manager.endswith("-inverse") and not dry_run and self.before is not None:
            happens, self.before = self.before, None
            happens()
        return super().json_patch(path, ops, manager, dry_run=dry_run)


@dataclass(frozen=True)
class Case:
    """One Deployment of a team that applies it, what was done to it, and how it ends."""

    town: "Town"
    name: str
    given: Json

    @property
    def live(self) -> Json:
        return self.town.cluster.admin.get(rest("deployments", AUTO, "apps/v1", self.name))

    @property
    def replicas(self) -> int:
        return int(self.live["spec"]["replicas"])

    @property
    def changes(self) -> int:
        return int(self.live["metadata"]["generation"]) - 1

    @property
    def managers(self) -> set[str]:
        return {entry["manager"] for entry in self.live["metadata"]["managedFields"]}

    @property
    def now(self) -> Remediation:
        path = objects.KINDS["Remediation"].path(AUTO, self.name)
        return Remediation.model_validate(self.town.cluster.admin.get(path))

    def reason(self, kind: str) -> str:
        found = find(self.now.status.conditions, kind)
        return found.reason if found is not None and found.status == "True" else ""

    def reapplied(self, replicas: int) -> str:
        """What the server says to the owner's next apply, without force."""
        body = {**self.given, "spec": {**self.given["spec"], "replicas": replicas}}
        path = rest("deployments", AUTO, "apps/v1", self.name)
        return refusal(lambda: self.town.cluster.admin.apply(path, body, OWNER))

    def act(self, kube: Kube | None = None, until: str = "") -> None:
        """Be `act` until a condition is true, or nothing is left to do."""
        reconciler = self.town.act(kube)
        for _ in range(200):
            if until and self.reason(until):
                return
            with suppress(Retry):
                wait = reconciler.remediation((AUTO, self.name))
                if wait is None:
                    return
        pytest.fail(f"no end: {self.now.status.wire()}")

    def worse(self) -> None:
        """Say the verdict that asks for the inverse."""
        body = self.town.cluster.admin.get(objects.KINDS["Remediation"].path(AUTO, self.name))
        conditions = [c for c in body["status"]["conditions"] if c["type"] != VERIFIED]
        worse = objects.condition(VERIFIED, "False", "Worse")
        self.town.cluster.set_status(
            body, {**body["status"], "conditions": [*conditions, worse]}, self.town.cluster.act
        )


class Town:
    """Where it happens."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.world = World(cluster, timeoutSeconds=600, stableSeconds=60, settleSeconds=0)
        self.records = Records()

    def act(self, kube: Kube | None = None) -> Reconciler:
        kube, clock = kube or self.cluster.act, SystemClock()
        store = Store(kube, self.records)
        return Reconciler(
            store=store,
            facts=Facts(kube, store, None, clock),  # type: ignore[arg-type]
            executor=Executor(kube),
            catalogue=discover(),
            events=Events(kube, "hemostat-act", clock),
            clock=clock,
            server_now=kube.server_now,
            record=self.records,
            crowd=lambda: 0,
        )

    def scaled(self) -> Case:
        """Return a Deployment that its owner applied with one replica and Hemostat scaled to two."""
        name = self.cluster.new_name()
        self.world.propose(self.world.trouble(AUTO, name, OWNER))
        case = Case(self, name, objects.deployment(name, AUTO, replicas=1))
        case.act(until=RELEASED)
        assert (case.replicas, case.changes) == (2, 1)
        return case

    def person(self, *rules: Rule) -> str:
        """Return somebody with these rights in the namespace."""
        name = self.cluster.new_name()
        self.cluster.grant(name, AUTO, rules)
        last, user = rules[-1], self.cluster.user(name)
        eventually(lambda: can(user, last.verbs[-1], last.resources[-1], AUTO, last.group), f"{name} may")
        return name

    def undo(self, user: str, *arguments: str) -> Result:
        kubeconfig = str(self.cluster.server.user_kubeconfig(user))
        where = () if "-A" in arguments else ("-n", AUTO)
        return CliRunner().invoke(entry.app, ["--kubeconfig", kubeconfig, "undo", *arguments, *where, "--yes"])


@pytest.fixture(scope="module")
def town() -> Iterator[Town]:
    with ApiServer(controllers=False) as server:
        cluster = Cluster(server)
        cluster.install()
        yield Town(cluster)


@pytest.fixture(scope="module")
def ann(town: Town) -> str:
    return town.person(*FULL)


def test_without_the_operator_and_though_hemostat_is_stopped_altogether(town: Town, ann: str) -> None:
    case = town.scaled()
    town.cluster.admin.apply(stop.path(), stop.role(Level.NOTHING), "kubectl-hemostat", force=True)
    try:
        done = town.undo(ann, case.name)
    finally:
        town.cluster.admin.apply(stop.path(), stop.role(Level.RUNS), "kubectl-hemostat", force=True)
    assert (done.exit_code, done.stderr) == (0, "")
    assert f"{AUTO}/{case.name}: taken back" in done.stdout
    assert (case.replicas, case.changes) == (1, 2)
    assert not [m for m in case.managers if m.startswith("hemostat-")]
    assert case.reapplied(3) == "", "the owner's next apply needs no force"
    again = town.undo(ann, case.name)
    assert (again.exit_code, case.changes) == (0, 3), "nothing but the owner's apply since"


def test_act_finds_it_taken_back_and_says_by_whom(town: Town, ann: str) -> None:
    case = town.scaled()
    assert town.undo(ann, case.name).exit_code == 0
    case.act()
    assert (case.reason(UNDONE), case.reason(FINISHED)) == (TAKEN_BACK, TAKEN_BACK)
    assert find(case.now.status.conditions, FINISHED).message.startswith(f"{ann} took it back: ")  # type: ignore[union-attr]
    assert (case.replicas, case.changes) == (1, 2)
    mine = [e for e in town.records.entries if e.remediation == case.name and ann in e.names]
    assert len(mine) == 2
    case.act()
    assert case.changes == 2, "it is not applied again"


def test_a_person_is_first_while_act_undoes_it(town: Town, ann: str) -> None:
    """Between `act`'s intent and its request."""
    case = town.scaled()
    case.worse()
    racing = Between(town.cluster.act)
    racing.before = lambda: town.undo(ann, case.name)
    case.act(racing)
    assert any(i.effect == "Inverse" for i in case.now.status.intents)
    assert (case.replicas, case.changes) == (1, 2)
    assert (case.reason(UNDONE), case.reason(FINISHED)) == (TAKEN_BACK, "Worse")
    assert not [r for r in case.now.status.results if r.effect == "Inverse"]
    assert case.reapplied(4) == ""


def test_act_is_first_while_a_person_takes_it_back(town: Town, ann: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the person's look and the request."""
    case = town.scaled()
    case.worse()
    send, looked = Executor.send, threading.Event()

    def late(self: Executor, effect: Any, namespace: str, live: Any, intent: Any, manager: str) -> None:
        if manager.endswith("-person") and not looked.is_set():
            looked.set()
            case.act()
        send(self, effect, namespace, live, intent, manager)

    monkeypatch.setattr(Executor, "send", late)
    done = town.undo(ann, case.name)
    assert looked.is_set()
    assert (done.exit_code, f"{case.name}: was taken back already" in done.stdout) == (0, True)
    assert (case.replicas, case.changes) == (1, 2)
    assert (case.reason(UNDONE), case.reason(FINISHED)) == ("Undone", "Worse")
    assert case.reapplied(4) == ""


def test_many_at_once_are_each_undone_once(town: Town, ann: str) -> None:
    cases = [town.scaled() for _ in range(4)]
    for case in cases:
        case.worse()
    failed: list[BaseException] = []

    def act() -> None:
        try:
            for case in cases:
                case.act()
        except BaseException as error:
            failed.append(error)
            raise

    thread = threading.Thread(target=act)
    thread.start()
    done = town.undo(ann, "--all")
    thread.join(120)
    assert not thread.is_alive()
    assert (failed, done.exit_code) == ([], 0), done.output
    for case in cases:
        case.act()
        assert (case.replicas, case.changes) == (1, 2)
        assert case.reason(FINISHED) == "Worse"
        assert case.reason(UNDONE) in ("Undone", TAKEN_BACK)
        assert case.reapplied(4) == ""


def test_all_goes_on_after_what_somebody_changed_and_says_what_and_who(town: Town, ann: str) -> None:
    changed, other = town.scaled(), town.scaled()
    path = rest("deployments", AUTO, "apps/v1", changed.name)
    town.cluster.admin.json_patch(path, [{"op": "replace", "path": "/spec/replicas", "value": 7}], "kubectl-scale")
    done = town.undo(ann, "--all")
    assert done.exit_code == 1
    said = next(line for line in done.stdout.splitlines() if line.startswith(f"{AUTO}/{changed.name} "))
    assert "CANNOT BE TAKEN BACK: somebody changed it since" in said
    assert "/spec/replicas is 7 and not 2 (kubectl-scale wrote it at 20" in said
    assert "1 could not be taken back." in done.stderr
    assert (changed.replicas, other.replicas) == (7, 1)
    town.cluster.admin.delete(path, changed.live["metadata"]["uid"])


def test_missing_rights_are_told_and_nothing_is_marked(town: Town) -> None:
    case = town.scaled()
    looks = town.person(FULL[0], Rule("apps", ("deployments",), ("get",)))
    done = town.undo(looks, case.name)
    assert done.exit_code == 1
    assert "NOT taken back" in done.stdout
    assert "cannot patch resource" in done.stdout
    assert "deployments/scale" in done.stdout
    assert (case.replicas, case.now.metadata.annotations) == (2, {})
    nobody = town.person(Rule("", ("pods",), ("get",)))
    assert "cannot list" in str(town.undo(nobody, "--all", "-A").exception)
    scales = town.person(
        Rule(GROUP, ("remediations",), ("get", "list")), Rule("apps", ("deployments",), ("get",)), FULL[2]
    )
    done = town.undo(scales, case.name)
    assert (done.exit_code, case.replicas) == (0, 1)
    assert f"{case.name} does not say who took it back" in done.stderr
    assert "the owner's next apply needs force until" in done.stderr
    case.act()
    assert case.reason(UNDONE) == TAKEN_BACK
    assert case.reapplied(4) == "", "act lets go of what the person could not"


def test_nobody_says_that_another_takes_it_back(town: Town, ann: str) -> None:
    case = town.scaled()
    path = objects.KINDS["Remediation"].path(AUTO, case.name)
    user = town.cluster.user(ann)

    def says(**annotations: str | None) -> str:
        body = {"metadata": {"annotations": {f"hemostat.dev/{k.replace('_', '-')}": v for k, v in annotations.items()}}}
        return refusal(lambda: user.merge_patch(path, body, MANAGER))

    eventually(lambda: "must be the user who takes it back" in says(taken_back_by="bob"), "the policy is in force")
    assert says(taken_back_by=ann) == ""
    assert "must stay" in says(taken_back_by=None)
    assert says(taken_back_by=ann, taken_back_time="2026-11-22T12:00:00Z") == ""
    nobody = {"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "00000000-0000-0000-0000-000000000000"}
    for meta in ({"ownerReferences": [nobody]}, {"finalizers": ["example.com/mine"]}):
        said = refusal(lambda m=meta: user.merge_patch(path, {"metadata": m}, MANAGER))
        assert "must be allowed to delete it" in said, "else who may approve may have it deleted, or kept for ever"
    town.cluster.admin.merge_patch(path, {"metadata": {"finalizers": ["example.com/mine"]}}, MANAGER)
    town.cluster.admin.merge_patch(path, {"metadata": {"finalizers": None}}, MANAGER)
    body = {"metadata": {"annotations": {"hemostat.dev/taken-back-by": "x"}}}
    for kube in (town.cluster.act, town.cluster.observe, town.cluster.relay):
        assert " cannot patch " in refusal(lambda k=kube: k.merge_patch(path, body, MANAGER))
