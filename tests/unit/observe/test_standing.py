"""What `kubectl get watch` says: honest about what is missing, and not rewritten at every look."""

import math
from dataclasses import replace

import pytest
from prometheus_client import generate_latest
from tests.unit.builders import at, deployment, pod, watch

from hemostat.api.meta import find
from hemostat.api.watch import Baseline, PresentRevision, SignalStanding, WatchStatus
from hemostat.metrics import FIRING, REGISTRY
from hemostat.observe.gather import SERVICES, STEPS
from hemostat.observe.look import Observer
from hemostat.observe.memory import Memory, baselines, recall
from hemostat.observe.standing import essence, status_after
from hemostat.signals import trace
from hemostat.signals.evaluate import Inputs, WatchState, look
from hemostat.signals.metric import Vector
from hemostat.signals.presets import Target, rules_of
from hemostat.signals.trace import Normal
from hemostat.signals.workload import Scene
from hemostat.telemetry.graph import EdgeStats
from hemostat.telemetry.sample import Series

EDGE = EdgeStats("checkout", "payment", 100, 0, 0.1, ())
METRIC = {"name": "errors", "metric": {"query": "q", "above": "5", "forSeconds": 3}}


def gathered(of, *values, edges=(), scene=None, target=True):
    rules = rules_of(of.spec, Target("shop", of.spec.target))
    vector = Vector([Series((("pod", str(i)),), v) for i, v in enumerate(values)], 1, 0.0)
    scene = scene or Scene(deployment() if target else None, pods=[pod()])
    vectors = {r.query: vector if values and r.query == "q" else None for r in rules}
    return Inputs(vectors=vectors, edges={"calls": list(edges)}, scene=scene, rules=rules)


def status(of, inputs, looks=1, problems=(), memory=None):
    memory = memory or Memory()
    for i in range(looks):
        seen = look(of.spec, inputs, memory.state, at(i))
        memory.state = seen.state
        memory.status = status_after(of, memory, seen, inputs, list(problems), at(i))
    return memory.status


def said(found, kind):
    condition = find(found.conditions, kind)
    return str(condition.status), condition.reason


def lines(found):
    return {s.name: s for s in found.signals}


def test_a_watch_with_everything_is_ready_fresh_and_healthy():
    of = watch(signals=[METRIC, {"name": "calls", "trace": {}}, {"name": "pods", "workload": {}}])
    found = status(of, gathered(of, 1.0, 2.0, edges=[EDGE]), looks=10)
    assert [said(found, kind) for kind in ("Ready", "DataFresh", "Healthy")] == [
        ("True", "Watching"),
        ("True", "Arriving"),
        ("True", "Quiet"),
    ]
    assert (found.series, found.edges, found.objects) == (2, 1, 2)
    assert lines(found)["errors"].subjects == 2
    assert set(lines(found)) == {"errors", "calls/errors", "calls/latency", "pods"}


def test_pods_alone_are_no_fresh_data_and_it_says_what_is_silent():
    """A Watch said DataFresh while no trace had ever arrived."""
    found = status(watch(), gathered(watch()), looks=10)
    assert said(found, "DataFresh") == ("False", "NoTelemetry")
    message = find(found.conditions, "DataFresh").message
    assert "no traces say that anybody calls payment" in message
    assert "Prometheus has no series" in message
    assert said(found, "Healthy") == ("True", "Quiet")
    assert "no telemetry" in find(found.conditions, "Healthy").message


def test_who_is_refused_is_not_said_to_be_called_by_nobody():
    """A flood filled the table of services, and the Watch said that its service bears another name."""
    found = status(watch(), replace(gathered(watch()), refused=SERVICES), looks=10)
    fresh = find(found.conditions, "DataFresh")
    assert (str(fresh.status), fresh.reason) == ("False", "NoTelemetry")
    assert "too many services send spans" in fresh.message
    assert "another name" not in fresh.message
    assert "too many services send spans" in lines(found)["calls"].message


