"""A past incident in a sentence, as evidence for a new one (pure)."""

from datetime import datetime

from hemostat.memory.episode import Ending, Episode
from hemostat.memory.store import Match
from hemostat.signals.rules import one_line
from hemostat.signals.words import duration

MAX_WORDS = 1024
"""As much as an item of evidence holds."""
_ENDED = {
    Ending.HEALED: "healed",
    Ending.BY_PERSON: "resolved by a person",
    Ending.BY_ITSELF: "cleared by itself",
    Ending.WITH_CAUSE: "a symptom of another incident",
    Ending.ABANDONED: "never seen to be over",
}


def told(match: Match, now: datetime) -> str:
    """Return what was wrong then, how alike it is, what was tried with what outcome, how it ended, and the lesson.

    One line of at most 1,024 characters. What an attacker wrote into a title then is still in it: data, no instruction.
    """
    past = match.episode
    ago = duration(max(0.0, (now - past.resolved_time).total_seconds()))
    said = f"{past.name}, {ago} ago, {100 * match.score:.0f} % alike: {past.kind} {past.target}: {past.title}; "
    said += f"{_tries(past)}; {_ENDED[past.ending]}"
    return one_line(f"{said}; lesson: {past.lesson}" if past.lesson else said, MAX_WORDS)


def _tries(past: Episode) -> str:
    if not past.tries:
        return "nothing was tried"
    return "tried " + ", ".join(f"{t.action} of {t.runbook}: {t.outcome}" for t in past.tries)
