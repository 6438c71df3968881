"""What of a Remediation's work stands, and a person's word that he takes it back (pure).

Who takes it back marks the Remediation before he touches anything. `act` writes every intent by compare and set, so it
sees the mark before its next one: whichever of the two is first on the object, whose version both test, the other finds
it done.
"""

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from hemostat.action.contract import unified_diff
from hemostat.action.effects import Live, at, can_be_undone, still_ours, value_of
from hemostat.action.ownership import last_writer, managers
from hemostat.action.parts import Part, manager, prefix, tries_of
from hemostat.action.undoing import Undo
from hemostat.api.identity import TAKEN_BACK_BY, TAKEN_BACK_TIME
from hemostat.api.meta import is_true
from hemostat.api.remediation import FINISHED, Effect, OpKind, Remediation, Verb
from hemostat.clock import parse_time

_LONGEST_NAME = 253
_SHORT = 48
"""Longest value that a reason repeats."""


@dataclass(frozen=True, slots=True)
class Word:
    """That a person takes back what a Remediation did."""

    by: str
    """User name: the API server lets nobody name another one (policy hemostat-taken-back)."""
    time: datetime | None
    """By his own word. None: it does not say, or not so that it can be understood."""


def taken_back_by(remediation: Remediation) -> Word | None:
    """Return who said last that he takes it back; None: nobody."""
    said = remediation.metadata.annotations
    if TAKEN_BACK_BY not in said:
        return None
    by = said[TAKEN_BACK_BY][:_LONGEST_NAME]
    try:
        return Word(by, parse_time(said.get(TAKEN_BACK_TIME, "")))
    except ValueError:
        return Word(by, None)


def who_took_back(remediation: Remediation) -> str:
    """Say, in words, who took it back."""
    word = taken_back_by(remediation)
    return f"{word.by} took it back" if word is not None else "somebody did before"


def person(remediation: Remediation) -> str:
    """Return the field manager under which people take this Remediation back."""
    return f"{prefix(remediation)}person"


class State(StrEnum):
    """How one step of what was done stands."""

    STANDS = "Stands"
    BACK = "Back"
    """It is not there any more, or never came about."""
    CHANGED = "Changed"
    """Somebody wrote over it: it is his now."""
    UNDER_WAY = "UnderWay"
    """It was announced, and may come about yet."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How one step of what was done stands, and why it is so."""

    state: State
    why: str = ""


def standing(remediation: Remediation, step: Undo, live: Live | None, now: datetime, lands: timedelta) -> Standing:
    """Tell how one step stands by the live object; None: it is gone, or another one bears its name.

    :param lands: how long after its intent a request may still land.
    """
    if live is None or still_ours(step.inverse, live):
        over = step.certain or _missed(remediation, step, live)
        return Standing(State.BACK) if over else _unseen(remediation, step, now, lands)
    if not step.certain and not _proven(remediation, step, live):
        return _unseen(remediation, step, now, lands)
    if can_be_undone(step.forward, live):
        return Standing(State.STANDS)
    return Standing(State.CHANGED, changed(step.forward, live))


def _proven(remediation: Remediation, step: Undo, live: Live) -> bool:
    return manager(remediation, Part("Forward", step.step)) in managers(live)


def _missed(remediation: Remediation, step: Undo, live: Live | None) -> bool:
    """Tell whether the object has left the version on which the last request lands, and no other one follows."""
    ended = taken_back_by(remediation) is not None or is_true(remediation.status.conditions, FINISHED)
    tries = tries_of(remediation, Part("Forward", step.step))
    return ended and live is not None and tries[-1].resource_version != live["metadata"]["resourceVersion"]


def _unseen(remediation: Remediation, step: Undo, now: datetime, lands: timedelta) -> Standing:
    """It was announced and nothing shows that it took place."""
    last = max((i.time for i in tries_of(remediation, Part("Forward", step.step))), default=None)
    if last is None or now - last > lands:
        return Standing(State.BACK)
    return Standing(State.UNDER_WAY, "it was announced just now and may come about yet: look again in a minute")


def changed(effect: Effect, live: Live) -> str:
    """Say what of an effect does not stand any more, and who wrote it last."""
    if effect.verb is Verb.CREATE:
        return f"it says something else than it was created with{_by(live, [op.path for op in effect.ops])}"
    gone = [op for op in effect.ops if at(live, op.path) is None and op.op is OpKind.ADD]
    other = [op for op in effect.ops if op not in gone and at(live, op.path) != value_of(op)]
    if not other:
        return ""
    found, wanted = (_short(v) for v in (at(live, other[0].path), value_of(other[0])))
    said = f"is {found} and not {wanted}" if found and wanted else "is another one"
    more = f", and {len(other) - 1} more" if len(other) > 1 else ""
    return f"{other[0].path} {said}{more}{_by(live, [op.path for op in other])}"


def _by(live: Live, paths: Iterable[str]) -> str:
    who = last_writer(live, paths)
    return f" ({who})" if who else ""


def _short(value: Any) -> str:
    if isinstance(value, Mapping | list):
        return ""
    text = "gone" if value is None else str(value)
    return text if len(text) <= _SHORT else ""


def applied(effect: Effect, live: Live) -> dict[str, Any] | None:
    """Return the object as this effect leaves it; None if that deletes it."""
    if effect.verb is Verb.DELETE:
        return None
    after = deepcopy(dict(live))
    for op in effect.ops:
        *parents, last = op.path.strip("/").split("/")
        inside: Any = at(after, "/".join(parents)) if parents else after
        if isinstance(inside, dict):
            key = last.replace("~1", "/").replace("~0", "~")
            inside.pop(key, None)
            if op.op is not OpKind.REMOVE:
                inside[key] = value_of(op)
        elif isinstance(inside, list) and last.isdigit() and int(last) < len(inside):
            inside[int(last) : int(last) + 1] = [] if op.op is OpKind.REMOVE else [value_of(op)]
    return after


def reversal(step: Undo, live: Live) -> str:
    """Return what taking it back changes now, for people (unified diff)."""
    after = applied(step.inverse, live)
    name = f"{step.inverse.kind}/{step.inverse.name}"
    if after is None:
        return unified_diff(live.get("spec"), None, f"{name} spec")
    return "\n".join(_differences(step.inverse, live, after, name))


def _differences(effect: Effect, before: Live, after: Live, name: str) -> Iterator[str]:
    for op in effect.ops:
        old, new = at(before, op.path), at(after, op.path)
        if old != new:
            yield unified_diff(old, new, f"{name} {op.path.strip('/').replace('/', '.')}")