def test_calls_that_arrive_while_others_are_refused_are_a_part():
    found = status(watch(), replace(gathered(watch(), edges=[EDGE]), refused=SERVICES), looks=10)
    fresh = find(found.conditions, "DataFresh")
    assert (str(fresh.status), fresh.reason) == ("True", "PartialData")
    assert "too many services send spans" in fresh.message


def test_steps_of_agents_that_are_refused_are_said_of_who_asks_for_nothing_else():
    """It said that all arrives, and its conversations were judged by what was left."""
    of = watch(signals=[{"name": "talk", "conversation": {}}])
    fresh = find(status(of, replace(gathered(of), refused=STEPS), looks=10).conditions, "DataFresh")
    assert (fresh.reason, fresh.message) == ("PartialData", STEPS)
    found = lines(status(of, replace(gathered(of), refused=STEPS), looks=10))
    assert "agents send more steps than can be read" in found["talk"].message


def test_of_several_sources_the_silent_one_is_named():
    found = status(watch(), gathered(watch(), edges=[EDGE]), looks=10)
    assert said(found, "DataFresh") == ("True", "PartlySilent")
    assert "Prometheus" in find(found.conditions, "DataFresh").message


def test_the_default_signals_are_listed_and_why_they_are_silent():
    found = lines(status(watch(), gathered(watch()), looks=30))
    assert set(found) == {"calls", "pods", "metrics", "alerts", "agents", "conversations"}
    assert (found["pods"].state, found["pods"].message) == (SignalStanding.CLEAR, "no trouble")
    assert found["calls"].state is found["metrics"].state is SignalStanding.NO_DATA
    assert "no calls of payment" in found["calls"].message
    assert "MemoryExhaustion" in found["metrics"].message


def test_a_missing_target_is_neither_healthy_nor_ill():
    found = status(watch(), gathered(watch(), target=False), looks=3)
    assert said(found, "Ready") == ("False", "TargetMissing")
    assert said(found, "Healthy") == ("Unknown", "TargetMissing")
    assert "payment" in find(found.conditions, "Healthy").message


@pytest.mark.parametrize(
    ("kind", "spec", "reason"),
    [
        ("Deployment", {"replicas": 0}, "ScaledToZero"),
        ("StatefulSet", {"replicas": 0}, "ScaledToZero"),
        ("DaemonSet", {}, "NoNodes"),
        ("Job", {"suspend": True}, "Suspended"),
        ("CronJob", {"suspend": True}, "Suspended"),
    ],
)
def test_a_target_that_is_meant_to_run_nothing_is_not_quiet_but_says_so(kind, spec, reason):
    """It was Quiet, and its revision counted as observed healthy after a while: one that a rollback may return to."""
    of = watch(target={"kind": kind, "name": "payment"})
    made = {"kind": kind, "metadata": {"name": "payment", "uid": "u"}, "spec": spec, "status": {}}
    present = {"targetUid": "u", "number": "1", "templateHash": "h"}
    memory = Memory(present=PresentRevision.model_validate(present))
    found = status(of, gathered(of, scene=Scene(made)), looks=60, memory=memory)
    assert said(found, "Healthy") == ("Unknown", reason)
    words = find(found.conditions, "Healthy").message
    assert words == lines(found)["pods"].message != ""
    assert found.revisions == ()


def test_what_fires_comes_before_that_nothing_runs():
    of = watch(signals=[METRIC])
    found = status(of, gathered(of, 9.0, scene=Scene(deployment(replicas=0))), looks=6)
    assert said(found, "Healthy") == ("False", "SignalsFiring")
    assert "; scaled to zero" in find(found.conditions, "Healthy").message


