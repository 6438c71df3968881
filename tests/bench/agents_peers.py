"""The best existing rules against loops, re-implemented from their descriptions (no code of theirs was copied).

OpenHands' stuck detector (MIT) and gemini-cli's loop detection without its second model (Apache-2.0), as
agent-telemetry.md, section 4, describes them. Both run inside one agent and see all content; OpenHands compares the
thought with the action, which is left out here, to its advantage. gemini-cli's repeated chunks of text are left out:
they need the text itself.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from hemostat.telemetry.steps import Failure, Operation, Step


@dataclass(frozen=True, slots=True)
class Event:
    """A tool call with what came of it, or a message (no action)."""

    at: float
    action: tuple[str, int | None] | None
    result: int | None = None
    error: bool = False


@dataclass(frozen=True, slots=True)
class Alarm:
    """When a rule fired, and at which tool call of its agent."""

    at: float
    calls: int


Rule = Callable[[Sequence[Event]], bool]


def openhands(events: Sequence[Event]) -> bool:
    """Return whether the last 20 events are stuck."""
    last = list(events[-20:])
    return _same(last) or _failing(last) or _monologue(last) or _alternating(last)


def _same(last: list[Event]) -> bool:
    tail = last[-4:]
    return len(tail) == 4 and tail[0].action is not None and len({(e.action, e.result, e.error) for e in tail}) == 1


def _failing(last: list[Event]) -> bool:
    tail = last[-4:]
    return len(tail) == 4 and all(e.error and e.action is not None for e in tail) and len({e.action for e in tail}) == 1


def _monologue(last: list[Event]) -> bool:
    tail = last[-3:]
    return len(tail) == 3 and all(e.action is None for e in tail)


def _alternating(last: list[Event]) -> bool:
    tail = last[-6:]
    if len(tail) < 6 or any(e.action is None for e in tail):
        return False
    seen = [(e.action, e.result) for e in tail]
    return seen[0] != seen[1] and seen == seen[:2] * 3


def gemini(events: Sequence[Event]) -> bool:
    """Return whether the last calls are one to five calls, five times; results do not count."""
    calls = [e.action for e in events[-25:] if e.action is not None]
    if not events or events[-1].action is None:
        return False
    return any(len(calls) >= 5 * k and calls[-5 * k :] == calls[-k:] * 5 for k in range(1, 6))


RULES: dict[str, Rule] = {"OpenHands": openhands, "gemini-cli": gemini}


def peers(steps: Iterable[Step]) -> dict[str, Alarm | None]:
    """Return when each rule first fires in any agent of a conversation."""
    by_agent: dict[tuple[str, bytes], list[Event]] = defaultdict(list)
    found: dict[str, Alarm | None] = dict.fromkeys(RULES)
    ended = sorted((s for s in steps if s.ended is not None), key=lambda s: s.ended or 0.0)
    calls = {(s.service, s.parent) for s in ended if s.operation is Operation.TOOL}
    for step in ended:
        who = (step.service, step.parent)
        if step.operation is Operation.TOOL:
            failed = step.failed is not Failure.NONE
            event = Event(step.ended or 0.0, (step.peer, step.arguments), step.result, failed)
        elif step.operation is Operation.CHAT and who not in calls:
            event = Event(step.ended or 0.0, None)
        else:
            continue
        events = by_agent[who]
        events.append(event)
        for name, rule in RULES.items():
            if found[name] is None and rule(events):
                found[name] = Alarm(event.at, sum(e.action is not None for e in events))
    return found
