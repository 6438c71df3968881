"""The names on the wire: which spans are an agent's, a tool's or a model's, and how the guard's own events are called.

Strings on purpose: `opentelemetry-semantic-conventions` marks every `gen_ai.*` constant as moved. Sources: the GenAI
conventions (semantic-conventions-genai, development), OpenInference 0.1, OpenLLMetry semconv-ai 0.5, and what
pydantic-ai, Google ADK, MS Agent Framework, Strands, AutoGen, MCP and A2A instrumentations send.
"""

from collections.abc import Mapping
from typing import Any

Attributes = Mapping[str, Any]

START = "hemostat.span.start"
HEARTBEAT = "hemostat.span.heartbeat"
END = "hemostat.span.end"

SPAN_NAME = "hemostat.span.name"
SPAN_KIND = "hemostat.span.kind"
"""internal, client, server, producer or consumer."""
PARENT_ID = "hemostat.span.parent_id"
START_TIME = "hemostat.span.start_time_unix_nano"
END_TIME = "hemostat.span.end_time_unix_nano"
STATUS = "hemostat.span.status"
OMITTED = "hemostat.span.omitted_attributes"
"""How many of the span's attributes were too large for an event and were left out (int; absent when none)."""
UNTRACKED = "hemostat.guard.untracked_spans"
"""How many spans this process could not follow, for want of room (int; absent when none)."""

WAIT_FOR = "hemostat.wait.for"
WAIT_KIND = "hemostat.wait.kind"
WAIT_MODE = "hemostat.wait.mode"
WAIT_HOLDER = "hemostat.wait.holder"
"""The agent that holds it; empty when it was held and is not any more."""
WAIT_HOLDER_CONVERSATION = "hemostat.wait.holder_conversation"
"""The conversation in which that agent holds it, where the guard knows it: the same agent works in many."""

CUT = "hemostat.guard.cut"
HALT = "hemostat.guard.halt"
RESUME = "hemostat.guard.resume"
ORDER = "hemostat.guard.order"

ORDER_ID = "hemostat.guard.order.id"
ORDER_KIND = "hemostat.guard.order.kind"
ORDER_STATE = "hemostat.guard.order.state"
"""accepted, refused, withdrawn, expired; of a Cut also Open, HalfOpen and Closed as its probe goes."""
CALLER = "hemostat.guard.caller"
CALLEE = "hemostat.guard.callee"
REASON = "hemostat.guard.reason"
UNTIL = "hemostat.guard.until"
"""Unix seconds (int)."""
REFUSED = "hemostat.guard.refused_calls"
TURNS = "hemostat.guard.turns"
TOKENS = "hemostat.guard.tokens"

AGENT = "gen_ai.agent.name"
CONVERSATION = "gen_ai.conversation.id"
OPERATION = "gen_ai.operation.name"
SERVICE = "service.name"
ERROR = "error.type"

_INFERENCE = frozenset({"chat", "generate_content", "text_completion"})
_OPERATIONS = _INFERENCE | {"invoke_agent", "execute_tool", "invoke_workflow", "handoff", "agent_handoff"}
_OPENINFERENCE = "openinference.span.kind"
_TRACELOOP = "traceloop.span.kind"
_KINDS = {_OPENINFERENCE: frozenset({"AGENT", "TOOL", "LLM"}), _TRACELOOP: frozenset({"agent", "tool", "workflow"})}
_MARKS = frozenset(
    {
        WAIT_FOR,
        AGENT,
        "gen_ai.tool.name",
        "graph.node.id",
        "llm.request.type",
        "agent_name",
        "message.target_id",
        "event_loop.cycle_id",
        "mcp.method.name",
        "a2a.method.name",
    }
)
"""Their mere presence says that the span is one of an agent system, where no operation or kind is said."""
_AGENTS = (AGENT, "agent.name", "agent_name", "graph.node.id", "traceloop.entity.name")
_CONVERSATIONS = (CONVERSATION, "session.id", "gcp.vertex.agent.session_id")
_INPUT = ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt")
_OUTPUT = ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion")


def is_watched(attributes: Attributes) -> bool:
    """Return whether a span with these attributes is of an agent, a tool, a model, a hand-over or a declared wait."""
    operation = attributes.get(OPERATION)
    if operation is not None:
        return operation in _OPERATIONS
    for key, kinds in _KINDS.items():
        if attributes.get(key) in kinds:
            return True
    return not _MARKS.isdisjoint(attributes)


def is_inference(attributes: Attributes) -> bool:
    """Return whether it is a call of a model: only there tokens are counted, for agents' spans carry sums of them."""
    operation = attributes.get(OPERATION)
    if operation is not None:
        return operation in _INFERENCE
    return attributes.get(_OPENINFERENCE) == "LLM" or "llm.request.type" in attributes


def tokens(attributes: Attributes) -> int:
    """Return the tokens a span says it used, input (cached ones included) plus output; 0 when it says nothing."""
    return _count(attributes, _INPUT) + _count(attributes, _OUTPUT)


def conversation(attributes: Attributes) -> str:
    """Return the conversation (or session) a span belongs to; empty when it says nothing."""
    return _text(attributes, _CONVERSATIONS)


def agent(attributes: Attributes) -> str:
    """Return the logical agent a span is of; empty when it says nothing."""
    return _text(attributes, _AGENTS)


def _count(attributes: Attributes, keys: tuple[str, ...]) -> int:
    for key in keys:
        value = attributes.get(key)
        if isinstance(value, int) and value > 0:
            return value
    return 0


def _text(attributes: Attributes, keys: tuple[str, ...]) -> str:
    for key in keys:
        value = attributes.get(key)
        if isinstance(value, str) and value:
            return value
    return ""
