"""What a conversation is made of before it runs: agents with policies, tools, locks, one fact that may be flipped."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from .policy import Errand, Policy
from .tools import Tool


@dataclass(frozen=True)
class Plan:
    """A conversation to run; nothing of it is written into telemetry except the names.

    `tools` maps each callable name to a tool; names may share one (one hidden state). `slow` gives the typical seconds
    of a tool that is not quick. `window`: tokens after which the model refuses (0: never); `room`: tokens of the model
    it is deployed on if that must be a large one. `swell`: factor by which each further inference of an agent is
    longer. `passes`: how many passes through a loop, and `watch` how many seconds of standstill, are observed. `fact`
    is the flipped fact as it is here, `variant` what else the seed chose that is worth a row of its own.
    """

    agents: Mapping[str, Policy]
    tools: Mapping[str, Tool]
    root: Errand
    fact: str
    variant: str = ""
    slow: Mapping[str, float] = field(default_factory=dict)
    reentrant: frozenset[str] = frozenset()
    person_present: bool = True
    window: int = 0
    room: int = 0
    swell: float = 1.0
    passes: int = 8
    watch: float = 120.0
    steps: int = 900
