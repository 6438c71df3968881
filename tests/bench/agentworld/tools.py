"""Tools with hidden state: pure functions (state, name called, arguments, rest before) -> (state, outcome).

`rest` is how long the caller deliberately did nothing since its last call, in seconds; latencies do not count.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Protocol

from .policy import Failure, fields


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call returns; `fact` is what was gained (hidden), `size` its length in tokens, 0: by its text."""

    text: str
    failure: Failure = ""
    fact: str = ""
    size: int = 0


class Tool(Protocol):
    """A tool with hidden state."""

    def first(self) -> Hashable:
        """Return the state at the start of the conversation."""

    def call(self, state: Any, name: str, about: str, rest: float) -> tuple[Hashable, Outcome]:
        """Return the next state and the outcome; pure."""


@dataclass(frozen=True)
class Shelf:
    """Answers every question, differently, at once: the healthy tool of the everyday work."""

    def first(self) -> Hashable:
        """No state."""
        return None

    def call(self, state: Any, name: str, about: str, rest: float) -> tuple[Hashable, Outcome]:
        """A new thing is learnt with every new question."""
        return state, Outcome(f"{about};found={sum(map(ord, name + about)) % 997}", fact=f"{name}:{about}")


@dataclass(frozen=True)
class Clock:
    """Side calls: the time of day, a note to oneself. Nothing the task needs."""

    def first(self) -> Hashable:
        """No state."""
        return None

    def call(self, state: Any, name: str, about: str, rest: float) -> tuple[Hashable, Outcome]:
        """Nothing is gained."""
        return state, Outcome("ok=true")


@dataclass(frozen=True)
class Pages:
    """A listing by cursor; from page `sticks` on the server returns the cursor it was given."""

    pages: int
    sticks: int | None
    size: int = 0

    def first(self) -> Hashable:
        """No state."""
        return None

    def call(self, state: Any, name: str, about: str, rest: float) -> tuple[Hashable, Outcome]:
        """A page and the next cursor."""
        cursor = int(fields(about)["cursor"])
        if self.sticks is not None and cursor >= self.sticks:
            return state, Outcome(f"items={cursor * 20};next={cursor}", size=self.size)
        following = "end" if cursor + 1 >= self.pages else str(cursor + 1)
        return state, Outcome(f"items={cursor * 20};next={following}", fact=f"page {cursor}", size=self.size)


@dataclass(frozen=True)
class Files:
    """Says ok to every edit; remembers which were made."""

    def first(self) -> Hashable:
        """Nothing edited."""
        return frozenset[str]()

    def call(self, state: Any, name: str, about: str, rest: float) -> tuple[Hashable, Outcome]:
        """An edit; only a new one is a gain."""
        return state | {about}, Outcome("ok=true", fact="" if about in state else about)


@dataclass(frozen=True)
class Job:
    """A job of `units`, worked on while nobody asks for `gap` seconds; its worker dies with `dead_at` left."""

    units: int
    unit_seconds: float
    gap: float
    dead_at: int
    shows_percent: bool

    def first(self) -> Hashable:
        """All units left."""
        return self.units

    def call(self, state: Any, name: str, about: str, rest: float) -> tuple[Hashable, Outcome]:
        """Submit, or ask for the state."""
        if name.startswith("submit"):
            return state, Outcome(f"job=7;eta_seconds={int(self.units * self.unit_seconds)}", fact="submitted")
        worked = int(rest // self.unit_seconds) if rest >= self.gap else 0
        left = max(state - worked, self.dead_at) if state > self.dead_at else state
        if left == 0:
            return left, Outcome("job=7;status=done", fact="job done")
        percent = f";percent={100 - 100 * left // self.units}" if self.shows_percent else ""
        return left, Outcome(f"job=7;status=running{percent}")


@dataclass(frozen=True)
class Overloaded:
    """A service in overload: it comes back only when left alone for `quiet` seconds."""

    quiet: float

    def first(self) -> Hashable:
        """Down."""
        return False

    def call(self, state: Any, name: str, about: str, rest: float) -> tuple[Hashable, Outcome]:
        """Up after a rest that was long enough."""
        if state or rest >= self.quiet:
            return True, Outcome(f"{about};value=42", fact=f"answer {about}")
        return False, Outcome("error=service unavailable", "unavailable")


@dataclass(frozen=True)
class Workshop:
    """A repository with `bugs`: an edit mends the failing test, unless edits do not `take` (a generated file)."""

    bugs: int
    take: bool
    edit: str
    check: str

    def first(self) -> Hashable:
        """Nothing mended, no edit waiting to be tested."""
        return (self.bugs, False)

    def call(self, state: Any, name: str, about: str, rest: float) -> tuple[Hashable, Outcome]:
        """Edit, read or test; one tool may do both."""
        left, edited = state
        if name == self.edit:
            edited = self.take
        if name != self.check:
            return (left, edited), Outcome("ok=true" if name == self.edit else f"{about};lines=18")
        mended = edited and left > 0
        left -= mended
        text = f"failed=test_{left}" if left else "passed=all"
        return (left, False), Outcome(text, fact=f"mended {left}" if mended else "")


@dataclass(frozen=True)
class Corpus:
    """Documents by topic: `held` of them; the next one not yet shown is returned."""

    held: int

    def first(self) -> Hashable:
        """None shown."""
        return 0

    def call(self, state: Any, name: str, about: str, rest: float) -> tuple[Hashable, Outcome]:
        """The next document, or nothing."""
        if state < self.held:
            return state + 1, Outcome(f"hits=1;document=d{state}", fact=f"document {state}")
        return state, Outcome("hits=0")


@dataclass(frozen=True)
class Checker:
    """A check that is down for its first `down` calls, then says `score`."""

    down: int
    score: str

    def first(self) -> Hashable:
        """Calls still to fail."""
        return self.down

    def call(self, state: Any, name: str, about: str, rest: float) -> tuple[Hashable, Outcome]:
        """503, or the score."""
        if state:
            return state - 1, Outcome("error=service unavailable", "unavailable")
        return state, Outcome(f"score={self.score}")


@dataclass(frozen=True)
class Rubric:
    """Accepts the n-th draft, or none (0)."""

    accepts: int

    def first(self) -> Hashable:
        """Drafts seen, as far as they matter."""
        return 0

    def call(self, state: Any, name: str, about: str, rest: float) -> tuple[Hashable, Outcome]:
        """Accepted or not."""
        seen = min(state + 1, self.accepts)
        accepted = 0 < self.accepts == seen
        return seen, Outcome("verdict=accepted" if accepted else "verdict=not convincing")
