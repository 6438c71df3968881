"""OpenTelemetry GenAI names and the frameworks that use them: util-genai, its older names, pydantic-ai, Microsoft's
Agent Framework, ADK, Strands, MCP and A2A. Sources: the table in agent-telemetry, section 2."""

from ..dice import seed_of
from ..probe import Span
from ..setting import SESSIONS, Setting
from .shape import ERRORS, Attributes, Shape, agent_id, call_id, message


def otel(span: Span, setting: Setting, *, provider_key: str = "gen_ai.provider.name") -> list[Shape]:
    """util-genai 1.3: no span of its own for a hand-over."""
    common: Attributes = {}
    if setting.identity in SESSIONS:
        common["gen_ai.conversation.id"] = setting.session
    match span.operation:
        case "workflow":
            first: Attributes = {"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": setting.app}
            return [Shape(f"invoke_workflow {setting.app}", "internal", first | common)]
        case "agent":
            return [_agent(span, setting, common, provider_key)]
        case "chat":
            return [_chat(span, setting, common, provider_key)]
        case "tool":
            return [_tool(span, setting, common)]
        case _:
            return []


def _agent(span: Span, setting: Setting, common: Attributes, provider_key: str) -> Shape:
    first: Attributes = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": span.agent,
        "gen_ai.agent.id": agent_id(span, setting),
        provider_key: setting.provider,
    }
    last: Attributes = {}
    if setting.content:
        first["gen_ai.input.messages"] = message("user", span.asked)
        if span.answered:
            last["gen_ai.output.messages"] = message("assistant", span.answered)
    return Shape(f"invoke_agent {span.agent}", "internal", first | common, last | _error(span))


def _chat(span: Span, setting: Setting, common: Attributes, provider_key: str) -> Shape:
    first: Attributes = {
        "gen_ai.operation.name": "chat",
        provider_key: setting.provider,
        "gen_ai.request.model": setting.model,
        "server.address": setting.server,
    }
    last: Attributes = {}
    if not span.failure:
        last = {
            "gen_ai.usage.input_tokens": span.tokens_in,
            "gen_ai.usage.output_tokens": span.tokens_out,
            "gen_ai.response.model": setting.model,
            "gen_ai.response.finish_reasons": ("tool_calls",),
        }
    if setting.content:
        first["gen_ai.input.messages"] = message("user", span.asked)
        last["gen_ai.output.messages"] = message("assistant", span.answered)
    return Shape(f"chat {setting.model}", "client", first | common, last | _error(span))


def _tool(span: Span, setting: Setting, common: Attributes) -> Shape:
    first: Attributes = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": span.peer,
        "gen_ai.tool.type": "function",
        "gen_ai.tool.call.id": call_id(span, setting),
    }
    last: Attributes = {}
    if setting.content:
        first["gen_ai.tool.call.arguments"] = span.asked
        last["gen_ai.tool.call.result"] = span.answered
    return Shape(f"execute_tool {span.peer}", "internal", first | common, last | _error(span))


def _error(span: Span) -> Attributes:
    return {"error.type": ERRORS[span.failure][0]} if span.failure else {}


def otel_old(span: Span, setting: Setting) -> list[Shape]:
    """Names of 2024: `gen_ai.system`, prompt and completion tokens, no conversation."""
    shapes = otel(span, setting, provider_key="gen_ai.system")
    for shape in shapes:
        for attributes in (shape.first, shape.last):
            attributes.pop("gen_ai.conversation.id", None)
            for new, old in (
                ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
                ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
            ):
                if new in attributes:
                    attributes[old] = attributes.pop(new)
    return shapes


def pydantic_ai(span: Span, setting: Setting) -> list[Shape]:
    """pydantic-ai 2: a call id per run, aggregates on the run, arguments at the start."""
    shapes = otel(span, setting)
    for shape in shapes:
        if span.operation == "agent":
            shape.first["gen_ai.agent.call.id"] = str(shape.first.pop("gen_ai.agent.id"))
            shape.first["gen_ai.request.model"] = setting.model
        elif span.operation in ("chat", "tool"):
            shape.first["gen_ai.agent.name"] = span.agent
    return shapes


def agent_framework(span: Span, setting: Setting) -> list[Shape]:
    """Microsoft Agent Framework: a message between executors is a span."""
    if span.operation != "handoff":
        return otel(span, setting)
    first: Attributes = {"message.source_id": span.agent, "message.target_id": span.peer, "message.type": "standard"}
    return [Shape("message.send", "internal", first)]


def adk(span: Span, setting: Setting) -> list[Shape]:
    """Google ADK: attributes are set after the start; arguments under its own name."""
    shapes = otel(span, setting)
    for shape in shapes:
        if "gen_ai.tool.call.arguments" in shape.first:
            shape.last["gcp.vertex.agent.tool_call_args"] = shape.first["gen_ai.tool.call.arguments"]
        if setting.identity in SESSIONS:
            shape.last["gcp.vertex.agent.session_id"] = setting.session
        late = {key: value for key, value in shape.first.items() if key != "gen_ai.operation.name"}
        shape.first, shape.last = {"gen_ai.operation.name": shape.first["gen_ai.operation.name"]}, late | shape.last
    return shapes


def strands(span: Span, setting: Setting) -> list[Shape]:
    """Strands: no session, old and new names of tokens side by side."""
    shapes = otel(span, setting)
    for shape in shapes:
        shape.first.pop("gen_ai.conversation.id", None)
        shape.first["gen_ai.system"] = "strands-agents"
        if "gen_ai.usage.input_tokens" in shape.last:
            shape.last["gen_ai.usage.prompt_tokens"] = span.tokens_in
            shape.last["gen_ai.usage.completion_tokens"] = span.tokens_out
    return shapes


def mcp(span: Span, setting: Setting) -> list[Shape]:
    """Tools behind an MCP server: the call is seen three times, by the agent, the client and the server."""
    shapes = otel(span, setting)
    if span.operation != "tool":
        return shapes
    own: Attributes = {
        "mcp.method.name": "tools/call",
        "gen_ai.tool.name": span.peer,
        "gen_ai.operation.name": "execute_tool",
        "mcp.session.id": f"{seed_of(setting.seed, 'mcp', span.agent):016x}",
        "mcp.protocol.version": "2025-06-18",
        "jsonrpc.request.id": str(seed_of(setting.seed, "rpc", span.start) % 100000),
    }
    last: Attributes = {"error.type": "tool_error"} if span.failure else {}
    name = f"tools/call {span.peer}"
    shapes.append(Shape(name, "client", dict(own), dict(last), inside=0.002))
    shapes.append(Shape(name, "server", dict(own), dict(last), remote="tools", inside=0.005))
    return shapes


def a2a(span: Span, setting: Setting) -> list[Shape]:
    """Agents behind A2A: who calls sees a client span of the method with task and context, beside the agent's own."""
    shapes = otel(span, setting)
    if span.operation != "agent" or not span.caller:
        return shapes
    first: Attributes = {
        "a2a.method.name": "SendMessage",
        "a2a.task.id": f"{seed_of(setting.seed, 'task', span.start):032x}",
        "a2a.context.id": f"{seed_of(setting.seed, 'context'):032x}",
        "gen_ai.agent.name": span.agent,
    }
    shapes.append(Shape("SendMessage", "client", first, _error(span), inside=-0.002, above=True))
    return shapes
