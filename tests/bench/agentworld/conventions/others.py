"""Conventions with names of their own: OpenInference, OpenLLMetry, AutoGen. Sources: agent-telemetry, section 2."""

import json

from ..dice import seed_of
from ..probe import Span
from ..setting import SESSIONS, Setting
from .genai import otel
from .shape import ERRORS, Attributes, Shape, agent_id, call_id


def openinference(span: Span, setting: Setting) -> list[Shape]:
    """OpenInference with a session id and graph nodes (CrewAI, LangGraph); a hand-over shows as the order of nodes."""
    session: Attributes = {} if setting.identity not in SESSIONS else {"session.id": setting.session}
    shapes = _openinference(span, setting)
    for shape in shapes:
        shape.first |= session
        if span.operation == "agent":
            shape.first["agent.name"] = span.agent
            shape.first["graph.node.id"] = span.agent
            if span.caller:
                shape.first["graph.node.parent_id"] = span.caller
    return shapes


def openai_agents(span: Span, setting: Setting) -> list[Shape]:
    """OpenInference for the OpenAI Agents SDK: no session; the agent's name at the end; TOOL spans "handoff to B"."""
    if span.operation == "handoff":
        first: Attributes = {"openinference.span.kind": "TOOL"}
        last: Attributes = {"input.value": span.agent, "output.value": span.peer}
        return [Shape(f"handoff to {span.peer}", "internal", first, last)]
    shapes = _openinference(span, setting)
    if span.operation == "agent":
        shapes[0].last["agent.name"] = span.agent
        shapes[0].name = span.agent
    return shapes


def _openinference(span: Span, setting: Setting) -> list[Shape]:
    kinds = {"workflow": "CHAIN", "agent": "AGENT", "chat": "LLM", "tool": "TOOL"}
    if span.operation not in kinds:
        return []
    first: Attributes = {"openinference.span.kind": kinds[span.operation]}
    last: Attributes = {}
    names = {"workflow": setting.app, "agent": f"{span.agent} agent", "chat": "ChatCompletion", "tool": span.peer}
    if span.operation == "chat":
        first |= {"llm.model_name": setting.model, "llm.provider": setting.provider, "server.address": setting.server}
        if not span.failure:
            last["llm.token_count.prompt"] = span.tokens_in
            last["llm.token_count.completion"] = span.tokens_out
            last["llm.token_count.total"] = span.tokens_in + span.tokens_out
    if span.operation == "tool":
        first["tool.name"] = span.peer
    if setting.content and span.asked:
        first["input.value"] = span.asked
        if span.operation == "tool":
            first["input.mime_type"] = "application/json"
            first["tool.parameters"] = span.asked
    if setting.content and span.answered:
        last["output.value"] = span.answered
    if span.failure:
        last["exception.type"] = ERRORS[span.failure][0]
    return [Shape(names[span.operation], "internal", first, last)]


def openllmetry(span: Span, setting: Setting) -> list[Shape]:
    """OpenLLMetry for LangChain and LangGraph: entities, run ids as agent ids, commands between nodes."""
    if span.operation == "handoff":
        command: Attributes = {"langgraph.command.source_node": span.agent, "langgraph.command.goto_node": span.peer}
        return [Shape("langgraph.command", "internal", _entity("task", span.agent, setting) | command)]
    kinds = {"workflow": "workflow", "agent": "agent", "tool": "tool"}
    if span.operation == "chat":
        return otel(span, setting)
    if span.operation not in kinds:
        return []
    kind = kinds[span.operation]
    name = {"workflow": setting.app, "agent": span.agent}.get(kind, span.peer)
    first = _entity(kind, name, setting)
    last: Attributes = {}
    if kind == "agent":
        first |= {"gen_ai.agent.name": span.agent, "gen_ai.agent.id": agent_id(span, setting)}
    elif kind == "tool":
        first |= {"gen_ai.tool.name": span.peer, "gen_ai.tool.call.id": call_id(span, setting)}
    if setting.content and span.asked:
        first["traceloop.entity.input"] = json.dumps({"inputs": span.asked})
    if setting.content and span.answered:
        last["traceloop.entity.output"] = json.dumps({"outputs": span.answered})
    if span.failure:
        last["error.type"] = ERRORS[span.failure][0]
    return [Shape(f"{name}.{kind}", "internal", first, last)]


def _entity(kind: str, name: str, setting: Setting) -> Attributes:
    own: Attributes = {
        "traceloop.span.kind": kind,
        "traceloop.entity.name": name,
        "traceloop.entity.path": f"{setting.app}.{name}",
        "traceloop.workflow.name": setting.app,
    }
    return own if setting.identity not in SESSIONS else own | {"gen_ai.conversation.id": setting.session}


def openllmetry_agents(span: Span, setting: Setting) -> list[Shape]:
    """OpenLLMetry for the OpenAI Agents SDK: an operation `handoff` from one agent to another, no session."""
    if span.operation == "handoff":
        first: Attributes = {
            "gen_ai.operation.name": "handoff",
            "gen_ai.handoff.from_agent": span.agent,
            "gen_ai.handoff.to_agent": span.peer,
            "gen_ai.system": "openai_agents",
        }
        return [Shape(f"{span.agent} → {span.peer}.handoff", "internal", first)]
    shapes = otel(span, setting)
    for shape in shapes:
        shape.first.pop("gen_ai.conversation.id", None)
    return shapes


def autogen(span: Span, setting: Setting) -> list[Shape]:
    """AutoGen: messages by destination; no arguments, no tokens, no session, no spans of inferences."""
    system: Attributes = {"gen_ai.system": "autogen"}
    match span.operation:
        case "handoff":
            to = f"{span.peer}.(default)-A"
            own: Attributes = {"messaging.operation": "create", "messaging.destination": to}
            return [Shape(f"autogen create {to}", "client", own)]
        case "workflow":
            return [Shape("autogen process group.(default)-A", "internal", {"messaging.operation": "process"})]
        case "agent":
            first: Attributes = {
                "gen_ai.operation.name": "invoke_agent",
                "gen_ai.agent.name": span.agent,
                "gen_ai.agent.id": f"{span.agent}_{seed_of(setting.seed, 'autogen'):016x}",
            }
            return [Shape(f"invoke_agent {span.agent}", "internal", first | system, _failed(span))]
        case "tool":
            tool: Attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": span.peer}
            return [Shape(f"execute_tool {span.peer}", "internal", tool | system, _failed(span))]
        case _:
            return []


def _failed(span: Span) -> Attributes:
    return {"error.type": ERRORS[span.failure][0]} if span.failure else {}
