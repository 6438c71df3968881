"""What is open now: spans that have begun and not ended, by what is above them, whose they are, and where they wait
(pure; not for several threads at once).
"""

from collections import OrderedDict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import islice, takewhile
from operator import attrgetter
from typing import Any

from hemostat.signals.loops.clocks import FAR
from hemostat.signals.loops.recent import keep
from hemostat.telemetry.steps import Operation, Step

MOST_OPEN = 100_000
SILENT_SECONDS = 60.0
"""The guard tells of an open span every few seconds: one that it stopped telling of is gone with its process."""
NEVER_TOLD_AGAIN_SECONDS = 900.0
"""Others (Logfire) tell of an open span once."""
MOST_DEPTH = 256
NEAR_SECONDS, CLOSE_SECONDS, MOST_CALLS = 1.0, 0.1, 16
"""An activation begins within so long of the call that waits for it, and clocks differ by so much; so many calls are
looked at."""
MOST_LOOKED = 5_000
MOST_CHANGED = 50_000
"""Places that are remembered as changed; beyond it all are."""
DISPLACED_SECONDS = 600.0
"""For so long it is told that open spans had to give way."""
MOST_ENDED = 50_000
"""Ends are remembered, for a heartbeat may arrive after the end it raced with."""

Place = tuple[str, str, str]
"""A conversation (tenant, its id, nothing), an agent in it (and the agent's name), or in any (no id)."""
_PLACE = attrgetter(
    "parent", "operation", "tenant", "conversation", "agent", "peer", "holder", "holder_conversation", "awaited", "mode"
)
"""What decides where a step is in the graph of waits: most heartbeats change none of it."""
_AGENT, _TOOL, _WAIT = Operation.AGENT, Operation.TOOL, Operation.WAIT  # looked up for every step: slow until 3.12


@dataclass(slots=True)
class Open:
    """An open span."""

    step: Step
    since: float
    """When it began; when it was first told of, if that is far from it: the sender's clock may be wrong."""
    seen: float
    """When it was last told of."""
    place: tuple[Any, ...]
    """`_PLACE` of the step."""
    again: bool = False
    caller: bytes = b""
    """The call that waits for it, where its parent is not told of and this was found out."""


