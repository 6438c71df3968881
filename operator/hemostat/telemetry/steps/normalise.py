"""One normaliser for every convention: a span becomes a `Step`, or is none (pure).

The conventions differ in names far more than in meaning, so names are data (`vocabulary`) and only what a span *is* is
decided here. Nothing depends on content: where it is sent it becomes digests and a sketch.
"""

import re
from collections.abc import Callable

from hemostat.telemetry.names import printable
from hemostat.telemetry.steps import vocabulary as v
from hemostat.telemetry.steps.attributes import MAX_NAME, number, text
from hemostat.telemetry.steps.content import content
from hemostat.telemetry.steps.failure import failure
from hemostat.telemetry.steps.handoff import by_message, by_tool, giver, says_nothing
from hemostat.telemetry.steps.raw import Raw
from hemostat.telemetry.steps.step import Basis, Operation, Source, Step, WaitMode

_LC_AGENT = re.compile(r'"lc_agent_name": "([^"]{1,253})"')
_MCP_CLIENT = "MCP send tools/call "
_A2A_SENDS = ("message/send", "message/stream", "SendMessage", "SendStreamingMessage", "tasks/send")
_MAX_METADATA = 4096
_MODES = {"all": WaitMode.ALL, "any": WaitMode.ANY}
Reading = tuple[Operation, Source, str]
"""What a span is, in whose words, and of what or whom."""


def step(raw: Raw) -> Step | None:
    """Return the step that a span tells of; None if it tells of none."""
    attributes = raw.attributes
    reading = None
    if not _is_protocol_alone(raw):
        reading = next((found for reader in _READERS if (found := reader(raw)) is not None), None)
    if reading is None:
        return None
    operation, source, peer = reading
    chat = operation is Operation.CHAT
    conversation, basis = _conversation(raw)
    told = {} if operation is Operation.HANDOFF and says_nothing(raw) else attributes
    said = content(told, operation, raw.ended or raw.started)
    return Step(
        conversation=conversation,
        basis=basis,
        service=raw.service,
        agent=_agent(raw, operation),
        operation=operation,
        peer=peer,
        source=Source.GUARD if raw.told else source,
        trace=raw.trace,
        span=raw.span,
        parent=raw.parent,
        started=raw.started,
        ended=raw.ended,
        failed=failure(raw),
        provider=text(attributes, *v.PROVIDER) if chat else "",
        arguments=said.asked,
        about=said.about,
        result=said.result,
        sketch=said.sketch,
        tokens_in=number(attributes, *v.TOKENS_IN) if chat else 0,
        tokens_out=number(attributes, *v.TOKENS_OUT) if chat else 0,
        tokens_cached=number(attributes, *v.TOKENS_CACHED) if chat else 0,
        tokens_stored=number(attributes, *v.TOKENS_STORED) if chat else 0,
        mode=_MODES.get(str(attributes.get("hemostat.wait.mode")), WaitMode.UNKNOWN),
        holder=text(attributes, "hemostat.wait.holder"),
        holder_conversation=text(attributes, "hemostat.wait.holder_conversation"),
        awaited=text(attributes, "hemostat.wait.kind") if operation is Operation.WAIT else "",
        tenant=text(attributes, v.TENANT) or raw.tenant,
        payer=text(attributes, *v.PAYER) or raw.tenant,
        links=raw.links,
        instance=raw.instance,
    )


# --- what it is --------------------------------------------------------------------------------------------


def _wait(raw: Raw) -> Reading | None:
    peer = text(raw.attributes, "hemostat.wait.for")
    return (Operation.WAIT, Source.GUARD, peer) if peer else None


def _message(raw: Raw) -> Reading | None:
    found = by_message(raw)
    return None if found is None else (Operation.HANDOFF, *found)


def _is_protocol_alone(raw: Raw) -> bool:
    """Tell whether it is the server's side of a call, which is no step of the agent, or the protocol's own business."""
    mcp, a2a = text(raw.attributes, v.MCP_METHOD), text(raw.attributes, v.A2A_METHOD)
    if not mcp and not a2a:
        return False
    return raw.kind == _SERVER or not (mcp == "tools/call" or a2a in _A2A_SENDS)


def _a2a(raw: Raw) -> Reading | None:
    if v.A2A_METHOD not in raw.attributes:
        return None
    return Operation.AGENT, Source.A2A, text(raw.attributes, "a2a.agent.name", "peer.service", "server.address")


def _mcp(raw: Raw) -> Reading | None:
    if v.MCP_METHOD not in raw.attributes:
        return None
    return Operation.TOOL, Source.MCP, _tool(raw) or _cut(raw.name.removeprefix(_MCP_CLIENT))


