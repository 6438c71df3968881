"""The sample workload of agents as real processes: what its work, its faults and its cuts look like from outside.

Faults are of policy, tools and locks; that they show in spans is what is tested, and that their healthy twins end.
"""

import time
from collections.abc import Iterator
from itertools import pairwise

import pytest
from tests.api.crew import Crew, crew
from tests.api.programs import until

from hemostat.guard.orders import AnyOrder, Cap, Cut, Halt, render
from hemostat.replay.agents import replay
from hemostat.signals.loops.detect import Detector
from hemostat.signals.loops.verdict import Advice, Kind
from hemostat.telemetry.pricelist import load
from hemostat_chaos.agents.kinds import KINDS

ARGUMENTS, RESULT = "gen_ai.tool.call.arguments", "gen_ai.tool.call.result"
WINDOW = 128_000
ROUNDS = 5
NAMED = {
    "ping-pong": (Kind.CYCLE, Advice.CUT),
    "ring": (Kind.CYCLE, Advice.CUT),
    "mutual-wait": (Kind.DEADLOCK, Advice.CUT),
    "stuck-tool": (Kind.REPEATED_STEP, Advice.CUT),
    "paraphrase": (Kind.PARAPHRASE_LOOP, Advice.CUT),
    "token-burn": (Kind.TOKEN_BURN, Advice.NOTIFY),
    "provider-429": (Kind.RETRY_STORM, Advice.CUT),
    "runaway-context": (Kind.CONTEXT_GROWTH, Advice.NOTIFY),
}
SEEN_SECONDS = 30


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Iterator[Crew]:
    with crew(tmp_path_factory.mktemp("crew")) as made:
        yield made


@pytest.fixture
def inflict(running: Crew):
    """Inflict a trouble, and take it back at the end."""
    begun: list[str] = []

    def begin(trouble: str) -> str:
        made = running.lab.inflict(trouble)
        begun.extend(made)
        return made[0]

    yield begin
    for conversation in begun:
        running.lab.clear(conversation)


def spans(running: Crew, conversation: str, operation: str, at_least: int):
    """Wait for so many spans of an operation, and return them in the order in which they began."""

    def found():
        return [span for span in running.received.spans(conversation) if span.operation == operation]

    until(lambda: len(found()) >= at_least, SEEN_SECONDS, f"{at_least} spans {operation} of {conversation}")
    return found()


def order(running: Crew, one: AnyOrder) -> None:
    (running.orders / one.id).write_text(render(one))


def takes_back(running: Crew, name: str) -> None:
    (running.orders / name).unlink()


def test_all_healthy_work_ends_and_is_one_trace_across_the_agents(running):
    names = {kind: running.lab.begin(kind) for kind in KINDS}
    for name in names.values():
        running.ends(name, "done")
    until(lambda: running.received.spans(names["review"])[-1:], 5, "the last spans are sent")
    for kind, agents in {"review": {"planner", "researcher", "critic"}, "poll": {"planner", "researcher"}}.items():
        seen = spans(running, names[kind], "chat", running.lab.tokens(names[kind])["answers"])
        assert {span.service for span in seen} == agents
        assert len({span.trace for span in running.received.spans(names[kind])}) == 1
    assert {span.name for span in running.received.everything() if span.service == "tools"} >= {"POST /tools/search"}


def test_what_spans_say_of_tokens_is_what_the_model_counted(running):
    name = running.lab.begin("pages")
    running.ends(name, "done")
    spent = running.lab.tokens(name)
    chats = spans(running, name, "chat", spent["answers"])
    assert sum(span.attributes["gen_ai.usage.input_tokens"] for span in chats) == spent["prompt"] > 0
    assert sum(span.attributes["gen_ai.usage.output_tokens"] for span in chats) == spent["completion"] > 0


@pytest.mark.parametrize(
    ("trouble", "ring"), [("ping-pong", ["planner", "critic"]), ("ring", ["planner", "researcher", "critic"])]
)
def test_agents_that_hand_over_in_a_ring_say_the_same_every_round_until_it_is_cleared(running, inflict, trouble, ring):
    name = inflict(trouble)
    turns = spans(running, name, "invoke_agent", ROUNDS * len(ring))
    assert [span.service for span in turns][: ROUNDS * len(ring)] == ring * ROUNDS
    said = [span.attributes[ARGUMENTS] for span in spans(running, name, "execute_tool", ROUNDS * len(ring))]
    assert len(set(said)) == len(ring)
    assert len({span.trace for span in turns}) == 1
    assert running.state(name) == "running"
    running.lab.clear(name)
    running.ends(name, "done")


