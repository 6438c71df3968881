"""What frameworks send that no test runs, as their packages' source writes it: attribute by attribute, with the place.

`tests/api/test_frameworks.py` has those that are run. Paths are those inside the wheel named; content is ours.
"""

from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from hemostat.telemetry.steps import Failure, Operation

CLIENT, INTERNAL = Span.SPAN_KIND_CLIENT, Span.SPAN_KIND_INTERNAL
ARGUMENTS, RESULT = '{"city": "Rome", "days": 2}', "sunny"


@dataclass(frozen=True)
class Recorded:
    """One span, and what it means."""

    package: str
    read: str
    name: str
    attributes: dict[str, Any]
    operation: Operation | None
    agent: str = ""
    peer: str = ""
    kind: int = INTERNAL
    scope: str = ""
    tokens: tuple[int, int, int] = (0, 0, 0)
    """Into the model, out of it, and how many of the first were cached."""
    has_content: bool = False
    """Whether these arguments and this result are in it."""
    conversation: str = ""
    failed: Failure = Failure.NONE
    events: dict[str, dict[str, Any]] = field(default_factory=dict)


_UTIL = "opentelemetry-util-genai 1.3b0"
_AGENTS_V2 = "opentelemetry-instrumentation-openai-agents-v2 0.1.0"
_SK = "semantic-kernel 1.45.0"
_CREW = "openinference-instrumentation-crewai 1.1.21"
_MCP = "opentelemetry-instrumentation-mcp 0.62.4"
_V2 = "opentelemetry/instrumentation/openai_agents/span_processor.py"
_CREW_AT = "openinference/instrumentation/crewai/_wrappers.py"
_CREW_EVENTS = "openinference/instrumentation/crewai/_event_listener.py"

