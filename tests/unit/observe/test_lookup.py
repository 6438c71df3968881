"""What a model may have looked up: of its own incident, out of what is there, never a path or query of its own."""

import pytest
from tests.unit.builders import T0, at, ended, event, incident, pod, running_pod, signal, watch

from hemostat.api.incident import Conversation, ConversationStatus, EvidenceKind, IncidentStatus
from hemostat.clock import FakeClock
from hemostat.diagnosis.evidence import Item
from hemostat.diagnosis.panel.tools import Pad, use
from hemostat.errors import Refused
from hemostat.observe.lookup import MAX_GATHERED, Lookups
from hemostat.observe.trim import trim
from hemostat.signals.loops.trail import Did, Trail
from hemostat.signals.workload import Scene
from hemostat.telemetry.graph import CallGraph, EdgeStats
from hemostat.telemetry.sample import History
from hemostat.telemetry.steps import Operation

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
        if query.get("container") == "app":
            raise Refused("Forbidden", "observe may not get pods/log: bind the ClusterRole hemostat-observe-logs")
        return LOG


class Prometheus:
    def between(self, query, start, end, step):
        return [History((("pod", "payment-a"),), [(start.timestamp(), 1.0), (end.timestamp(), 2.0)])]


def edge(caller, callee):
    return EdgeStats(caller, callee, 60, 6, 0.1, ())


TALK = ConversationStatus(
    kind="Cycle",
    agents=("planner", "critic"),
    conversations=(Conversation(id="ann@example.org/7", since_time=T0), Conversation(id="c8", since_time=T0)),
    confidence_percent=90,
    visibility="Full",
)


def in_trouble():
    """An Incident with a signal about two conversations."""
    signals = (signal("talks/Cycle", kind="Cycle", conversation=TALK), signal("over", state="Clear"))
    return incident().model_copy(update={"status": IncidentStatus(signals=signals)})


def trails(service, conversations):
    did = Did("planner", Operation.AGENT, "critic", 1, 7, 9, T0.timestamp(), 1.0, 50, failed=False)
    return [Trail(c, (did, did)) for c in sorted(conversations)] if service == "payment" else []


def similar(_, most):
    return [Item(f"episode/{n}", EvidenceKind.EPISODE, "Deployment payment", "ended well") for n in range(most)]


def lookups(graph=None, api=None, past=similar):
    graph = graph or CallGraph(60.0, (edge("web", "payment"),))
    return Lookups(api or Api(), Store(), Prometheus(), lambda _: graph, trails, past, FakeClock(T0))


@pytest.fixture
def looked_up():
    graph = CallGraph(60.0, (edge("web", "payment"), edge("payment", "db"), edge("db", "disk"), edge("disk", "far")))
    api = Api()
    tools = lookups(graph, api).of(in_trouble())
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


def test_what_the_kubelet_says_instead_of_a_log_is_no_line_of_the_program():
    """It answers 200 with its error as the log of a run that is gone; that was evidence, and stayed in later rounds."""
    api = Api()
    api.text = lambda *_, **__: "unable to retrieve container logs for containerd://4f1c"
    tool = lookups(api=api).of(in_trouble())
    pad = Pad([], frozenset(EvidenceKind), lambda: at(0))
    asked = '{"pod": "payment-a", "container": "", "previous": true}'
    said = use(tool, "logs", asked, pad, 5.0)
    assert "there is no log of payment-a (previous run) now; the kubelet says: unable to retrieve" in said
    api.text = Api().text
    assert [i.kind for i in use(tool, "logs", asked, pad, 5.0)] == [EvidenceKind.LOG]


@pytest.mark.parametrize("named", ["secret", "app&follow=true", "../app", "APP"])
def test_only_the_pod_s_own_containers_can_be_asked_about(looked_up, named):
    said = looked_up("logs", f'{{"pod": "payment-a", "container": "{named}", "previous": false}}')
    assert said == f"it cannot be looked up: payment-a has no container '{named}'; there are app"
    assert looked_up.api.asked == []


@pytest.mark.parametrize("named", ["payment-b", "../../kube-system/pods/x", "payment-a/log?container=x#", ""])
def test_only_the_target_s_own_pods_have_logs(looked_up, named):
    said = looked_up("logs", f'{{"pod": "{named}", "container": "", "previous": false}}')
    assert "is no pod of the target; there are payment-a" in said
    assert looked_up.api.asked == []