def test_a_bounded_debate_says_something_new_every_round(running):
    name = running.lab.begin("debate")
    running.ends(name, "done")
    said = [span.attributes[ARGUMENTS] for span in spans(running, name, "execute_tool", 6)]
    assert len(set(said)) == 6


def test_a_stuck_tool_answers_the_same_and_a_healthy_one_never_twice(running, inflict):
    stuck, healthy = inflict("stuck-tool"), running.lab.begin("poll")
    calls = [span for span in spans(running, stuck, "execute_tool", ROUNDS) if "status" in span.name]
    assert {(span.service, span.attributes[ARGUMENTS]) for span in calls} == {("researcher", '{"job":"7"}')}
    assert len({span.attributes[RESULT] for span in calls}) == 1
    running.ends(healthy, "done")
    calls = [span for span in spans(running, healthy, "execute_tool", 6) if "status" in span.name]
    assert len({span.attributes[RESULT] for span in calls}) == len(calls) == 5
    assert running.state(stuck) == "running"
    running.lab.clear(stuck)
    running.ends(stuck, "done")


def test_a_paraphrase_loop_asks_in_other_words_and_learns_nothing(running, inflict):
    calls = spans(running, inflict("paraphrase"), "execute_tool", 5)[:5]
    assert len({span.attributes[ARGUMENTS] for span in calls}) == 5
    assert {span.attributes[RESULT] for span in calls} == {"No document matches."}


def test_a_burn_writes_more_each_time_though_no_call_repeats(running, inflict):
    name = inflict("token-burn")
    written = [span.attributes["gen_ai.usage.output_tokens"] for span in spans(running, name, "chat", 12)][:12]
    assert all(more > less for less, more in pairwise(written))
    calls = [span.attributes[ARGUMENTS] for span in spans(running, name, "execute_tool", 11)]
    assert len(set(calls)) == len(calls)


def test_a_refusing_provider_is_tried_at_once_by_all_and_after_growing_pauses_by_the_healthy(running, inflict):
    def pauses(conversation: str, at_least: int) -> list[float]:
        chats = spans(running, conversation, "chat", at_least)
        return [(after.began - before.began) / 1e9 for before, after in pairwise(chats[:at_least])]

    stormy, healthy = inflict("provider-429"), running.lab.begin("backoff")
    assert max(pauses(stormy, 8)) < 1
    assert running.lab.tokens(stormy)["answers"] == 0
    running.ends(healthy, "done")
    first, _, third = pauses(healthy, 4)
    assert first < third
    assert running.lab.tokens(healthy)["refusals"] == 3


def test_a_runaway_context_fills_the_window_and_a_healthy_one_does_not(running, inflict):
    name, healthy = inflict("runaway-context"), running.lab.begin("read")

    def contexts(conversation: str) -> list[int]:
        chats = [span for span in running.received.spans(conversation) if span.operation == "chat"]
        return [s.attributes["gen_ai.usage.input_tokens"] for s in chats if s.service == "researcher"]

    until(lambda: max(contexts(name), default=0) > 0.8 * WINDOW, SEEN_SECONDS, "the window is nearly full")
    running.ends(healthy, "done")
    assert 0 < max(contexts(healthy)) < 0.05 * WINDOW


