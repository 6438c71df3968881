"""A key is blocked once and unblocked once, whatever dies and when; and a person's own block is never lifted.

A call has no version to test and leaves no managedFields: what tells whether it landed is the mark that it leaves. As
with a creation, a request that is delayed for longer than a minute never lands here.
"""

import base64
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.act.double import DELAYED, DIES_AFTER, DIES_BEFORE, FAULTS, OK, REPLY_LOST, ApiServer, Records
from tests.unit.act.test_created_once import DONE, HARMLESS, ROUGH, SHORT, Cut
from tests.unit.act.test_created_once import installed as others
from tests.unit.act.test_exactly_once import BASE, CASE, CATALOGUE, KEY, NAME
from tests.unit.action.a2a import Agent
from tests.unit.action.litellm import ADMIN, HASH, LiteLLM
from tests.unit.builders import NAMESPACE, T0, condition, meta, remediation, runbook

from hemostat.act.facts import Facts
from hemostat.act.reconcile import Reconciler
from hemostat.act.store import Store
from hemostat.action.calls.base import Answer
from hemostat.action.calls.caller import Caller
from hemostat.action.calls.keys import ADMIN_KEY, ADMIN_SECRET
from hemostat.action.contract import make_plan, parse, plan_hash
from hemostat.action.execute import Executor
from hemostat.action.moves import IN_FLIGHT
from hemostat.api.meta import find
from hemostat.api.remediation import ADMITTED, APPLIED, FINISHED, PLANNED, UNDONE
from hemostat.clock import FakeClock, rfc3339
from hemostat.errors import Refused, Retry
from hemostat.events import Events
from hemostat.lifecycle import Step

URL = f"http://litellm.{NAMESPACE}.svc:4000"
SECRET = f"/api/v1/namespaces/{NAMESPACE}/secrets/{ADMIN_SECRET}"
SERVICE = f"/api/v1/namespaces/{NAMESPACE}/services/litellm"
AGENT = {"name": "urls", "value": f"critic=http://critic.{NAMESPACE}.svc:8000"}
GIVEN = {
    "block-key": [{"name": "url", "value": URL}, {"name": "keys", "value": f"planner={HASH}"}, SHORT],
    "cancel-task": [AGENT],
}
UID = f"uid-{NAME}"


@cache
def installed(name: str, planned: bool) -> dict[str, Any]:
    """Return all objects of a cluster with a LiteLLM proxy and an agent, and an admitted Remediation that calls one."""
    api, action, given = ApiServer(others()), CATALOGUE[name], GIVEN[name]
    for called in ("litellm", "critic"):
        selected = {"metadata": meta(called), "spec": {"selector": {"app": called}, "clusterIP": "10.0.0.9"}}
        api.put(f"/api/v1/namespaces/{NAMESPACE}/services/{called}", selected)
    api.put(SECRET, {"metadata": meta(ADMIN_SECRET), "data": {ADMIN_KEY: base64.b64encode(ADMIN.encode()).decode()}})
    steps = [{"action": action.name, "parameters": given}]
    api.put(f"{BASE}/runbooks/bad-release", runbook(remediations=steps).wire())
    first = remediation(NAME, action=action.name, parameters=given)
    first = first.model_copy(update={"metadata": first.metadata.model_copy(update={"creation_timestamp": T0})})
    seen = Facts(api, Store(api, Records()), None, FakeClock(T0)).world(first, action)
    plan = make_plan(action, first.spec.target_ref, parse(action, first.spec.parameters), seen)
    status = {
        "conditions": [condition(PLANNED), condition(ADMITTED, reason="AllowedByPolicy")],
        "plan": plan.wire(),
        "planHash": plan_hash(first, plan),
    }
    metadata = meta(NAME) | {"creationTimestamp": rfc3339(T0)}
    api.put(CASE, {"metadata": metadata, "spec": first.spec.wire(), "status": status if planned else {}})
    return api.objects


class Wired(Caller):
    """Goes to the service in memory instead of the network, with the same faults as calls of the API server."""

    def __init__(self, api: ApiServer, proxy: LiteLLM | Agent) -> None:
        super().__init__(api)
        self.api, self.proxy = api, proxy

    def _ask(self, request, way):
        def do():
            status, body = self.proxy.answer(request.method, request.url, request.body, f"Bearer {way.key}")
            return Answer(status, body)

        try:
            return self.api._call(do, writes="update" in request.url or "Cancel" in str(request.body))
        except Retry as error:
            raise Refused("Unreachable", str(error)) from error


