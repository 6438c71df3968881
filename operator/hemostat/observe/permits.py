"""Which evidence of a namespace a model may see: what the Namespace's annotation lists, and nothing without it.

Whoever may write Namespaces decides for all who work in them; a name that is no kind of evidence lets nothing out.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hemostat.api.incident import EvidenceKind
from hemostat.errors import HemostatError

ANNOTATION = "hemostat.dev/evidence-for-model"
KNOWN_SECONDS = 5.0
MAX_NAMESPACES = 2_000
_QUOTING = frozenset({EvidenceKind.EPISODE})
"""Kinds that quote signals: a past incident is told by its title, and by a lesson of what fired."""
_KINDS = {kind.value: kind for kind in EvidenceKind}


@dataclass(frozen=True, slots=True)
class Permit:
    """What may leave."""

    kinds: frozenset[EvidenceKind] = frozenset()
    problem: str = ""
    """Why nothing may, in words for who would have it otherwise."""


def permit(annotations: Mapping[str, str]) -> Permit:
    """Read the annotation: kinds of evidence, with commas between (pure)."""
    text = annotations.get(ANNOTATION)
    if text is None:
        return Permit(problem=f"no evidence may leave: the Namespace has no annotation {ANNOTATION}")
    names = [name.strip() for name in text.split(",") if name.strip()]
    wrong = sorted(set(names) - _KINDS.keys())
    if wrong or not names:
        what = f"{', '.join(wrong)[:200]!r} in it is none" if wrong else "it names none"
        return Permit(problem=f"no evidence may leave: {ANNOTATION} lists kinds of {', '.join(_KINDS)}, and {what}")
    kinds = frozenset(_KINDS[name] for name in names)
    return Permit(kinds if EvidenceKind.SIGNAL in kinds else kinds - _QUOTING)


class Permits:
    """Asks for Namespaces, each at most once in five seconds (thread-safe); one that cannot be read lets nothing out.

    :param annotations: of a Namespace by name. Raises `HemostatError`.
    :param clock: monotonic seconds.
    """

    def __init__(self, annotations: Callable[[str], Mapping[str, str]], clock: Callable[[], float]) -> None:
        self._annotations, self._clock = annotations, clock
        self._lock = threading.Lock()
        self._known: OrderedDict[str, tuple[float, Permit]] = OrderedDict()

    def of(self, namespace: str) -> Permit:
        """Return what of a namespace a model may see."""
        now = self._clock()
        with self._lock:
            known = self._known.get(namespace)
        if known is not None and now - known[0] < KNOWN_SECONDS:
            return known[1]
        try:
            found = permit(self._annotations(namespace))
        except HemostatError as error:
            found = Permit(problem=f"no evidence may leave: Namespace {namespace} cannot be read: {error}")
        with self._lock:
            self._known[namespace] = (now, found)
            self._known.move_to_end(namespace)
            if len(self._known) > MAX_NAMESPACES:
                self._known.popitem(last=False)
        return found