SPANS = [
    # --- OpenTelemetry's own helper, by which its instrumentations speak
    Recorded(
        _UTIL,
        "opentelemetry/util/genai/_inference_invocation.py:228,721-766",
        "chat gpt-x",
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-x",
            "gen_ai.conversation.id": "c-1",
            "gen_ai.response.model": "gpt-x-2026",
            "gen_ai.usage.input_tokens": 300,
            "gen_ai.usage.output_tokens": 20,
            "gen_ai.usage.cache_write.input_tokens": 128,
            "gen_ai.usage.cache_read.input_tokens": 100,
            "gen_ai.usage.reasoning.output_tokens": 5,
        },
        Operation.CHAT,
        peer="gpt-x",
        kind=CLIENT,
        tokens=(300, 20, 100),
        conversation="c-1",
    ),
    Recorded(
        _UTIL,
        "opentelemetry/util/genai/_agent_invocation.py:138,352,457,631-660",
        "invoke_agent planner",
        {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": "planner",
            "gen_ai.agent.id": "asst_1",
            "gen_ai.conversation.id": "c-1",
            "gen_ai.usage.input_tokens": 900,
            "gen_ai.usage.output_tokens": 60,
        },
        Operation.AGENT,
        agent="planner",
        peer="planner",
        conversation="c-1",
    ),
    Recorded(
        _UTIL,
        "opentelemetry/util/genai/_tool_invocation.py:112,173-206",
        "execute_tool weather",
        {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "weather",
            "gen_ai.tool.type": "function",
            "gen_ai.tool.call.id": "call_1",
            "gen_ai.agent.name": "planner",
            "gen_ai.tool.call.arguments": ARGUMENTS,
            "gen_ai.tool.call.result": RESULT,
        },
        Operation.TOOL,
        agent="planner",
        peer="weather",
        has_content=True,
    ),
    Recorded(
        _UTIL,
        "opentelemetry/util/genai/_workflow_invocation.py:88,162",
        "invoke_workflow shop",
        {"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": "shop"},
        Operation.WORKFLOW,
        peer="shop",
    ),
    # --- OpenTelemetry's instrumentation of the OpenAI Agents SDK
    Recorded(
        _AGENTS_V2,
        f"{_V2}:417,1358-1360,2143-2149",
        "agent_handoff writer",
        {
            "gen_ai.provider.name": "openai",
            "gen_ai.system": "openai",
            "gen_ai.operation.name": "agent_handoff",
            "gen_ai.handoff.from_agent": "writer",
            "gen_ai.handoff.to_agent": "critic",
        },
        Operation.HANDOFF,
        agent="writer",
        peer="critic",
    ),
    Recorded(
        _AGENTS_V2,
        f"{_V2}:1280-1292,1821-1829",
        "invoke_agent planner",
        {
            "gen_ai.provider.name": "openai",
            "gen_ai.system": "openai",
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": "planner",
        },
        Operation.AGENT,
        agent="planner",
        peer="planner",
    ),
    Recorded(
        _AGENTS_V2,
        f"{_V2}:1976-2036",
        "chat gpt-x",
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.response.id": "resp_1",
            "gen_ai.response.model": "gpt-x",
            "gen_ai.request.model": "gpt-x",
            "gen_ai.usage.input_tokens": 300,
            "gen_ai.usage.output_tokens": 20,
        },
        Operation.CHAT,
        peer="gpt-x",
        kind=CLIENT,
        tokens=(300, 20, 0),
    ),
    # --- Semantic Kernel
    Recorded(
        _SK,
        "semantic_kernel/utils/telemetry/agent_diagnostics/decorators.py:184-190",
        "invoke_agent planner",
        {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.id": "7f2", "gen_ai.agent.name": "planner"},
        Operation.AGENT,
        agent="planner",
        peer="planner",
    ),
    Recorded(
        _SK,
        "semantic_kernel/utils/telemetry/model_diagnostics/function_tracer.py:51-62",
        "execute_tool weather-forecast",
        {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "weather-forecast",
            "gen_ai.tool.call.id": "call_1",
        },
        Operation.TOOL,
        peer="weather-forecast",
    ),
    Recorded(
        _SK,
        "semantic_kernel/utils/telemetry/model_diagnostics/decorators.py:37,334-340,412-427",
        "chat gpt-x",
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.system": "openai",
            "gen_ai.request.model": "gpt-x",
            "gen_ai.response.id": "chatcmpl-1",
            "gen_ai.response.finish_reason": "stop",
            "gen_ai.usage.input_tokens": 300,
            "gen_ai.usage.output_tokens": 20,
        },
        Operation.CHAT,
        peer="gpt-x",
        tokens=(300, 20, 0),
    ),
    Recorded(
        _SK,
        "semantic_kernel/utils/telemetry/model_diagnostics/decorators.py:38,334-340",
        "text_completions gpt-x",
        {"gen_ai.operation.name": "text_completions", "gen_ai.system": "openai", "gen_ai.request.model": "gpt-x"},
        Operation.CHAT,
        peer="gpt-x",
    ),
    # --- CrewAI by OpenInference
    Recorded(
        _CREW,
        f"{_CREW_AT}:459-482",
        "Shop.kickoff",
        {"openinference.span.kind": "CHAIN", "crew_key": "key-of-agents-and-tasks", "crew_id": "1b9"},
        Operation.WORKFLOW,
        peer="Shop.kickoff",
    ),
    Recorded(
        _CREW,
        f"{_CREW_AT}:375-400",
        "Critic._execute_core",
        {
            "openinference.span.kind": "AGENT",
            "graph.node.id": "Critic",
            "graph.node.parent_id": "Writer",
            "crew_key": "key-of-agents-and-tasks",
            "task_id": "77a",
        },
        Operation.AGENT,
        agent="Critic",
        peer="Critic",
    ),
    Recorded(
        _CREW,
        f"{_CREW_AT}:1020-1054,1086",
        "weather.run",
        {
            "openinference.span.kind": "TOOL",
            "tool.name": "weather",
            "input.value": ARGUMENTS,
            "tool.parameters": '{"properties": {"city": {"type": "string"}}, "type": "object"}',
            "tool.current_usage_count": 3,
            "output.value": RESULT,
        },
        Operation.TOOL,
        peer="weather",
        has_content=True,
    ),
    Recorded(
        _CREW,
        f"{_CREW_EVENTS}:457-491",
        "weather.run",
        {
            "openinference.span.kind": "TOOL",
            "tool.name": "weather",
            "tool.agent_role": "Critic",
            "input.value": ARGUMENTS,
            "output.value": RESULT,
        },
        Operation.TOOL,
        agent="Critic",
        peer="weather",
        has_content=True,
    ),
    # --- MCP by OpenLLMetry: a tool on the client's side, which knows that it failed
    Recorded(
        _MCP,
        "opentelemetry/instrumentation/mcp/instrumentation.py:299-330,376-381",
        "weather.tool",
        {
            "traceloop.span.kind": "tool",
            "traceloop.entity.name": "weather",
            "traceloop.entity.input": ARGUMENTS,
            "traceloop.entity.output": RESULT,
            "error.type": "tool_error",
        },
        Operation.TOOL,
        peer="weather",
        has_content=True,
        failed=Failure.OTHER,
    ),
    Recorded(
        _MCP,
        "opentelemetry/instrumentation/mcp/instrumentation.py:225-233",
        "mcp.client.session",
        {"traceloop.span.kind": "session", "traceloop.entity.name": "mcp.client.session"},
        None,
    ),
    # --- names of before 2025, which deployed versions still send
    Recorded(
        "opentelemetry-semantic-conventions-ai 0.5.1",
        "opentelemetry/semconv_ai/__init__.py:160-173",
        "openai.chat",
        {
            "llm.request.type": "chat",
            "gen_ai.system": "openai",
            "gen_ai.request.model": "gpt-x",
            "gen_ai.usage.prompt_tokens": 300,
            "gen_ai.usage.completion_tokens": 20,
            "llm.usage.total_tokens": 320,
        },
        Operation.CHAT,
        peer="gpt-x",
        kind=CLIENT,
        tokens=(300, 20, 0),
    ),
]

PENDING = Recorded(
    "logfire-sdk 5.4.0",
    "logfire/_internal/tracer.py:413-438",
    "invoke_agent planner",
    {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "planner",
        "logfire.span_type": "pending_span",
        "logfire.pending_parent_id": "0000000000000000",
    },
    Operation.AGENT,
    agent="planner",
    peer="planner",
)
"""Of a span that has no parent; its own parent is the span that is open."""
