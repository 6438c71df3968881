"""One look of a Watch over all its signals."""

import itertools

import pytest
from tests.unit.builders import at, deployment, pod, watch

from hemostat.api.incident import SignalSource, SignalState
from hemostat.signals import metric
from hemostat.signals.evaluate import MAX_TRACKED, Inputs, WatchState, look
from hemostat.signals.metric import Vector
from hemostat.signals.presets import Target, rules_of
from hemostat.signals.workload import Scene
from hemostat.signals.workload.judge import ASPECTS
from hemostat.telemetry.alerts import Alert, Standing
from hemostat.telemetry.graph import EdgeStats
from hemostat.telemetry.sample import Series

SPEC = watch().spec
PODS = {"pods/target", *(f"pods/{aspect}/payment" for aspect in ASPECTS["Deployment"])}
FIRING, CLEAR, NO_DATA = SignalState.FIRING, SignalState.CLEAR, SignalState.NO_DATA


def bad(caller="checkout", failures=50):
    return EdgeStats(caller, "payment", 100, failures, 0.1, ("trace1",) if failures else ())


def inputs(edges=(), pods=(), target=True):
    scene = Scene(deployment() if target else None, pods=list(pods) or [pod()])
    return Inputs(edges={"calls": list(edges)}, scene=scene)


METRIC = watch(signals=[{"name": "errors", "metric": {"query": "q", "above": "5", "forSeconds": 0}}]).spec
TARGET = Target("shop", METRIC.target)


NUMBERS = itertools.count(1)


def answers(*series, spec=METRIC):
    """Return the inputs of a look that finds this vector as the answer to every query."""
    rules = rules_of(spec, TARGET)
    vector = Vector([Series(tuple(labels.items()), value) for labels, value in series], next(NUMBERS), 0.0)
    return Inputs(vectors={rule.query: vector for rule in rules}, rules=rules)


def metrics(given, seconds, state=None, start=0, spec=METRIC):
    seen = None
    for i in range(seconds):
        seen = look(spec, given, seen.state if seen else state or WatchState(), at(start + i))
    return seen


def looks(given, seconds, state=None, start=0):
    state, seen = state or WatchState(), None
    for i in range(seconds):
        seen = look(SPEC, given, state, at(start + i))
        state = seen.state
    return seen


def states(seen):
    return {s.key: s.state for s in seen.signals}


def test_a_watch_with_only_a_target_looks_at_calls_and_pods():
    seen = look(SPEC, inputs([bad()]), WatchState(), at(0))
    assert set(states(seen)) == {"calls/errors/checkout->payment", "calls/latency/checkout->payment", *PODS}
    assert seen.notes["calls/errors/checkout->payment"] == "50% of 100 calls checkout -> payment fail"
    assert seen.traces == {"calls/errors/checkout->payment": ("trace1",)}
    assert seen.dropped == 0


def test_named_signals_replace_the_defaults():
    seen = look(METRIC, answers(({}, 9.0)), WatchState(), at(0))
    assert states(seen) == {"errors/metric": FIRING}


def test_a_query_that_failed_is_silence():
    seen = metrics(Inputs(vectors={"q": None}, rules=rules_of(METRIC, TARGET)), 30)
    assert states(seen) == {"errors/metric": NO_DATA}
    assert not seen.fresh


def test_a_preset_that_has_no_data_is_not_even_silent():
    """A default Watch asks for what most clusters do not have; NoData of it would be noise."""
    seen = metrics(Inputs(rules=rules_of(SPEC, TARGET)), 30, spec=SPEC)
    assert rules_of(SPEC, TARGET)
    assert {s.source for s in seen.signals} == {SignalSource.WORKLOAD}


def test_each_series_is_debounced_by_itself():
    spec = watch(signals=[{"name": "errors", "metric": {"query": "q", "above": "5", "forSeconds": 3}}]).spec
    state, seen = WatchState(), None
    for i in range(8):  # they take turns in being the worst: as one signal they would fire
        both = [({"pod": "a"}, 9.0 if i % 2 else 1.0), ({"pod": "b"}, 1.0 if i % 2 else 9.0)]
        seen = look(spec, answers(*both, spec=spec), state, at(i))
        state = seen.state
        assert seen.firing == ()


