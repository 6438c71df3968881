"""One normaliser for every convention: a span becomes a `Step`, or is none (pure).

The conventions differ in names far more than in meaning, so names are data (`vocabulary`) and only what a span *is* is
decided here. Nothing depends on content: where it is sent it becomes digests and a sketch.
"""

import re
from collections.abc import Callable

from hemostat.telemetry.names import printable
from hemostat.telemetry.steps import vocabulary as v
from hemostat.telemetry.steps.attributes import MAX_NAME, first, number, text
from hemostat.telemetry.steps.digest import canonical, digest, identity, sketch
from hemostat.telemetry.steps.raw import Raw
from hemostat.telemetry.steps.step import Basis, Failure, Operation, Source, Step, WaitMode

_HANDOFF_TOOL = re.compile(r"^(?:handoff to |transfer_to_)(.+)$")
_AUTOGEN = re.compile(r"^autogen (create|send|publish)\b")
_AUTOGEN_DESTINATION = re.compile(r"^([^./:()]+)")
_A2A_SENDS = ("message/send", "message/stream", "SendMessage", "SendStreamingMessage", "tasks/send")
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
    content = first(attributes, v.ASKED if chat else v.ARGUMENTS)
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
        failed=_failure(raw),
        provider=text(attributes, *v.PROVIDER) if chat else "",
        arguments=digest(content),
        about=None if chat else identity(content),
        result=digest(first(attributes, v.SAID if chat else v.RESULT)),
        sketch=_sketch(first(attributes, v.SAID) if chat else content),
        tokens_in=number(attributes, *v.TOKENS_IN) if chat else 0,
        tokens_out=number(attributes, *v.TOKENS_OUT) if chat else 0,
        tokens_cached=number(attributes, *v.TOKENS_CACHED) if chat else 0,
        mode=_MODES.get(str(attributes.get("hemostat.wait.mode")), WaitMode.UNKNOWN),
        holder=text(attributes, "hemostat.wait.holder"),
        tenant=text(attributes, *v.TENANT) or raw.tenant,
        links=raw.links,
    )


# --- what it is --------------------------------------------------------------------------------------------


def _wait(raw: Raw) -> Reading | None:
    peer = text(raw.attributes, "hemostat.wait.for")
    return (Operation.WAIT, Source.GUARD, peer) if peer else None


def _message(raw: Raw) -> Reading | None:
    """Messages between agents: Microsoft Agent Framework, AutoGen, LangGraph's commands, hand-offs with both ends."""
    attributes = raw.attributes
    if raw.name == "message.send" and v.MESSAGE_TO in attributes:
        return Operation.HANDOFF, Source.MESSAGING, text(attributes, v.MESSAGE_TO)
    if _AUTOGEN.match(raw.name):
        found = _AUTOGEN_DESTINATION.match(text(attributes, v.DESTINATION))
        return (Operation.HANDOFF, Source.MESSAGING, found[1]) if found else None
    to = text(attributes, *v.HANDOFF_TO)
    if to:
        source = Source.TRACELOOP if "langgraph.command.goto_node" in attributes else Source.GENAI
        return Operation.HANDOFF, source, to
    return None


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
    return (Operation.TOOL, Source.MCP, _tool(raw) or _cut(raw.name)) if v.MCP_METHOD in raw.attributes else None


def _genai(raw: Raw) -> Reading | None:
    attributes = raw.attributes
    name = text(attributes, v.OPERATION)
    if not name:
        return None
    operation = v.OPERATIONS.get(name, Operation.TOOL if "memory" in name else None)
    if operation is None:
        return None
    return _settled(raw, operation, Source.GENAI, name)


def _openinference(raw: Raw) -> Reading | None:
    operation = v.KINDS.get(text(raw.attributes, v.OPENINFERENCE))
    if operation is None:
        return None
    handoff = _HANDOFF_TOOL.match(raw.name)
    if operation is Operation.TOOL and handoff:
        return Operation.HANDOFF, Source.OPENINFERENCE, text(raw.attributes, "output.value") or _cut(handoff[1])
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
    return None


