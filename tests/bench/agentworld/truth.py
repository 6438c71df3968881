"""What the oracle says about one conversation; never written into telemetry."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace

Cut = tuple[tuple[str, str], ...]
"""A set of edges (who calls, whom): refusing all of them frees the others."""

KINDS = (
    "RepeatedStep",
    "Cycle",
    "ParaphraseLoop",
    "Deadlock",
    "Recursion",
    "TurnBudget",
    "TokenBurn",
    "RetryStorm",
    "ContextGrowth",
    "WaitingForPerson",
)


@dataclass(frozen=True, slots=True)
class Truth:
    """The truth of one conversation.

    `kind` is one of KINDS, or "" when there is no trouble, or "?" when the oracle could not decide (leave it out).
    Times are seconds since 1970 on the true clock (pods' clocks are off by milliseconds). `started`: the first moment
    from which nothing more can be gained, 0 without trouble. `repetitions`: when the first, second, ... pass through
    the loop (or descent of the recursion) was complete; empty for standstills. `deadline`: when the harm is done
    (window full, budget of turns crossed), 0: none. `cuts`: the smallest cuts, any of them will do; empty: notify only;
    "*" as caller: everybody who calls that model at that server.
    `period`: actions in one pass. `flips`: when the streams of the two members of the pair first differ, each on its
    own clock (0: no pair): before it nobody can tell them apart. `late`: that is after the third repetition, so no
    detector can be sure by the third. `blind`: they do not differ at all in what was recorded while the trouble was
    watched (no content, no guard): no detector can be right about both, report such pairs apart. `incident`: shared by
    conversations hit by one cause. `novel`: of a family or variant kept out of tuning.
    """

    conversation: str
    family: str
    variant: str
    fact: str
    kind: str
    pair: str = ""
    agents: tuple[str, ...] = ()
    cuts: tuple[Cut, ...] = ()
    began: float = 0.0
    observed: float = 0.0
    started: float = 0.0
    repetitions: tuple[float, ...] = ()
    deadline: float = 0.0
    period: int = 0
    flips: float = 0.0
    late: bool = False
    blind: bool = False
    incident: str = ""
    ended: bool = False
    novel: bool = False
    convention: str = ""
    content: bool = False
    guard: bool = False
    identity: str = ""
    session: str = ""
    traces: tuple[str, ...] = ()

    def line(self) -> str:
        """Return the truth as a line of JSON, times to the microsecond."""
        return json.dumps(_rounded(asdict(self)), sort_keys=True)

    def renamed(self, names: dict[str, str]) -> "Truth":
        """Return the truth of the same conversation after `distort.rename`."""
        return replace(
            self,
            agents=tuple(names.get(one, one) for one in self.agents),
            cuts=tuple(tuple((names.get(a, a), names.get(b, b)) for a, b in cut) for cut in self.cuts),
        )


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(one) for one in value]
    return value


def counts(truths: Iterable[Truth]) -> dict[str, int]:
    """Return how many conversations there are of each kind."""
    found: dict[str, int] = {}
    for truth in truths:
        name = truth.kind or "none"
        found[name] = found.get(name, 0) + 1
    return dict(sorted(found.items()))
