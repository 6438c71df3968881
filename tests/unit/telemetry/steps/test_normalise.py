"""Every convention says the same in other words; tests/frameworks has spans that frameworks really produced."""

import json

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from tests.unit.telemetry.requests import CLIENT, INTERNAL, SERVER, TRACE, message, put, span

from hemostat.telemetry.steps import Basis, Failure, Operation, Source, WaitMode, of_logs, of_traces
from hemostat.telemetry.steps.attributes import MAX_ATTRIBUTES

ARGS = '{"city": "Rome", "days": 2}'
AGENT, CHAT, TOOL, HANDOFF, WORKFLOW = (
    Operation.AGENT,
    Operation.CHAT,
    Operation.TOOL,
    Operation.HANDOFF,
    Operation.WORKFLOW,
)


def steps(*spans, service="team"):
    return list(of_traces(message(service, *spans)))


def only(name="x", kind=INTERNAL, attributes=None, **more):
    made = span(kind, name, **more)
    for key, value in (attributes or {}).items():
        put(made, key, value)
    found = steps(made)
    return found[0] if found else None


OP, NAME, CALLS, KIND = "gen_ai.operation.name", "gen_ai.agent.name", "gen_ai.tool.name", "openinference.span.kind"
FROM, TO = "gen_ai.handoff.from_agent", "gen_ai.handoff.to_agent"
ASKS, HIDDEN = "gen_ai.tool.call.arguments", "__REDACTED__"
SOURCE, GOTO = "langgraph.command.source_node", "langgraph.command.goto_node"
ROWS = [
    # --- OpenTelemetry GenAI
    ({OP: "chat", "gen_ai.request.model": "m1", NAME: "critic"}, CHAT, "critic", "m1"),
    ({OP: "execute_tool", CALLS: "search", NAME: "a"}, TOOL, "a", "search"),
    ({OP: "invoke_agent", NAME: "writer"}, AGENT, "writer", "writer"),
    ({OP: "invoke_workflow", "gen_ai.workflow.name": "crew"}, WORKFLOW, "", "crew"),
    ({OP: "search_memory", NAME: "a"}, TOOL, "a", "search_memory"),
    ({OP: "invoke_agent", "gen_ai.agent.id": "7"}, AGENT, "7", "7"),
    # --- hand-offs
    ({OP: "handoff", FROM: "a", TO: "b"}, HANDOFF, "a", "b"),
    ({OP: "agent_handoff", FROM: "a", TO: "b"}, HANDOFF, "a", "b"),
    ({"traceloop.span.kind": "task", SOURCE: "a", GOTO: "b"}, HANDOFF, "a", "b"),
    # --- OpenInference
    ({KIND: "LLM", "llm.model_name": "m1"}, CHAT, "", "m1"),
    ({KIND: "TOOL", "tool.name": "search"}, TOOL, "", "search"),
    ({KIND: "AGENT", "agent.name": "writer"}, AGENT, "writer", "writer"),
    ({KIND: "AGENT", "graph.node.id": "role", "graph.node.parent_id": "boss"}, AGENT, "role", "role"),
    # --- OpenLLMetry
    ({"traceloop.span.kind": "agent", "traceloop.entity.name": "writer"}, AGENT, "writer", "writer"),
    ({"traceloop.span.kind": "tool", "traceloop.entity.name": "search"}, TOOL, "", "search"),
    ({"llm.request.type": "chat", "gen_ai.request.model": "m1"}, CHAT, "", "m1"),
    # --- pydantic-ai, format 2
    ({"agent_name": "writer", "model_name": "m1"}, AGENT, "writer", "writer"),
    ({CALLS: "search", "tool_arguments": ARGS}, TOOL, "", "search"),
    # --- MCP and A2A
    ({"mcp.method.name": "tools/call", CALLS: "search", OP: "execute_tool"}, TOOL, "", "search"),
]  # fmt: skip


@pytest.mark.parametrize(("attributes", "operation", "agent", "peer"), ROWS)
def test_what_a_span_is(attributes, operation, agent, peer):
    found = only(attributes=attributes)
    assert (found.operation, found.agent, found.peer) == (operation, agent, peer)