def test_a_series_that_heals_clears_while_another_fires():
    both = metrics(answers(({"pod": "a"}, 9.0), ({"pod": "b"}, 8.0)), 2)
    assert {s.key for s in both.firing} == {"errors/metric{pod=a}", "errors/metric{pod=b}"}
    one = metrics(answers(({"pod": "a"}, 9.0), ({"pod": "b"}, 1.0)), 12, both.state, start=2)
    assert states(one)["errors/metric{pod=a}"] is FIRING
    assert states(one).get("errors/metric{pod=b}", CLEAR) is CLEAR
    assert "errors/metric{pod=b}" not in {s.key for s in one.firing}


def test_a_series_that_is_gone_for_good_clears_after_a_while_and_not_at_once():
    """A rollback replaces pods: their series never come back, and the Incident must end."""
    fault = metrics(answers(({"pod": "old"}, 9.0)), 2)
    others = answers(({"pod": "new"}, 1.0))
    soon = metrics(others, 60, fault.state, start=2)
    assert states(soon)["errors/metric{pod=old}"] is NO_DATA
    late = metrics(others, 200, fault.state, start=2)
    assert "errors/metric{pod=old}" not in {k for k, s in states(late).items() if s is not CLEAR}


def test_a_series_is_not_gone_while_prometheus_has_no_others():
    fault = metrics(answers(({"pod": "old"}, 9.0)), 2)
    late = metrics(answers(), 600, fault.state, start=2)
    assert states(late)["errors/metric{pod=old}"] is NO_DATA


def test_a_thousand_wrong_series_are_a_handful_of_signals():
    many = answers(*(({"pod": f"p{i}"}, 6.0 + i) for i in range(1000)))
    seen = metrics(many, 3)
    assert len(seen.firing) == metric.MAX_SHOWN
    worst = max(seen.firing, key=lambda s: float(s.value))
    assert worst.key == "errors/metric{pod=p999}"
    assert f"and {1000 - metric.MAX_SHOWN} more series" in seen.notes[worst.key]


def test_what_was_learned_goes_with_its_rule():
    unusual = watch(signals=[{"name": "errors", "metric": {"query": "q", "unusual": {}}}]).spec
    seen = metrics(answers(({}, 1.0), spec=unusual), 2, spec=unusual)
    assert list(seen.state.judges) == list(rules_of(unusual, TARGET))
    assert metrics(answers(({}, 1.0)), 1, seen.state).state.judges.keys() == set(rules_of(METRIC, TARGET))


def test_a_fault_fires_and_heals():
    fault = looks(inputs([bad()]), 6)
    assert [s.key for s in fault.firing] == ["calls/errors/checkout->payment"]
    (clearing,) = looks(inputs([bad(failures=0)]), 2, fault.state, start=6).firing
    said = "50% of 100 calls checkout -> payment fail"
    assert (clearing.message, clearing.value, clearing.severity) == (said, "50", "Critical")
    healed = looks(inputs([bad(failures=0)]), 10, fault.state, start=6)
    assert healed.firing == ()
    assert next(s for s in healed.signals if s.key == clearing.key).value == "0"


def test_an_edge_that_vanished_while_it_fired_is_silent_and_not_well():
    fault = looks(inputs([bad()]), 6)
    gone = looks(inputs(), 60, fault.state, start=6)
    assert states(gone)["calls/errors/checkout->payment"] is NO_DATA
    (errors,) = (s for s in gone.signals if s.key.startswith("calls/errors"))
    assert errors.samples == 0


def test_an_edge_that_vanished_while_it_was_well_is_forgotten():
    well = looks(inputs([bad(failures=0)]), 3)
    gone = look(SPEC, inputs(), well.state, at(3))
    assert set(states(gone)) == PODS
    assert set(gone.state.signals) == PODS