_SERVER = 2
_READERS: tuple[Callable[[Raw], Reading | None], ...] = (
    _wait, _message, _a2a, _mcp, _genai, _openinference, _traceloop, _unnamed,
)  # fmt: skip


def _settled(raw: Raw, operation: Operation, source: Source, otherwise: str) -> Reading:
    peers = {
        Operation.CHAT: lambda: text(raw.attributes, *v.MODEL),
        Operation.TOOL: lambda: _tool(raw),
        Operation.AGENT: lambda: _name(raw),
        Operation.HANDOFF: lambda: text(raw.attributes, *v.HANDOFF_TO),
        Operation.WORKFLOW: lambda: text(raw.attributes, "gen_ai.workflow.name", *v.AGENT, v.ENTITY),
    }
    return operation, source, peers[operation]() or _cut(otherwise)


# --- whose, and how it ended -------------------------------------------------------------------------------


def _tool(raw: Raw) -> str:
    entity = text(raw.attributes, v.ENTITY) if v.TRACELOOP in raw.attributes else ""
    return text(raw.attributes, *v.TOOL) or entity


def _name(raw: Raw) -> str:
    entity = text(raw.attributes, v.ENTITY) if text(raw.attributes, v.TRACELOOP) == "agent" else ""
    return text(raw.attributes, *v.AGENT[:3]) or entity or text(raw.attributes, *v.AGENT[3:])


def _agent(raw: Raw, operation: Operation) -> str:
    """Return who takes the step. Of an agent that is invoked the span names the one that runs: it is the peer too."""
    attributes = raw.attributes
    if raw.name == "message.send":
        return text(attributes, v.MESSAGE_FROM)
    if operation is Operation.HANDOFF:
        handed = text(attributes, *v.HANDOFF_FROM)
        return handed or (text(attributes, "input.value") if v.OPENINFERENCE in attributes else "") or _name(raw)
    return _name(raw)


def _conversation(raw: Raw) -> tuple[str, Basis]:
    session = text(raw.attributes, *v.CONVERSATION)
    if session:
        return session, Basis.SESSION
    task = text(raw.attributes, *v.TASK)
    return (task, Basis.TASK) if task else (raw.trace.hex(), Basis.TRACE)


_FAILURES: tuple[tuple[Failure, re.Pattern[str]], ...] = (
    (Failure.REFUSED, re.compile(r"edgecut|halted|permission|forbidden|unauthori[sz]ed|\b40[13]\b", re.I)),
    (Failure.RATE_LIMITED, re.compile(r"429|rate.?limit|too.?many|quota|resource_?exhausted", re.I)),
    (Failure.TIMEOUT, re.compile(r"time.?out|deadline|\b(?:408|504)\b", re.I)),
    (Failure.UNAVAILABLE, re.compile(r"\b50[0235]\b|\b529\b|unavailable|overloaded|connect|internalserver", re.I)),
    (Failure.UNKNOWN_TOOL, re.compile(r"(?:unknown|no.?such|not.?found).*tool|tool.*(?:unknown|not.?found)", re.I)),
    (Failure.INVALID, re.compile(r"json|pars|decode|valid|schema|modelretry|unexpectedmodel", re.I)),
)


def _failure(raw: Raw) -> Failure:
    kind = text(raw.attributes, *v.ERROR) or printable(raw.exception[:MAX_NAME])
    code = number(raw.attributes, *v.STATUS)
    said = f"{kind} {code if code >= _BAD_REQUEST else ''}".strip()
    if not said and not raw.error:
        return Failure.NONE
    return next((failure for failure, pattern in _FAILURES if pattern.search(said)), Failure.OTHER)


_BAD_REQUEST = 400


def _sketch(content: object) -> bytes:
    if content is None:
        return b""
    return sketch(content if isinstance(content, str) else canonical(content))


def _cut(name: str) -> str:
    return printable(name[:MAX_NAME])
