"""What more replicas lean on: connections are counted with those of others, and who is in trouble is known by name."""

import pytest
from tests.unit.builders import at, condition, deployment, incident, meta, signal
from tests.unit.gate.test_checks import given_

from hemostat.api.incident import SignalState
from hemostat.clock import rfc3339
from hemostat.gate.checks import decide
from hemostat.gate.downstream import connections, stated, troubled
from hemostat.gate.input import ASK, PASS, Connections, Room
from hemostat.gate.room import room_for_more

NAMES = frozenset({"payment", "payment-svc"})


def workload(text=None, name="payment", replicas=5, running=0):
    annotations = {"hemostat.dev/connections": text} if text is not None else {}
    live = deployment(replicas=replicas) | {"metadata": meta(name, annotations=annotations)}
    return live | {"status": {"replicas": running}}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (None, {}),
        ("orders-db=20/100", {"orders-db": (20, 100)}),
        (" orders-db=20/100 , cache.data.svc:6379=1/10", {"orders-db": (20, 100), "cache.data.svc:6379": (1, 10)}),
        ("orders-db=0/0", {"orders-db": (0, 0)}),
        *((garbled, None) for garbled in ("", "20/100", "db=20", "db=20/100,", "db=-1/9", "db=1e3/9", "d b=1/2")),
        ("a=1/2,a=3/4", None),
        (",".join(f"db{n}=1/9" for n in range(17)), None),
        ("db=" + "9" * 40 + "/1", None),
    ],
)
def test_what_an_annotation_says(text, found):
    assert stated(workload(text)) == found


def test_five_replicas_that_hold_20_each_leave_no_room_for_a_sixth_in_a_hundred():
    (held,) = connections(workload("orders-db=20/100"), 6, [workload("orders-db=20/100")])
    assert held == Connections("orders-db", 100, 20, 6, 0), "the target is not counted twice"
    assert held.held == 120
    assert connections(workload(), 6, iter(())) == ()


def test_who_says_the_same_name_shares_it_and_the_least_limit_counts():
    others = [
        workload("orders-db=5/80", "reports", 2, running=4),  # a rollout is under way: both kinds of pods hold some
        workload("cache=500/500", "web"),
        workload(None, "else"),
    ]
    (held,) = connections(workload("orders-db=20/100"), 4, others)
    assert (held.limit, held.others, held.held) == (80, 20, 100)


def test_every_kind_of_workload_is_a_caller_and_none_is_counted_twice():
    """Seen: only Deployments were counted."""
    own = {"kind": "Deployment", "name": "web", "uid": "uid-web", "controller": True}
    rollout = own | {"kind": "Rollout"}

    def of(name, spec, status, owner=None):
        owners = {"ownerReferences": [owner]} if owner is not None else {}
        said = {"annotations": {"hemostat.dev/connections": "db=1/100"}}
        return {"metadata": meta(name, **said, **owners), "spec": spec, "status": status}

    workloads = [
        of("web", {"replicas": 2}, {"replicas": 3}),
        of("web-1", {"replicas": 2}, {"replicas": 2}, own),  # repeats what its Deployment says
        of("queue", {"replicas": 10}, {"replicas": 9}),
        of("agent", {}, {"desiredNumberScheduled": 30, "currentNumberScheduled": 29, "numberMisscheduled": 2}),
        of("bare", {"replicas": 100}, {}),
        of("other-1", {"replicas": 1000}, {}, rollout),
        of("young", {}, {}),
    ]
    (held,) = connections(workload("db=1/100"), 6, workloads)
    assert held.others == 3 + 10 + 32 + 100 + 1000 + 1


def test_words_that_cannot_be_understood_are_no_limit_that_is_kept():
    assert connections(workload("orders-db"), 6, []) is None
    assert connections(workload("orders-db=20/100"), 6, [workload("orders-db", "reports")]) is None


def check(**room):
    return room_for_more(given_(room=Room(1, 9, 9, **room)), ())


