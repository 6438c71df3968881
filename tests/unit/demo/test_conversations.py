"""Faults of agents as experiments, and the turn of the agents: with a scripted workload in place of pods."""

import pytest
import yaml
from tests.unit.demo.conftest import at

from hemostat.action.contract import parse
from hemostat.api.chaosexperiment import ChaosExperiment
from hemostat.api.incident import Incident
from hemostat.api.runbook import Runbook
from hemostat.api.watch import Watch
from hemostat.clock import FakeClock
from hemostat.diagnosis.matcher import expression_error
from hemostat.errors import Refused
from hemostat_chaos.agents.kinds import TROUBLES
from hemostat_chaos.agents.lab import Lab
from hemostat_chaos.demo.agents import Pair
from hemostat_chaos.demo.tokens import Cost, saved, words
from hemostat_chaos.experiment.command import load
from hemostat_chaos.experiment.conversations import ConversationsInjection
from hemostat_chaos.experiment.runner import Options, Runner
from hemostat_chaos.experiment.steady import SteadyInput
from hemostat_chaos.experiment.verdict import Mark
from hemostat_chaos.experiment.waiting import Waiter
from hemostat_remediations.conversations import HALT
from hemostat_remediations.cut_edge import CUT_EDGE


class Workload:
    """Answers as the pods do: tokens grow with every look, conversations run until they are stopped from here."""

    def __init__(self, tokens=100):
        self.entries, self.faults, self.spent, self.tokens = {}, {}, 0, tokens

    def __call__(self, service, method, path, body=None):
        first, _, name = path.removeprefix("/").partition("/")
        if first == "faults" and method == "PUT":
            self.faults.setdefault(name, set()).add(service)
        elif first == "faults":
            self.faults.get(name, set()).discard(service)
        elif first == "usage":
            self.spent += self.tokens
            return {"prompt": self.spent - 10, "completion": 10}
        elif method == "POST":
            said = yaml.safe_load(body)
            faulty = self.faults.get(said["conversation"])
            self.entries[said["conversation"]] = {"kind": said["kind"], "state": "running" if faulty else "done"}
        return {"conversations": self.entries}

    def stop(self, word):
        for entry in self.entries.values():
            entry["state"] = word if entry["state"] == "running" else entry["state"]


def incident(make, *conversations, uid="i1"):
    told = {
        "kind": "Cycle",
        "confidencePercent": 90,
        "visibility": "Full",
        "conversations": [{"id": c, "sinceTime": at(5)} for c in conversations],
    }
    found = make.incident(signals=[make.signal("Cycle") | {"conversation": told}], watch="critic")
    return Incident.model_validate(found.wire() | {"metadata": {"name": uid, "namespace": "agents", "uid": uid}})


def test_the_fault_is_taken_back_once_every_conversation_is_stopped():
    """Taken back before, it would not be the cut that ended the loop; not taken back, it would come again."""
    pods = Workload()
    fault = ConversationsInjection.prepare(Lab(pods), "provider-429")
    fault.begin()
    assert len(fault.conversations) == TROUBLES["provider-429"].conversations
    assert fault.follow(False).mark is Mark.WAITING
    pods.entries[fault.conversations[0]]["state"] = "cut"
    assert fault.follow(True).mark is Mark.WAITING
    assert all(pods.faults[c] for c in fault.conversations)
    pods.stop("halted")
    assert fault.follow(False).mark is Mark.WAITING  # no action was taken: this is not its work
    assert fault.follow(True).mark is Mark.MET
    assert not any(pods.faults.values())
    assert fault.tokens == sum(100 * n for n in range(1, 5))


def test_an_incident_that_named_the_conversation_stays_about_it(make):
    pods = Workload()
    fault = ConversationsInjection.prepare(Lab(pods), "ring")
    fault.begin()
    (name,) = fault.conversations
    assert not fault.concerns(incident(make, "another"))
    assert fault.concerns(incident(make, "another", name))
    assert fault.concerns(incident(make))
    assert not fault.concerns(incident(make, "another", uid="i2"))


@pytest.mark.parametrize(("lab", "trouble", "why"), [(None, "ring", "no way"), (Lab(Workload()), "gossip", "ring")])
def test_what_cannot_be_inflicted_is_refused(lab, trouble, why):
    with pytest.raises(Refused, match=why):
        ConversationsInjection.prepare(lab, trouble)


