"""What specialists may look up: read-only, bounded, and what is found becomes evidence before anybody reads it."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any

from pydantic import ValidationError

from hemostat.api.incident import MAX_EVIDENCE, Evidence, EvidenceKind
from hemostat.deadline import Busy, InTime, Late
from hemostat.diagnosis.evidence import MAX_TEXT, Item, append
from hemostat.diagnosis.panel.reply import Reply, place
from hemostat.diagnosis.redact import redact
from hemostat.errors import HemostatError

MAX_ITEMS = 8
"""Items that one call of a tool may add."""
MAX_WRONG = 1000
"""Characters of what is wrong with a call."""
MAX_AT_ONCE = 16
"""Look-ups under way in the whole process; one that takes too long keeps its place until it ends by itself."""
_CALLS = InTime("look-up", MAX_AT_ONCE)


@dataclass(frozen=True, slots=True)
class Tool:
    """One thing that can be looked up.

    :param kind: what its results are as evidence: a namespace that does not let this kind out has no such tool.
    :param run: takes valid arguments and the seconds it may take. Raises `HemostatError` saying what went wrong.
    """

    name: str
    description: str
    kind: EvidenceKind
    arguments: type[Reply]
    run: Callable[[Any, float], Sequence[Item]]


class Pad:
    """The evidence of an Incident while a panel is at work, to which tools add (thread-safe).

    :param evidence: all of it: numbers go on from there.
    :param allowed: the kinds that a model may see.
    :param most: items in all beyond which nothing is added.
    """

    def __init__(
        self,
        evidence: Sequence[Evidence],
        allowed: frozenset[EvidenceKind],
        now: Callable[[], datetime],
        most: int = MAX_EVIDENCE,
    ) -> None:
        self.allowed, self._most = allowed, most
        self._known, self._all = len(evidence), tuple(evidence)
        self._now = now
        self._lock = Lock()

    @property
    def shown(self) -> tuple[Evidence, ...]:
        """What a model may see of it, at present."""
        return tuple(e for e in self._all if e.kind in self.allowed and not e.past)

    @property
    def looked_up(self) -> tuple[Evidence, ...]:
        """What was added."""
        return self._all[self._known :]

    def add(self, found: Iterable[Item]) -> tuple[Evidence, ...]:
        """Number what was found; what is known already keeps its number, what has no room is left out."""
        items = list(found)[:MAX_ITEMS]
        with self._lock:
            self._all = append(self._all, items, self._now(), self._most)
            keys = {item.identity for item in items}
            return tuple(e for e in self.shown if e.key in keys)


def use(tools: Mapping[str, Tool], name: str, arguments: str, pad: Pad, seconds: float) -> tuple[Evidence, ...] | str:
    """Carry out a call as a model wrote it; return the evidence found, or what is wrong in words for the model.

    Those words quote names out of the cluster, and what the model wrote: they close no block, and tell no secret.
    """
    found = _found(tools, name, arguments, seconds)
    if isinstance(found, str):
        return redact(found[:MAX_TEXT]).replace("<", "\\u003c")[:MAX_WRONG]
    return pad.add(found) or "nothing was found"


def _found(tools: Mapping[str, Tool], name: str, arguments: str, seconds: float) -> list[Item] | str:
    tool = tools.get(name)
    if tool is None:
        return f"there is no tool {name[:64]!r}; there are {', '.join(sorted(tools)) or 'none'}"
    try:
        said = json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        return "the arguments are not JSON"
    try:
        asked = tool.arguments.model_validate(said)
        found = _CALLS.call(lambda: tool.run(asked, seconds), seconds)
    except (Busy, Late):
        return f"it cannot be looked up: it took longer than {seconds:.0f} s"
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        return f"wrong arguments: {place(first['loc'])}: {first['msg']}"
    except HemostatError as error:
        return f"it cannot be looked up: {error}"
    return [item for item in found if item.kind is tool.kind]
