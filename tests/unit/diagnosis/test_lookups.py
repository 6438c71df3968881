"""What was looked up, as sentences that somebody can judge by."""

from tests.unit.builders import at, event

from hemostat.api.incident import MAX_POINTS, EvidenceKind
from hemostat.diagnosis import lookups
from hemostat.diagnosis.plots import MAX_SAID
from hemostat.telemetry.graph import CallGraph, CallStats, EdgeStats
from hemostat.telemetry.sample import History


def edge(caller, callee, calls=60, failures=0, p95=0.1, served=0.0):
    return EdgeStats(
        caller, callee, calls, failures, p95, (), p50_seconds=p95 / 2, total_seconds=calls * p95,
        served=CallStats(calls=calls, p95_seconds=served) if served else CallStats(),
    )  # fmt: skip


def test_calls_in_and_out_the_worst_first():
    graph = CallGraph(
        60.0, (edge("web", "pay"), edge("pay", "db", failures=30, p95=0.4, served=0.02), edge("web", "cart"))
    )
    found = lookups.edges(graph, "pay")
    assert [i.subject for i in found] == ["pay -> db", "web -> pay"]
    assert found[0].summary == (
        "pay -> db, last 1 min: 1 calls/s, 50 % fail, median 200 ms, 95th percentile 400 ms; "
        "the callee itself took 20 ms (95th percentile)"
    )
    many = CallGraph(60.0, tuple(edge(f"c{n}", "pay") for n in range(30)))
    assert len(lookups.edges(many, "pay")) == lookups.MAX_EDGES
    assert lookups.edges(CallGraph(60.0, (edge("a", "pay", calls=0),)), "pay") == []


def test_measurements_are_thinned_and_keep_their_extremes():
    points = [(1000.0 + 10 * n, 1.0) for n in range(200)]
    points[77] = (1770.0, 9.0)
    flat = History((("pod", "b"),), [(1000.0, 5.0), (2990.0, 5.0)])
    found = lookups.series("memory", "mem", [flat, History((("pod", "a"), ("__name__", "mem")), points)])
    assert [i.subject for i in found] == ["memory pod=a", "memory pod=b"], "what moved comes first"
    assert found[0].summary.count("s:") <= MAX_SAID
    assert "-1220s:9" in found[0].summary
    assert "9" in found[0].plot.values
    assert len(found[0].plot.values) <= MAX_POINTS
    assert found[0].summary.startswith("mem: -1990s:1 ")
    assert " +0s:1; lowest 1 at -1990s, highest 9 at -1220s" in found[0].summary
    assert lookups.series("memory", "mem", [History((), [])]) == []


def test_events_of_one_reason_and_message_are_one_fact():
    same = [event("BackOff", "restarting failed container", uid=f"u{n}", seen=-30 + n, count=3) for n in range(4)]
    newer = event("Unhealthy", "probe failed", seen=-2)
    found = lookups.events([*same, newer], at(0))
    assert [(i.kind, i.key) for i in found] == [
        (EvidenceKind.EVENT, "event/Unhealthy/probe failed"),
        (EvidenceKind.EVENT, "event/BackOff/restarting failed container"),
    ]
    assert "BackOff, 12 times, last 27 s ago: restarting failed container" in found[1].summary
    assert len(lookups.events([event("R", str(n)) for n in range(30)], at(0))) == lookups.MAX_EVENTS
