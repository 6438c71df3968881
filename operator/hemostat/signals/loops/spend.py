"""What agents spend, in US dollars at list prices, over rolling windows (pure; not for several threads at once).

Money is counted when it is told of, by the receiver's clock, once for each inference. Every account keeps an hour in
minutes and a day in quarters of an hour, so its size does not depend on what comes in.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from hemostat.api.watch import Budget
from hemostat.signals.loops.cells import Cells
from hemostat.telemetry.prices import Prices, Usage
from hemostat.telemetry.steps import Step

MOST_ACCOUNTS = 10_000
MINUTE, MINUTES = 60.0, 61
QUARTER, QUARTERS = 900.0, 97
CALLS = 11
"""One cell more than a window has, for the one that has just begun."""
MOST_PRICES = 1_000
"""Models whose price is looked up once."""
PACE_SECONDS = 600.0
"""What was spent within so long tells how it will go on."""
MOST_NAMED, MOST_MODELS = 16, 4


@dataclass(slots=True)
class Account:
    """What one agent spent for one payer."""

    minutes: Cells = field(default_factory=lambda: Cells(MINUTE, MINUTES))
    quarters: Cells = field(default_factory=lambda: Cells(QUARTER, QUARTERS))
    calls: Cells = field(default_factory=lambda: Cells(MINUTE, CALLS))
    """Inferences, whatever they cost."""
    counted: float | None = None
    """When an inference with a price came last."""
    unpriced: OrderedDict[str, float] = field(default_factory=OrderedDict)
    """Models whose inferences have no price, or told no tokens, and when the last one came."""

    def cells(self, seconds: float) -> Cells:
        """Return the finer of those that reach so far back."""
        return self.minutes if seconds <= MINUTE * (MINUTES - 1) else self.quarters


@dataclass(frozen=True, slots=True)
class Spent:
    """How somebody stands against a budget."""

    who: str
    usd: float
    left_seconds: float | None = None
    """Until it is used up, at the pace of the last ten minutes; None if it will not be."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a budget stands."""

    spent: Sequence[Spent] = ()
    """Those who spent most, at most 16."""
    over: int = 0
    """How many spent more than they may."""
    unpriced: Sequence[str] = ()
    """Models whose inferences are not counted."""
    known: bool = False
    """Whether any inference had a price."""
    version: str = ""
    """Whose prices."""


class Spend:
    """Accounts by service, payer and agent: those that were used last."""

    def __init__(self, prices: Prices | None = None, most: int = MOST_ACCOUNTS) -> None:
        self._prices = prices or Prices()
        self._price = lru_cache(MOST_PRICES)(self._prices.of)
        self._most = most
        self._accounts: OrderedDict[tuple[str, str, str], Account] = OrderedDict()
        self._services: dict[str, set[tuple[str, str, str]]] = {}
        self.usd = 0.0
        """All that was ever counted."""
        self.unpriced = 0
        """Inferences that could not be."""

    def take(self, step: Step, agent: str, now: float) -> None:
        """Count an ended inference of an agent."""
        price = self._price(step.peer, step.provider)
        account = self._account((step.service, step.payer, agent))
        account.calls.add(1.0, now)
        if price is None or not (step.tokens_in or step.tokens_out):
            if not step.failed:  # what failed before it began costs nothing
                self.unpriced += 1
                account.unpriced[step.peer or "a model without a name"] = now
                account.unpriced.move_to_end(step.peer or "a model without a name")
                if len(account.unpriced) > MOST_MODELS:
                    account.unpriced.popitem(last=False)
            return
        cost = price.cost(Usage(step.tokens_in, step.tokens_out, step.tokens_cached, step.tokens_stored))
        self.usd += cost
        account.counted = now
        account.minutes.add(cost, now)
        account.quarters.add(cost, now)

    def inferences(self, service: str, seconds: float, now: float) -> int:
        """Return how many inferences of a service came within the last so many seconds, ten minutes at most."""
        accounts = (self._accounts[key] for key in self._services.get(service, ()))
        return round(sum(sum(account.calls.last(seconds, now)) for account in accounts))

    def against(self, service: str, budget: Budget, now: float) -> Standing:
        """Return how the agents of a service stand against a budget."""
        sums: dict[str, list[float]] = {}
        unpriced: dict[str, None] = {}
        known = False
        seconds = float(budget.window_seconds)
        for key in self._services.get(service, ()):
            who = key[2] if budget.agent is not None else key[1]
            if not who or who != (budget.name or who):
                continue
            account = self._accounts[key]
            cells = account.cells(seconds).last(seconds, now)
            sums[who] = [a + b for a, b in zip(sums[who], cells, strict=True)] if who in sums else cells
            unpriced |= {m: None for m, at in account.unpriced.items() if now - at <= seconds}
            known = known or account.counted is not None
        limit = float(budget.usd)
        most = sorted(sums.items(), key=lambda item: (-sum(item[1]), item[0]))[:MOST_NAMED]
        cell = MINUTE if seconds <= MINUTE * (MINUTES - 1) else QUARTER
        return Standing(
            tuple(Spent(who, sum(cells), _left(cells, cell, limit)) for who, cells in most),
            sum(sum(cells) > limit for cells in sums.values()),
            tuple(sorted(unpriced)[:MOST_MODELS]),
            known,
            self._prices.version,
        )

    def _account(self, key: tuple[str, str, str]) -> Account:
        account = self._accounts.get(key)
        if account is not None:
            self._accounts.move_to_end(key)
            return account
        account = self._accounts[key] = Account()
        self._services.setdefault(key[0], set()).add(key)
        if len(self._accounts) > self._most:
            old, _ = self._accounts.popitem(last=False)
            self._services[old[0]].discard(old)
            if not self._services[old[0]]:
                del self._services[old[0]]
        return account


def _left(cells: Sequence[float], seconds: float, limit: float) -> float | None:
    """Return the seconds until the sum of the window exceeds the limit: what is oldest leaves it, the pace goes on."""
    total = sum(cells)
    if total > limit:
        return 0.0
    recent = max(1, min(len(cells) - 1, round(PACE_SECONDS / seconds)))
    pace = sum(cells[-1 - recent :]) / (recent + 0.5)  # the present cell is half over, on average
    for i, leaves in enumerate(cells):
        total += pace - leaves
        if total > limit:
            return (i + 1) * seconds
    return None
