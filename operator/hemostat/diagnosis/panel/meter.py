"""What one incident may use of models: turns and tokens by the governor that we give to others, money, time."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from threading import Condition, Lock

from hemostat.api.incident import Used
from hemostat.diagnosis.panel.daily import Bound, Daily
from hemostat.diagnosis.provider import UNPRICED_USD
from hemostat.errors import HemostatError
from hemostat.guard.budget import Limits, Standing
from hemostat.guard.clock import Clock, unix
from hemostat.guard.governor import Governor
from hemostat.guard.refusal import Halted
from hemostat.metrics import MODEL_DAY_SPENT
from hemostat.settings import Settings

LOG = logging.getLogger(__name__)
MAX_INCIDENTS = 1000


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

    reason = "BudgetSpent"


class DayBudgetSpent(BudgetSpent):
    """The namespace may use no more today."""

    reason = "DayBudgetSpent"


Record = Callable[[Used], None]
"""Writes down what an incident has used, for the next process. Raises `HemostatError`."""


def nowhere(_: Used) -> None:
    """Write nothing down: what is counted ends with this process."""


@dataclass(slots=True)
class _Purse:
    usd: float = 0.0
    namespace: str = ""
    held: list[int] = field(default_factory=list)
    """Tokens that each turn under way may use at most."""
    record: Record = nowhere
    open: bool = False
    """Whether a consultation is under way."""
    writing: Lock = field(default_factory=Lock)
    """Held while it is written down: what is newer is written later."""


class Meter:
    """Counts what an incident uses (thread-safe). Incidents are forgotten when there are too many: what they have used
    is written down before it is used, and read again. So is, within `bound`, what a namespace uses on one day.

    Turns that are under way together are within the limits together: one that might pass them waits for the others. One
    that is alone goes on while anything is left, so that the limits are passed by a part of one request at most: each
    that a turn sends after one that was in vain is asked for anew.
    """

    def __init__(self, budget: Budget, clock: Clock, bound: Bound | None = None) -> None:
        self.budget, self._clock = budget, clock
        self._daily = Daily(bound) if bound is not None else None
        limits = Limits(
            soft_turns=max(1, budget.turns - 2),
            hard_turns=budget.turns,
            soft_tokens=budget.tokens * 3 // 4,
            hard_tokens=budget.tokens,
        )
        self._governor = Governor(clock, limits, parked=lambda _: None, resumed=lambda _: None)
        self._changed = Condition()
        self._purses: dict[str, _Purse] = {}
        self._dearest: float | None = None
        """US dollars for a token, the most that an answer cost; None until one has told."""

    @property
    def today(self) -> date:
        """The day, of UTC."""
        return datetime.fromtimestamp(unix(self._clock), UTC).date()

    def opens(self, namespace: str, earlier: Callable[[date], tuple[int, float]]) -> None:
        """Take what other processes used in a namespace today, before it is used here for the first time.

        :param earlier: tokens and US dollars of a day. What it raises is raised.
        """
        with self._changed:
            if self._daily is None or self._daily.knows(namespace):
                return
        tokens, usd = earlier(self.today)
        with self._changed:
            if not self._daily.knows(namespace):
                self._daily.count(namespace, self.today, tokens, usd)

    def begin(self, incident: str, used: Used, record: Record, namespace: str = "") -> None:
        """Begin a consultation; `end` ends it.

        :param used: what is written down: what is counted here, if it is known, is newer, and never less.
        :param record: writes it down.
        """
        with self._changed:
            purse = self._purse(incident)
            purse.open, purse.record, purse.namespace = True, record, namespace
            purse.usd = max(purse.usd, float(used.usd))
            self._governor.known(incident, used.turns, used.tokens)

    def end(self, incident: str) -> None:
        """End a consultation, and write down what was used. If that fails more stands there, never less."""
        try:
            self._write(incident)
        except HemostatError as error:
            LOG.warning("Incident %s says that models used more than they have: %s", incident, error)
        with self._changed:
            self._purse(incident).open = False

    def turn(self, incident: str, tokens: int = 0, seconds: float = 0.0) -> Standing:
        """Begin a turn; `spent` ends it. Raises `BudgetSpent`, also when its turn does not come within so many seconds.

        Raises `HemostatError` where it cannot be written down: what nobody counts has no limit.

        :param tokens: the most that it may use, in and out.
        """
        standing = self._begun(incident, tokens, seconds)
        try:
            self._write(incident)
        except BaseException:
            self.spent(incident, 0, 0.0, tokens, asked=False)
            raise
        return standing

    def _begun(self, incident: str, tokens: int, seconds: float) -> Standing:
        with self._changed:
            if not self._changed.wait_for(lambda: self._fits(incident, tokens), seconds):
                raise BudgetSpent("others of this incident may use all that is left")
            purse = self._purse(incident)
            if purse.usd >= self.budget.usd:
                raise BudgetSpent(f"{purse.usd:.2f} USD of {self.budget.usd:g} are used")
            self._check_day(purse, tokens)
            try:
                standing = self._governor.turn(incident)
            except Halted as halted:
                raise BudgetSpent(halted.reason) from halted
            purse.held.append(tokens)
            return standing

    def again(self, incident: str, tokens: int, usd: float) -> None:
        """Count what a request of a turn used in vain, and let it send another. Raises `BudgetSpent`, `HemostatError`.

        What the turn was begun with stays held: the other request may use as many.
        """
        self._governor.spent(incident, tokens)
        with self._changed:
            purse = self._purse(incident)
            self._used(purse, tokens, usd)
            _, used = self._governor.used(incident)
            over = used >= self.budget.tokens or purse.usd >= self.budget.usd
            if over or (len(purse.held) > 1 and not self._within(purse, used, sum(purse.held))):
                raise BudgetSpent(f"no request is sent again: {used} tokens and {purse.usd:.2f} USD are used")
            self._check_day(purse, 0)
        self._write(incident)

    def spent(self, incident: str, tokens: int, usd: float, held: int = 0, *, asked: bool = True) -> None:
        """Count what a turn used, and end it.

        :param held: the tokens with which it was begun.
        :param asked: whether anybody was asked: what a breaker refused was no turn.
        """
        self._governor.spent(incident, tokens)
        if not asked:
            self._governor.unused(incident)
        with self._changed:
            purse = self._purse(incident)
            if held in purse.held:
                purse.held.remove(held)
            self._used(purse, tokens, usd)
            self._changed.notify_all()

    def _used(self, purse: _Purse, tokens: int, usd: float) -> None:
        purse.usd += usd
        if self._daily is not None:
            self._daily.count(purse.namespace, self.today, tokens, usd)
        if tokens > 0:
            self._dearest = max(self._dearest or 0.0, usd / tokens)

    def _write(self, incident: str) -> None:
        """Write down what was used, and with it the most that turns under way may use."""
        with self._changed:
            purse = self._purse(incident)
        with purse.writing:
            with self._changed:
                turns, tokens = self._governor.used(incident)
                held = sum(purse.held)
                used = Used(turns=turns, tokens=tokens + held, usd=f"{purse.usd + self._price(held):.6f}")
            purse.record(used)

    def _check_day(self, purse: _Purse, tokens: int) -> None:
        """Raise `DayBudgetSpent` where so many more, and what is under way in the namespace, would be too much."""
        if self._daily is None:
            return
        held = sum(sum(p.held) for p in self._purses.values() if p.namespace == purse.namespace)
        most = tokens + held
        usd = self._price(most)
        if self._dearest is None and not held and self._daily.usd_left(purse.namespace, self.today) > 0:
            usd = 0.0  # what it costs the first answer tells: were that guessed, a small bound would never let it come
        if why := self._daily.over(purse.namespace, self.today, most, usd):
            MODEL_DAY_SPENT.labels(purse.namespace).inc()
            raise DayBudgetSpent(why)

    def _price(self, tokens: int) -> float:
        return tokens * (self._dearest if self._dearest is not None else UNPRICED_USD)

    def _fits(self, incident: str, tokens: int) -> bool:
        purse = self._purse(incident)
        _, used = self._governor.used(incident)
        return not purse.held or self._within(purse, used, sum(purse.held) + tokens)

    def _within(self, purse: _Purse, used: int, more: int) -> bool:
        return used + more <= self.budget.tokens and purse.usd + self._price(more) <= self.budget.usd

    def _purse(self, incident: str) -> _Purse:
        """Return what the incident has used; that of the one that came first is forgotten when there are too many."""
        if incident not in self._purses and len(self._purses) >= MAX_INCIDENTS:
            idle = (name for name, p in self._purses.items() if not (p.held or p.open))
            del self._purses[next(idle, next(iter(self._purses)))]
        return self._purses.setdefault(incident, _Purse())