@pytest.mark.parametrize(
    ("name", "attributes", "agent", "peer"),
    [
        ("handoff to B", {"openinference.span.kind": "TOOL", "input.value": "A", "output.value": "B"}, "A", "B"),
        ("message.send", {"message.source_id": "A", "message.target_id": "B"}, "A", "B"),
        ("autogen create B.(default)-A", {"messaging.destination": "B.(default)-A"}, "", "B"),
        ("message.send", {"message.destination_executor_id": "B"}, "", "B"),
        ("x", {OP: "execute_tool", CALLS: "transfer_to_B", NAME: "A"}, "A", "B"),
        ("x", {OP: "execute_tool", CALLS: "handoff_to_agent", ASKS: '{"agent_name": "B"}'}, "", "B"),
        ("x", {OP: "execute_tool", CALLS: "transfer_to_agent"}, "", ""),
        ("handoff to B", {KIND: "TOOL", "input.value": HIDDEN, "output.value": HIDDEN}, "", "B"),
        ("autogen create topic", {"messaging.destination": "topic"}, "", "topic"),
    ],
)
def test_who_hands_over_to_whom(name, attributes, agent, peer):
    found = only(name, attributes=attributes)
    assert (found.operation, found.agent, found.peer) == (HANDOFF, agent, peer)


def test_the_two_names_of_a_hand_over_are_no_content():
    """They are the same each time, and would prove that nothing new is handed over."""
    names = {"openinference.span.kind": "TOOL", "input.value": "A", "output.value": "B"}
    found = only("handoff to B", attributes=names)
    assert (found.arguments, found.about, found.result) == (None, None, None)


@pytest.mark.parametrize(
    ("kind", "attributes"),
    [
        (INTERNAL, {"http.request.method": "GET"}),
        (INTERNAL, {"gen_ai.operation.name": "embeddings"}),
        (INTERNAL, {"gen_ai.operation.name": "create_agent", "gen_ai.agent.name": "a"}),
        (INTERNAL, {"openinference.span.kind": "EMBEDDING"}),
        (CLIENT, {"mcp.method.name": "tools/list"}),
    ],
)
def test_what_is_no_step(kind, attributes):
    assert only(kind=kind, attributes=attributes) is None


def test_the_server_of_a_tool_does_not_take_the_agent_s_step_again():
    attributes = {"mcp.method.name": "tools/call", "gen_ai.tool.name": "search"}
    assert only(kind=CLIENT, attributes=attributes).source is Source.MCP
    assert only(kind=SERVER, attributes=attributes) is None


@pytest.mark.parametrize(
    ("attributes", "conversation", "basis"),
    [
        ({"gen_ai.conversation.id": "c"}, "c", Basis.SESSION),
        ({"session.id": "c"}, "c", Basis.SESSION),
        ({"gcp.vertex.agent.session_id": "c"}, "c", Basis.SESSION),
        ({"a2a.context_id": "c"}, "c", Basis.TASK),
        ({}, TRACE.hex(), Basis.TRACE),
        ({"gen_ai.conversation.id": ""}, TRACE.hex(), Basis.TRACE),
    ],
)
def test_which_conversation_it_belongs_to_and_how_that_is_known(attributes, conversation, basis):
    found = only(attributes={"gen_ai.operation.name": "invoke_agent"} | attributes)
    assert (found.conversation, found.basis) == (conversation, basis)


@pytest.mark.parametrize(
    "names",
    [
        ("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens", "gen_ai.usage.cache_read.input_tokens"),
        ("gen_ai.usage.prompt_tokens", "gen_ai.usage.completion_tokens", "gen_ai.usage.cache_read_input_tokens"),
        ("llm.token_count.prompt", "llm.token_count.completion", "llm.token_count.prompt_details.cache_read"),
    ],
)
@pytest.mark.parametrize("kind", [int, str])
def test_tokens_are_those_of_inferences_alone(names, kind):
    attributes = {name: kind(count) for name, count in zip(names, (30, 4, 9), strict=True)}
    chat = only(attributes={"gen_ai.operation.name": "chat"} | attributes)
    assert (chat.tokens_in, chat.tokens_out, chat.tokens_cached) == (30, 4, 9)
    sums = only(attributes={"gen_ai.operation.name": "invoke_agent"} | attributes)
    assert (sums.tokens_in, sums.tokens_out, sums.tokens_cached) == (0, 0, 0)


