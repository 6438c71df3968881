"""What a conversation used up: turns, context (pure; not for several threads at once)."""

from collections.abc import Mapping
from dataclasses import dataclass

from hemostat.signals.loops.recent import keep
from hemostat.signals.loops.verdict import Advice, Kind, Verdict, Visibility
from hemostat.telemetry.steps import Operation, Step

TURNS = 50
"""Turns of agents that a conversation may take."""
FULL, GROWN = 0.8, 4
"""Context: share of the model's window, and inferences in a row that made it larger."""
MOST_CONVERSATIONS = 100_000
_CHAT = Operation.CHAT  # looked up for every step: slow until 3.12
_TURNS = (Operation.AGENT, Operation.HANDOFF)


@dataclass(slots=True)
class Context:
    """The input of one activation's inferences."""

    tokens: int = 0
    grown: int = 0
    began: float = 0.0


@dataclass(slots=True)
class Page:
    """One conversation."""

    began: float
    turns: int = 0
    handoffs: int = 0
    tokens: int = 0


class Ledger:
    """The pages of the conversations that something happened in last.

    Contexts are by activation: where links name the conversation, a trace learns in the midst of a turn to which one
    it belongs.

    :param windows: tokens that models take in, by model; contexts of others are not judged.
    """

    def __init__(
        self,
        turns: int = TURNS,
        windows: Mapping[str, int] | None = None,
        most: int = MOST_CONVERSATIONS,
    ) -> None:
        self._turns, self._windows, self._most = turns, windows or {}, most
        self._pages: dict[tuple[str, str], Page] = {}
        self._contexts: dict[bytes | tuple[str, str], Context] = {}

    def take(self, step: Step) -> Verdict | None:
        """Take an ended step in; return what is too much."""
        page = self._page(step)
        page.tokens += step.tokens_in + step.tokens_out
        if step.operation is _CHAT:
            return self._context(step) if step.tokens_in else None
        return self._turn(step, page) if step.operation in _TURNS else None

    def _page(self, step: Step) -> Page:
        key = (step.tenant, step.conversation)
        page = self._pages.pop(key, None) or Page(step.started)
        keep(self._pages, key, page, self._most)
        return page

    def _turn(self, step: Step, page: Page) -> Verdict | None:
        if step.operation is Operation.AGENT:
            page.turns += 1
        else:
            page.handoffs += 1
        turns = max(page.turns, page.handoffs)
        if turns <= self._turns:
            return None
        words = f"the conversation has taken {turns} turns, {self._turns} are allowed; {page.tokens} tokens"
        return _verdict(Kind.TURN_BUDGET, step, page.began, (step.agent or step.service,), words, 95, turns)

    def _context(self, step: Step) -> Verdict | None:
        key = step.parent or (step.tenant, step.conversation)
        context = self._contexts.pop(key, None) or Context(began=step.started)
        keep(self._contexts, key, context, self._most)
        grew = step.tokens_in > context.tokens
        context.grown = context.grown + 1 if grew else 0
        if not grew:
            context.began = step.started
        context.tokens = step.tokens_in
        window = self._windows.get(step.peer, 0)
        if not window or context.grown < GROWN or step.tokens_in < FULL * window:
            return None
        share = 100 * step.tokens_in // window
        who = step.agent or step.service
        words = f"the context of {who} has grown {context.grown} times in a row to {share} % of {step.peer}'s window"
        return _verdict(Kind.CONTEXT_GROWTH, step, context.began, (who,), words, 85, context.grown)


def _verdict(
    kind: Kind,
    step: Step,
    began: float,
    agents: tuple[str, ...],
    words: str,
    confidence: int,
    rounds: int,
) -> Verdict:
    return Verdict(
        kind=kind,
        advice=Advice.NOTIFY,
        tenant=step.tenant,
        conversation=step.conversation,
        agents=agents,
        edge=("", ""),
        rounds=rounds,
        began=began,
        ended=step.ended or 0.0,
        confidence=confidence,
        visibility=Visibility.PARTIAL,
        words=words,
    )
