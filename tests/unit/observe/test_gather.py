"""What one look gathers: from the traces that were received, the last answers of Prometheus and the cache."""

import threading
import time
from dataclasses import replace

import pytest
from tests.unit.builders import at, deployment, pod, watch
from tests.unit.observe.test_talks import Pair
from tests.unit.signals.loops.talks import tool
from tests.unit.telemetry.requests import CLIENT, INTERNAL, request, span

from hemostat.errors import Refused
from hemostat.observe.gather import SERVICES, STEPS, Gatherer, mounted, questions
from hemostat.observe.poll import Poller
from hemostat.observe.process import call_graph
from hemostat.observe.talks import Talks
from hemostat.signals import covered
from hemostat.signals.evaluate import WatchState, look
from hemostat.signals.loops.verdict import Kind as Trouble
from hemostat.signals.presets import Target, rules_of
from hemostat.signals.workload import Scene
from hemostat.telemetry.backlog import Backlog
from hemostat.telemetry.kernel.tables import MAX_SERVICES
from hemostat.telemetry.otlp import Kind
from hemostat.telemetry.reading import Reading
from hemostat.telemetry.sample import Answer, Series
from hemostat.telemetry.window import REFUSED_SECONDS, TraceWindows

METRIC = [{"name": "errors", "metric": {"query": "q", "above": "5"}}]


class Store:
    def __init__(self, scene):
        self.found = scene

    def scene(self, *_):
        return self.found

    def foreign(self, *_):
        return ""


class Source:
    def instant(self, query):
        return Answer([Series((), 9.0)] if query == "q" else [])

    def between(self, *_):
        return []


class NoAlerts:
    def about(self, *_):
        return []


@pytest.fixture
def gatherer():
    scene = Scene(deployment(), pods=[pod()])
    windows = TraceWindows()
    windows.take(request("anybody", span(CLIENT, peer__service="other")), 0.0)  # compiles, which may take a while
    return Gatherer(Store(scene), Poller(Source()), windows, threading.Lock(), NoAlerts(), Talks(), Backlog(None, 10))


def test_answers_from_traces_are_worked_out_without_the_lock(gatherer, monkeypatch):
    """Requests are counted meanwhile."""
    held = []
    for name in ("into", "graph"):
        answer = getattr(Reading, name)
        monkeypatch.setattr(Reading, name, lambda *a, of=answer: held.append(gatherer.lock.locked()) or of(*a))
    gatherer.fetch(watch())
    call_graph(gatherer.windows, gatherer.lock)
    assert len(held) >= 2
    assert not any(held)


def volumes(*found):
    return {"metadata": {"name": "p"}, "spec": {"volumes": list(found)}}


def test_a_look_reads_what_was_answered_and_waits_for_nothing(gatherer):
    of = watch(signals=[{"name": "errors", "metric": {"query": "q", "above": "5", "forSeconds": 0}}])
    inputs, problems = gatherer.fetch(of)
    assert (inputs.vectors, problems) == ({"q": None}, [])
    gatherer.poller.ask("q")
    inputs, _ = gatherer.fetch(of)
    assert [s.key for s in look(of.spec, inputs, WatchState(), at(0)).firing] == ["errors/metric"]


def test_a_changed_watch_asks_other_questions_and_a_deleted_one_none(gatherer):
    of = watch(signals=[{"name": "errors", "metric": {"query": "q", "above": "5"}}])
    gatherer.fetch(of)
    gatherer.fetch(watch(signals=[{"name": "errors", "metric": {"query": "r", "above": "5"}}]))
    assert gatherer.poller.ask("q") is None
    assert gatherer.poller.ask("r") is not None
    gatherer.forget(("shop", "payment"))
    assert gatherer.poller.ask("r") is None


def test_a_failing_agent_fires_from_its_spans(gatherer):
    def task(failed):
        named = {"gen_ai__operation__name": "invoke_agent", "gen_ai__agent__name": "planner"}
        return span(INTERNAL, "invoke_agent planner", failed=failed, **named)

    gatherer.windows.take(request("payment", *(task(i % 2 == 0) for i in range(10))), time.monotonic())
    state = WatchState()
    for i in range(8):
        inputs, _ = gatherer.fetch(watch())
        seen = look(watch().spec, inputs, state, at(i))
        state = seen.state
    assert [s.key for s in seen.firing] == ["agents/tasks/planner"]
    assert seen.firing[0].value == "50"


def test_a_watch_that_asks_for_no_conversations_takes_no_trouble_away_from_the_others(gatherer):
    """Of a loop's agents, only the one with an edge to cut is told by its Watch, if that Watch asks."""

    def of(service, **signal):
        return watch(name=service, service=service, signals=[{"name": "s", **signal}])

    pair = Pair()
    pair.pings(20)
    gatherer = replace(gatherer, talks=pair.talks)
    told = []
    for asks in ("planner", "critic"):
        for service in ("planner", "critic"):
            signal = {"conversation": {}} if service == asks else {"metric": {"query": "q", "above": "5"}}
            told += [(asks, service, t.verdict.kind) for t in gatherer.fetch(of(service, **signal))[0].talk.troubles]
    assert told == [("planner", "planner", Trouble.CYCLE), ("critic", "critic", Trouble.CYCLE)]


