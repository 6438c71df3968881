"""All detectors behind one door: steps in, verdicts out (pure; not for several threads at once)."""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from hemostat.signals.loops.agents import Agents
from hemostat.signals.loops.bank import Bank, Cycle
from hemostat.signals.loops.burn import Burn
from hemostat.signals.loops.clocks import Clocks
from hemostat.signals.loops.fanout import FanOut
from hemostat.signals.loops.judge import judge, key
from hemostat.signals.loops.ledger import TURNS, Ledger
from hemostat.signals.loops.opensteps import OpenSteps
from hemostat.signals.loops.order import DELAY, Conversations, Order
from hemostat.signals.loops.recursion import too_deep
from hemostat.signals.loops.spend import Spend
from hemostat.signals.loops.standstill import Standstill
from hemostat.signals.loops.storm import Storms
from hemostat.signals.loops.trail import Trail, waits
from hemostat.signals.loops.verdict import Advice, Kind, Verdict, Visibility
from hemostat.telemetry.prices import Prices
from hemostat.telemetry.steps import Operation, Step

MOST_TOLD = 50_000
AGAIN_SECONDS = 600.0
"""Trouble that was not found for so long is new when it comes back."""
LASTS_SECONDS, LASTS_ROUNDS = 30.0, 2.0
"""Trouble goes on until it was not found for so long, and for the time that so many of its rounds take."""
_CHAT, _AGENT = Operation.CHAT, Operation.AGENT  # looked up for every step: slow until 3.12


@dataclass(slots=True)
class Told:
    """What was told of a trouble."""

    told: Verdict
    """As it was first told."""
    newest: Verdict
    """As it was last found, whoever it names."""
    advice: Advice
    conversations: set[str]
    first: float
    """When it was first found, since it came back last."""
    last: float
    """When it was last found."""
    began: float
    """When the first of its steps began, as it was first found."""

    @property
    def verdict(self) -> Verdict:
        """As it was last found. Of a circle every edge is as good: the one that was told first stays."""
        told = self.told
        if not told.conversation:
            return self.newest
        return replace(self.newest, edge=told.edge, agents=told.agents, services=told.services)

    def goes_on(self, now: float) -> bool:
        """Tell whether it has not ended yet."""
        pace = max(0.0, self.last - self.newest.began) / max(1, self.newest.rounds)
        return now - self.last <= min(AGAIN_SECONDS, max(LASTS_SECONDS, LASTS_ROUNDS * pace))

    def is_news(self, verdict: Verdict) -> bool:
        """Tell whether it has come to a cut, or hits conversations of which it was not told."""
        cut = self.advice is Advice.NOTIFY and verdict.advice is Advice.CUT
        return cut or not self.conversations.issuperset(verdict.conversations)

    def note(self, verdict: Verdict, now: float) -> None:
        """Remember what is found now."""
        self.newest = verdict
        if verdict.advice is Advice.CUT:
            self.advice = Advice.CUT
        self.conversations.update(verdict.conversations)
        self.last = now