def test_a_vanished_edge_that_comes_back_goes_on_where_it_stood():
    fault = looks(inputs([bad()]), 6)
    began = fault.firing[0].first_fired_time
    gone = looks(inputs(), 30, fault.state, start=6)
    back = looks(inputs([bad()]), 6, gone.state, start=36)
    assert [s.first_fired_time for s in back.firing] == [began]


def test_signals_beyond_the_bound_are_dropped_and_counted():
    edges = [bad(f"caller{i:04}") for i in range(MAX_TRACKED)]
    seen = look(SPEC, inputs(edges), WatchState(), at(0))
    assert len(seen.signals) == MAX_TRACKED
    assert len(seen.state.signals) == MAX_TRACKED
    assert seen.dropped == MAX_TRACKED + len(PODS)
    assert set(seen.notes) <= {s.key for s in seen.signals}


def test_vanished_edges_do_not_push_out_live_ones():
    old = looks(inputs([bad(f"old{i:04}") for i in range(MAX_TRACKED)]), 6)
    now = looks(inputs([bad("new")]), 6, old.state, start=6)
    assert "calls/errors/new->payment" in {s.key for s in now.firing}
    assert len(now.state.signals) <= MAX_TRACKED


def test_what_is_normal_is_carried_along():
    state = looks(inputs([bad(failures=0)]), 12).state
    assert state.normal["calls/latency/checkout->payment"].looks == 12
    slow = EdgeStats("checkout", "payment", 100, 0, 5.0, ())
    seen = looks(inputs([slow]), 6, state, start=12)
    assert [s.key for s in seen.firing] == ["calls/latency/checkout->payment"]
    assert seen.state.normal == state.normal


@pytest.mark.parametrize(
    ("given", "fresh"),
    [(inputs([bad()]), True), (inputs(target=False), False), (inputs(pods=[pod()]), True)],
)
def test_whether_anything_rests_on_data(given, fresh):
    assert looks(given, 25).fresh is fresh


def test_a_resumed_state_is_used():
    first = looks(inputs([bad()]), 6)
    again = look(SPEC, inputs([bad()]), WatchState(first.state.signals, first.state.normal), at(6))
    assert again.firing[0].first_fired_time == first.firing[0].first_fired_time


def test_a_flood_of_made_up_edges_crowds_out_neither_pods_nor_edges_long_known():
    known = look(SPEC, inputs([bad()]), WatchState(), at(0))
    flood = [bad(f"!{i:04}") for i in range(MAX_TRACKED)]
    seen = look(SPEC, inputs([*flood, bad()], pods=[pod(waiting="ImagePullBackOff")]), known.state, at(1))
    assert {*PODS, "calls/errors/checkout->payment"} <= states(seen).keys()
    assert len(seen.signals) == MAX_TRACKED
    assert seen.dropped == MAX_TRACKED + 2 + len(PODS)


def test_what_is_learned_stays_bounded_and_keeps_what_is_known_longest():
    state = WatchState()
    for i in range(20):
        flood = [bad(f"{i}-{j}", failures=0) for j in range(40)]
        state = look(SPEC, inputs([*flood, bad(failures=0)]), state, at(i)).state
    assert len(state.normal) <= MAX_TRACKED
    assert state.normal["calls/latency/checkout->payment"].looks == 20


def test_what_fires_and_was_right_in_this_look_does_not_last():
    fires = looks(inputs([bad()]), 6)
    assert fires.firing
    assert fires.lasts
    after = look(SPEC, inputs([bad(failures=0)]), fires.state, at(6))
    assert after.firing
    assert not after.lasts
    assert look(SPEC, inputs([bad()]), after.state, at(7)).lasts


def test_alerts_are_judged_as_every_other_signal():
    slow = Alert("id", (("alertname", "Slow"),), resolved=False, ends=None, summary="p95 is 2 s")
    spec = watch(signals=[{"name": "theirs", "alert": {}}]).spec
    seen = look(spec, Inputs(alerts={"theirs": [(slow, Standing.FIRING)]}), WatchState(), at(0))
    assert [(s.key, s.source) for s in seen.firing] == [("theirs/Slow", SignalSource.ALERTMANAGER)]
    assert seen.notes == {"theirs/Slow": "p95 is 2 s"}
