"""An agent that spawns ever more calls at once: width beside depth (pure; not for several threads at once).

One batch, however wide, is map and reduce, and so are batches of equal width. Told is what grows: generations of one
agent's calls inside each other, each clearly wider than the one before (from open calls, and from those that ended),
or batches one after the other (from those that ended). It may end by itself, so it is only told.
"""

import itertools
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from hemostat.signals.loops.opensteps import OpenSteps
from hemostat.signals.loops.recent import keep
from hemostat.signals.loops.verdict import Advice, Kind, Verdict, Visibility
from hemostat.telemetry.steps import Operation, Step

GENERATIONS, GROWTH, WIDE = 4, 1.5, 16
"""So many in a row grow, each by so much, and the last is so wide. A hierarchy by design has two or three."""
MOST_GENERATIONS, MOST_AGENTS = 16, 8
MOST = 20_000
_AGENT = Operation.AGENT  # looked up for every step: slow until 3.12
Key = tuple[str, str, str]
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


def grows(widths: Sequence[int]) -> bool:
    """Tell whether the last widths grow without end in sight; equal neighbours are one call told of twice (A2A)."""
    distinct = [w for i, w in enumerate(widths) if i == 0 or w != widths[i - 1]]
    last = distinct[-GENERATIONS:]
    return len(last) == GENERATIONS and last[-1] >= WIDE and all(b >= GROWTH * a for a, b in itertools.pairwise(last))


@dataclass(slots=True)
class Waves:
    """Calls of one agent in one conversation, in batches of those that ran at once."""

    widths: list[int] = field(default_factory=list)
    first_ended: float = 0.0
    began: float = 0.0
    told: int = 0
    """Width at which it was told last."""

    def take(self, started: float, ended: float) -> None:
        """Take the call that ended next: of the batch are those that began before the first of it ended."""
        if not self.widths or started >= self.first_ended:
            self.widths = [*self.widths[1 - MOST_GENERATIONS :], 0]
            self.first_ended = ended
            if len(self.widths) == 1:
                self.began = started
        self.widths[-1] += 1


class FanOut:
    """What is known of the widths of calls of agents that happened last."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._begun: dict[bytes, list[int]] = {}
        """Calls that began, by the outermost call of the agent around them, and by generation."""
        self._below: dict[bytes, dict[str, list[int]]] = {}
        """Calls that ended below a span, by agent and generation."""
        self._waves: dict[Key, Waves] = {}

    def begun(self, step: Step, chain: Sequence[tuple[str, Step]], steps: OpenSteps) -> Iterator[Verdict]:
        """Take a call that has just begun below a chain of others; yield a verdict if open calls are ever more."""
        who = steps.activated(step)
        above = [one for name, one in chain if name == who]
        if not above or len(above) >= MOST_GENERATIONS:
            return
        root, generation = above[-1], len(above)
        counts = _get(self._begun, root.span, self._most, lambda: [0] * MOST_GENERATIONS)
        counts[generation] += 1
        # The open ones are only counted when their number may have doubled: n calls cost n log n.
        if counts[generation] >= WIDE and counts[generation].bit_count() == 1 and grows(found := steps.widths(root)):
            yield _verdict(step, found, root.started, "calls inside each other, none of which has returned")

    def ended(self, step: Step) -> list[Verdict]:
        """Take an ended step, in the order of their ends; return a verdict if calls were ever more."""
        below, found = self._below.pop(step.span, None), list[Verdict]()
        if step.operation is _AGENT and step.peer:
            below = below or {}
            widths = [1, *below.get(step.peer, ())][:MOST_GENERATIONS]
            below[step.peer] = widths
            if len(widths) >= GENERATIONS and grows(widths):
                found.append(_verdict(step, widths, step.started, "calls inside each other"))
            found += self._wave(step)
        if below and step.parent:
            _add(_get(self._below, step.parent, self._most, dict), below)
        return found

    def _wave(self, step: Step) -> Iterator[Verdict]:
        waves = _get(self._waves, (step.tenant, step.conversation, step.peer), self._most, Waves)
        waves.take(step.started, step.ended or step.started)
        width = waves.widths[-1]
        if width >= WIDE and width > waves.told and width.bit_count() == 1 and grows(waves.widths):
            waves.told = width
            yield _verdict(step, waves.widths, waves.began, "calls at once, one batch after the other")


def _get(known: dict[K, V], key: K, most: int, new: Callable[[], V]) -> V:
    """Return what is known of it, or something new; what was not asked for longest gives way."""
    found = known.pop(key, None)
    if found is None:
        found = new()
    keep(known, key, found, most)
    return found


def _add(known: dict[str, list[int]], more: dict[str, list[int]]) -> None:
    for agent, widths in more.items():
        old = known.get(agent)
        if old is None:
            if len(known) < MOST_AGENTS:
                known[agent] = widths
            continue
        if len(widths) == 1:
            old[0] += widths[0]
            continue
        length = max(len(old), len(widths))
        known[agent] = [a + b for a, b in zip(_padded(old, length), _padded(widths, length), strict=True)]


def _padded(widths: list[int], length: int) -> list[int]:
    return widths + [0] * (length - len(widths))


def _verdict(step: Step, widths: Sequence[int], began: float, what: str) -> Verdict:
    who = step.peer or step.agent
    shown = [w for i, w in enumerate(widths) if i == 0 or w != widths[i - 1]][-GENERATIONS:]
    return Verdict(
        kind=Kind.RECURSION,
        advice=Advice.NOTIFY,
        tenant=step.tenant,
        conversation=step.conversation,
        agents=(who,),
        edge=(step.agent or who, who),
        rounds=shown[-1],
        began=began,
        ended=step.ended or step.started,
        confidence=65,
        visibility=Visibility.PARTIAL,
        words=f"{who} is called ever more often: {', '.join(map(str, shown))} {what}",
    )
