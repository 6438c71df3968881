"""The sample workload of agents: manifests, scripts and faults agree, and its pure parts do what their twins need."""

from functools import cache
from itertools import islice
from pathlib import Path

import pytest
import yaml

from hemostat_chaos.agents.board import AlreadyRunning, Board, State, pauses
from hemostat_chaos.agents.faults import Faults
from hemostat_chaos.agents.kinds import AGENTS, KINDS, PLANNER, TROUBLES, script
from hemostat_chaos.agents.lab import SERVICES
from hemostat_chaos.agents.locks import LEASE_SECONDS, LockTable
from hemostat_chaos.agents.script import Message, load
from hemostat_chaos.agents.settings import read
from hemostat_chaos.agents.toolbox import LOOKS, PAGES, Toolbox
from hemostat_chaos.cluster.constants import AGENTS_IMAGE

ROOT = Path(__file__).parents[3] / "chaos"
SCRIPTS = load((ROOT / "hemostat_chaos/agents/scripts.yaml").read_text())
SHARED = {"search": {"query": "clamps"}, "read": {"document": "a"}, "edit": {"path": "a", "change": "b"}}


@cache
def documents(name):
    return list(yaml.safe_load_all((ROOT / "agents" / f"{name}.yaml").read_text()))


def deployment(service):
    return next(d for d in documents(service) if d["kind"] == "Deployment")["spec"]["template"]["spec"]


def container(service):
    (only,) = deployment(service)["containers"]
    return only


def test_every_manifest_is_listed():
    (kustomization,) = documents("kustomization")
    found = {path.name for path in (ROOT / "agents").glob("*.yaml")} - {"kustomization.yaml"}
    assert set(kustomization["resources"]) == found


@pytest.mark.parametrize("service", SERVICES)
def test_the_program_accepts_what_the_manifest_sets_and_finds_its_peers(service):
    environment = {one["name"]: one.get("value", "x") for one in container(service).get("env", ())}
    settings = read(environment)
    (found,) = (d for d in documents(service) if d["kind"] == "Service")
    port = found["spec"]["ports"][0]["port"]
    assert getattr(settings, f"{service}_url") == f"http://{found['metadata']['name']}:{port}"
    assert container(service)["image"] == AGENTS_IMAGE
    assert container(service)["ports"] == [{"name": "http", "containerPort": port}]
    assert container(service)["securityContext"]["readOnlyRootFilesystem"] is True


@pytest.mark.parametrize("service", SERVICES)
def test_only_agents_may_ask_the_api_server(service):
    """They read their guards' orders; the model and the tools need nobody's token."""
    pod = deployment(service)
    assert (pod.get("serviceAccountName") == "agents") is (service in AGENTS)
    assert pod.get("automountServiceAccountToken", True) is (service in AGENTS)


def test_a_setting_that_is_not_known_is_refused():
    with pytest.raises(ValueError, match="rat"):
        read({"AGENTS_RAT": "6"})


def test_every_script_is_of_a_kind_and_an_agent_and_calls_only_agents_that_have_one():
    assert set(SCRIPTS) <= {script(kind, agent) for kind in KINDS for agent in AGENTS}
    for name, one in SCRIPTS.items():
        kind = name.split("-")[0]
        for step in (step for turn in (*one.turns, *one.stuck) for step in turn):
            other = step.tool.removeprefix("transfer_to_").removeprefix("ask_")
            assert other not in AGENTS or script(kind, other) in SCRIPTS, f"{name} calls {step.tool}"
    assert {script(kind, PLANNER) for kind in KINDS} <= set(SCRIPTS)


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_trouble_is_its_healthy_twin_with_something_wrong(trouble):
    wanted = TROUBLES[trouble]
    assert wanted.kind in KINDS
    assert wanted.faults != Faults()


def test_a_script_goes_on_until_a_tool_has_said_so():
    script = SCRIPTS["poll-researcher"]
    queued = [Message("user", "wait for it to be done"), Message("tool", "job 7: 20 %")]
    assert script.answer(queued).calls
    assert not script.answer([*queued, Message("tool", "job 7 is done")]).calls


def test_a_stuck_model_says_something_else_and_never_ends():
    script = SCRIPTS["pages-researcher"]
    end = [Message("tool", "the last page")]
    assert script.answer(end).text
    assert "titanium" in script.answer(end, endless=True).calls[0].arguments["query"]


@pytest.mark.parametrize("tool", SHARED)
def test_the_same_call_gets_the_same_answer_in_every_conversation(tool):
    answers = {Toolbox().use(tool, conversation, SHARED[tool], Faults()) for conversation in "ab"}
    assert len(answers) == 1


def test_pages_differ_and_end():
    pages = [Toolbox().use("search", "c", {"query": "clamps", "page": str(n + 1)}, Faults()) for n in range(PAGES)]
    assert len(set(pages)) == PAGES
    assert ["last page" in page for page in pages] == [False] * (PAGES - 1) + [True]


def test_a_job_gets_further_with_every_look_unless_it_is_stuck():
    healthy, stuck = Toolbox(), Toolbox()
    looks = [healthy.use("status", "c", {"job": "7"}, Faults()) for _ in range(LOOKS)]
    assert len(set(looks)) == LOOKS
    assert looks[-1] == "job 7 is done"
    assert len({stuck.use("status", "c", {"job": "7"}, Faults(stuck=True)) for _ in range(20)}) == 1
    assert stuck.use("status", "other", {"job": "7"}, Faults()) == looks[0], "a job is its conversation's own"


def test_a_slow_job_says_nothing_new_until_it_is_done():
    toolbox = Toolbox()
    looks = [toolbox.use("status", "c", {"job": "slow"}, Faults()) for _ in range(LOOKS)]
    assert looks == ["job slow is queued"] * (LOOKS - 1) + ["job slow is done"]


def test_a_lock_is_held_until_it_is_given_back_or_its_lease_ends():
    locks = LockTable()
    assert locks.take("a", "critic", 0) == "critic"
    assert locks.take("a", "researcher", 1) == "critic"
    locks.release("a", "researcher")
    assert locks.take("a", "critic", 2) == "critic", "renewed"
    assert locks.take("a", "researcher", 1 + LEASE_SECONDS) == "critic"
    assert locks.take("a", "researcher", 3 + LEASE_SECONDS) == "researcher", "whoever died holds nothing for long"
    locks.release("a", "researcher")
    assert locks.held(4) == {}


def test_a_conversation_ends_once_and_can_begin_again():
    board = Board()
    board.begin("c", "debate", 0)
    with pytest.raises(AlreadyRunning):
        board.begin("c", "debate", 1)
    assert board.end("c", State.CUT, "cut", 2)
    assert not board.end("c", State.FAILED, "later news of the same", 3)
    board.begin("c", "debate", 4)
    assert board.end("c", State.DONE, "done", 5)
    assert board.as_json()["counts"] == {"debate": {"cut": 1, "done": 1}}


def test_the_work_that_comes_by_itself_is_seeded_steady_and_of_every_kind():
    coming = list(islice(pauses(7, 6), 600))
    assert coming == list(islice(pauses(7, 6), 600))
    assert sum(seconds for seconds, _ in coming) / len(coming) == pytest.approx(10, rel=0.1)
    assert {kind for _, kind in coming} == set(KINDS)