class OpenSteps:
    """The open spans of all conversations."""

    def __init__(self, most: int = MOST_OPEN) -> None:
        self._most = most
        self._open: OrderedDict[bytes, Open] = OrderedDict()
        self._below: dict[bytes, dict[bytes, None]] = {}
        self._waits: dict[Place, dict[bytes, None]] = {}
        self._tools: dict[Place, dict[bytes, None]] = {}
        self._agents: dict[Place, dict[bytes, None]] = {}
        """Activations by the name of the agent, in a conversation and in any."""
        self._calls: dict[Place, dict[bytes, None]] = {}
        """Waits for an agent, by its name and the conversation."""
        self._changed: set[Place] = set()
        self._all_changed = False
        self._ended: dict[bytes, None] = {}
        self.displaced = 0
        self._displaced = float("-inf")

    def __len__(self) -> int:
        return len(self._open)

    def sweep(self, now: float) -> None:
        """Forget spans that nobody tells of any more."""
        quiet = takewhile(lambda item: now - item[1].seen > SILENT_SECONDS, self._open.items())  # least told of first
        for span in [s for s, one in quiet if one.again or now - one.seen > NEVER_TOLD_AGAIN_SECONDS]:
            self._drop(span)

    def displaces(self, now: float) -> bool:
        """Tell whether open spans had to give way to others lately: what is stuck among them is not seen."""
        return now - self._displaced < DISPLACED_SECONDS

    def changes(self) -> set[Place] | None:
        """Return where something began, ended or was told anew since the last call; None: in too many places."""
        found = None if self._all_changed else self._changed
        self._changed, self._all_changed = set(), False
        return found

    def waits(self, awaited: str) -> list[Open]:
        """Return the open waits for a `lock`, an `agent` or a `person`."""
        waits = (self._open[span] for spans in self._waits.values() for span in spans)
        return [one for one in waits if one.step.awaited == awaited]

    def waiting(self) -> Iterable[Place]:
        """Return the conversations in which there are open waits."""
        return self._waits

    def waits_in(self, place: Place) -> Iterable[bytes]:
        """Return the spans of waits in a conversation."""
        return self._waits.get(place, ())

    def activations(self, place: Place) -> Collection[bytes]:
        """Return the spans of an agent's activations."""
        return self._agents.get(place, {})

    def below(self, span: bytes) -> Iterable[bytes]:
        """Return the open spans right below one."""
        return self._below.get(span, ())

    def tools_in(self, place: Place) -> set[str]:
        """Return the names of the tools that are open in a conversation."""
        return {self._open[span].step.peer for span in self._tools.get(place, ())}

    def within(self, tenant: str, conversation: str) -> list[Open]:
        """Return what is open in a conversation."""
        key = (tenant, conversation)
        return [one for one in self._open.values() if (one.step.tenant, one.step.conversation) == key]

    def agent_of(self, step: Step) -> str:
        """Return who takes the step: the agent it names, or the one above it, or the service."""
        at: Step | None = step
        for _ in range(32):
            if at is None:
                break
            if at.agent or at.operation is _AGENT:
                return at.agent or at.peer
            above = self._around(at)
            at = above.step if above else None
        return step.service

    def activated(self, step: Step) -> str:
        """Return whose activation it is: where it is named only when it ends, who waits for it knows."""
        above = self._around(step)
        if not step.agent and above is not None and above.step.awaited == "agent":
            return above.step.peer
        return step.agent or step.peer

    def chain(self, step: Step) -> list[tuple[str, Step]]:
        """Return the open activations above an activation with the names of their agents, the innermost first."""
        found, at = [], self._around(step)
        for _ in range(MOST_DEPTH):
            if at is None:
                break
            if at.step.operation is _AGENT:
                found.append((self.activated(at.step), at.step))
            at = self._around(at.step)
        return found

    def _around(self, step: Step) -> Open | None:
        """Return what an open step is right below.

        Clients of A2A put a span between a call and what it calls that is told of when it has ended: then it is the
        call that waits for an agent of this name and began right before, if there is but one who calls.
        """
        above, one = self._open.get(step.parent), self._open.get(step.span)
        if above is not None or one is None or step.operation is not _AGENT:
            return above
        if one.caller not in self._open:
            waits = self._calls.get((step.tenant, step.conversation, step.agent or step.peer), {})
            calls = [self._open[span].step for span in islice(reversed(waits), MOST_CALLS)]
            off = {call.span: abs(step.started - call.started) for call in calls}
            near = [call for call in calls if off[call.span] <= min(NEAR_SECONDS, min(off.values()) + CLOSE_SECONDS)]
            one.caller = near[0].span if len({call.parent for call in near}) == 1 else b""
        return self._open.get(one.caller)

    def widths(self, root: Step) -> list[int]:
        """Return how many open activations of the same agent are inside each other below one: by generation, 1 first.

        Looks at no more than `MOST_LOOKED` spans.
        """
        counts, todo = [1], [(root.span, 0)]
        for span, generation in todo:
            for child in self._below.get(span, ()):
                if len(todo) >= MOST_LOOKED:
                    return counts
                step, at = self._open[child].step, generation
                if step.operation is _AGENT and (step.agent, step.peer) == (root.agent, root.peer):
                    at += 1
                    counts += [0] * (at + 1 - len(counts))
                    counts[at] += 1
                todo.append((child, at))
        return counts

    def get(self, span: bytes) -> Step | None:
        """Return an open step."""
        one = self._open.get(span)
        return one.step if one else None

    def since(self, span: bytes) -> float:
        """Return since when an open step is known."""
        return self._open[span].since

    def add(self, step: Step, now: float) -> bool:
        """Add an open step, or refresh it; return whether more is known than before: some conventions name it late."""
        if step.span in self._ended:
            return False
        known = self._open.get(step.span)
        if known is not None:
            old = known.step
            known.step, known.seen, known.again = step, now, True
            self._open.move_to_end(step.span)
            if (place := _PLACE(step)) != known.place:
                self._detach(old)
                known.place = place
                self._attach(step)
            return step.agent != old.agent or step.arguments != old.arguments
        since = step.started if abs(now - step.started) <= FAR else now
        self._open[step.span] = Open(step, since, now, _PLACE(step))
        self._attach(step)
        if len(self._open) > self._most:
            self._drop(next(iter(self._open)))
            self.displaced += 1
            self._displaced = now
        return True

    def close(self, span: bytes) -> None:
        """Take a step away that has ended."""
        self._drop(span)
        keep(self._ended, span, None, MOST_ENDED)

    def _drop(self, span: bytes) -> None:
        one = self._open.pop(span, None)
        if one is not None:
            self._detach(one.step)

    def _attach(self, step: Step) -> None:
        """Note what is known by the step: what it is below, whose it is, and that it waits."""
        for known, key in self._indexes(step):
            known.setdefault(key, {})[step.span] = None
        self._change(step)

    def _detach(self, step: Step) -> None:
        """Take back what `_attach` noted. A span may be told of again with another parent, or as something else."""
        for known, key in self._indexes(step):
            there = known.get(key, {})
            there.pop(step.span, None)
            if not there:
                known.pop(key, None)
        self._change(step)

    def _indexes(self, step: Step) -> list[tuple[dict[Any, dict[bytes, None]], Any]]:
        found: list[tuple[dict[Any, dict[bytes, None]], Any]] = []
        if step.parent:
            found.append((self._below, step.parent))
        if step.operation is _WAIT:
            found.append((self._waits, (step.tenant, step.conversation, "")))
            if step.awaited == "agent":
                found.append((self._calls, (step.tenant, step.conversation, step.peer)))
        elif step.operation is _AGENT:
            name = step.agent or step.peer
            found += [(self._agents, (step.tenant, step.conversation, name)), (self._agents, (step.tenant, "", name))]
        elif step.operation is _TOOL:
            found.append((self._tools, (step.tenant, step.conversation, "")))
        return found

    def _change(self, step: Step) -> None:
        """Note where something is no longer what it was."""
        self._changed.add((step.tenant, step.conversation, ""))
        if step.operation is _AGENT:
            self._changed.add((step.tenant, "", step.agent or step.peer))
        above = self._open.get(step.parent)
        if above is not None:
            self._changed.add((above.step.tenant, above.step.conversation, ""))
        if len(self._changed) > MOST_CHANGED:
            self._changed.clear()
            self._all_changed = True
