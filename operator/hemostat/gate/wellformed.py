"""Whether a GatePolicy means something at all: actions there are, times that can be read (pure)."""

from collections.abc import Collection, Iterator
from datetime import datetime
from difflib import get_close_matches
from zoneinfo import available_timezones

from hemostat.api.gatepolicy import Decision, GatePolicy, Window
from hemostat.gate.times import open_until, zone_of

_ACTIONS, _TIMES = "UnknownAction", "BadWindow"
_NAMED = 8
"""Names that are told."""


def strangers(policy: GatePolicy, actions: Collection[str]) -> tuple[str, ...]:
    """Return the names in `spec.actions` that no action of the catalogue bears; none where it is not known."""
    return tuple(name for name in policy.spec.actions if name not in actions) if actions else ()


def faults(policy: GatePolicy, actions: Collection[str], now: datetime) -> tuple[str, str]:
    """Return a reason for a condition and what is wrong, field by field, with the nearest right name; both empty if
    nothing is.

    :param actions: names of the catalogue.
    """
    unknown = [_unknown(name, actions) for name in strangers(policy, actions)]
    bad = list(_bad_windows(policy, now))
    if not unknown and not bad:
        return "", ""
    meant = _MEANWHILE[policy.spec.decision is Decision.AUTO]
    said = [*unknown[:_NAMED], *bad[:_NAMED]]
    return (_ACTIONS if unknown else _TIMES), "; ".join([*said, meant[bool(unknown)]])


_MEANWHILE = {
    False: (
        "until that is put right it counts at all times",
        "until that is put right a person decides all it may be about",
    ),
    True: ("until that is put right it allows nothing then", "until that is put right it does not allow that"),
}


def _unknown(name: str, actions: Collection[str]) -> str:
    return f"spec.actions: there is no action {name}{_nearest(name, actions)}"


def _bad_windows(policy: GatePolicy, now: datetime) -> Iterator[str]:
    for number, window in enumerate(policy.spec.when):
        try:
            open_until(window, now)
        except ValueError as error:
            yield f"spec.when[{number}]: {error}{_nearest_zone(window)}"


def _nearest_zone(window: Window) -> str:
    try:
        zone_of(window)
    except ValueError:
        return _nearest(window.time_zone, available_timezones())
    return ""


def _nearest(name: str, known: Collection[str]) -> str:
    near = get_close_matches(name, sorted(known), n=1)
    return f" (did you mean {near[0]}?)" if near else ""
