"""What is open now: spans that have begun and not ended, as a graph of who waits for whom (pure; not for threads).

A node is an open span, so an agent that is called again inside its own call is two nodes, and legal re-entrancy is no
cycle. A span waits for all spans below it; a declared wait for those below it as it says, for the holder of its lock,
or for the agent that it names. A model or tool at work waits for nobody; neither does a wait nobody knows more of.
"""

from collections import OrderedDict
from dataclasses import dataclass

from hemostat.signals.loops.clocks import FAR
from hemostat.signals.loops.waits import Waiting
from hemostat.telemetry.steps import Operation, Step, WaitMode

MOST_OPEN = 100_000
SILENT_SECONDS = 60.0
"""The guard tells of an open span every few seconds: one that it stopped telling of is gone with its process."""
NEVER_TOLD_AGAIN_SECONDS = 900.0
"""Others (Logfire) tell of an open span once."""
ANY_OF = "?"
"""Ends the name of a node that is a choice between several waits of one span."""
MOST_DEPTH = 256
MOST_LOOKED = 5_000
MOST_ENDED = 50_000
"""Ends are remembered, for a heartbeat may arrive after the end it raced with."""

_AGENT, _TOOL, _WAIT = Operation.AGENT, Operation.TOOL, Operation.WAIT  # looked up for every step: slow until 3.12


@dataclass(slots=True)
class Open:
    """An open span."""

    step: Step
    since: float
    """When it began; when it was first told of, if that is far from it: the sender's clock may be wrong."""
    seen: float
    """When it was last told of."""
    again: bool = False