class Detector:
    """Call `take` with what arrives and `look` about once a second; both return verdicts that are new.

    A verdict is told once; again when it has come to a cut, when a provider's trouble hits more conversations, and when
    it comes back.
    """

    def __init__(
        self,
        conversations: int = 100_000,
        delay: float = DELAY,
        turns: int = TURNS,
        windows: Mapping[str, int] | None = None,
        prices: Prices | None = None,
    ) -> None:
        self._clocks = Clocks()
        self._conversations = Conversations()
        self._agents = Agents()
        self._order = Order(delay)
        self._bank = Bank(conversations)
        self._open = OpenSteps()
        self._standstill = Standstill(self._open)
        self._storms = Storms()
        self._burn = Burn()
        prices = prices or Prices()
        self._ledger = Ledger(turns, windows=windows or prices.windows)
        self._fanout = FanOut()
        self.spend = Spend(prices)
        self._told: OrderedDict[tuple[str, str, Kind], Told] = OrderedDict()

    def take(self, steps: Iterable[Step], now: float) -> list[Verdict]:
        """Take steps in, as they came, at `now` by the receiver's clock."""
        found: list[Verdict] = []
        conversations, agents, opened, order = self._conversations, self._agents, self._open, self._order
        for step in self._clocks.corrected(steps, now):
            part = conversations.learn(step)
            agents.learn(step)
            if step.ended is not None:
                opened.close(step.span)
                order.put(step, now, part=part)
            elif opened.add(settled := conversations.settle(step), now):
                found += self._begun(settled)
        return self._told_anew([*found, *self._ended(now)], now)

    def look(self, now: float) -> list[Verdict]:
        """Look at what stands still, and at what was held until now."""
        self._bank.sweep(now)
        self._open.sweep(now)
        found = [*self._ended(now), *self._standstill.look(now)]
        return self._told_anew(found, now)

    def overflows(self, now: float) -> bool:
        """Tell whether there were more open spans than can be kept lately: what is stuck among them is not seen."""
        return self._open.displaces(now)

    def troubles(self, now: float) -> Iterator[Told]:
        """Yield what was found within the last ten minutes, newest first: that which goes on, and that which ended."""
        for told in reversed(self._told.values()):
            if now - told.last > AGAIN_SECONDS:
                return
            yield told

    def trails(self, service: str, conversations: Collection[str], now: float) -> Iterator[Trail]:
        """Yield the last steps of these conversations, as far as a service takes part in trouble in them."""
        found = {
            (told.verdict.tenant, conversation)
            for told in self.troubles(now)
            if service in told.verdict.services
            for conversation in (told.verdict.conversation, *told.verdict.conversations)
            if conversation in conversations
        }
        for tenant, conversation in sorted(found):
            done = self._bank.trail(tenant, conversation, self._agents.called)
            yield Trail(conversation, done, waits(self._open.within(tenant, conversation), self._agents.called))

    def _begun(self, step: Step) -> list[Verdict]:
        if step.operation is not _AGENT:
            return []
        chain = self._open.chain(step)
        return [*too_deep(step, chain, self._open), *self._fanout.begun(step, chain, self._open)]

    def _ended(self, now: float) -> list[Verdict]:
        # Only now: what ended later may have told to which conversation they belong.
        ready = [
            self._agents.named(self._conversations.settle(step))
            for step in self._order.ready(now)
            if not self._agents.doubled(step)
        ]
        if not ready:
            return []
        cycles = self._cycles(ready, now)
        found: list[Verdict] = []
        for step in ready:
            if (much := self._ledger.take(step)) is not None:
                found.append(much)
            found += self._fanout.ended(step)
            if step.operation is _CHAT:
                found += self._inference(step, now)
        return found + [v for c in cycles if (v := self._judged(c)) is not None]

    def _cycles(self, ready: Sequence[Step], now: float) -> list[Cycle]:
        """Take steps in; what turned out to be a part of another conversation goes there when its turn has come."""
        found, at = list[Cycle](), 0
        for n, step in enumerate(ready):
            if self._conversations.joins(step):
                found += self._bank.take(ready[at:n], now)
                self._bank.join((step.tenant, step.trace.hex()), (step.tenant, step.conversation), now)
                at = n
        return found + self._bank.take(ready[at:] if at else ready, now)

    def _inference(self, step: Step, now: float) -> list[Verdict]:
        self.spend.take(step, self._agents.who(step), now)
        storm, burnt = self._storms.take(step), self._burn.take(step)
        return [v for v in (storm, burnt and _burnt(step, *burnt)) if v is not None]

    def _judged(self, cycle: Cycle) -> Verdict | None:
        """Judge it by how long it has gone on, of which the rounds that are kept may be the end only."""
        told = self._told.get(key(cycle))
        return judge(cycle, told.began) if told is not None and told.goes_on(cycle.ended) else judge(cycle)

    def _told_anew(self, found: Iterable[Verdict], now: float) -> list[Verdict]:
        new: list[Verdict] = []
        for one in found:
            verdict = one if one.conversation else self._agents.told(one)  # a provider's is known by whom it names
            before = self._told.pop(verdict.key, None)
            if before is None or now - before.last > AGAIN_SECONDS or before.is_news(verdict):
                new.append(told := self._agents.told(one))
                if before is None or now - before.last > AGAIN_SECONDS:
                    before = Told(told, told, Advice.NOTIFY, set(), now, now, told.began)
            before.note(verdict, now)
            self._told[verdict.key] = before
            if len(self._told) > MOST_TOLD:
                self._told.popitem(last=False)
        return new


def _burnt(step: Step, inferences: int, since: float) -> Verdict:
    who = step.agent or step.service
    return Verdict(
        kind=Kind.TOKEN_BURN,
        advice=Advice.NOTIFY,
        tenant=step.tenant,
        conversation=step.conversation,
        agents=(who,),
        edge=(who, step.peer),
        rounds=inferences,
        began=since,
        ended=step.ended or 0.0,
        confidence=85,
        visibility=Visibility.PARTIAL,
        words=f"{who} has written far more tokens than usual in {inferences} inferences in a row",
    )
