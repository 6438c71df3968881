"""What frameworks really send, read by the normaliser: each says the same in words of its own.

An expected failure is what a framework does not tell, or what the normaliser cannot read yet. It is strict: who closes
a gap takes it from the list.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import pytest
from tests.api.frameworks import FRAMEWORKS, Recorded, recorded

from hemostat.telemetry.steps import Basis, Failure, Operation, Step, of_traces

PROTOCOLS = ("mcp/own/with", "a2a/own/with")
AGENTS = [f"{f.name}/{v}" for f in FRAMEWORKS for v in f.variations if f"{f.name}/{v}" not in PROTOCOLS]
BARE = "autogen/own/with"  # tells of agents and tools by name, and nothing else
TOLD = [address for address in AGENTS if address != BARE]
WITH = [address for address in TOLD if address.endswith("/with")]
PAIRS = [address for address in WITH if f"{address}out" in AGENTS]
HANDING = [address for address in AGENTS if not address.startswith("pydantic_ai/")]  # has no hand-offs
NAMED = [address for address in AGENTS if address.split("/")[0] in ("pydantic_ai", "langgraph", "strands", "adk")]
UNKIND = ("openai_agents/", "pydantic_ai/5/without", "adk/own/without")
"""Say that a tool failed, not how: the SDK replaces the message, or the kind is only in the content."""

GAPS: dict[tuple[str, str], str] = {
    ("limited", "agent_framework/own/without"): "error.type is ChatClientException, and the message is content",
    ("nested", "openai_agents/traceloop"): "OpenLLMetry puts the asked agent beside the tool that asks it, not below",
}


def each(topic: str, addresses: Sequence[str]) -> Any:
    """Parametrise a test by address; gaps are marked."""
    marks = {
        address: [pytest.mark.xfail(strict=True, reason=reason)]
        for address in addresses
        for (about, prefix), reason in GAPS.items()
        if about == topic and address.startswith(prefix)
    }
    return pytest.mark.parametrize("address", [pytest.param(a, marks=marks.get(a, []), id=a) for a in addresses])


@pytest.fixture(scope="module")
def sent() -> Iterator[Recorded]:
    with recorded() as found:
        yield found


def steps(sent: Recorded, address: str, scenario: str, *operations: Operation) -> list[Step]:
    """Return the steps of a scenario in the order in which they began; of these operations, if any is named."""
    found = [step for request in sent.requests(address, scenario) for step in of_traces(request)]
    assert found, f"{address} sent no step of {scenario}"
    return sorted((s for s in found if not operations or s.operation in operations), key=lambda s: s.started)


def owner(sent: Recorded, address: str, scenario: str, step: Step) -> str:
    """Return the agent that takes a step: the one it names, else the nearest above it, by steps alone."""
    by_span = {s.span: s for s in steps(sent, address, scenario)}
    while not step.agent and step.parent in by_span:
        step = by_span[step.parent]
    return step.agent


def receiver(sent: Recorded, address: str, scenario: str, step: Step) -> str:
    """Return to whom a step hands over: the one it names, else the agent that begins next."""
    agents = steps(sent, address, scenario, Operation.AGENT)
    return step.peer or next((s.peer for s in agents if s.started > step.started), "")


@each("tools", [*AGENTS, "mcp/own/with"])
def test_each_tool_call_is_one_step(sent, address):
    assert [s.peer for s in steps(sent, address, "tools", Operation.TOOL)] == ["search", "price"]


@each("agent", AGENTS)
def test_every_step_belongs_to_the_agent_that_took_it(sent, address):
    assert {s.peer for s in steps(sent, address, "tools", Operation.AGENT)} == {"planner"}
    for step in steps(sent, address, "tools", Operation.TOOL, Operation.CHAT):
        assert owner(sent, address, "tools", step) == "planner"


@each("arguments", WITH)
def test_equal_arguments_are_equal_and_others_are_not(sent, address):
    same = [s.arguments for s in steps(sent, address, "repeat", Operation.TOOL)]
    other = [s.arguments for s in steps(sent, address, "pages", Operation.TOOL)]
    assert len(same) == len(other) == 3
    assert None not in same
    assert (len(set(same)), len(set(other))) == (1, 3)


@each("result", WITH)
def test_an_unchanged_result_is_unchanged(sent, address):
    same = [s.result for s in steps(sent, address, "repeat", Operation.TOOL)]
    other = [s.result for s in steps(sent, address, "pages", Operation.TOOL)]
    assert None not in same
    assert (len(set(same)), len(set(other))) == (1, 3)


@each("tokens", TOLD)
def test_the_tokens_of_all_inferences_are_what_the_model_counted(sent, address):
    model = sent.models[address]
    for scenario in ("tools", "repeat", "pages", "failing"):
        chats = steps(sent, address, scenario, Operation.CHAT)
        spent = model.spent[scenario]
        assert len(chats) == spent.answers
        assert sum(s.tokens_in for s in chats) == spent.prompt
        assert sum(s.tokens_out for s in chats) == spent.completion


@each("failing", AGENTS)
def test_a_tool_that_fails_has_failed_each_time(sent, address):
    failed = steps(sent, address, "failing", Operation.TOOL)
    kind = Failure.OTHER if address.startswith(UNKIND) else Failure.UNAVAILABLE
    assert [(s.peer, s.failed) for s in failed] == [("lookup", kind)] * 2


@each("limited", TOLD)
def test_a_model_that_answers_429_is_a_rate_limit_of_the_inference(sent, address):
    (chat,) = steps(sent, address, "limited", Operation.CHAT)
    assert chat.failed is Failure.RATE_LIMITED


@each("handoff", HANDING)
def test_agents_that_hand_over_are_seen_handing_over(sent, address):
    """Writer to critic and back, at least four times; that a hand-over succeeds is no failure."""
    found = steps(sent, address, "handoff", Operation.HANDOFF)
    edges = [(owner(sent, address, "handoff", s), receiver(sent, address, "handoff", s)) for s in found]
    assert len(edges) >= 4
    assert edges[0] == ("writer", "critic")
    assert all(later == edge[::-1] for edge, later in pairwise(edges))
    assert {s.failed for s in steps(sent, address, "handoff", Operation.HANDOFF, Operation.AGENT)} == {Failure.NONE}


@each("nested", AGENTS)
def test_an_agent_that_asks_another_waits_above_it(sent, address):
    asked = [s for s in steps(sent, address, "nested", Operation.AGENT) if s.peer == "critic"]
    assert len(asked) == 2
    parents = {span.span_id: span.parent_span_id for span in sent.spans(address, "nested")}
    askers = {s.span: owner(sent, address, "nested", s) for s in steps(sent, address, "nested", Operation.TOOL)}
    for step in asked:
        above = step.parent
        while above and above not in askers:
            above = parents.get(above, b"")
        assert askers.get(above) == "writer"


@each("conversation", NAMED)
def test_the_session_that_the_application_names_is_the_conversation(sent, address):
    """Of every step, or of another one in its trace: ADK's tools name none."""
    found = steps(sent, address, "tools", Operation.CHAT, Operation.TOOL, Operation.AGENT)
    named = {s.trace for s in found if (s.conversation, s.basis) == ("conversation-1", Basis.SESSION)}
    assert {s.trace for s in found} == named
    assert {s.conversation for s in found if s.trace.hex() != s.conversation} == {"conversation-1"}


