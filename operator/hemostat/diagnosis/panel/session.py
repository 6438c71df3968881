"""One consultation's talk with models: every turn is counted, bounded in time, and repaired once (shell)."""

import json
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from threading import Lock
from typing import Any, TypeVar

from hemostat.diagnosis.answer import Answer, Asks, Before, Offer, Spent
from hemostat.diagnosis.completion import at_most
from hemostat.diagnosis.panel import prompt
from hemostat.diagnosis.panel.consultation import Usage
from hemostat.diagnosis.panel.meter import BudgetSpent, Meter
from hemostat.diagnosis.panel.reply import Reply, parse, schema
from hemostat.diagnosis.panel.tools import Pad, Tool, use
from hemostat.diagnosis.provider import NOTHING, Costly
from hemostat.errors import HemostatError, Refused
from hemostat.guard.budget import Standing
from hemostat.guard.clock import Clock
from hemostat.progress.step import Listener, Stage, Step, nobody

MAX_TURNS = 5
"""Turns of one member of the panel: those with tools, the reply, and its repair."""
MAX_CALLS = 4
"""Calls of tools that are carried out of one reply; others are told that they are too many."""
MAX_TOOL_SECONDS = 5.0
R = TypeVar("R", bound=Reply)
Message = dict[str, Any]