class OpenSteps:
    """The open spans of all conversations."""

    def __init__(self, most: int = MOST_OPEN) -> None:
        self._most = most
        self._open: OrderedDict[bytes, Open] = OrderedDict()
        self._below: dict[bytes, dict[bytes, None]] = {}
        self._waits: set[bytes] = set()
        self._ended: OrderedDict[bytes, None] = OrderedDict()
        self.displaced = 0

    def __len__(self) -> int:
        return len(self._open)

    def sweep(self, now: float) -> None:
        """Forget spans that nobody tells of any more."""
        silent = [
            span
            for span, one in self._open.items()
            if now - one.seen > (SILENT_SECONDS if one.again else NEVER_TOLD_AGAIN_SECONDS)
        ]
        for span in silent:
            self._drop(span)

    def waits(self) -> list[tuple[Step, float]]:
        """Return all open waits, and since when they are known."""
        return [(self._open[span].step, self._open[span].since) for span in self._waits]

    def tools(self) -> dict[tuple[str, str], set[str]]:
        """Return the names of the tools that are open, by tenant and conversation."""
        found: dict[tuple[str, str], set[str]] = {}
        for one in self._open.values():
            if one.step.operation is _TOOL:
                found.setdefault((one.step.tenant, one.step.conversation), set()).add(one.step.peer)
        return found

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
            above = self._open.get(at.parent)
            at = above.step if above else None
        return step.service

    def activated(self, step: Step) -> str:
        """Return whose activation it is: where it is named only when it ends, who waits for it knows."""
        above = self._open.get(step.parent)
        if not step.agent and above is not None and above.step.awaited == "agent":
            return above.step.peer
        return step.agent or step.peer

    def above(self, step: Step) -> list[Step]:
        """Return the open activations of the same agent above an activation, the innermost first."""
        who = self.activated(step)
        return [one for name, one in self.chain(step) if name == who]

    def chain(self, step: Step) -> list[tuple[str, Step]]:
        """Return the open activations above an activation with the names of their agents, the innermost first."""
        found, at = [], self._open.get(step.parent)
        for _ in range(MOST_DEPTH):
            if at is None:
                break
            if at.step.operation is _AGENT:
                found.append((self.activated(at.step), at.step))
            at = self._open.get(at.step.parent)
        return found

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

    def waiting(self) -> dict[str, Waiting]:
        """Return who waits for whom; nodes are span ids in hex. Who can go on is not among them.

        Only what declared waits wait for, directly or not: spans that wait for those below them make no circle.
        """
        found: dict[str, Waiting] = {}
        if not self._waits:
            return found
        by_agent = self._by_agent()
        todo = dict.fromkeys(self._waits)
        while todo:
            span, _ = todo.popitem()
            one = self._open[span]
            others, mode = self._others(span, one.step, by_agent)
            todo.update((other, None) for o in others if o not in found and (other := bytes.fromhex(o)) != span)
            choice = [o for o in others if self._is_choice(o)] if one.step.operation is not _WAIT else []
            if len(choice) > 1:
                # Waits side by side of which each says "any of us": one that can go on is enough for all of them.
                group = self._open[bytes.fromhex(choice[0])]
                others = [o for o in others if o not in choice]
                found[span.hex() + ANY_OF] = Waiting(tuple(choice), group.step.mode, group.since)
                others.append(span.hex() + ANY_OF)
            if others:
                found[span.hex()] = Waiting(tuple(others), mode, one.since)
        return found

    def _by_agent(self) -> dict[tuple[str, str, str], list[str]]:
        """Return the open activations by tenant, conversation (and all of them under "") and name of the agent."""
        found: dict[tuple[str, str, str], list[str]] = {}
        for span, one in self._open.items():
            step = one.step
            if step.operation is _AGENT:
                for where in (step.conversation, ""):
                    found.setdefault((step.tenant, where, step.agent or step.peer), []).append(span.hex())
        return found

    def _is_choice(self, node: str) -> bool:
        step = self._open[bytes.fromhex(node)].step
        return step.operation is _WAIT and step.mode is not WaitMode.ALL

    def get(self, span: bytes) -> Step | None:
        """Return an open step."""
        one = self._open.get(span)
        return one.step if one else None

    def step(self, node: str) -> Step:
        """Return the open step of a node."""
        return self._open[bytes.fromhex(node.removesuffix(ANY_OF))].step

    def _others(
        self, span: bytes, step: Step, by_agent: dict[tuple[str, str, str], list[str]]
    ) -> tuple[list[str], WaitMode]:
        below = [b.hex() for b in self._below.get(span, ())]
        if step.operation is not _WAIT:
            return below, WaitMode.ALL
        if below and step.awaited != "lock":
            return below, step.mode
        name = step.holder if step.awaited == "lock" else step.peer if step.awaited == "agent" else ""
        if not name:
            return [], step.mode
        where = step.holder_conversation or step.conversation
        calls = by_agent.get((step.tenant, where, name)) or by_agent.get((step.tenant, "", name), [])
        # Which of its calls holds the lock, or answers, is not known: only if none of them can go on it is stuck.
        return calls, WaitMode.ANY

    def add(self, step: Step, now: float) -> bool:
        """Add an open step, or refresh it; return whether more is known than before: some conventions name it late."""
        if step.span in self._ended:
            return False
        known = self._open.get(step.span)
        if known is not None:
            told = (step.agent, step.arguments) != (known.step.agent, known.step.arguments)
            self._detach(known.step)
            known.step, known.seen, known.again = step, now, True
            self._attach(step)
            self._open.move_to_end(step.span)
            return told
        since = step.started if abs(now - step.started) <= FAR else now
        self._open[step.span] = Open(step, since, now)
        self._attach(step)
        if len(self._open) > self._most:
            self._drop(next(iter(self._open)))
            self.displaced += 1
        return True

    def close(self, span: bytes) -> None:
        """Take a step away that has ended."""
        self._drop(span)
        self._ended[span] = None
        if len(self._ended) > MOST_ENDED:
            self._ended.popitem(last=False)

    def _drop(self, span: bytes) -> None:
        one = self._open.pop(span, None)
        if one is None:
            return
        self._detach(one.step)

    def _attach(self, step: Step) -> None:
        """Note what is known by the step: what it is below, and that it waits."""
        if step.operation is _WAIT:
            self._waits.add(step.span)
        if step.parent:
            self._below.setdefault(step.parent, {})[step.span] = None

    def _detach(self, step: Step) -> None:
        """Take back what `_attach` noted. A span may be told of again with another parent, or as something else."""
        self._waits.discard(step.span)
        siblings = self._below.get(step.parent)
        if siblings is not None:
            siblings.pop(step.span, None)
            if not siblings:
                del self._below[step.parent]