@each("without", PAIRS)
def test_without_content_the_same_steps_are_told_without_digests(sent, address):
    for scenario in ("tools", "repeat", "failing", "nested"):
        told = steps(sent, address, scenario)
        bare = steps(sent, f"{address}out", scenario)
        assert [_names(s) for s in bare] == [_names(s) for s in told]
        contents = [(s.arguments, s.result, s.about, s.sketch) for s in bare if s.operation is Operation.TOOL]
        assert set(contents) == {(None, None, None, b"")}


def _names(step: Step) -> tuple[Any, ...]:
    return step.operation, step.agent, step.peer, step.tokens_in, step.tokens_out, bool(step.failed)


def test_autogen_tells_of_agents_and_tools_by_name_alone(sent):
    """No inference, no tokens, no arguments; each message of a team is a trace of its own."""
    found = steps(sent, BARE, "tools")
    assert {s.operation for s in found} == {Operation.AGENT, Operation.TOOL}
    assert {(s.arguments, s.result) for s in found} == {(None, None)}
    (agent,) = steps(sent, BARE, "limited")
    assert (agent.operation, agent.failed) == (Operation.AGENT, Failure.RATE_LIMITED)
    team = steps(sent, BARE, "handoff", Operation.AGENT)
    assert len({s.trace for s in team}) == len(team) >= 4


def test_of_mcp_only_the_client_is_a_step_and_that_a_tool_failed_only_the_server_tells(sent):
    """The client's span has neither arguments nor result; the agent framework's own span of the call has."""
    found = steps(sent, "mcp/own/with", "failing", Operation.TOOL)
    assert [(s.peer, s.failed, s.arguments) for s in found] == [("lookup", Failure.NONE, None)] * 2
    answered = [s for s in sent.spans("mcp/own/with", "failing") if s.name == "tools/call lookup"]
    kinds = [a.value.string_value for span in answered for a in span.attributes if a.key == "error.type"]
    assert kinds == ["tool_error"] * 2


def test_the_sdk_of_a2a_sends_no_attributes_so_its_spans_are_no_steps(sent):
    """Its spans are named after functions; who is asked, and in which task, only the application's own spans tell."""
    spans = sent.spans("a2a/own/with", "nested")
    assert {span.name for span in spans} >= {"a2a.client.transports.jsonrpc.JsonRpcTransport.send_message"}
    assert not any(span.attributes for span in spans)
    assert not [step for request in sent.requests("a2a/own/with", "nested") for step in of_traces(request)]
