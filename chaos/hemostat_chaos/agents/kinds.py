"""The kinds of work that the sample workload does, each healthy by itself, and how each can be made to go wrong.

A kind is the legitimate twin of the fault that is switched on for one of its conversations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hemostat_chaos.agents.faults import Faults

PLANNER, RESEARCHER, CRITIC = "planner", "researcher", "critic"
AGENTS = (PLANNER, RESEARCHER, CRITIC)

KINDS: Mapping[str, str] = {
    "debate": "Agree on a draft with the critic.",
    "review": "Have the report go round.",
    "locks": "Have the report revised.",
    "poll": "Wait for job 7.",
    "patient": "Wait for the slow job.",
    "pages": "List the suppliers of clamps.",
    "batch": "Give every chapter its title.",
    "backoff": "What is a clamp?",
    "read": "Summarise the reports.",
    "build": "Build the site.",
}
"""Kind of work, and what the planner is told to do. The model's scripts are named KIND-AGENT."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A fault: of what kind of work, what is switched on for it, and how many conversations it takes to show."""

    kind: str
    faults: Faults
    conversations: int = 1


TROUBLES: Mapping[str, Trouble] = {
    "ping-pong": Trouble("debate", Faults(endless=True)),
    "ring": Trouble("review", Faults(endless=True)),
    "mutual-wait": Trouble("locks", Faults(crossed_locks=True)),
    "stuck-tool": Trouble("poll", Faults(stuck=True)),
    "paraphrase": Trouble("pages", Faults(endless=True)),
    "token-burn": Trouble("batch", Faults(endless=True, growing=100)),
    "provider-429": Trouble("backoff", Faults(rate_limited=True, impatient=True), 4),
    "runaway-context": Trouble("read", Faults(endless=True, verbose=3000)),
}


def script(kind: str, agent: str) -> str:
    """Return the name of the model's script for an agent at a kind of work."""
    return f"{kind}-{agent}"
