"""Which names in a pod template, ConfigMap or annotation say what an AI agent runs on (pure).

The attributes are those of the OpenTelemetry GenAI conventions, in the forms that variables and annotations take.
"""

import re
from enum import StrEnum


class AgentPart(StrEnum):
    """What of an agent was configured."""

    MODEL = "Model"
    PROMPT = "Prompt"
    TOOLS = "ToolSchema"


RULES: tuple[tuple[AgentPart, re.Pattern[str], bool], ...] = (
    (AgentPart.MODEL, re.compile(r"(^|[_./-])(model|model[_-](name|alias|id)|deployment[_-]name)$"), True),
    (AgentPart.PROMPT, re.compile(r"(^|[_./-])prompt[_-]?(version|name|id|label|revision)$"), True),
    (AgentPart.TOOLS, re.compile(r"(^|[_./-])tools?[_-]?(schema[_-]?)?(version|hash|digest|revision)$"), True),
    (AgentPart.PROMPT, re.compile(r"(^|[_./-])(system_|agent_)?prompts?([_.-](txt|md|ya?ml|json|j2))?$"), False),
    (AgentPart.TOOLS, re.compile(r"(^|[_./-])(tools?([_-]?schemas?)?|mcp)([_.-](json|ya?ml))?$"), False),
)
"""Part, pattern of the lower-case name, and whether the value may be told: a version may, a prompt may not."""
_PLAIN = re.compile(r"^[A-Za-z0-9][A-Za-z0-9 ._:/@+-]{0,79}$")
"""Values that look like a name or a version; anything else is kept to ourselves."""
_KEY_LIKE = re.compile(r"(^|[^a-z])(sk|key|token|secret|password|bearer)[-_:]|[A-Za-z0-9+/]{40,}", re.IGNORECASE)


def part_of(name: str) -> AgentPart | None:
    """Return which part of an agent a variable, key or annotation names, if any."""
    found = _rule(name)
    return found[0] if found is not None else None


def told_value(name: str, value: str) -> str | None:
    """Return the value if it may be told, "" if the name is an agent's but its value may not, None for other names."""
    found = _rule(name)
    if found is None:
        return None
    tellable = found[1] and _PLAIN.match(value) and not _KEY_LIKE.search(value)
    return value if tellable else ""


def _rule(name: str) -> tuple[AgentPart, bool] | None:
    lower = name.lower()[:200]
    return next(((part, tell) for part, pattern, tell in RULES if pattern.search(lower)), None)