class World:
    """`observe` opens an Incident 9 s after the loop began, `act` stops it 3 s later, and at 30 s it is over."""

    def __init__(self, make, live, clock, pods):
        self.make, self.live, self.clock, self.pods = make, live, clock, pods
        self.statuses = []
        self.cuts = True

    def since(self):
        return (self.clock.now() - self.make.start).total_seconds()

    def submit(self, manifest):
        return ChaosExperiment.model_validate(manifest)

    def steady_input(self, experiment):
        watch = self.make.watch(self.make.condition("Healthy", "True", "Looked"))
        return SteadyInput(watch, self.live, self.live, [], [], experiment.spec.expect.action)

    def incidents(self):
        if self.since() < 9:
            return []
        name = next(iter(self.pods.entries))
        found = incident(self.make, name if self.since() < 20 else "another").wire()
        found["status"]["diagnosis"] = {"by": "Matcher", "runbookRef": {"name": "agents-go-round"}}
        if self.since() >= 30:
            found["status"]["conditions"] = [self.make.condition("Resolved", "True", "Healed", 30)]
        return [Incident.model_validate(found)]

    def remediations(self, _incident):
        if self.since() < 12:
            return ()
        if self.cuts:
            self.pods.stop("cut")
        return (self.make.remediation(self.make.condition("Applied", "True", "Applied", 12), action="cut-edge"),)

    def write_status(self, experiment, body):
        self.statuses.append(body["status"])


def play(make, live, pair, pods, *, cuts=True):
    clock, said, moments = FakeClock(make.start), [], []
    world = World(make, live, clock, pods)
    world.cuts = cuts

    def at(moment):
        moments.append(moment)
        pair.at(moment)

    manifest = load(make.root / "chaos/experiments/agents/ping-pong.yaml")[0]
    return Runner(world, Waiter(clock, clock.step, said.append), Options(lab=pair, at=at)).run(manifest), moments


def paired(pods, uncut, ticks=(0.0, 12.0, 30.0)):
    return Pair(pods, Lab(uncut), iter(ticks).__next__)


def test_the_loop_and_its_twin_are_counted_at_the_cut_and_at_the_end(make, live):
    pods, uncut = Workload(), Workload(tokens=300)
    pair = paired(pods, uncut)
    result, moments = play(make, live, pair, pods)
    assert result.passed, result.message
    assert moments == ["injection", "stopped", "end"]
    assert pair.costs == [Cost(12.0, 200, 300), Cost(30.0, 300, 600)]
    assert not any(uncut.faults.values())
    assert len(pods.entries) == 2  # the loop, and other work of the same agents
    clock = FakeClock(make.start)
    proof = pair.prove(Waiter(clock, clock.step, str))
    assert proof.ok, proof.message


def test_a_conversation_that_does_not_come_to_its_end_is_no_proof(make, live):
    pods = Workload()
    pair = paired(pods, Workload())
    play(make, live, pair, pods)
    for name in pods.entries:
        pods.faults[name] = {"model"}
    clock = FakeClock(make.start)
    proof = pair.prove(Waiter(clock, clock.step, str))
    assert not proof.ok
    assert "is running" in proof.message


def test_a_loop_that_an_action_does_not_stop_is_a_failure(make, live):
    pods = Workload()
    result, moments = play(make, live, paired(pods, Workload()), pods, cuts=False)
    assert not result.passed
    assert "Stopped: not every conversation was stopped" in result.message
    assert moments == ["injection", "end"]
    assert not any(pods.faults.values())


def test_what_is_saved_is_what_the_twin_cost_more():
    assert saved([Cost(12, 200, 300)]) is None
    account = saved([Cost(12, 20_000, 30_000), Cost(72.04, 20_000, 200_000)])
    assert (account["tokens_burnt"], account["tokens_without_act"], account["tokens_saved"]) == (
        20_000,
        200_000,
        180_000,
    )
    assert account["saved_percent"] == 90.0
    assert account["at_the_cut"] == {"seconds": 12, "tokens": 20_000, "without_act": 30_000}
    assert "20,000 tokens burnt" in words(account)
    assert "180,000 saved (90 %)" in words(account)


def runbooks(make):
    """Return all that chaos/agents/hemostat/runbooks installs."""
    files = (make.root / "remediations/runbooks/agents").glob("*.yaml")
    return [Runbook.model_validate(yaml.safe_load(p.read_text())) for p in files if p.name != "kustomization.yaml"]


def documents(make, name):
    return list(yaml.safe_load_all((make.root / "chaos/agents/hemostat" / name).read_text(encoding="utf-8")))


def test_every_fault_of_the_agents_is_an_experiment_that_fits_their_watches_and_runbooks(make):
    watches = {w.metadata.name for w in map(Watch.model_validate, documents(make, "watches.yaml"))}
    books = {r.metadata.name: r.spec for r in runbooks(make)}
    found = {}
    for path in (make.root / "chaos/experiments/agents").glob("*.yaml"):
        (item,) = load(path)
        spec = ChaosExperiment.model_validate(item).spec
        found[path.stem] = spec.fault.agents.trouble
        assert spec.watch in watches
        book = books[spec.expect.runbook]
        assert book.remediations[0].action == spec.expect.action
        assert any(f'"{spec.expect.signal}"' in symptom.expression for symptom in book.symptoms)
    assert found == {name: name for name in TROUBLES}


def test_the_agents_runbooks_compile_and_their_parameters_are_valid(make):
    actions = {"cut-edge": CUT_EDGE, "halt-conversation": HALT}
    for book in runbooks(make):
        assert [expression_error(s) for s in book.spec.symptoms if expression_error(s)] == []
        for remediation in book.spec.remediations:
            parse(actions[remediation.action], remediation.parameters)
