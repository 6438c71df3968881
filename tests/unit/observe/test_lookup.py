"""What a model may have looked up: of its own incident, out of what is there, never a path or query of its own."""

import pytest
from tests.unit.builders import T0, at, event, incident, pod, watch

from hemostat.api.incident import EvidenceKind
from hemostat.clock import FakeClock
from hemostat.diagnosis.panel.tools import Pad, use
from hemostat.errors import Refused
from hemostat.observe.lookup import Lookups
from hemostat.signals.workload import Scene
from hemostat.telemetry.graph import CallGraph, EdgeStats
from hemostat.telemetry.sample import History

LOG = "2026-11-22T00:00:01Z ERROR cannot reach db at 10.0.0.7, password=hunter2\n" * 3


class Store:
    found = watch(signals=[{"name": "memory", "metric": {"query": "mem", "above": "5"}}])

    def scene(self, *_):
        return Scene(pods=[pod("payment-a")], events=[event("BackOff", "restarting")])

    def watch(self, *_):
        return self.found


class Api:
    def __init__(self):
        self.asked = []

    def text(self, path, most, **query):
        self.asked.append((path, query))
        if query.get("container") == "secret":
            raise Refused("Forbidden", "observe may not get pods/log: bind the ClusterRole hemostat-observe-logs")
        return LOG


class Prometheus:
    def between(self, query, start, end, step):
        return [History((("pod", "payment-a"),), [(start.timestamp(), 1.0), (end.timestamp(), 2.0)])]


def edge(caller, callee):
    return EdgeStats(caller, callee, 60, 6, 0.1, ())


@pytest.fixture
def looked_up():
    graph = CallGraph(60.0, (edge("web", "payment"), edge("payment", "db"), edge("db", "disk"), edge("disk", "far")))
    api = Api()
    tools = Lookups(api, Store(), Prometheus(), lambda: graph, FakeClock(T0)).of(incident())
    pad = Pad([], frozenset(EvidenceKind), lambda: at(0))

    def ask(name, arguments):
        return use(tools, name, arguments, pad, 5.0)

    ask.api = api
    return ask


def test_a_log_is_told_as_templates_without_secrets(looked_up):
    (found,) = looked_up("logs", '{"pod": "payment-a", "container": "", "previous": true}')
    assert (found.kind, found.subject) == (EvidenceKind.LOG, "payment-a (previous run)")
    assert "3x" in found.summary
    assert "hunter2" not in found.summary + found.key
    path, query = looked_up.api.asked[0]
    assert path == "/api/v1/namespaces/shop/pods/payment-a/log"
    assert (query["previous"], query["limitBytes"]) == ("true", str(512 * 1024))


@pytest.mark.parametrize("named", ["payment-b", "../../kube-system/pods/x", "payment-a/log?container=x#", ""])
def test_only_the_target_s_own_pods_have_logs(looked_up, named):
    said = looked_up("logs", f'{{"pod": "{named}", "container": "", "previous": false}}')
    assert "is no pod of the target; there are payment-a" in said
    assert looked_up.api.asked == []


def test_logs_that_may_not_be_read_say_what_to_bind(looked_up):
    said = looked_up("logs", '{"pod": "payment-a", "container": "secret", "previous": false}')
    assert "bind the ClusterRole hemostat-observe-logs" in said


def test_events_and_calls_and_measurements_of_the_incident(looked_up):
    assert "restarting" in looked_up("events", "{}")[0].summary
    assert [e.subject for e in looked_up("edges", '{"service": "payment"}')] == ["payment -> db", "web -> payment"]
    (series,) = looked_up("series", '{"signal": "memory", "minutes": 30}')
    assert "-1800s:1 +0s:2" in series.summary


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("edges", '{"service": "far"}', "'far' is not near the target; there are db, disk, payment, web"),
        ("series", '{"signal": "up{}", "minutes": 5}', "has no signal 'up{}' that rests on a query"),
        ("series", '{"signal": "memory", "minutes": 5, "query": "up"}', "wrong arguments: query"),
        ("series", '{"signal": "memory", "minutes": 100000}', "wrong arguments: minutes"),
    ],
)
def test_nothing_else_can_be_asked_for(looked_up, tool, arguments, said):
    assert said in looked_up(tool, arguments)