@pytest.mark.parametrize("kind", ["Job", "CronJob", "Node", "StatefulSet"])
def test_the_api_version_of_a_well_known_kind_need_not_be_said(kind):
    """A Job without apiVersion was TargetMissing."""
    of = watch(target={"kind": kind, "name": "payment"})
    made = {"kind": kind, "metadata": {"name": "payment", "uid": "u"}, "spec": {}, "status": {}}
    assert said(status(of, gathered(of, scene=Scene(made))), "Ready") == ("True", "Watching")


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ({"kind": "Job", "apiVersion": "apps/v1"}, "set spec.target.apiVersion to batch/v1"),
        ({"kind": "Service"}, "there are Deployment"),
    ],
)
def test_a_target_that_cannot_be_watched_says_what_can(target, words):
    of = watch(target={"name": "payment"} | target)
    found = status(of, gathered(of, target=False))
    assert [said(found, kind) for kind in ("Ready", "Healthy")] == [
        ("False", "UnsupportedKind"),
        ("Unknown", "UnsupportedKind"),
    ]
    assert all(words in find(found.conditions, kind).message for kind in ("Ready", "Healthy"))


@pytest.mark.parametrize(("interval", "history", "short"), [(5, 320, False), (5, 60, True), (300, 3600, True)])
def test_a_history_that_has_too_few_samples_is_told(interval, history, short):
    """It was accepted without a word, and nothing was judged for hours."""
    forecast = {"name": "disk", "metric": {"query": "q", "forecast": {"limit": "0", "historySeconds": history}}}
    of = watch(signals=[forecast], intervalSeconds=interval)
    found = status(of, gathered(of, 1.0))
    assert said(found, "Ready") == ("True", "HistoryTooShort" if short else "Watching")
    least = 64 * interval
    assert (f"signal disk: historySeconds {history}" in find(found.conditions, "Ready").message) == short
    assert (f"looks back {least} s" in find(found.conditions, "Ready").message) == short


@pytest.mark.parametrize(
    ("problem", "kind", "expected"),
    [
        (("BadQuery", "1:5: parse error"), "Ready", ("False", "BadQuery")),
        (("TooManyQueries", "more than 5"), "Ready", ("False", "TooManyQueries")),
        (("PrometheusUnavailable", "down"), "DataFresh", ("False", "PrometheusUnavailable")),
        (("QueryFailed", "no whole answer"), "DataFresh", ("False", "QueryFailed")),
    ],
)
def test_problems_with_prometheus_are_told_in_its_words(problem, kind, expected):
    of = watch(signals=[METRIC])
    found = status(of, gathered(of), problems=[problem])
    assert said(found, kind) == expected
    assert problem[1] in find(found.conditions, kind).message


def test_partial_data_are_fresh_and_it_is_said_that_they_are_partial():
    of = watch(signals=[METRIC])
    found = status(of, gathered(of, 1.0), problems=[("PartialData", "store 3 is down: q")])
    assert said(found, "DataFresh") == ("True", "PartialData")
    assert "store 3 is down" in find(found.conditions, "DataFresh").message
    assert said(found, "Ready") == ("True", "Watching")


def test_a_watch_that_is_looked_at_too_late_says_so():
    memory = Memory()
    for i in range(60):
        memory.due = float(i)
        memory.began(i + 6.0)
    found = status(watch(intervalSeconds=5), gathered(watch()), memory=memory)
    assert said(found, "Ready") == ("True", "FallingBehind")
    assert "every 11 s instead of 5 s" in find(found.conditions, "Ready").message


def test_a_look_that_a_change_brought_forward_is_not_late():
    memory = Memory(due=100.0)
    assert memory.began(50.0) == 0.0
    assert memory.late_seconds == 0.0


def test_what_is_wrong_but_not_for_long_enough_is_pending():
    of = watch(signals=[METRIC])
    assert lines(status(of, gathered(of, 9.0), looks=2))["errors"].state is SignalStanding.PENDING
    found = status(of, gathered(of, 9.0), looks=6)
    assert lines(found)["errors"].state is SignalStanding.FIRING
    assert lines(found)["errors"].message == "errors{pod=0} is 9, limit 5"
    assert (found.firing, found.last_signal, found.last_signal_time) == (1, "errors{pod=0}", at(3))
    assert said(found, "Healthy") == ("False", "SignalsFiring")


