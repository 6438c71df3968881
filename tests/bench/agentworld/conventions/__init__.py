"""How the same operations look in different instrumentations.

`SESSION`: those that carry a session id; `TOKENS`: those that record inferences with their tokens; `CONTENT`: those
that can carry arguments and results; `HANDOFF`: those in which a hand-over is a span of its own.
"""

from .genai import a2a, adk, agent_framework, mcp, otel, otel_old, pydantic_ai, strands
from .others import autogen, openai_agents, openinference, openllmetry, openllmetry_agents
from .shape import Attributes, Convention, Shape, Value, call_shape, wait_shape

CONVENTIONS: dict[str, Convention] = {
    "otel": otel,
    "otel_old": otel_old,
    "openinference": openinference,
    "openai_agents": openai_agents,
    "openllmetry": openllmetry,
    "openllmetry_agents": openllmetry_agents,
    "pydantic_ai": pydantic_ai,
    "adk": adk,
    "agent_framework": agent_framework,
    "strands": strands,
    "autogen": autogen,
    "mcp": mcp,
    "a2a": a2a,
}
SESSION = ("otel", "openinference", "openllmetry", "pydantic_ai", "adk", "agent_framework", "mcp", "a2a")
TOKENS = tuple(name for name in CONVENTIONS if name != "autogen")
CONTENT = TOKENS
HANDOFF = ("openai_agents", "openllmetry", "openllmetry_agents", "agent_framework", "autogen")

__all__ = [
    "CONTENT",
    "CONVENTIONS",
    "HANDOFF",
    "SESSION",
    "TOKENS",
    "Attributes",
    "Convention",
    "Shape",
    "Value",
    "call_shape",
    "wait_shape",
]
