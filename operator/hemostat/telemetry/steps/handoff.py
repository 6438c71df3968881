"""Who hands over to whom: no convention is settled, so every framework says it in its own way (pure)."""

import re
from typing import Any, Final

from hemostat.telemetry.steps import vocabulary as v
from hemostat.telemetry.steps.attributes import first, text
from hemostat.telemetry.steps.digest import parsed
from hemostat.telemetry.steps.raw import Raw
from hemostat.telemetry.steps.step import Source

_TOOL = re.compile(r"^(?:transfer|handoff)_to_(.+)$")
"""AutoGen, OpenAI Agents, LangGraph, Microsoft Agent Framework name the tool after the agent."""
_AGENT_IS_AN_ARGUMENT: Final = frozenset({"transfer_to_agent", "handoff_to_agent"})
"""Google ADK, Strands."""
_OPENAI_AGENTS = re.compile(r"^handoff to (.+)$")
_AUTOGEN = re.compile(r"^autogen create\b")
_AUTOGEN_DESTINATION = re.compile(r"^([^./:()]+)")
_AUTOGEN_TEAM = re.compile(r"_[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
"""A team's own plumbing: its agents' turns are told as invocations."""
_LANGGRAPH_TOOLS = "tools"
"""The node in which tools run: the tool that handed over has been told of."""


def by_message(raw: Raw) -> tuple[Source, str] | None:
    """Return to whom this message between agents goes; None if it is none."""
    attributes = raw.attributes
    if raw.name == "message.send" and first(attributes, v.MESSAGE_TO):
        return Source.MESSAGING, text(attributes, *v.MESSAGE_TO)
    destination = text(attributes, v.DESTINATION)
    if _AUTOGEN.match(raw.name) and not _AUTOGEN_TEAM.search(destination):
        found = _AUTOGEN_DESTINATION.match(destination)
        return (Source.MESSAGING, found[1]) if found else None
    if v.GOTO in attributes:
        inside = attributes.get(v.GOTO_FROM) == _LANGGRAPH_TOOLS
        return None if inside else (Source.TRACELOOP, text(attributes, v.GOTO))
    to = text(attributes, *v.HANDOFF_TO)
    return (Source.GENAI, to) if to else None


def by_tool(raw: Raw, tool: str) -> str | None:
    """Return to whom a tool of this name hands over; empty if that is not told, None if it does not hand over."""
    if tool in _AGENT_IS_AN_ARGUMENT:
        arguments: Any = parsed(first(raw.attributes, v.ARGUMENTS))
        return str(arguments.get("agent_name") or "") if isinstance(arguments, dict) else ""
    found = _TOOL.match(tool) or _OPENAI_AGENTS.match(raw.name)
    if found is None:
        return None
    return (text(raw.attributes, "output.value") if _OPENAI_AGENTS.match(raw.name) else "") or found[1]


def giver(raw: Raw) -> str:
    """Return who hands over, if the span says so in words of its own; else it is whoever takes the step."""
    if _OPENAI_AGENTS.match(raw.name):
        return text(raw.attributes, "input.value")
    return text(raw.attributes, *v.HANDOFF_FROM)


def says_nothing(raw: Raw) -> bool:
    """Tell whether what looks like content of a hand-over are only the two names (OpenInference's OpenAI Agents)."""
    return bool(_OPENAI_AGENTS.match(raw.name))