def test_the_last_signal_is_remembered_after_it_has_cleared():
    of = watch(signals=[METRIC])
    memory = Memory()
    status(of, gathered(of, 9.0), looks=6, memory=memory)
    memory.state = WatchState()
    found = status(of, gathered(of, 1.0), looks=2, memory=memory)
    assert (found.firing, found.last_signal, found.last_signal_time) == (0, "errors{pod=0}", at(3))


def test_numbers_that_change_at_every_look_are_not_worth_a_write_and_a_state_is():
    of = watch(signals=[METRIC])
    one, other = status(of, gathered(of, 1.0)), status(of, gathered(of, 2.0, 3.0))
    assert one != other
    assert essence(one) == essence(other)
    assert essence(status(of, gathered(of, 9.0))) != essence(one)


def test_the_list_is_bounded_and_begins_with_what_fires():
    signals = [METRIC | {"name": f"s{i}"} for i in range(31)] + [
        {"name": "z", "metric": {"query": "q", "above": "1", "forSeconds": 0}}
    ]
    of = watch(signals=signals)
    found = status(of, gathered(of, 2.0), looks=2)
    assert len(found.signals) == 32
    assert found.signals[0].name == "z"


class Nothing:
    """Stands for whoever is not asked in these tests."""

    def __init__(self):
        self.forgotten = []

    def watch(self, *_):
        return None

    def forget(self, key):
        self.forgotten.append(key)


def test_a_deleted_watch_leaves_nothing_behind():
    """Its gauge went on to say that signals fired."""
    gatherer = Nothing()
    observer = Observer(Nothing(), gatherer, Nothing(), None, None)
    FIRING.labels("shop", "gone").set(3)
    assert observer.look(("shop", "gone")) is None
    assert gatherer.forgotten == [("shop", "gone")]
    assert b'watch="gone"' not in generate_latest(REGISTRY)
    assert observer.look(("shop", "gone")) is None


def test_an_objective_is_one_line():
    of = watch(signals=[{"name": "good", "slo": {"objectivePercent": "99", "errorRatio": "q[$window]"}}])
    inputs = gathered(of)
    shares = {q: Vector([Series((), 0.5)], 1, 0.0) for q in ("q[300s]", "q[3600s]")}
    found = status(of, replace(inputs, vectors=shares), looks=2)
    assert lines(found)["good"].state is SignalStanding.FIRING
    assert "burns 50 times too fast" in lines(found)["good"].message


def test_what_was_learned_survives_a_restart():
    known = {"calls/latency/a->b": Normal(math.log(0.2), 50, at(0), 0.3)}
    saved = baselines(WatchState(normal=known))
    again = recall(watch(), [], at(60)).state.normal
    assert again == {}
    again = recall(watch().model_copy(update={"status": WatchStatus(baselines=saved)}), [], at(60)).state.normal
    (found,) = again.values()
    assert math.exp(found.log_seconds) == pytest.approx(0.2, rel=0.01)
    assert found.spread == pytest.approx(0.3, rel=0.02)


def test_a_restart_takes_up_no_swinging_beyond_bounds():
    """A Watch of an earlier release has learned that a limit of minutes is normal."""
    saved = Baseline(signal="calls/latency/a->b", value="200", spread_percent=400, observed_time=at(0))
    of = watch().model_copy(update={"status": WatchStatus(baselines=(saved,))})
    (found,) = recall(of, [], at(60)).state.normal.values()
    assert found.spread == trace.MAX_SPREAD


def test_every_bad_query_is_told_with_its_signal_and_the_line_of_the_signal_says_so():
    of = watch(signals=[METRIC, {"name": "disk", "metric": {"query": "sum(", "above": "1"}}])
    inputs = replace(gathered(of), bad_queries={"disk": "parse error: sum("})
    problems = [("BadQuery", f"signal {name}: {'x' * 2000}") for name in ("errors", "disk")]
    found = status(of, inputs, problems=problems)
    message = find(found.conditions, "Ready").message
    assert "signal errors: x" in message
    assert "signal disk: x" in message
    assert lines(found)["disk"].message == "bad query: parse error: sum("
    assert "bad query" not in lines(found)["errors"].message
