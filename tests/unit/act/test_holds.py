"""A cut holds as long as was said: `act` takes it back on time though it still verifies, and notices who did before."""

import json
from contextlib import suppress

import pytest
from tests.unit.act.double import ApiServer, Records
from tests.unit.action.test_orders import trouble
from tests.unit.builders import NAMESPACE, T0, at, deployment, incident, meta, policy, remediation, runbook, signal

from hemostat.act.facts import Facts
from hemostat.act.reconcile import Reconciler
from hemostat.act.store import Store
from hemostat.action.execute import Executor
from hemostat.action.registry import discover
from hemostat.api.incident import SignalState
from hemostat.api.meta import find, is_true
from hemostat.api.remediation import ADMITTED, APPLIED, FINISHED, UNDONE, VERIFIED, Remediation
from hemostat.clock import FakeClock, rfc3339
from hemostat.errors import Retry
from hemostat.events import Events
from hemostat.guard.orders import CONFIG_MAP

BASE = "/apis/hemostat.dev/v1alpha1/namespaces/shop"
ORDERS = f"/api/v1/namespaces/shop/configmaps/{CONFIG_MAP}"
INCIDENT = f"{BASE}/incidents/payment-1"
PARAMETERS = [{"name": "holdSeconds", "value": "60"}]


def fires(*conversations, since=-1.0, now=0.0):
    told = trouble(*conversations, since=since)
    return signal(
        "talks/Cycle/planner -> critic", kind="Cycle", conversation=told, observed_time=at(now), state_time=at(since)
    )