class Failed(Exception):
    """A member of the panel came to no reply.

    :param reason: BudgetSpent, DayBudgetSpent, NotCounted, NotPermitted, Deadline, BadReply, NoProvider, or that of the
        provider's error.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Session:
    """Talks with models about one incident (thread-safe).

    :param permitted: says why what the session is about may not leave any more; empty while it may.
    """

    def __init__(
        self,
        asks: Asks,
        meter: Meter,
        clock: Clock,
        incident: str,
        listener: Listener = nobody,
        permitted: Callable[[], str] = lambda: "",
    ) -> None:
        self._asks, self._meter, self._clock, self._permitted = asks, meter, clock, permitted
        self._incident, self._listener = incident, listener
        self._deadline = clock.monotonic() + meter.budget.seconds
        self._lock = Lock()
        self.usage = Usage()
        self.models: dict[str, None] = {}
        self.last: tuple[str, str] | None = None
        """SHA-256 of what was asked last, as JSON, and of what was replied."""

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return max(0.0, self._deadline - self._clock.monotonic())

    def tell(self, member: str, what: str, message: str) -> None:
        """Tell who listens what a member of the panel did."""
        self._listener(self._incident, Step(Stage.DIAGNOSIS, what, message, member))

    def reply(
        self, member: str, wanted: type[R], messages: Sequence[Message], tools: Mapping[str, Tool], pad: Pad
    ) -> R:
        """Return what the model concludes, after as many look-ups as it wants and may. Raises `Failed`.

        :param member: who of the panel asks.
        """
        told: list[Message] = list(messages)
        wrong, repaired = "", False
        for turn in range(1, MAX_TURNS + 1):
            hurry = turn >= MAX_TURNS - 1
            self.tell(member, "Asked", f"turn {turn}" if not repaired else f"turn {turn}: the reply is repaired")
            answer = self._turn(wanted, told, {} if hurry or repaired else tools)
            if answer.calls and not (hurry or repaired):
                told += self._looked_up(member, answer, tools, pad)
                continue
            found = parse(wanted, answer.text)
            if isinstance(found, wanted):
                return found
            wrong = str(found)
            if repaired:
                break
            repaired = True
            told += prompt.repair(answer.text, wrong)
        raise Failed("BadReply", f"the reply was no valid {wanted.__name__}, also when asked again: {wrong}"[:1024])

    def _turn(self, wanted: type[Reply], told: list[Message], tools: Mapping[str, Tool]) -> Answer:
        most = at_most(told)
        try:
            standing = self._meter.turn(self._incident, most, self.left)
        except BudgetSpent as spent:
            raise Failed(spent.reason, str(spent)) from spent
        except HemostatError as error:
            raise Failed("NotCounted", f"what models use cannot be written down: {error}"[:1024]) from error
        used, asked = NOTHING, True
        counted = [NOTHING]
        """What of it the meter knows already: of requests that were in vain, since it was asked for another."""

        def before(so_far: Spent) -> None:
            """Let a request be sent: what may leave may be less by now, and the one before it may have used all."""
            if why := self._permitted():
                raise Refused("NotPermitted", why)
            if so_far != counted[0]:
                more, counted[0] = so_far.less(counted[0]), so_far  # counted, also where no other may be sent
                self._again(more)

        try:
            answer = self._asked(wanted, told, standing, tools, before)
            used = Spent(answer.tokens_in, answer.tokens_out, answer.usd)
        except HemostatError as error:
            used, asked = (error.spent, error.asked) if isinstance(error, Costly) else (NOTHING, True)
            reason = error.reason if isinstance(error, Refused) else "NoProvider" if self.left > 0 else "Deadline"
            raise Failed(reason, str(error)) from error
        finally:
            self._count(used, used.less(counted[0]), most, asked=asked)
        return answer

    def _again(self, more: Spent) -> None:
        """Count what a request used in vain, before the next one of its turn is sent. Raises `Refused`."""
        try:
            self._meter.again(self._incident, more.tokens_in + more.tokens_out, more.usd)
        except BudgetSpent as spent:
            raise Refused(spent.reason, str(spent)) from spent
        except HemostatError as error:
            raise Refused("NotCounted", f"what models use cannot be written down: {error}"[:1024]) from error

    def _asked(
        self,
        wanted: type[Reply],
        told: list[Message],
        standing: Standing,
        tools: Mapping[str, Tool],
        before: Before,
    ) -> Answer:
        if self.left <= 0:
            raise Failed("Deadline", f"no reply within {self._meter.budget.seconds:g} s")
        last = standing is Standing.WRAP_UP
        asked = [*told, prompt.wrap_up()] if last else told
        offered = [] if last else [Offer(t.name, t.description, schema(t.arguments)) for t in tools.values()]
        answer = self._asks.ask(asked, schema=schema(wanted), tools=offered, deadline=self._deadline, before=before)
        with self._lock:
            self.models[answer.model] = None
            self.last = _digest(json.dumps(asked, sort_keys=True)), _digest(answer.text)
        return answer

    def _count(self, used: Spent, uncounted: Spent, held: int, *, asked: bool) -> None:
        """End a turn, and count what it used, answered or not."""
        tokens = uncounted.tokens_in + uncounted.tokens_out
        self._meter.spent(self._incident, tokens, uncounted.usd, held, asked=asked)
        if used == NOTHING:
            return
        with self._lock:
            self.usage = self.usage.plus(used.tokens_in, used.tokens_out, used.usd)

    def _looked_up(self, member: str, answer: Answer, tools: Mapping[str, Tool], pad: Pad) -> list[Message]:
        """Carry out what was asked for; return the messages that say so and what was found."""
        calls = [
            {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.arguments}}
            for c in answer.calls
        ]
        told: list[Message] = [{"role": "assistant", "content": answer.text or None, "tool_calls": calls}]
        for n, call in enumerate(answer.calls):
            if n < MAX_CALLS:
                found = use(tools, call.name, call.arguments, pad, min(MAX_TOOL_SECONDS, self.left))
                text = found if isinstance(found, str) else prompt.items(found)
                named = call.name if call.name in tools else "a tool that it does not have"
                many = 0 if isinstance(found, str) else len(found)
                self.tell(member, "LookedUp", f"{named}: {many} items of evidence")
            else:
                text = f"not looked up: at most {MAX_CALLS} calls at a time"
            told.append({"role": "tool", "tool_call_id": call.id, "content": text})
        return told


def _digest(text: str) -> str:
    return f"sha256:{sha256(text.encode(errors='replace')).hexdigest()}"
