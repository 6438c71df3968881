"""From "is it unusual" to "it began to be": one alarm per episode."""

from dataclasses import dataclass


@dataclass(slots=True)
class Onset:
    """Lets through a score that is louder than all of the last `quiet_seconds`; what merely goes on is 0.

    :param quiet_seconds: how long an episode is over before the next one counts.
    :param margin: how much louder counts.
    """

    quiet_seconds: float
    margin: float
    _held: float = 0.0
    _at: float = 0.0

    def step(self, score: float, now: float) -> float:
        """Return the score if it begins an episode or makes it markedly worse, else 0."""
        if now - self._at > self.quiet_seconds or now < self._at:
            self._held = 0.0
        begins = score > self._held + self.margin
        if score >= self._held and score > 0.0:
            self._held, self._at = score, now
        return score if begins else 0.0
