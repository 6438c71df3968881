"""What others changed at a target while it was in trouble, as its Incident's evidence tells it (pure)."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime

from hemostat.api.incident import Evidence, EvidenceKind
from hemostat.signals.changes.noted import ChangeKind, Noted

_KEY = re.compile(r"change/([A-Za-z]+)/")
_TOLD = re.compile(r"( at a callee,)? \d+ s after the incident opened: ")
_CONTROLLERS = ("kube-controller-manager", "hemostat-")
"""How writers that answer to trouble by themselves begin their names."""
_BY_THEMSELVES = (ChangeKind.NODE, ChangeKind.QUOTA)
"""Changes that nobody makes in order to mend a workload, or that are told of what nobody did."""


def meanwhile(evidence: Sequence[Evidence], began: datetime, until: datetime | None = None) -> tuple[Evidence, ...]:
    """Return what was changed at the target after its trouble began, neither by a controller nor by Hemostat.

    :param until: when the trouble was over, if it is.
    """
    found = (e for e in evidence if e.kind is EvidenceKind.CHANGE and e.observed_time > began)
    return tuple(e for e in found if (until is None or e.observed_time <= until) and _of_target(e))


def by_others(change: Noted) -> bool:
    """Tell whether somebody may have made a change to mend what it is about."""
    return change.kind not in _BY_THEMSELVES and not change.by.startswith(_CONTROLLERS)


def detail_of(change: Evidence) -> str:
    """Return what was changed, without when that was."""
    return re.split(r" (?:before|after) the incident opened: ", change.summary, maxsplit=1)[-1]


def takes_back(later: Evidence, earlier: Evidence) -> bool:
    """Tell whether a rollout changes back what an earlier one changed, as `kubectl rollout undo` does."""
    told = (detail_of(later), detail_of(earlier))
    if not all(e.key.startswith(f"change/{ChangeKind.ROLLOUT}/") for e in (later, earlier)) or not all(told):
        return False
    return set(told[0].split("; ")) == set(_reversed(told[1]))


def _of_target(change: Evidence) -> bool:
    kind, told = _KEY.match(change.key), _TOLD.search(change.summary)
    if kind is None or told is None or told[1] or kind[1] in _BY_THEMSELVES:
        return False
    return not any(f"(by {name}" in change.summary for name in _CONTROLLERS)


def _reversed(detail: str) -> Iterator[str]:
    """Yield what a template difference says, the other way round: `image 2 -> 1` of `image 1 -> 2`."""
    for part in detail.split("; "):
        moved = re.fullmatch(r"(image |.*?: )?(.+) -> (.+)", part)
        named = re.fullmatch(r"(.+) (added|removed)(| \(.*\))", part)
        if moved is not None:
            yield f"{moved[1] or ''}{moved[3]} -> {moved[2]}"
        elif named is not None:
            yield f"{named[1]} {'removed' if named[2] == 'added' else 'added'}{named[3]}"
        else:
            yield part
