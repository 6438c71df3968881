"""More tokens are written than this agent ever writes: an e-process over its inferences (pure).

Each inference multiplies the evidence by the likelihood of its tokens under "four times as many" over that under what
was learned, both normal in the logarithm. Under the latter the evidence is a supermartingale, so it ever reaches
1/alpha with probability alpha at most (Ville, 1939), however often one looks. One inference counts eightfold at most,
which keeps that true and lets no single long answer raise an alarm.
"""

import math
from dataclasses import dataclass

from hemostat.signals.loops.recent import keep
from hemostat.telemetry.steps import Step

ALPHA = 1e-6
"""Probability that a conversation ever raises a false alarm."""
SHIFT = math.log(4.0)
MOST_RATIO = 8.0
LEARNED, LEARNED_ALL = 50, 300
"""Inferences from which on an agent's own, or everybody's, tokens are known."""
LEAST_SPREAD = 0.3
_LEAST_VARIANCE, _MOST_LOG = LEAST_SPREAD**2, math.log(MOST_RATIO)
_HALF_LIFE = 2_000.0
MOST_AGENTS, MOST_CONVERSATIONS = 10_000, 100_000


@dataclass(slots=True)
class Usual:
    """Mean and variance of log tokens; what is far out counts only as far."""

    n: float = 0.0
    mean: float = 0.0
    variance: float = 1.0

    def learn(self, x: float) -> None:
        """Take one in."""
        if self.n >= LEARNED:
            spread = 3 * math.sqrt(self.variance)
            x = min(max(x, self.mean - spread), self.mean + spread)
        self.n = min(self.n + 1, _HALF_LIFE)
        gain = 1 / self.n
        off = x - self.mean
        self.mean += gain * off
        self.variance += gain * (off * off - self.variance) if self.n > 1 else 0.0

    def ratio(self, x: float) -> float:
        """Return the likelihood ratio of "shifted up" over "as usual"."""
        variance = max(self.variance, _LEAST_VARIANCE)
        log = (SHIFT * (x - self.mean) - SHIFT * SHIFT / 2) / variance
        return math.exp(min(log, _MOST_LOG))


class Burn:
    """Evidence by conversation, what is usual by agent."""

    def __init__(self, alpha: float = ALPHA) -> None:
        self._alarm = 1 / alpha
        self._all = Usual()
        self._usual: dict[tuple[str, str, str], Usual] = {}
        self._evidence: dict[tuple[str, str, str], tuple[float, int, float]] = {}
        """Of conversations for which something speaks."""

    def take(self, step: Step) -> tuple[int, float] | None:
        """Take an ended inference in; return for how many inferences it has burnt and since when, if it does."""
        if not step.tokens_out:
            return None
        x = math.log(step.tokens_out)
        own = self._own((step.tenant, step.service, step.agent))
        usual = own if own.n >= LEARNED else self._all
        known = usual.n >= (LEARNED if usual is own else LEARNED_ALL)
        ratio = usual.ratio(x) if known else 1.0
        own.learn(x)
        self._all.learn(x)
        key = (step.tenant, step.conversation, step.agent or step.service)
        evidence, n, since = self._evidence.pop(key, (1.0, 0, step.started))
        evidence *= ratio
        if evidence <= 1.0:
            return None
        keep(self._evidence, key, (min(evidence, 1e30), n + 1, since), MOST_CONVERSATIONS)
        return (n + 1, since) if evidence >= self._alarm else None

    def _own(self, key: tuple[str, str, str]) -> Usual:
        found = self._usual.pop(key, None) or Usual()
        keep(self._usual, key, found, MOST_AGENTS)
        return found
