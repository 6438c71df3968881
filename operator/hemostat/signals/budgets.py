"""What agents and tenants may spend, as signals of a Watch: one for each budget, whoever is over it (pure)."""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime

from hemostat.api.incident import ConversationStatus, Severity, SignalSource
from hemostat.api.watch import Budget, ConversationSignal, ConversationTrouble, SignalKind
from hemostat.signals.base import Observation
from hemostat.signals.loops.spend import Spent, Standing
from hemostat.signals.loops.verdict import Advice, Visibility
from hemostat.signals.rules import one_line
from hemostat.signals.words import counted, duration

CONFIDENCE = 95
"""Prices are list prices; what was spent at least is counted."""
_PERIODS = {60: "minute", 3600: "hour", 86400: "day"}
_TOLD = 3
"""Who else is over it: so many are named."""


def judge(
    name: str, signal: ConversationSignal, standings: Mapping[Budget, Standing], now: datetime
) -> Iterator[Observation]:
    """Yield an observation for every budget of the signal."""
    excused = {
        word.caller
        for word in signal.legitimate
        if word.kind is ConversationTrouble.BUDGET and not word.callee and now < word.until_time
    }
    for budget in dict.fromkeys(signal.budgets):
        yield _observation(name, budget, standings.get(budget, Standing()), excused)


def _observation(name: str, budget: Budget, standing: Standing, excused: Collection[str]) -> Observation:
    limit = float(budget.usd)
    whose = "agent" if budget.agent is not None else "tenant"
    counts = [s for s in standing.spent if "" not in excused and s.who not in excused]
    over = [s for s in counts if s.usd > limit]
    more = standing.over - sum(s.usd > limit for s in standing.spent)
    worst = counts[0] if counts else None
    wrong = bool(over) if standing.known else None
    return Observation(
        key=f"{name}/{SignalKind.BUDGET}/{whose} {budget.name or '*'} {budget.window_seconds} s",
        name=name,
        kind=SignalKind.BUDGET,
        source=SignalSource.TRACES,
        subject=one_line(f"{whose if budget.name else f'each {whose}'} {budget.name}", 250),
        wrong=wrong,
        value=worst.usd if worst else None,
        threshold=limit,
        unit=" USD",
        samples=len(standing.spent) if standing.known else 0,
        left_seconds=min((s.left_seconds for s in counts if s.left_seconds is not None), default=None),
        stated=Severity.MINOR,
        note=one_line(_words(budget, whose, standing, worst, len(over) + more, over), 500),
        conversation=_status(budget, over, standing) if over else None,
    )


def _status(budget: Budget, over: Collection[Spent], standing: Standing) -> ConversationStatus:
    names = tuple(s.who[:253] for s in over)
    return ConversationStatus(
        kind=SignalKind.BUDGET,
        agents=names if budget.agent is not None else (),
        caller=names[0] if len(names) == 1 else "",
        confidence_percent=CONFIDENCE,
        visibility=Visibility.PARTIAL if standing.unpriced else Visibility.FULL,
        advice=Advice.NOTIFY,
    )


def _words(
    budget: Budget, whose: str, standing: Standing, worst: Spent | None, over: int, named: Collection[Spent]
) -> str:
    period = _PERIODS.get(budget.window_seconds) or duration(budget.window_seconds)
    uncounted = f"; no price for {', '.join(standing.unpriced)}: not counted" if standing.unpriced else ""
    if worst is None or not standing.known:
        reason = "all of it was called legitimate" if standing.known else "no inference had a price yet"
        return f"{whose} {budget.name}: {reason}{uncounted} (prices: {standing.version or 'none'})"
    others = [f"{s.who} {usd(s.usd)}" for s in named if s is not worst][:_TOLD]
    beside = f"; so did {', '.join(others)}" if others else ""
    if over > 1 + len(others):
        beside += f" and {counted(over - 1 - len(others), whose)} more"
    ahead = ""
    if worst.left_seconds and worst.usd <= float(budget.usd):
        ahead = f"; at the pace of the last 10 min used up in {duration(worst.left_seconds)}"
    return (
        f"{whose} {worst.who} spent {usd(worst.usd)} in the last {period}, {usd(float(budget.usd))} are allowed"
        f"{ahead}{beside}{uncounted} (prices: {standing.version})"
    )


def usd(amount: float) -> str:
    """Return US dollars for a person: to the cent, and as small as they are below one."""
    return f"${amount:,.2f}" if amount >= 0.01 or amount == 0 else f"${amount:.2g}"