class Proxied(Cut):
    """The cluster, the proxy, and the processes that work on them."""

    def __init__(self, *, planned: bool = True) -> None:
        self.proxy = LiteLLM()
        super().__init__(installed("block-key", planned))

    @property
    def row(self) -> dict[str, Any]:
        return self.proxy.rows[HASH]

    def restarted(self) -> Reconciler:
        store = Store(self.api, self.records)
        return Reconciler(
            store=store,
            facts=Facts(self.api, store, None, self.clock),
            executor=Executor(self.api, Wired(self.api, self.proxy)),
            catalogue=CATALOGUE,
            events=Events(self.api, "hemostat-act", self.clock),
            clock=self.clock,
            server_now=self.clock.now,
            record=self.records,
            crowd=lambda: 0,
        )

    def somebody_blocks(self) -> None:
        self.row["blocked"] = True

    def somebody_unblocks(self) -> None:
        self.row["blocked"] = False

    def watch(self) -> None:
        """Each change was announced before."""
        self.note_delayed()
        announced = {i.effect for i in self.now().status.intents}
        assert {"Forward" if blocked else "Inverse" for blocked, _ in self.proxy.changes} <= announced

    def ended(self) -> str:
        return find(self.now().status.conditions, FINISHED).reason


def both_ways(world: Proxied, going: Any, coming: Any) -> None:
    world.api.script = list(going)
    world.run(DONE)
    if world.done(APPLIED):
        world.verified()
        world.api.script = list(coming)
        world.run({Step.NOTHING})
    world.clock.step(1)
    world.deliver()


@given(ROUGH, ROUGH)
def test_without_interference_it_is_blocked_once_and_unblocked_once_or_visibly_neither(going, coming):
    world = Proxied()
    both_ways(world, going, coming)
    assert world.row["metadata"] == {"team": "core"}, "what others wrote there stays"
    assert not world.row["blocked"]
    if world.done(APPLIED):
        assert world.done(UNDONE)
        assert world.proxy.changes == [(True, UID), (False, None)]
        assert world.ended() == "Healed"
    else:
        assert (world.proxy.changes, world.ended()) == ([], "Unreachable")


BUSY = st.lists(
    st.tuples(st.sampled_from(FAULTS), st.sampled_from((*HARMLESS, "somebody_unblocks"))),
    max_size=40,
)


@given(BUSY, BUSY)
def test_whoever_unblocks_it_meanwhile_it_is_not_left_blocked(going, coming):
    world = Proxied()
    both_ways(world, going, coming)
    assert not world.row["blocked"]
    assert world.now().status.conditions


@given(ROUGH)
def test_a_block_that_a_person_set_before_is_never_lifted(going):
    world = Proxied()
    world.somebody_blocks()
    both_ways(world, going, ())
    assert world.row == {"blocked": True, "metadata": {"team": "core"}, "key_alias": "planner"}
    assert world.ended() in ("AlreadyBlocked", "Unreachable")


@pytest.mark.parametrize("fault", [DIES_BEFORE, DIES_AFTER, DELAYED, REPLY_LOST])
def test_a_kill_or_a_delay_at_every_single_call(fault):
    calls = Proxied()
    both_ways(calls, (), ())
    for point in range(calls.api.calls):
        world = Proxied()
        both_ways(world, [(OK, "")] * point + [(fault, "")], ())
        assert not world.row["blocked"], point
        assert world.proxy.changes in ([(True, UID), (False, None)], []), point
        assert bool(world.proxy.changes) == world.done(APPLIED) == world.done(UNDONE), point


def test_what_a_person_unblocked_before_its_time_is_done_and_needs_nobody():
    world = Proxied()
    world.run(DONE)
    world.somebody_unblocks()
    world.verified()
    world.run({Step.NOTHING})
    assert find(world.now().status.conditions, UNDONE).reason == "TakenBack"
    assert world.ended() == "Healed"


def test_a_key_that_was_deleted_or_marked_by_another_is_not_touched_again():
    for change in (lambda w: w.proxy.rows.clear(), lambda w: w.row["metadata"].update(hemostat="uid-other")):
        world = Proxied()
        world.run(DONE)
        change(world)
        before = len(world.proxy.changes)
        world.verified()
        world.run({Step.NOTHING})
        assert len(world.proxy.changes) == before
        assert world.ended() in ("Healed", "UndoBlocked")