def test_calls_into_the_service_are_read_under_its_name_in_traces(gatherer):
    gatherer.windows.take(request("checkout", span(CLIENT, peer__service="pay")), time.monotonic())
    assert gatherer.fetch(watch())[0].edges == {"calls": []}
    (edge,) = gatherer.fetch(watch(service="pay"))[0].edges["calls"]
    assert (edge.caller, edge.callee, edge.calls) == ("checkout", "pay", 1)


def test_a_flood_of_services_does_not_keep_out_who_is_watched_and_is_told(gatherer):
    assert not gatherer.fetch(watch())[0].refused
    for i in range(MAX_SERVICES):
        gatherer.windows.take(request(f"flood{i}", span()), time.monotonic())
    assert gatherer.windows.take(request("payment", span()), time.monotonic()).rejected == 0
    assert gatherer.fetch(watch())[0].refused == SERVICES
    assert not gatherer.fetch(watch(signals=METRIC))[0].refused, "it asks for none of them"


def test_agents_that_send_more_than_can_be_read_are_told_of_for_a_minute(gatherer):
    """Requests were refused with spans and steps in them, and the Watch said that all arrives."""
    talking = watch(signals=[{"name": "talk", "conversation": {}}])
    gatherer.backlog.put(Kind.LOGS, b"much of it")
    assert not gatherer.fetch(talking)[0].refused
    assert not gatherer.backlog.admits(time.monotonic())
    assert gatherer.fetch(talking)[0].refused == gatherer.fetch(watch())[0].refused == STEPS
    assert not gatherer.fetch(watch(signals=METRIC))[0].refused
    assert not gatherer.backlog.refuses(time.monotonic() + REFUSED_SECONDS)


def test_what_the_pods_mount_is_asked_about(gatherer):
    claim = volumes({"name": "d", "persistentVolumeClaim": {"claimName": "data-0"}})
    gatherer.store.found = replace(gatherer.store.found, pods=[claim])
    inputs, _ = gatherer.fetch(watch())
    assert any('persistentvolumeclaim=~"data-0"' in rule.query for rule in inputs.rules)


def test_volumes_are_read_from_whatever_pods_look_like():
    pods = [
        volumes(
            {"name": "a", "persistentVolumeClaim": {"claimName": "b"}}, {"name": "s", "secret": {"secretName": "t"}}
        ),
        volumes({"name": "a", "persistentVolumeClaim": {"claimName": "a"}}, {"name": "e", "emptyDir": {}}),
        {"metadata": {"name": "bare"}},
        {"metadata": {"name": "null"}, "spec": {"volumes": None}},
        volumes({"name": "odd", "secret": {"secretName": None}, "persistentVolumeClaim": None}),
    ]
    assert mounted(pods) == (("a", "b"), ("t",))
    assert len(mounted([volumes({"persistentVolumeClaim": {"claimName": f"c{i}"}}) for i in range(99)])[0]) == 32


def test_no_query_is_asked_more_often_than_the_watch_looks():
    slo = {"name": "good", "slo": {"objectivePercent": "99", "errorRatio": "e[$window]"}}
    metric = {"name": "errors", "metric": {"query": "q", "above": "5"}}
    of = watch(intervalSeconds=30, signals=[slo, metric, {"name": "again", "metric": metric["metric"]}])
    found = questions(of, rules_of(of.spec, Target("shop", of.spec.target)))
    assert len({q.query for q in found}) == len(found) == 6
    assert min(q.every_seconds for q in found) == 30


def test_only_of_services_whose_agents_are_heard_metrics_are_asked_and_fewer_spans_than_they_count_are_told():
    class Metered(Source):
        def instant(self, query):
            return Answer([Series((), 50.0)] if "gen_ai_client_operation_duration" in query else [])

    made = Gatherer(Store(Scene(deployment(), pods=[pod()])), Poller(Metered()), TraceWindows(), threading.Lock(),
                    NoAlerts(), Talks(), Backlog(None, 10))  # fmt: skip
    asked = covered.query("payment")
    made.fetch(watch())
    assert made.poller.ask(asked) is None
    made.talks.take([replace(tool(start=time.time()), service="payment")], (), time.time())
    made.fetch(watch())
    assert made.poller.ask(asked) is not None
    inputs, _ = made.fetch(watch())
    seen = look(watch().spec, inputs, WatchState(), at(0))
    (line,) = [s for s in seen.signals if s.key == "conversations/all"]
    assert "spans tell of 0 of 50 inferences that metrics count" in line.message


def test_a_bad_query_is_told_with_the_signals_that_it_is_of(gatherer, monkeypatch):
    """Whoever wrote ten signals must not look for the one that is wrong."""
    bad = {"query": "sum(", "above": "5"}
    of = watch(signals=[{"name": name, "metric": bad} for name in ("errors", "disk")])
    gatherer.fetch(of)

    def refuse(*_):
        raise Refused("BadQuery", "parse error")

    monkeypatch.setattr(Source, "instant", refuse)
    gatherer.poller.ask("sum(")
    inputs, problems = gatherer.fetch(of)
    assert problems == [("BadQuery", "signal errors, disk: parse error: sum(")]
    assert inputs.bad_queries == dict.fromkeys(("errors", "disk"), "parse error: sum(")