def _genai(raw: Raw) -> Reading | None:
    attributes = raw.attributes
    name = text(attributes, v.OPERATION)
    if not name:
        return None
    # What is neither keeps the way up from a step to its agent whole: Strands' cycles, LangGraph's tasks.
    operation = v.OPERATIONS.get(name, Operation.TOOL if "memory" in name else Operation.WORKFLOW)
    if operation is None:
        return None
    if operation is Operation.AGENT and text(raw.attributes, v.TRACELOOP) == "workflow":
        operation = Operation.WORKFLOW  # LangGraph's run of the same agent once more, inside its invocation
    return _settled(raw, operation, Source.GENAI, name)


def _openinference(raw: Raw) -> Reading | None:
    operation = v.KINDS.get(text(raw.attributes, v.OPENINFERENCE))
    if operation is None:
        return None
    if operation is Operation.WORKFLOW and raw.name == _lc_agent(raw):
        operation = Operation.AGENT
    elif operation is Operation.AGENT and raw.scope.endswith("openai_agents") and raw.ended and not _name(raw):
        operation = Operation.WORKFLOW  # the whole trace; open agents have no name yet either
    return _settled(raw, operation, Source.OPENINFERENCE, raw.name)


def _traceloop(raw: Raw) -> Reading | None:
    kind = text(raw.attributes, v.TRACELOOP)
    operation = v.KINDS.get(kind)
    if operation is None and text(raw.attributes, "llm.request.type") in ("chat", "completion"):
        operation = Operation.CHAT
    return _settled(raw, operation, Source.TRACELOOP, raw.name) if operation is not None else None


def _unnamed(raw: Raw) -> Reading | None:
    """Conventions that name no operation: pydantic-ai's older formats, ADK's tools."""
    attributes = raw.attributes
    if text(attributes, *v.TOOL):
        return Operation.TOOL, Source.GENAI, text(attributes, *v.TOOL)
    if text(attributes, "agent_name"):
        return Operation.AGENT, Source.GENAI, text(attributes, "agent_name")
    if text(attributes, "gen_ai.request.model"):
        return Operation.CHAT, Source.GENAI, text(attributes, *v.MODEL)
    if text(attributes, v.EXECUTOR):  # Microsoft Agent Framework: whose messages those below it are
        return Operation.WORKFLOW, Source.MESSAGING, text(attributes, v.EXECUTOR)
    return None


_SERVER = 2
_READERS: tuple[Callable[[Raw], Reading | None], ...] = (
    _wait, _message, _a2a, _mcp, _genai, _openinference, _traceloop, _unnamed,
)  # fmt: skip


def _settled(raw: Raw, operation: Operation, source: Source, otherwise: str) -> Reading:
    if operation is Operation.HANDOFF:
        return operation, source, text(raw.attributes, *v.HANDOFF_TO)
    handed = by_tool(raw, _tool(raw)) if operation is Operation.TOOL else None
    if handed is not None:
        return Operation.HANDOFF, source, _cut(handed)
    peers = {
        Operation.CHAT: lambda: text(raw.attributes, *v.MODEL),
        Operation.TOOL: lambda: _tool(raw),
        Operation.AGENT: lambda: _name(raw),
        Operation.WORKFLOW: lambda: text(raw.attributes, "gen_ai.workflow.name", *v.AGENT, v.ENTITY),
    }
    return operation, source, peers[operation]() or _cut(otherwise)


# --- whose, and how it ended -------------------------------------------------------------------------------


def _tool(raw: Raw) -> str:
    entity = text(raw.attributes, v.ENTITY) if v.TRACELOOP in raw.attributes else ""
    return text(raw.attributes, *v.TOOL) or entity


def _name(raw: Raw) -> str:
    entity = text(raw.attributes, v.ENTITY) if text(raw.attributes, v.TRACELOOP) == "agent" else ""
    return text(raw.attributes, *v.AGENT[:3]) or entity or text(raw.attributes, *v.AGENT[3:]) or _lc_agent(raw)


def _lc_agent(raw: Raw) -> str:
    """LangChain's name of an agent, which OpenInference has among the metadata of every span below it."""
    found = _LC_AGENT.search(str(raw.attributes.get("metadata", ""))[:_MAX_METADATA])
    return _cut(found[1]) if found else ""


def _agent(raw: Raw, operation: Operation) -> str:
    """Return who takes the step. Of an agent that is invoked the span names the one that runs: it is the peer too."""
    attributes = raw.attributes
    if raw.name == "message.send":
        return text(attributes, v.MESSAGE_FROM)
    return (giver(raw) if operation is Operation.HANDOFF else "") or _name(raw)


def _conversation(raw: Raw) -> tuple[str, Basis]:
    session = text(raw.attributes, *v.CONVERSATION)
    if session:
        return session, Basis.SESSION
    task = text(raw.attributes, *v.TASK)
    return (task, Basis.TASK) if task else (raw.trace.hex(), Basis.TRACE)


def _cut(name: str) -> str:
    return printable(name[:MAX_NAME])
