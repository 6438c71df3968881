"""What one incident may use of models: turns and tokens by the governor that we give to others, money, time."""

from dataclasses import dataclass
from threading import Lock

from hemostat.guard.budget import Limits, Standing
from hemostat.guard.clock import Clock
from hemostat.guard.governor import Governor
from hemostat.guard.refusal import Halted
from hemostat.settings import Settings


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits for one incident, all its rounds together."""

    turns: int = Settings.diagnosis_turns
    tokens: int = Settings.diagnosis_tokens
    usd: float = Settings.diagnosis_usd
    seconds: float = Settings.diagnosis_seconds
    """For one consultation."""


class BudgetSpent(Exception):
    """The incident may use no more."""


class Meter:
    """Counts what an incident uses (thread-safe). The money of incidents is forgotten when there are too many."""

    def __init__(self, budget: Budget, clock: Clock) -> None:
        self.budget = budget
        limits = Limits(
            soft_turns=max(1, budget.turns - 2),
            hard_turns=budget.turns,
            soft_tokens=budget.tokens * 3 // 4,
            hard_tokens=budget.tokens,
        )
        self._governor = Governor(clock, limits, parked=lambda _: None, resumed=lambda _: None)
        self._lock = Lock()
        self._usd: dict[str, float] = {}

    def turn(self, incident: str) -> Standing:
        """Begin a turn. Raises `BudgetSpent`."""
        with self._lock:
            spent = self._usd.get(incident, 0.0)
        if spent >= self.budget.usd:
            raise BudgetSpent(f"{spent:.2f} USD of {self.budget.usd:g} are used")
        try:
            return self._governor.turn(incident)
        except Halted as halted:
            raise BudgetSpent(halted.reason) from halted

    def spent(self, incident: str, tokens: int, usd: float) -> None:
        """Count what a turn used."""
        self._governor.spent(incident, tokens)
        with self._lock:
            self._usd[incident] = self._usd.pop(incident, 0.0) + usd
            if len(self._usd) > 1000:
                del self._usd[next(iter(self._usd))]