@pytest.mark.parametrize("tokens", [-1, 1 << 40, "many", ["1"]])
def test_senseless_numbers_of_tokens_are_none(tokens):
    assert only(attributes={"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": tokens}).tokens_in == 0


def tool(arguments=None, result=None, **more):
    attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search"}
    attributes |= {"gen_ai.tool.call.arguments": arguments} if arguments is not None else {}
    attributes |= {"gen_ai.tool.call.result": result} if result is not None else {}
    return only(attributes=attributes, **more)


def test_equal_arguments_have_equal_digests_however_they_are_written():
    same = tool('{"days":2,\n "city":"Rome"}')
    assert tool(ARGS).arguments == same.arguments != tool('{"city": "Rome", "days": 3}').arguments
    assert tool(ARGS, "sunny").result == tool(ARGS, " sunny ").result != tool(ARGS, "rain").result
    in_other_words = only(attributes={"openinference.span.kind": "TOOL", "tool.name": "search", "input.value": ARGS})
    assert in_other_words.arguments == same.arguments


def test_without_content_there_are_no_digests():
    found = tool()
    assert (found.arguments, found.result, found.sketch) == (None, None, b"")


@pytest.mark.parametrize(
    ("attributes", "failed", "failure"),
    [
        ({}, False, Failure.NONE),
        ({}, True, Failure.OTHER),
        ({"error.type": "RateLimitError"}, True, Failure.RATE_LIMITED),
        ({"error.type": "429"}, True, Failure.RATE_LIMITED),
        ({"http.response.status_code": 503}, False, Failure.UNAVAILABLE),
        ({"http.response.status_code": 200}, False, Failure.NONE),
        ({"error.type": "APIConnectionError"}, True, Failure.UNAVAILABLE),
        ({"error.type": "TimeoutError"}, True, Failure.TIMEOUT),
        ({"error.type": "JSONDecodeError"}, True, Failure.INVALID),
        ({"error.type": "ToolNotFound"}, True, Failure.UNKNOWN_TOOL),
        ({"error.type": "hemostat.guard.EdgeCut"}, True, Failure.REFUSED),
        ({"error.type": "tool_error"}, True, Failure.OTHER),
    ],
)
def test_how_it_failed(attributes, failed, failure):
    found = only(attributes={"gen_ai.operation.name": "execute_tool"} | attributes, failed=failed)
    assert found.failed is failure


def test_how_it_failed_is_told_by_the_recorded_exception_too():
    made = span(INTERNAL, "execute_tool search", failed=True, gen_ai__operation__name="execute_tool")
    event = made.events.add(name="exception")
    put(event, "exception.type", "httpx.ReadTimeout")
    assert steps(made)[0].failed is Failure.TIMEOUT


def test_logfire_s_pending_spans_are_open_steps():
    made = span(INTERNAL, "agent run", own=b"pending!", parent=b"thereal1", agent_name="writer")
    put(made, "logfire.span_type", "pending_span")
    put(made, "logfire.pending_parent_id", b"above...".hex())
    (found,) = steps(made)
    assert (found.span, found.parent, found.ended) == (b"thereal1", b"above...", None)


# --- Log events


def record(event="hemostat.span.heartbeat", body="", **attributes):
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add()
    put(resource.resource, "service.name", "team")
    made = resource.scope_logs.add().log_records.add(event_name=event, trace_id=TRACE, span_id=b"12345678")
    made.body.string_value = body
    for key, value in attributes.items():
        put(made, key.replace("__", "."), value)
    return list(of_logs(request))


START = {"hemostat.span.name": "invoke_agent writer", "hemostat.span.start_time_unix_nano": 10**18}
WRITER = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "writer"}


