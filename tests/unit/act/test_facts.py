"""What `act` takes for a confirmation of the trouble, by its own eyes."""

from types import SimpleNamespace

import pytest
from tests.unit.builders import (
    NAMESPACE,
    T0,
    approval,
    at,
    condition,
    deployment,
    ended,
    incident,
    meta,
    pod,
    policy,
    remediation,
    running_pod,
    signal,
    template,
    watch,
)
from tests.unit.gate.test_checks import PLAN

from hemostat.act.facts import Facts
from hemostat.act.store import Store
from hemostat.api.remediation import Plan
from hemostat.clock import FakeClock
from hemostat.errors import Refused, Retry
from hemostat.gate.input import Connections, Room
from hemostat.gate.room import MANY
from hemostat.kube import NotFound
from hemostat.telemetry.sample import Answer, Series

GOING = {"metadata": running_pod()["metadata"] | {"deletionTimestamp": "2026-01-01T00:00:00Z"}}
SIGNALS = [{"name": "errors", "metric": {"query": "q", "above": "5"}}]
FIRING = incident(signals=(signal("errors/metric").model_copy(update={"name": "errors"}),))


def corroborated(seen=FIRING, watched="payment", live=None, pods=(), signals=SIGNALS, answer=None):
    found = watch(signals=signals)
    found = found.model_copy(
        update={
            "spec": found.spec.model_copy(update={"target": found.spec.target.model_copy(update={"name": watched})})
        }
    )
    kube = SimpleNamespace(list=lambda *_, **__: list(pods))
    store = SimpleNamespace(watch=lambda *_: found)
    prometheus = SimpleNamespace(instant=answer or (lambda _: Answer([Series((), 9.0)])))
    facts = Facts(kube, store, prometheus, FakeClock(T0))
    return facts.corroboration(NAMESPACE, seen, live or deployment(template("1")))


def test_the_watch_of_the_target_confirms():
    assert "Prometheus confirms: errors is 9" in corroborated()


def test_only_what_fires_is_asked_for():
    """A default Watch has twenty rules, and the gate waits for the answers."""
    other = signal("metrics/MemoryExhaustion").model_copy(update={"name": "errors"})
    assert corroborated(seen=incident(signals=(other,))) is None
    series = signal("errors/metric{pod=a}").model_copy(update={"name": "errors"})
    assert corroborated(seen=incident(signals=(series,))) is not None


def test_a_watch_of_something_else_confirms_nothing():
    assert corroborated(watched="another") is None


def test_pods_of_the_target_confirm():
    assert "ImagePullBackOff" in corroborated(watched="another", pods=[pod(waiting="ImagePullBackOff")])


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (running_pod(ready=False, restarts=2, state=ended("Error", 1, -200)), "CrashLoopBackOff"),
        (running_pod(restarts=3, started=-5, last=ended("Error", 1, -30)), "CrashLoopBackOff"),
        (running_pod(restarts=1, started=-5, last=ended("OOMKilled", 137, -20)), "OOMKilled"),
        (running_pod(restarts=3, started=-700, last=ended("Error", 1, -701)), None),
        (running_pod(restarts=1, started=-200, last=ended("Error", 1, -201)), None),
        (running_pod(restarts=3, started=-5, last=ended("Error", 1, -30)) | GOING, None),
    ],
    ids=["ended, and left so for the back-off", "runs just then", "killed", "long ago", "once", "to be deleted"],
)
def test_a_crash_loop_is_the_api_server_s_word_also_while_it_does_not_call_it_so(found, said):
    """It was asked for in a moment in which the container ran or had just ended, and a person was asked instead."""
    told = corroborated(watched="another", pods=[found])
    assert told == (f"the API server confirms: payment-a: {said}" if said else None)


def test_without_labels_to_go_by_everybody_s_pods_confirm_nothing():
    live = deployment(template("1"))
    live["spec"]["selector"] = {}
    assert corroborated(watched="another", live=live, pods=[pod(waiting="ImagePullBackOff")]) is None


def test_a_plan_waits_until_the_incident_says_what_fires():
    """`observe` proposes and then writes the signals; seen: a storm's cut was given up in between, for good."""
    seen = [incident(), FIRING]
    facts = Facts(None, SimpleNamespace(incident=lambda *_: seen.pop(0)), None, FakeClock(T0))
    with pytest.raises(Retry, match="does not say yet"):
        facts._conversations(remediation(), needed=True)
    assert facts._conversations(remediation(), needed=True) == ()


