"""What there is to take back of what Remediations did, in which order, and how it is shown (pure)."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from rich.console import Group, RenderableType
from rich.padding import Padding

from hemostat.action.moves import LANDS
from hemostat.action.standing import State, applied, reversal, standing, taken_back_by
from hemostat.action.stepping import halfway
from hemostat.action.undoing import Undo, stays, undoes
from hemostat.api.meta import is_false, is_true
from hemostat.api.remediation import APPLIED, FINISHED, UNDONE, Remediation, Verb
from hemostat.cli.cuts import by_hand
from hemostat.cli.render_remediation import diff
from hemostat.cli.text import age, words
from hemostat.errors import HemostatError, Refused
from hemostat.kube import Json

MAX_DIFF = 16_000
"""Characters of one difference, as of a plan."""
Read = Callable[[Undo, str], Json | None]
"""Returns the live object of a step in a namespace; None: it is gone. Raises `HemostatError`."""
_Key = tuple[str, str, str, str]


class Fate(StrEnum):
    """What can be done about it."""

    TAKES = "Takes"
    """It stands and can be taken back."""
    LEFT = "Left"
    """It stands, or may, and cannot be taken back from here."""
    FINAL = "Final"
    """Nothing undoes it."""


@dataclass(frozen=True, slots=True)
class Item:
    """What one Remediation did that is not taken back."""

    remediation: Remediation
    fate: Fate
    why: str = ""
    """Why it is left; several lines where a person may do it by hand."""
    diff: str = ""
    """What taking it back changes."""


def began(remediation: Remediation) -> datetime | None:
    """Return when it took effect or, if that is not known, was last announced; None if nothing was done."""
    status = remediation.status
    done = [r.time for r in status.results if r.effect == "Forward"]
    return max(done or [i.time for i in status.intents if i.effect == "Forward"], default=None)


def chosen(known: Iterable[Remediation], since: datetime) -> list[Remediation]:
    """Return those that did something and were not undone, the newest first: what was done on top comes off first.

    :param since: of those that have ended only what was done since then counts; what is at work always does.
    """
    found = [(when, r) for r in known if (when := began(r)) is not None and not is_true(r.status.conditions, UNDONE)]
    recent = [(when, r) for when, r in found if when >= since or not is_true(r.status.conditions, FINISHED)]
    return [r for _, r in sorted(recent, key=lambda one: (one[0], one[1].metadata.uid), reverse=True)]


def items(ordered: Iterable[Remediation], read: Read, now: datetime) -> Iterator[Item]:
    """Yield what stands of them. Each is looked at as the ones before it will have left the object."""
    seen: dict[_Key, Json | None] = {}
    for remediation in ordered:
        item = _item(remediation, read, now, seen)
        if item is not None:
            yield item


def _item(remediation: Remediation, read: Read, now: datetime, seen: dict[_Key, Json | None]) -> Item | None:
    steps = undoes(remediation)
    for_good = stays(remediation.status.plan) if remediation.status.plan is not None else ""
    if not steps:
        certain = any(r.effect == "Forward" for r in remediation.status.results)
        return Item(remediation, Fate.FINAL, for_good + _goes_on(remediation)) if certain and for_good else None
    diffs: list[str] = []
    left: list[str] = []
    after = dict(seen)
    for step in steps:
        try:
            diffs.append(_reversed(remediation, step, read, now, after))
        except Refused as error:
            left.append(str(error) if len(steps) == 1 else f"{step.inverse.kind} {step.inverse.name}: {error}")
    seen.update(after)
    if found := "\n".join(filter(None, diffs)):
        return Item(remediation, Fate.TAKES, "; ".join(filter(None, (for_good, *left))), found[:MAX_DIFF])
    return Item(remediation, Fate.LEFT, "\n".join(left)) if left else None


def _reversed(remediation: Remediation, step: Undo, read: Read, now: datetime, after: dict[_Key, Json | None]) -> str:
    """Return what taking one step back changes, empty if nothing. Raises `Refused` with why it cannot be taken."""
    call, namespace = step.forward.call, remediation.metadata.namespace or ""
    if step.inverse.verb is Verb.CALL and call is not None:
        raise Refused("ByHand", by_hand(call, step.forward.name, namespace))
    key = (namespace, step.inverse.api_version, step.inverse.kind, step.inverse.name)
    try:
        live = after[key] if key in after else read(step, namespace)
    except HemostatError as error:
        if isinstance(error, Refused) and error.reason == "TargetReplaced":
            return ""  # nothing of ours is on another one
        raise Refused("Unread", f"it cannot be looked at: {error}") from error
    found = standing(remediation, step, live, now, LANDS)
    if found.state is State.CHANGED and taken_back_by(remediation) is not None:
        return ""  # it was taken back before somebody changed it
    if found.state in (State.CHANGED, State.UNDER_WAY):
        raise Refused(found.state, _told(found.state, found.why))
    after[key] = live
    if found.state is not State.STANDS or live is None:
        return ""
    after[key] = applied(step.inverse, live)
    return reversal(step, live)


def _goes_on(remediation: Remediation) -> str:
    """Say how further steps are kept from being taken, where taking back finds nothing by which to say it."""
    conditions, meta = remediation.status.conditions, remediation.metadata
    if not halfway(remediation) or is_true(conditions, FINISHED) or is_false(conditions, APPLIED):
        return ""
    return f", and it goes on: to halt it, kubectl hemostat deny -n {meta.namespace} {meta.name}"


def _told(state: State, why: str) -> str:
    return f"somebody changed it since, so it is left alone: {why}" if state is State.CHANGED else why


_STYLE = {Fate.TAKES: "bold", Fate.LEFT: "bold red", Fate.FINAL: "yellow"}
_SAID = {Fate.TAKES: "; of that ", Fate.LEFT: "  CANNOT BE TAKEN BACK: ", Fate.FINAL: "  STAYS: "}


def page(found: Iterable[Item], now: datetime) -> RenderableType:
    """Return each with what taking it back changes, or why it stays."""
    parts: list[RenderableType] = []
    for item in found:
        parts.append(heading(item, now))
        if item.diff:
            parts.append(Padding(diff(item.diff), (0, 0, 0, 4)))
    return Group(*parts)


def heading(item: Item, now: datetime) -> RenderableType:
    """Return which it is, what it did and when, and the first line of why it stays."""
    status, namespace = item.remediation.status, item.remediation.metadata.namespace
    line = words(f"{namespace}/{item.remediation.metadata.name}", _STYLE[item.fate])
    what = status.plan.summary if status.plan is not None else ""
    line.append_text(words(f"  {age(began(item.remediation), now)} ago: {what}"))
    if item.why:
        line.append_text(words(f"{_SAID[item.fate]}{item.why.splitlines()[0]}", _STYLE[item.fate]))
    return line