def test_the_guard_tells_of_open_steps_and_of_their_end():
    (found,) = record(**START, **WRITER, **{"hemostat.span.parent_id": b"above...".hex()})
    assert (found.agent, found.operation, found.source) == ("writer", AGENT, Source.GUARD)
    assert (found.started, found.ended, found.parent) == (1e9, None, b"above...")
    end = {"hemostat.span.end_time_unix_nano": 10**18 + 10**9, "hemostat.span.status": "error"}
    (ended,) = record("hemostat.span.end", **START, **WRITER, **end)
    assert (ended.ended, ended.failed) == (1e9 + 1, Failure.OTHER)


def test_an_end_is_never_made_up():
    end = {"hemostat.span.end_time_unix_nano": 10**18}
    assert record("hemostat.span.heartbeat", **START, **WRITER, **end)[0].ended is None


def test_the_guard_tells_what_is_waited_for():
    wait = {
        "hemostat.wait.for": "lock:orders",
        "hemostat.wait.kind": "lock",
        "hemostat.wait.mode": "any",
        "hemostat.wait.holder": "critic",
        "hemostat.wait.holder_conversation": "other",
    }
    (found,) = record(**START, **wait, **{"gen_ai.agent.name": "writer"})
    assert (found.operation, found.agent, found.peer) == (Operation.WAIT, "writer", "lock:orders")
    assert (found.awaited, found.mode, found.holder) == ("lock", WaitMode.ANY, "critic")
    assert found.holder_conversation == "other"


def test_heartbeats_of_partial_span_processor_are_open_steps():
    """https://github.com/G-Research/partial-span-processor: the body is OTLP JSON with hexadecimal ids."""
    attributes = [{"key": k, "value": {"stringValue": v}} for k, v in WRITER.items()]
    inner = {
        "traceId": TRACE.hex(),
        "spanId": b"12345678".hex(),
        "name": "x",
        "startTimeUnixNano": "1000000000000000000",
    }
    scope = {"spans": [inner | {"attributes": attributes, "endTimeUnixNano": "1000000001000000000"}]}
    body = json.dumps({"resourceSpans": [{"scopeSpans": [scope]}]})
    (found,) = record("", body, partial__event="heartbeat")
    assert (found.service, found.agent, found.span, found.ended) == ("team", "writer", b"12345678", None)
    assert record("", body, partial__event="stop") == []


@pytest.mark.parametrize("body", ["", "{", "[]", '{"resourceSpans": 1}', "[" * 3000, "x" * 300_000])
def test_hostile_heartbeats_are_no_news(body):
    assert record("", body, partial__event="heartbeat") == []


def test_hostile_attributes_are_bounded_and_printable():
    made = span(
        INTERNAL, "x" * 1000, gen_ai__operation__name="execute_tool", gen_ai__conversation__id="a\n\x1b[2J" * 99
    )
    for i in range(2 * MAX_ATTRIBUTES):
        put(made, f"k{i}", "v")
    (found,) = steps(made)
    assert found.conversation.isprintable()
    assert max(len(found.conversation), len(found.peer)) <= 253


def test_what_is_hidden_is_no_content():
    """The word for it is the same everywhere: two hidden results would be an unchanged one."""
    hidden = only(attributes={KIND: "TOOL", "tool.name": "search", "input.value": HIDDEN, "output.value": HIDDEN})
    assert (hidden.arguments, hidden.result, hidden.sketch) == (None, None, b"")


def test_the_schema_of_a_tool_is_not_what_it_was_asked():
    said = {KIND: "TOOL", "tool.name": "search", "tool.parameters": '{"type": "object"}'}
    assert only(attributes=said).arguments is None
    assert only(attributes=said | {"input.value": ARGS}).arguments == tool(ARGS).arguments


def enveloped(call):
    """Return what OpenLLMetry says of a tool of LangChain: everything but the content is new at each call."""
    asked = {"input_str": "x", "metadata": {"langgraph_step": call}, "inputs": json.loads(ARGS)}
    message = {"lc": 1, "kwargs": {"content": "sunny", "tool_call_id": f"call_{call}"}}
    return tool(json.dumps(asked), json.dumps({"output": message, "kwargs": {"name": "search"}}))


