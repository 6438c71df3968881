"""A person says that a loop is none: what is written into the Watch, what is left as it was, and what is refused."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.unit.cli.test_commands import FakeKube, call

from hemostat.api.incident import Incident
from hemostat.api.watch import Legitimate, Watch
from hemostat.cli.legitimate import lasting, patch, told, words_about
from hemostat.cli.session import Session
from hemostat.errors import Refused
from hemostat.kube import Conflict

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
UNTIL = NOW + timedelta(hours=24)
LOOP = {"kind": "Cycle", "agents": ["planner", "critic"], "caller": "planner", "callee": "critic"}
TURNS = {"kind": "TurnBudget", "agents": ["planner"]}


@pytest.fixture
def about(raw):
    """Make the sample Incident one about agents."""

    def make(*troubles, state="Firing", **more):
        (first, *_) = raw["Incident"]["status"]["signals"]
        seen = {"confidencePercent": 90, "visibility": "Full"}
        raw["Incident"]["status"]["signals"] = [
            first | {"key": f"conversations/{i}", "name": "conversations", "state": state,
                     "conversation": trouble | seen} | more
            for i, trouble in enumerate(troubles)
        ]  # fmt: skip
        return raw["Incident"]

    return make


def watch(incident, *signals):
    """Return the Watch that opened the Incident."""
    name = incident["spec"]["watchRef"]["name"]
    spec = {"target": {"kind": "Deployment", "name": "planner"}} | ({"signals": list(signals)} if signals else {})
    return {
        "apiVersion": "hemostat.dev/v1alpha1",
        "kind": "Watch",
        "metadata": {"name": name, "namespace": "shop", "resourceVersion": "7"},
        "spec": spec,
    }


def talking(*legitimate):
    return {"name": "conversations", "conversation": {"legitimate": list(legitimate)} if legitimate else {}}


def words(incident):
    return words_about(Incident.model_validate(incident), UNTIL)


def written(incident, *signals):
    test, *ops = patch(watch(incident, *signals), words(incident), NOW)
    assert test == {"op": "test", "path": "/metadata/resourceVersion", "value": "7"}
    return ops


def test_the_edge_is_what_is_legitimate_or_the_agent_where_there_is_none(about):
    (said,) = words(about(LOOP, TURNS, LOOP)).values()
    assert [told(w) for w in said] == ["Cycle of planner -> critic", "TurnBudget of planner"]


def test_the_word_is_added_in_its_place_and_others_are_kept_unless_they_are_over_or_said_anew(about):
    other = {"kind": "Deadlock", "untilTime": "2026-11-22T00:00:00Z"}
    over = {"kind": "Recursion", "untilTime": "2026-11-20T00:00:00Z"}
    same = {"kind": "Cycle", "caller": "planner", "callee": "critic", "untilTime": "2026-11-21T13:00:00Z"}
    (op,) = written(about(LOOP), {"name": "calls", "trace": {}}, talking(other, over, same))
    assert op["path"] == "/spec/signals/1/conversation/legitimate"
    assert [(w["kind"], w["untilTime"][:13]) for w in op["value"]] == [
        ("Deadlock", "2026-11-22T00"), ("Cycle", "2026-11-22T12"),
    ]  # fmt: skip


def test_a_watch_without_signals_gets_the_defaults_written_out_and_no_others(about):
    defaults, word = written(about(LOOP))
    assert defaults["path"] == "/spec/signals"
    at = int(word["path"].split("/")[3])
    made = watch(about(LOOP), *defaults["value"])
    assert made["spec"]["signals"][at] == {"name": "conversations", "conversation": {}}
    plain = Watch.model_validate(watch(about(LOOP)))
    from hemostat.api.watch import effective_signals

    assert effective_signals(Watch.model_validate(made).spec) == effective_signals(plain.spec)


def test_what_the_patch_writes_is_what_the_watch_reads(about):
    (op,) = written(about(LOOP), talking())
    (read,) = (Legitimate.model_validate(w) for w in op["value"])
    assert (read.kind, read.caller, read.callee, read.until_time) == ("Cycle", "planner", "critic", UNTIL)


def test_what_does_not_fire_any_more_can_be_called_legitimate_too(about):
    assert words(about(LOOP, state="Clear"))


def test_an_incident_that_is_not_about_agents_is_refused(raw, about):
    with pytest.raises(Refused, match="no conversation of agents"):
        words(raw["Incident"])
    with pytest.raises(Refused, match="no conversation of agents"):
        words(about(LOOP, watchRef={"name": "other"}))  # another Watch's symptom


def test_too_many_words_and_a_signal_that_is_gone_are_refused_with_what_to_do(about):
    many = [{"kind": "Cycle", "caller": f"a{i}", "untilTime": "2026-12-01T00:00:00Z"} for i in range(64)]
    with pytest.raises(Refused, match="at most 64 fit: remove some"):
        written(about(LOOP), talking(*many))
    with pytest.raises(Refused, match="no signal conversations any more; it has talks"):
        written(about(LOOP), {"name": "talks", "conversation": {}})


@pytest.mark.parametrize(("text", "hours"), [("30m", 0.5), ("24h", 24), ("7d", 168)])
def test_time_spans(text, hours):
    assert lasting(text) == timedelta(hours=hours)


@pytest.mark.parametrize("text", ["", "24", "0h", "-1h", "1y", "91d", "99999d", "1.5h"])
def test_what_is_no_time_span_is_refused(text):
    with pytest.raises(Refused, match="30m, 24h or 7d"):
        lasting(text)


@pytest.fixture
def kube(about, monkeypatch):
    incident = about(LOOP)
    fake = FakeKube([incident, watch(incident, talking())])
    fake.objects[f"watches/{incident['spec']['watchRef']['name']}"] = watch(incident, talking())
    monkeypatch.setattr(Session, "open", classmethod(lambda cls, scope: cls(fake, scope.namespace or "shop")))
    return fake


def test_the_command_patches_the_watch_after_asking(kube):
    name = "payment-1a2b3c4d"
    done = call("legitimate", name, "--for", "2h", stdin="n\n")
    assert (done.exit_code, kube.patched) == (1, [])
    done = call("legitimate", name, "--for", "2h", "--yes")
    assert done.exit_code == 0
    assert "Cycle of planner -> critic is legitimate until" in done.stdout
    ((_, ops),) = kube.patched
    assert ops[1]["value"][0]["callee"] == "critic"


def test_who_may_not_is_told_which_right_is_missing(kube):
    kube.refuse = 'watches.hemostat.dev "planner" is forbidden: User "sre@example.com" cannot patch resource "watches"'
    done = call("legitimate", "payment-1a2b3c4d", "--yes")
    assert done.exit_code == 1
    assert "--verb=get,list,patch --resource=watches.hemostat.dev" in done.stderr


def test_a_watch_that_was_changed_meanwhile_is_left_alone(kube):
    kube.refuse = Conflict("PATCH: it changed")
    assert "try again" in str(call("legitimate", "payment-1a2b3c4d", "--yes").exception)
