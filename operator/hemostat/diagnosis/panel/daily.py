"""What a namespace may use of models on one day, all its Incidents together (pure).

A day is one of UTC. What was used before this process began is taken from what Incidents say of themselves: those that
are deleted by then are forgotten, and of those that were asked about on several days all counts for the last.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from hemostat.api.incident import CONSULTED, Incident
from hemostat.api.meta import find
from hemostat.settings import Settings

MAX_NAMESPACES = 2_000


@dataclass(frozen=True, slots=True)
class Bound:
    """Limits of one namespace for one day."""

    tokens: int = Settings.diagnosis_day_tokens
    usd: float = Settings.diagnosis_day_usd


@dataclass(slots=True)
class _Used:
    day: date
    tokens: int = 0
    usd: float = 0.0


class Daily:
    """Counts by namespace. Of more than 2,000 the one that was used longest ago begins anew."""

    def __init__(self, bound: Bound) -> None:
        self.bound = bound
        self._used: OrderedDict[str, _Used] = OrderedDict()

    def knows(self, namespace: str) -> bool:
        """Tell whether anything was counted of it in this process."""
        return namespace in self._used

    def count(self, namespace: str, day: date, tokens: int, usd: float) -> None:
        """Add what was used."""
        used = self._of(namespace, day)
        used.tokens, used.usd = used.tokens + tokens, used.usd + usd
        self._used.move_to_end(namespace)
        if len(self._used) > MAX_NAMESPACES:
            self._used.popitem(last=False)

    def over(self, namespace: str, day: date, tokens: int, usd: float) -> str:
        """Say why no more may be used; empty while there is room for so much."""
        used, bound = self._of(namespace, day), self.bound
        if used.tokens + tokens <= bound.tokens and used.usd + usd <= bound.usd:
            return ""
        said = f"{used.tokens} tokens and {used.usd:.2f} USD of {bound.tokens} and {bound.usd:g} are used"
        return f"namespace {namespace} has no room left for a request today (UTC): {said}"

    def usd_left(self, namespace: str, day: date) -> float:
        """Return the US dollars that may be used yet."""
        return self.bound.usd - self._of(namespace, day).usd

    def _of(self, namespace: str, day: date) -> _Used:
        used = self._used.get(namespace)
        if used is None or used.day != day:
            used = self._used[namespace] = _Used(day)
        return used


def told_of(incidents: Iterable[Incident], day: date) -> tuple[int, float]:
    """Return the tokens and US dollars that Incidents say were used, of those asked about last on that day."""
    used = [i.status.usage for i in incidents if i.status.usage is not None and _asked_on(i, day)]
    return sum(u.tokens for u in used), sum(float(u.usd) for u in used)


def _asked_on(incident: Incident, day: date) -> bool:
    said = find(incident.status.conditions, CONSULTED)
    return said is None or said.last_transition_time.date() >= day