def test_while_the_proxy_cannot_be_asked_it_is_said_so_and_taken_back_once_it_can():
    """A missing key of the admin must not end a Remediation whose block stands."""
    world = Proxied()
    world.run(DONE)
    world.verified()
    secret = world.api.objects.pop(SECRET)
    world.clock.step(60)
    for _ in range(5):
        assert world.process.remediation(KEY)
        world.clock.step(10)
    waits = find(world.now().status.conditions, UNDONE)
    assert (waits.status, waits.reason) == ("Unknown", "NoAdminKey")
    assert world.row["blocked"]
    world.api.objects[SECRET] = secret
    world.run({Step.NOTHING})
    assert not world.row["blocked"]
    assert find(world.now().status.conditions, UNDONE).reason == "Restored"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda w: w.api.objects.pop(SECRET), "NoAdminKey"),
        (lambda w: w.api.objects[SECRET]["data"].update({ADMIN_KEY: "c2stIHg="}), "NoAdminKey"),
        (lambda w: w.api.objects[SECRET]["data"].update({ADMIN_KEY: "c2stb2xk"}), "NoAdminKey"),
        (lambda w: w.api.objects.pop(SERVICE), "NoService"),
        (lambda w: w.api.objects[SERVICE]["spec"].update(type="ExternalName"), "NoService"),
        (lambda w: w.proxy.rows.clear(), "NoKey"),
        (lambda w: w.somebody_blocks(), "AlreadyBlocked"),
    ],
)
def test_what_cannot_be_done_is_refused_before_a_person_is_asked(change, reason):
    world = Proxied(planned=False)
    change(world)
    world.run({Step.NOTHING})
    assert world.ended() == reason
    assert not world.done(PLANNED)
    assert world.proxy.changes == []


def test_the_admins_key_is_written_nowhere(caplog):
    world = Proxied(planned=False)
    both_ways(world, (), ())
    assert world.done(PLANNED)
    refused = Proxied(planned=False)
    refused.proxy.answer = lambda *a: (400, {"error": {"message": f"you sent {ADMIN}"}})
    refused.run({Step.NOTHING})
    assert refused.ended() == "CallRefused"
    for said in (world, refused):
        rest = {path: body for path, body in said.api.objects.items() if path != SECRET}
        assert ADMIN not in str(rest)
    assert ADMIN not in caplog.text
    assert ADMIN not in str(world.proxy.rows)


class Tasked(Cut):
    """The cluster, the agent, and the processes that work on them."""

    def __init__(self, *, planned: bool = True) -> None:
        self.proxy = Agent()
        super().__init__(installed("cancel-task", planned))

    restarted = Proxied.restarted
    ended = Proxied.ended

    def watch(self) -> None:
        self.note_delayed()
        assert not self.proxy.cancelled or self.now().status.intents, "announced before"


ASKED_AGAIN = {*DONE, Step.DECIDE}
"""After a minute without an effect it is decided anew, and what nothing undoes a person decides."""


@given(ROUGH)
def test_a_task_is_cancelled_once_or_visibly_not(going):
    world = Tasked()
    world.api.script = list(going)
    world.run(ASKED_AGAIN)
    if world.done(APPLIED):
        assert world.proxy.cancelled == ["c1"]
        return
    world.deliver()
    finished = find(world.now().status.conditions, FINISHED)
    if finished is not None:
        assert (finished.reason, world.proxy.cancelled) in (("Unreachable", []), ("NotNeeded", []))
    assert len(world.proxy.cancelled) <= 1


def test_a_task_that_cannot_be_cancelled_is_a_clear_refusal_at_once():
    world = Tasked()
    world.proxy.stubborn = True
    world.run({Step.NOTHING})
    assert (world.ended(), world.proxy.cancelled) == ("TaskNotCancelable", [])
    assert world.clock.now() - T0 < IN_FLIGHT


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda w: w.proxy.tasks.update(c1="TASK_STATE_COMPLETED"), "NotNeeded"),
        (lambda w: w.proxy.tasks.clear(), "NoTask"),
    ],
)
def test_of_a_task_that_has_ended_no_person_is_asked(change, reason):
    world = Tasked(planned=False)
    change(world)
    world.run({Step.NOTHING})
    assert world.ended() == reason
    assert not world.done(PLANNED)


def test_nobody_but_a_person_has_a_task_cancelled():
    world = Tasked(planned=False)
    world.run({Step.APPLY, Step.NOTHING} | {Step.DECIDE})
    world.process.remediation(KEY)
    waiting = find(world.now().status.conditions, ADMITTED)
    assert (waiting.status, waiting.reason) == ("Unknown", "NeedsApproval")
    assert "nothing undoes it" in waiting.message