def test_a_mutual_wait_has_heartbeats_and_no_end_and_a_halt_parks_it_until_it_is_taken_back(running, inflict):
    name = inflict("mutual-wait")

    def waits(event: str):
        found = running.received.events(name, f"hemostat.span.{event}")
        return [one for one in found if "hemostat.wait.for" in one.attributes]

    until(lambda: len(waits("heartbeat")) >= 6, SEEN_SECONDS, "heartbeats of the two waits")
    facts = ("gen_ai.agent.name", "hemostat.wait.for", "hemostat.wait.holder")
    assert {tuple(wait.attributes[fact] for fact in facts) for wait in waits("start")} == {
        ("researcher", f"lock:{name}.report.index", "critic"),
        ("critic", f"lock:{name}.report.text", "researcher"),
    }
    assert waits("end") == []
    assert {span.operation for span in running.received.spans(name)} == {"chat"}, "agents and tools are all open"
    order(running, Halt(id="halt", conversation=name, until=time.time() + 600, reason="each waits for the other"))
    running.ends(name, "halted")
    assert "its task is parked" in running.lab.board()["conversations"][name]["said"]

    def parked_by() -> set[str]:
        return {event.service for event in running.received.events(name, "hemostat.guard.halt")}

    until(lambda: "planner" in parked_by(), 10, "its owner's own guard has it, which begins it again")
    running.lab.clear(name)
    takes_back(running, "halt")
    until(lambda: running.state(name) == "done", SEEN_SECONDS, "it was begun again by itself, and came to an end")


def test_a_cut_edge_ends_one_conversation_and_the_same_agents_go_on_with_others(running, inflict):
    name = inflict("ping-pong")
    spans(running, name, "invoke_agent", 6)
    cut = Cut(id="c", caller="planner", callee="critic", conversation=name, until=time.time() + 600, reason="ping-pong")
    order(running, cut)
    running.ends(name, "cut", seconds=5)
    spent = running.lab.tokens(name)
    other = running.lab.begin("debate")
    running.ends(other, "done")
    assert running.lab.tokens(name) == spent, "what is cut costs no more"
    assert running.received.events(name, "hemostat.guard.cut")
    running.lab.again(name, "debate")
    running.ends(name, "cut")
    before = len(running.received.spans(name))
    takes_back(running, "c")
    time.sleep(2)  # the guard looks once a second
    running.lab.again(name, "debate")
    until(lambda: len(running.received.spans(name)) > before + 12, SEEN_SECONDS, "the edge is whole again")
    running.lab.clear(name)
    running.ends(name, "done")


@pytest.mark.parametrize(
    ("trouble", "edge"),
    [
        ("ring", ("critic", "planner")),
        ("stuck-tool", ("researcher", "status")),
        ("paraphrase", ("researcher", "search")),
        ("token-burn", ("planner", "edit")),
        ("runaway-context", ("researcher", "read")),
        ("provider-429", ("", "gpt-4o")),
    ],
)
def test_every_loop_ends_at_its_own_edge(running, inflict, trouble, edge):
    name = inflict(trouble)
    spans(running, name, "chat", 3)
    caller, callee = edge
    cut = Cut(id="e", caller=caller, callee=callee, conversation=name, until=time.time() + 600, reason=trouble)
    order(running, cut)
    running.ends(name, "cut", seconds=5)
    takes_back(running, "e")


def test_a_cap_ends_a_burn_at_its_next_call(running, inflict):
    name = inflict("token-burn")
    spans(running, name, "chat", 3)
    order(running, Cap(id="cap", conversation=name, tokens=1, until=time.time() + 600, reason="token-burn"))
    running.ends(name, "halted", seconds=5)
    takes_back(running, "cap")


def test_the_detectors_name_every_trouble_and_cut_no_healthy_conversation(running, inflict):
    began = time.time()
    names = {inflict(trouble): kind for trouble, kind in NAMED.items()}
    healthy = {running.lab.begin(kind) for kind in KINDS}

    prices = load()  # the windows of models are in it

    def told() -> dict[str, set[tuple[Kind, Advice]]]:
        found: dict[str, set[tuple[Kind, Advice]]] = {}
        recent = [request for request in list(running.received.requests) if request.time > began]
        for trouble in replay(recent, Detector(prices=prices)).troubles:
            verdict = trouble.verdict
            for conversation in verdict.conversations or (verdict.conversation,):
                found.setdefault(conversation, set()).add((verdict.kind, verdict.advice))
        return found

    def missing() -> set[str]:
        said = told()
        return {name for name, kind in names.items() if kind not in said.get(name, ())}

    while missing() and time.time() < began + 240:
        time.sleep(10)  # a replay takes seconds
    said = told()
    assert not missing(), said
    assert not {name for name in healthy if Advice.CUT in {advice for _, advice in said.get(name, ())}}