def test_content_is_taken_out_of_its_envelope():
    assert enveloped(1).arguments == enveloped(2).arguments == tool(ARGS).arguments
    assert enveloped(1).result == enveloped(2).result == tool(ARGS, "sunny").result
    openinference = {"type": "tool", "data": {"content": "sunny", "tool_call_id": "call_3"}}
    assert tool(ARGS, json.dumps(openinference)).result == enveloped(1).result


def test_what_looks_like_an_envelope_and_is_none_is_the_content():
    kept = [tool(result=json.dumps(r)).result for r in ({"data": {"id": 1}}, {"data": {"id": 2}}, {"output": "a"})]
    assert len(set(kept)) == 3


def test_content_in_events_of_the_span_counts():
    made = span(INTERNAL, "execute_tool search")
    put(made, "gen_ai.operation.name", "execute_tool")
    put(made, "gen_ai.tool.name", "search")
    for name, key, value in (("gen_ai.tool.message", "content", ARGS), ("gen_ai.choice", "message", "sunny")):
        put(made.events.add(name=name), key, value)
    (found,) = steps(made)
    assert (found.arguments, found.result) == (tool(ARGS).arguments, tool(ARGS, "sunny").result)


@pytest.mark.parametrize(
    ("kind", "said", "failed"),
    [
        ("ChatClientException", "Error code: 429 - too many requests", Failure.RATE_LIMITED),
        ("", "{'error': '503 from upstream'}", Failure.UNAVAILABLE),
        ("ModelThrottledException", "", Failure.RATE_LIMITED),
        ("TimeoutError", "429 of 500 rows read", Failure.TIMEOUT),
        ("", "order 1429 is lost", Failure.OTHER),
        ("ParentCommand", "Command(graph='__parent__', goto='critic')", Failure.NONE),
    ],
)
def test_how_it_failed_is_its_kind_or_else_its_message(kind, said, failed):
    made = span(INTERNAL, "x", failed=True)
    made.status.message = said
    put(made, "gen_ai.operation.name", "chat")
    if kind:
        put(made, "error.type", kind)
    assert steps(made)[0].failed is failed


def test_of_what_has_failed_the_result_may_tell_how():
    """And only of that: whoever reads a report about a 503 has not failed."""
    failed = {"error.type": "TOOL_ERROR", "gen_ai.tool.call.result": '{"error": "503 from the records"}'}
    assert only(attributes={OP: "execute_tool", CALLS: "search"} | failed).failed is Failure.UNAVAILABLE
    assert tool(result="503 from the records").failed is Failure.NONE


def test_what_is_between_an_agent_and_its_steps_keeps_the_way_up():
    for attributes in ({OP: "execute_event_loop_cycle"}, {"executor.id": "writer"}):
        assert only(attributes=attributes).operation is WORKFLOW
    assert only(attributes={"executor.id": "writer"}).agent == "writer"


def test_the_agent_of_langchain_is_in_the_metadata():
    metadata = '{"ls_integration": "langchain_create_agent", "lc_agent_name": "planner"}'
    assert only("model", attributes={KIND: "CHAIN", "metadata": metadata}).operation is WORKFLOW
    invoked = only("planner", attributes={KIND: "CHAIN", "metadata": metadata})
    assert (invoked.operation, invoked.agent) == (AGENT, "planner")


def test_users_pay_and_are_no_tenants():
    """One agent's spans name the end user and the other's do not: it is one conversation nevertheless."""
    asked = {OP: "invoke_agent", NAME: "planner", "gen_ai.conversation.id": "c"}
    named, unnamed = only(attributes=asked | {"user.id": "42"}), only(attributes=asked)
    assert (named.tenant, named.payer) == ("", "42")
    assert (unnamed.tenant, unnamed.payer) == ("", "")
    told = only(attributes=asked | {"user.id": "42", "tenant.id": "acme"})
    assert (told.tenant, told.payer) == ("acme", "acme")