VOLUMES = [
    {"name": "data", "persistentVolumeClaim": {"claimName": "data-0"}},
    {"name": "tls", "secret": {"secretName": "front-tls"}},
]


def mounting():
    return pod() | {"spec": {"volumes": VOLUMES}}


@pytest.mark.parametrize(
    ("check", "names", "value"), [("VolumeFull", "data-0", 97.0), ("CertificateExpiry", "front-tls", 3600.0)]
)
def test_what_pods_mount_is_asked_for_by_name(check, names, value):
    """Who does not know which claims and Secrets there are cannot ask about them: nothing was ever confirmed."""
    standard = [{"name": "metrics", "standard": {}}]
    shown = incident(signals=(signal(f"metrics/{check}{{a=b}}").model_copy(update={"name": "metrics"}),))
    asked = []

    def answer(query):
        asked.append(query)
        return Answer([Series((), value)])

    assert corroborated(shown, signals=standard, answer=answer) is None
    said = corroborated(shown, signals=standard, answer=answer, pods=[mounting()])
    assert said is not None
    assert said.startswith("Prometheus confirms: ")
    assert len(asked) == 1
    assert names in asked[0]


NARROWED = {"fieldSelector": "status.stage=Decided"}
"""Ten thousand may wait, and to understand one takes a millisecond: every decision would take ten seconds."""


def everywhere(*namespaces, scope="Cluster", reads=None, now=0.0):
    """Return what `act` knows of other namespaces, where each holds one Remediation that ended at T0."""
    admitted = {"conditions": [condition("Admitted", reason="AllowedByPolicy"), condition("Finished")]}
    found = [
        {"metadata": meta(f"r{n}", namespace=name), "spec": remediation().spec.wire(), "status": admitted}
        for n, name in enumerate(namespaces)
    ]
    kube = SimpleNamespace(each=reads or (lambda _, **query: iter(found if query == NARROWED else ())))
    facts = Facts(kube, Store(kube, None), None, FakeClock(at(now)))
    return facts._elsewhere(NAMESPACE, [policy(budget={"scope": scope})])


def test_other_namespaces_are_counted_where_a_policy_counts_them():
    assert len(everywhere("bank", NAMESPACE, "jobs")) == 2
    assert everywhere("bank", scope="Namespace", reads=None) == ()


def test_what_cannot_be_counted_is_unknown_and_not_nothing(monkeypatch):
    def broken(_, **query):
        raise Retry("the API server does not answer")

    assert everywhere(reads=broken) is None
    monkeypatch.setattr("hemostat.act.store.MAX_ALL", 2)
    assert everywhere("a", "b") is not None
    assert everywhere("a", "b", "c") is None, "a decision must not read without end"
    assert everywhere("a", "b", "c", now=3599) is None
    assert everywhere("a", "b", "c", now=3600) == (), "what ended before the budget's hour holds nobody up"


SCALED = Plan.model_validate(PLAN.model_dump() | {"replicas_after": 5})


def room(plan, **readable):
    """Return what `act` knows of room; what it may not list is Forbidden."""

    def read(path, **_):
        kind = path.rsplit("/", 1)[1]
        if kind not in readable:
            raise Refused("Forbidden", f"may not list {kind}")
        return iter(readable[kind])

    facts = Facts(SimpleNamespace(list=lambda path: list(read(path)), each=read), None, None, FakeClock(T0))
    return facts._room(NAMESPACE, deployment(), plan)


def test_room_is_asked_for_only_where_replicas_are_added():
    assert room(PLAN) == Room(0)
    assert room(SCALED) == Room(2)
    assert room(SCALED, resourcequotas=[]) == Room(2, MANY)
    nodes = [{"metadata": {"name": "n"}, "status": {"conditions": [], "allocatable": {}}}]
    assert room(SCALED, resourcequotas=[], nodes=nodes, pods=[]) == Room(2, MANY, 0)