def test_the_reason_says_the_numbers():
    full = Connections("orders-db", 100, 20, 6, 0)
    shared = Connections("orders-db", 100, 20, 5, 7)
    told = "orders-db takes 100 connections, and 6 replicas with 20 each would hold 120"
    assert check(connections=(full,)) == (ASK, f"it adds 1 replicas; nodes have room for 9; {told}")
    assert check(connections=(shared,))[1].endswith("would hold 100, beside 7 of other workloads")
    fits = check(connections=(Connections("orders-db", 100, 20, 5, 0),))
    assert (fits[0], fits[1].endswith("; 100 of 100 connections of orders-db")) == (PASS, True)


@pytest.mark.parametrize(
    ("room", "outcome", "said"),
    [
        ({}, PASS, "nothing that the target calls is known to be in trouble"),
        ({"connections": None}, ASK, "cannot be told (annotation hemostat.dev/connections)"),
        ({"troubled": None}, ASK, "could not be read"),
        ({"troubled": ("db",)}, ASK, "in trouble itself, and more callers make it worse: db"),
        ({"troubled": tuple("abcdef")}, ASK, "a, b, c, d and 2 more"),
    ],
)
def test_what_speaks_against_more_replicas(room, outcome, said):
    found = check(**room)
    assert (found[0], said in found[1]) == (outcome, True)
    assert room_for_more(given_(room=Room(0, **room)), ())[0] is PASS, "it adds none"
    allowed = decide(given_(room=Room(1, 9, 9, **room))).outcome == "Allow"
    assert allowed is (outcome is PASS)


def edge(subject, state=SignalState.FIRING, **more):
    return signal(f"calls/latency/{subject}", subject=subject, state=state, **more)


def callee(name="db-1", *, callers=("payment",), state=SignalState.FIRING, **status):
    told = {"total": len(callers), "names": list(callers), "observedTime": rfc3339(at(0))}
    found = incident(name, signals=(signal(state=state),), callers=told, **status)
    target = found.spec.target_ref.model_copy(update={"name": "db", "uid": "uid-db"})
    return found.model_copy(update={"spec": found.spec.model_copy(update={"target_ref": target})})


def test_whom_the_target_calls_and_finds_slow_is_in_trouble():
    own = incident(
        signals=(
            edge("checkout -> payment"),
            edge("payment-svc -> bank"),
            edge("payment -> well", SignalState.CLEAR),
            edge("payment -> payment-svc"),
            edge("checkout -> stock", watch_ref={"name": "checkout"}),
        )
    )
    assert troubled(NAMES, own, []) == ("bank",)


def test_who_may_be_the_cause_and_is_not_watched_is_in_trouble():
    causes = [
        {"service": "payment", "scorePercent": 80},
        {"service": "checkout", "scorePercent": 20, "watchRef": {"name": "checkout"}},
        {"service": "ledger", "scorePercent": 10},
    ]
    assert troubled(NAMES, incident(causes=causes), []) == ("ledger",)


def test_whose_own_incident_says_that_the_target_calls_it_is_in_trouble():
    over = callee("db-0", conditions=(condition("Resolved", True, "Healed"),))
    others = [over, callee(callers=("web",)), callee(state=SignalState.CLEAR), incident("else"), callee("db-2")]
    assert troubled(NAMES, incident(), others) == ("db (Incident db-2)",)
    assert troubled(NAMES, incident(), [callee(callers=("payment-svc", "web"))]) == ("db (Incident db-1)",)
    assert troubled(NAMES, callee(), [callee()]) == (), "its own Incident"


def test_who_has_more_callers_than_are_named_may_be_called_by_the_target():
    many = callee(callers=("web",))
    callers = many.status.callers.model_copy(update={"total": 65})
    many = many.model_copy(update={"status": many.status.model_copy(update={"callers": callers})})
    assert troubled(NAMES, incident(), [many]) == ("db (Incident db-1; 65 call it, the target maybe too)",)