class Cluster:
    """One Incident about agents, whose Remediations are carried out."""

    def __init__(self, *conversations: str) -> None:
        self.clock = FakeClock(T0)
        self.api = api = ApiServer()
        self.records = Records()
        api.put("/apis/apps/v1/namespaces/shop/deployments/payment", deployment())
        api.put("/api/v1/namespaces/shop", {"metadata": {"name": "shop"}})
        ungenerated = {key: value for key, value in meta(CONFIG_MAP).items() if key != "generation"}
        api.put(ORDERS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": ungenerated, "data": {"mine": "x"}})
        steps = [{"action": "cut-edge", "parameters": PARAMETERS}, {"action": "halt-conversation"}]
        verify = {"timeoutSeconds": 120, "stableSeconds": 5}
        api.put(f"{BASE}/runbooks/bad-release", runbook(remediations=steps, verify=verify).wire())
        quick = {"cooldownSeconds": 0, "blastRadius": {"maxPodsPercent": 0, "maxReplicas": 9}}
        auto = policy(onTelemetryAlone="AllowTimeLimited", **quick)
        api.put("/apis/hemostat.dev/v1alpha1/gatepolicies/allow", auto.wire())
        self.shows(fires(*conversations))
        store = Store(api, self.records)
        self.act = Reconciler(
            store=store,
            facts=Facts(api, store, None, self.clock),
            executor=Executor(api),
            catalogue=discover(),
            events=Events(api, "hemostat-act", self.clock),
            clock=self.clock,
            server_now=self.clock.now,
            record=self.records,
            crowd=lambda: 0,
        )

    def shows(self, *signals) -> None:
        self.api.put(INCIDENT, incident(signals=signals).wire())

    def propose(self, name: str, **spec) -> None:
        body = remediation(name, action="cut-edge", parameters=PARAMETERS, **spec).wire()
        body["metadata"] |= {"creationTimestamp": rfc3339(self.clock.now())}
        self.api.put(f"{BASE}/remediations/{name}", body)

    def run(self, seconds: float, *names: str) -> None:
        for _ in range(int(seconds)):
            for name in names:
                for _ in range(20):
                    with suppress(Retry):
                        if self.act.remediation((NAMESPACE, name)) != 0:
                            break
            self.clock.step(1)

    def of(self, name: str) -> Remediation:
        return Remediation.model_validate(self.api.objects[f"{BASE}/remediations/{name}"])

    def condition(self, name: str, kind: str) -> str:
        found = find(self.of(name).status.conditions, kind)
        return found.reason if found is not None and found.status != "Unknown" else ""

    @property
    def orders(self) -> set[str]:
        return set(self.api.objects[ORDERS]["data"]) - {"mine"}


def test_an_order_is_taken_back_on_time_though_nothing_is_verified_and_the_verdict_still_comes():
    cluster = Cluster("c1")
    cluster.propose("one")
    cluster.run(59, "one")
    assert is_true(cluster.of("one").status.conditions, APPLIED)
    assert cluster.orders == {"uid-one-0"}
    assert cluster.condition("one", VERIFIED) == ""
    cluster.run(3, "one")
    assert cluster.orders == set()
    assert cluster.condition("one", UNDONE) == "Restored"
    assert cluster.condition("one", FINISHED) == ""
    cluster.shows(fires("c1", now=cluster.clock.now().timestamp() - T0.timestamp()).model_copy(
        update={"state": SignalState.CLEAR}
    ))  # fmt: skip
    cluster.run(10, "one")
    assert cluster.condition("one", FINISHED) == "Healed"


def test_what_waits_for_an_incident_to_say_what_fires_is_looked_at_less_and_less():
    """`observe` says it at once; of an Incident that a person made up nobody ever may."""
    cluster = Cluster("c1")
    cluster.propose("one")
    cluster.shows()
    pauses = []
    for seconds in (0, 100, 900):
        cluster.clock.step(seconds)
        with pytest.raises(Retry) as waits:
            cluster.act.remediation((NAMESPACE, "one"))
        pauses.append(waits.value.delay_seconds)
    assert pauses == [0.5, 10, 60]


@pytest.mark.parametrize("verified", [False, True])
def test_what_a_person_took_back_ends_the_remediation_at_once(verified):
    """Seen: for the rest of the verification, and of the time, no other loop of that target was cut."""
    cluster = Cluster("c1")
    cluster.propose("one")
    cluster.run(10, "one")
    if verified:
        clear = fires("c1", now=10).model_copy(update={"state": SignalState.CLEAR, "state_time": at(1)})
        cluster.shows(clear)
        cluster.run(5, "one")
        assert cluster.condition("one", VERIFIED) == "Healed"
    cluster.api.write(ORDERS, "kubectl-hemostat", lambda o: o["data"].pop("uid-one-0"))
    cluster.run(8, "one")
    assert cluster.condition("one", UNDONE) == "TakenBack"
    assert cluster.condition("one", FINISHED) == ("Healed" if verified else "TakenBack")


def test_of_several_orders_a_person_may_take_back_one_and_the_others_go_on_time():
    cluster = Cluster("c1", "c2")
    cluster.propose("one")
    cluster.run(10, "one")
    assert cluster.orders == {"uid-one-0", "uid-one-1"}
    cluster.api.write(ORDERS, "kubectl-hemostat", lambda o: o["data"].pop("uid-one-0"))
    cluster.run(53, "one")
    assert cluster.orders == set()
    assert cluster.condition("one", UNDONE) == "Restored"


def test_another_conversation_is_cut_while_the_first_one_still_is_and_each_has_its_own_end_and_verdict():
    """Seen: 81 s later, when the first one was over."""
    cluster = Cluster("c1")
    cluster.propose("one", conversations=["c1"])
    cluster.run(20, "one")
    cluster.shows(fires("c1", "c2", now=20))
    cluster.propose("two", conversations=["c2"])
    cluster.run(2, "one", "two")
    assert cluster.orders == {"uid-one-0", "uid-two-0"}
    assert json.loads(cluster.api.objects[ORDERS]["data"]["uid-two-0"])["conversation"] == "c2"
    cluster.shows(fires("c2", now=22))
    cluster.run(8, "one", "two")
    assert cluster.condition("one", VERIFIED) == "Healed"
    assert cluster.condition("two", VERIFIED) == ""
    cluster.run(32, "one", "two")
    assert cluster.orders == {"uid-two-0"}
    assert cluster.condition("one", FINISHED) == "Healed"
    cluster.run(20, "one", "two")
    assert cluster.orders == set()


def test_two_about_the_same_conversation_or_the_whole_edge_wait_for_each_other():
    cluster = Cluster("c1", "c2")
    cluster.propose("one", conversations=["c1"])
    cluster.run(5, "one")
    for name, spec in (("same", {"conversations": ["c1", "c2"]}), ("all", {})):
        cluster.propose(name, **spec)
        cluster.run(2, "one", name)
        held = find(cluster.of(name).status.conditions, ADMITTED)
        assert (held.reason, "one is still at work" in held.message) == ("Held", True)
    assert cluster.orders == {"uid-one-0"}


def test_an_order_that_somebody_rewrote_is_left_to_him():
    cluster = Cluster("c1")
    cluster.propose("one")
    cluster.run(10, "one")
    cluster.api.write(ORDERS, "somebody", lambda o: o["data"].update({"uid-one-0": "his own"}))
    cluster.run(60, "one")
    assert cluster.condition("one", FINISHED) == "UndoBlocked"
    assert cluster.orders == {"uid-one-0"}