def below(deployments, incidents=(), *, annotation="orders-db=20/100", service="", watch_is_there=True, others=None):
    """Return what `act` knows of what the target leans on."""
    live = deployment() | {"metadata": meta("payment", annotations={"hemostat.dev/connections": annotation})}
    seen = watch(service=service) if service else watch()
    own = incident(signals=(signal(subject="pay -> bank"),))

    def read(path, **_):
        kinds = dict.fromkeys(("statefulsets", "daemonsets", "replicasets"), ())
        kinds |= {"deployments": deployments, "incidents": [i.wire() for i in incidents]} | (others or {})
        found = kinds[path.rsplit("/", 1)[1]]
        if found is None:
            raise Refused("Forbidden", f"may not list {path}")
        return iter(found)

    def get(path, **_):
        if not watch_is_there:
            raise NotFound(path)
        return seen.wire()

    kube = SimpleNamespace(each=read, get=get)
    facts = Facts(kube, Store(kube, None), None, FakeClock(T0))
    return facts._downstream(NAMESPACE, own, live, SCALED, Room(2, 9, 9))


def test_what_added_replicas_lean_on_is_read_by_act_itself():
    db = incident("db-1", signals=(signal(),), callers={"total": 1, "names": ["pay"], "observedTime": T0.isoformat()})
    target = db.spec.target_ref.model_copy(update={"name": "db"})
    db = db.model_copy(update={"spec": db.spec.model_copy(update={"target_ref": target})})
    found = below([], [db])
    assert (found.connections, found.troubled) == ((Connections("orders-db", 100, 20, 5, 0),), ())
    named = below([], [db, incident("untold")], service="pay")
    assert named.troubled == ("bank", "db (Incident db-1)"), "in traces it has another name"
    assert below([], [db], watch_is_there=False).troubled == ()


@pytest.mark.parametrize("kind", ["deployments", "statefulsets", "daemonsets", "replicasets"])
def test_whatever_runs_pods_shares_connections_and_what_may_not_be_read_is_unknown(kind):
    caller = {"metadata": meta("caller", annotations={"hemostat.dev/connections": "orders-db=7/90"}), "spec": {}}
    assert below([], others={kind: [caller]}).connections == (Connections("orders-db", 90, 20, 5, 7),)
    assert below([], others={kind: None}).connections is None


def test_a_thousand_that_wait_do_not_each_read_all_incidents():
    reads, clock = [], FakeClock(T0)

    def read(path, **_):
        reads.append(path)
        return iter(())

    kube = SimpleNamespace(each=read, get=lambda path: watch().wire())
    facts = Facts(kube, Store(kube, None), None, clock)
    for namespace, seconds in (("a", 0), ("a", 4), ("a", 2), ("b", 0), ("a", -60)):
        clock.step(seconds)
        facts._downstream(namespace, incident(), deployment(), SCALED, Room(2, 9, 9))
    assert [path.split("/")[-2] for path in reads] == ["a", "a", "b", "a"]


def test_what_may_not_be_read_of_what_it_leans_on_is_unknown():
    blind = below(None)
    assert (blind.connections, blind.troubled) == (None, None)
    assert below(None, annotation="garbled?").connections is None
    half = below([{"metadata": {}}])
    assert half.connections is None, "an object without a uid"


def test_pods_without_end_are_not_read(monkeypatch):
    monkeypatch.setattr("hemostat.act.facts.MAX_PODS", 3)
    assert room(SCALED, resourcequotas=[], nodes=[], pods=[{}] * 3).nodes == 0
    assert room(SCALED, resourcequotas=[], nodes=[], pods=[{}] * 4).nodes is None


def test_no_approval_counts_where_one_cannot_be_asked_about():
    """That one may be a Deny; and twenty that are asked about in vain are twenty deadlines."""
    asked = []

    def create(path, body, manager):
        asked.append(body["spec"]["user"])
        if len(asked) == 3:
            raise Retry("no answer within 10 s")
        return {"status": {"allowed": True}}

    facts = Facts(SimpleNamespace(create=create), None, None, None)
    said = [approval(f"word-{number}", approver=f"user{number}") for number in range(20)]
    assert facts.may_approve(said, remediation()) == {}
    assert asked == ["user0", "user1", "user2"]
    asked.clear()
    assert set(facts.may_approve(said[:2], remediation()).values()) == {True}


def test_what_all_pods_request_is_read_once_for_those_that_are_decided_together():
    reads, clock = [], FakeClock(T0)

    def read(path, **_):
        reads.append(path.rsplit("/", 1)[1])
        return iter(())

    facts = Facts(SimpleNamespace(each=read, list=lambda path: []), None, None, clock)
    for seconds in (0, 4, 2, -60):
        clock.step(seconds)
        facts._room(NAMESPACE, deployment(), SCALED)
    assert reads.count("pods") == 3
    assert reads.count("nodes") == 4
