"""One step of the loop, and the interface by which a part of it tells of one (pure)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

MAX_MESSAGE = 256


def shortened(text: str, most: int = MAX_MESSAGE) -> str:
    """Return the text, cut between two words where it is too long, with a mark that it went on."""
    if len(text) <= most:
        return text
    head, space, _ = text[: most - 1].rpartition(" ")
    return (head if space and len(head) > most // 2 else text[: most - 1]) + "…"


class Stage(StrEnum):
    """Where in the loop a step belongs."""

    DETECTION = "Detection"
    DIAGNOSIS = "Diagnosis"
    GATE = "Gate"
    ACTION = "Action"
    VERIFICATION = "Verification"
    RESOLUTION = "Resolution"


@dataclass(frozen=True, slots=True)
class Step:
    """Something that the loop did or began to do.

    :param what: a CamelCase word for programs: Asked, LookedUp, Replied, Applied, ...
    :param message: the same for people, with its numbers. No text of a model: it may be anybody's.
    :param by: who did it: a specialist, aggregator, matcher, observe, act, or the action's name.
    :param time: when, where that is known; else it is stamped when it is told.
    :param key: stable identity of what may be told twice; empty where each telling is a step of its own.
    """

    stage: Stage
    what: str
    message: str
    by: str = ""
    time: datetime | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """A step with its number, from 1 without gaps, and its time."""

    number: int
    time: datetime
    step: Step


@dataclass(frozen=True, slots=True)
class Page:
    """What there is after a number.

    :param epoch: which telling these are numbers of: another one after a restart, or when an Incident was given up.
    :param lost: there were steps after that number that are not kept any more.
    """

    epoch: str
    told: tuple[Told, ...]
    lost: bool
    over: bool


class Listener(Protocol):
    """Who wants to know. Called by threads at work: it returns at once and never raises."""

    def __call__(self, incident: str, step: Step) -> None:
        """Take note of a step.

        :param incident: uid of the Incident it is about.
        """
        ...


def nobody(incident: str, step: Step) -> None:
    """Listen to nothing: where no one wants to know."""
