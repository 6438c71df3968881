"""How a conversation is deployed and instrumented; the same for both members of a pair."""

from dataclasses import dataclass
from typing import Literal

Identity = Literal["session", "turns", "trace", "links"]
"""A session id on one trace; a session id over a trace per turn; one trace and no session id; a trace per turn, no
session id, and a link from each turn to the one before."""
SESSIONS = ("session", "turns")
SPLIT = ("turns", "links")

MODELS = (
    ("openai", "gpt-5-mini", 400_000),
    ("openai", "gpt-4o", 128_000),
    ("anthropic", "claude-sonnet-4-5", 200_000),
    ("mistral_ai", "mistral-small-3", 32_000),
    ("ollama", "qwen2.5-32b", 32_000),
)
"""Provider, model, window in tokens."""


@dataclass(frozen=True, slots=True)
class Setting:
    """`app` is the namespace; each agent is a service of its own, or all are one. `seed` gives ids, not behaviour.

    `replicas`: pods per service, `skew` the greatest error of a pod's clock in seconds. `session` and `tenant` are what
    the application would set. `stamps`: tools put the time of day into their results.
    """

    app: str
    convention: str
    content: bool
    guard: bool
    identity: Identity
    replicas: int
    together: bool
    stamps: bool
    provider: str
    model: str
    server: str
    seed: int
    session: str
    skew: float = 0.03
