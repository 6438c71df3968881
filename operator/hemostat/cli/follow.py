"""Following one Incident until it is resolved or time is up. Time and waiting are injected."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from hemostat.api.incident import Incident
from hemostat.api.remediation import Remediation
from hemostat.cli.state import is_resolved
from hemostat.cli.timeline import Line, timeline, waiting_for_a_person
from hemostat.clock import Clock
from hemostat.errors import Retry

POLL_SECONDS = 0.5

Look = Callable[[], tuple[Incident, Sequence[Remediation]]]


@dataclass(frozen=True, slots=True)
class Followed:
    """How it ended."""

    incident: Incident | None
    """As last seen; None if it never could be read."""
    resolved: bool
    trouble: str = ""
    """Why the last look failed, if it did."""


class News:
    """Remembers what was told, so that each line is told once."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def of(self, incident: Incident, remediations: Sequence[Remediation]) -> list[Line]:
        """Return the lines that were not returned before, oldest first."""
        fresh = [line for line in timeline(incident, remediations) if line.id not in self._told]
        self._told |= {line.id for line in fresh}
        return fresh

    def to_decide(self, remediations: Sequence[Remediation]) -> list[str]:
        """Return the names of Remediations that have begun to wait for a person."""
        names = [r.metadata.name for r in remediations if waiting_for_a_person(r)]
        fresh = [name for name in names if f"decide/{name}" not in self._told]
        self._told |= {f"decide/{name}" for name in fresh}
        return fresh


def follow(
    look: Look,
    tell: Callable[[Incident, Line], None],
    ask: Callable[[str], None],
    clock: Clock,
    sleep: Callable[[float], None],
    timeout_seconds: float,
) -> Followed:
    """Tell every new line as it comes, and once per Remediation that a person must decide.

    A passing fault of the API server (`Retry`) does not end it; the deadline does.
    """
    deadline = clock.now() + timedelta(seconds=timeout_seconds)
    news, seen, trouble = News(), None, ""
    while True:
        try:
            seen, remediations = look()
            trouble = ""
        except Retry as error:
            trouble = str(error)
        else:
            for entry in news.of(seen, remediations):
                tell(seen, entry)
            if is_resolved(seen):
                return Followed(seen, resolved=True)
            for name in news.to_decide(remediations):
                ask(name)
        if clock.now() >= deadline:
            return Followed(seen, resolved=False, trouble=trouble)
        sleep(POLL_SECONDS)