def test_logs_that_may_not_be_read_say_what_to_bind(looked_up):
    said = looked_up("logs", '{"pod": "payment-a", "container": "app", "previous": false}')
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
        ("steps", '{"conversation": "c9"}', "no signal names a conversation 'c9'; there are [REDACTED:email]/7, c8"),
        ("similar", '{"to": "drop-database"}', "wrong arguments: to"),
    ],
)
def test_nothing_else_can_be_asked_for(looked_up, tool, arguments, said):
    assert said in looked_up(tool, arguments)


def test_steps_of_the_conversations_that_are_in_trouble_by_the_names_that_may_be_told(looked_up):
    assert looked_up("steps", '{"conversation": "c8"}')[0].subject == "c8"
    shown = looked_up("steps", '{"conversation": "[REDACTED:email]/7"}')
    assert (
        shown[0].summary
        == "conversation [REDACTED:email]/7: its last 2 steps, of 1 kind, in their order: A A; 100 tokens"
    )
    assert "ann@example.org" not in str(shown)


def test_past_incidents_are_looked_up_where_there_is_a_memory(looked_up):
    assert [e.kind for e in looked_up("similar", "{}")] == [EvidenceKind.EPISODE] * 8
    assert "similar" not in lookups(past=None).of(incident())


def test_what_costs_nothing_is_gathered_when_an_incident_opens():
    api = Api()
    crowd = CallGraph(60.0, tuple(edge(f"c{n}", "payment") for n in range(30)))
    found = lookups(crowd, api).opening(in_trouble())
    assert [i.kind.value for i in found] == ["Event", *["Edge"] * MAX_GATHERED, "Step", "Step"]
    assert api.asked == [], "and nothing is asked of anybody"


LAST = ended("Error", 1, -20)
SAID = {"terminated": LAST["terminated"] | {"message": "FATAL cannot read settings: unknown mode broken, pwd=hunter2x"}}


def last_words(*pods):
    class Crashed(Store):
        def scene(self, *_):
            return Scene(pods=[trim("Pod", found) for found in pods])

    made = Lookups(Api(), Crashed(), Prometheus(), lambda _: CallGraph(60.0), trails, None, FakeClock(T0))
    return [i.numbered(1, T0) for i in made.opening(in_trouble()) if i.kind is EvidenceKind.LOG]


def test_what_a_container_said_as_it_ended_is_evidence_without_a_model_and_without_secrets():
    """The reason of a crash was in the pod's status and nowhere in the Incident."""
    (found,) = last_words(running_pod(restarts=3, last=SAID), running_pod("payment-b", restarts=2, last=SAID))
    assert found.summary == (
        "payment-a app said as it ended 20 s ago: FATAL cannot read settings: unknown mode broken, "
        "pwd=[REDACTED:password]"
    )


def test_of_last_words_only_the_latest_are_read_and_of_each_the_end():
    long = {"terminated": LAST["terminated"] | {"message": f"{'x ' * 900}password={'hunter2' * 9} and then it fell"}}
    (found,) = last_words(running_pod(restarts=3, state=long))
    assert found.summary.endswith("password=[REDACTED:password] and then it fell")
    assert len(found.summary) < 700
    told = [{"terminated": ended("Error", 1, -n)["terminated"] | {"message": f"reason {n}"}} for n in range(1, 40)]
    assert [e.summary[-8:] for e in last_words(*(running_pod(f"p{n}", last=t) for n, t in enumerate(told)))] == [
        "reason 1",
        "reason 2",
        "reason 3",
    ]


@pytest.mark.parametrize(
    "last",
    [LAST, {"terminated": ended("Error", 1, -4000)["terminated"] | {"message": "an hour ago"}}],
    ids=["nothing", "long ago"],
)
def test_who_said_nothing_of_this_trouble_is_not_quoted(last):
    assert last_words(running_pod(restarts=3, last=last)) == []


def test_an_incident_whose_watch_is_gone_opens_with_what_is_left():
    class Gone(Store):
        found = None

    gone = Lookups(Api(), Gone(), Prometheus(), lambda _: CallGraph(60.0), trails, None, FakeClock(T0))
    assert [i.kind for i in gone.opening(in_trouble())] == [EvidenceKind.EVENT]
