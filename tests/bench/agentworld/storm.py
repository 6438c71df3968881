"""A retry storm at a provider: many conversations, one limiter that counts rejected calls too.

The limiter admits `limit` calls in any `window` seconds and counts every attempt. Clients that retry at once keep it
full for ever; clients that honour Retry-After and back off let it drain. The truth is an experiment: the storm, carried
on for three times as long as it was watched, admits not one call more; with all clients held back for one window it
admits again.
"""

import heapq
from collections import deque
from dataclasses import dataclass, field

from .dice import between, whole
from .oracle import Verdict
from .probe import Span


@dataclass
class Limiter:
    """Admits at most `limit` calls in any `window` seconds; all attempts count."""

    limit: int
    window: float
    seen: deque[float] = field(default_factory=deque)

    def admit(self, at: float) -> bool:
        """Whether the call goes through."""
        while self.seen and self.seen[0] <= at - self.window:
            self.seen.popleft()
        self.seen.append(at)
        return len(self.seen) <= self.limit


@dataclass
class Client:
    """One conversation: `calls` inferences with a tool call after each. `spans` are what its SDK saw."""

    agent: str
    calls: int
    seed: int
    spans: list[Span] = field(default_factory=list)
    done: int = 0
    failures: int = 0
    attempts: int = 0
    rejected: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Storm:
    """`patient`: clients back off (the flipped fact). `hold`: when all are held back, for the experiment."""

    seed: int
    patient: bool
    agents: tuple[str, ...]
    watch: float
    hold: tuple[float, float] = (0.0, 0.0)

    def perform(self, until: float) -> tuple[list[Client], list[float]]:
        """Return the clients and when calls were admitted, up to `until` seconds."""
        limiter = Limiter(whole(14, 24, self.seed, 1), 60.0)
        clients = [Client(name, whole(3, 8, self.seed, 2, at), at) for at, name in enumerate(self.agents)]
        heap: list[tuple[float, int]] = []
        for number, client in enumerate(clients):
            begin = between(0, 8, self.seed, 3, number)
            client.spans += [Span("workflow", "", "", begin, None), Span("agent", client.agent, client.agent, begin, 0)]
            client.spans[1].turn = 1
            client.spans[1].asked = "topic=daily digest"
            heap.append((begin, number))
        heapq.heapify(heap)
        admitted: list[float] = []
        while heap and heap[0][0] < until:
            at, number = heapq.heappop(heap)
            if self.hold[0] <= at < self.hold[1]:
                heapq.heappush(heap, (self.hold[1] + between(0, 60, self.seed, 4, number), number))
                continue
            again = self._attempt(clients[number], at, limiter, admitted)
            if again:
                heapq.heappush(heap, (again, number))
        return clients, admitted

    def _attempt(self, client: Client, at: float, limiter: Limiter, admitted: list[float]) -> float:
        client.attempts += 1
        span = Span("chat", client.agent, "model", at, 1, turn=1, asked=f"item={client.done}")
        client.spans.append(span)
        place = (5, client.seed, client.attempts)
        if not limiter.admit(at):
            span.end, span.failure = at + between(0.03, 0.09, self.seed, *place), "rate_limited"
            client.failures += 1
            client.rejected.append(at)
            return span.end + self._pause(client.failures, place)
        admitted.append(at)
        span.end, client.failures = at + between(0.5, 2.0, self.seed, *place), 0
        span.tokens_in, span.tokens_out, span.answered = 700 + 90 * client.done, 40, "I will use web_search for this."
        client.done += 1
        return self._use_tool(client, span.end, place)

    def _use_tool(self, client: Client, at: float, place: tuple[int, ...]) -> float:
        if client.done >= client.calls:
            client.spans[0].end = client.spans[1].end = at
            return 0.0
        tool = Span("tool", client.agent, "web_search", at, 1, turn=1, asked=f'{{"q": "item {client.done}"}}')
        tool.end, tool.answered = at + between(0.2, 0.9, self.seed, *place, 1), f'{{"found": {client.done * 37}}}'
        client.spans.append(tool)
        return tool.end

    def _pause(self, failures: int, place: tuple[int, ...]) -> float:
        if not self.patient:
            return between(2.0, 4.0, self.seed, *place, 2)
        return 60.0 * min(failures, 4) * between(1.0, 2.0, self.seed, *place, 2)


def perform(storm: Storm) -> list[tuple[Client, Verdict]]:
    """Return each conversation with its truth."""
    clients, admitted = storm.perform(storm.watch)
    last = max(admitted, default=0.0)
    stuck = [client for client in clients if client.done < client.calls and client.rejected]
    if not stuck or storm.watch - last < 60.0 or not _proved(storm, last):
        unproved = Verdict("?") if storm.watch - last >= 60.0 and stuck else Verdict()
        return [(client, unproved) for client in clients]
    cuts = ((("*", "model"),),)
    agents = tuple(sorted({client.agent for client in stuck}))
    found = []
    for client in clients:
        times = tuple(at for at in client.rejected if at > last)
        verdict = Verdict("RetryStorm", agents, cuts, last, times, 0.0, 1) if client in stuck else Verdict()
        found.append((client, verdict))
    return found


def _proved(storm: Storm, last: float) -> bool:
    _, longer = storm.perform(3 * storm.watch)
    held = Storm(storm.seed, storm.patient, storm.agents, storm.watch, (storm.watch, storm.watch + 61.0))
    _, relieved = held.perform(2 * storm.watch)
    return max(longer) == last and max(relieved) > last
