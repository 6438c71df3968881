"""The open Incidents of one namespace, and which Watch's trouble each of them stands for (pure).

What the API server lists is the truth; what was just decided here counts until it can have been written.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hemostat.api.incident import Incident, Storm
from hemostat.signals.correlate.draft import is_over

WRITTEN_WITHIN = timedelta(seconds=60)
"""A decision that is not listed after so long was not written: it is taken anew."""


@dataclass(frozen=True, slots=True)
class Open:
    """An open Incident."""

    name: str
    watch: str
    part_of: str
    """The Incident it is part of, or an empty text."""
    symptoms: tuple[str, ...] = ()
    """Watches whose signals it shows besides its own."""


class Ledger:
    """Not thread-safe. Bounded by the open Incidents and the Watches that report."""

    def __init__(self) -> None:
        self.open: dict[str, Open] = {}
        """By Watch."""
        self.belongs: dict[str, str] = {}
        """Watch -> the Incident that shows its signals."""
        self.ended: dict[str, datetime] = {}
        """Incidents that open ones are part of, and that are over: since when that is known."""
        self._noted: dict[str, tuple[Open, datetime]] = {}
        """Opened by ourselves and not yet listed, by Watch."""
        self._shifted: dict[str, tuple[str, datetime]] = {}
        """Incident -> the one it was found to be part of."""
        self._absorbed: dict[str, str] = {}
        """Watch -> the Incident that stands for it because of a storm."""
        self._storms: dict[str, Storm] = {}
        """Per Incident the most that it stood for."""

    def listed(self, incidents: Iterable[Incident], asked: datetime, reporting: Collection[str]) -> None:
        """Take note of all Incidents, as listed at `asked`."""
        self._shifted = {i: (p, t) for i, (p, t) in self._shifted.items() if asked - t < WRITTEN_WITHIN}
        self._noted = {w: (o, t) for w, (o, t) in self._noted.items() if t >= asked}
        found = [self._as_shifted(_read(i)) for i in incidents if not is_over(i)]
        self.open = {o.watch: o for o in found} | {w: o for w, (o, _) in self._noted.items()}
        names, shown = {o.name for o in self.open.values()}, {w for o in found for w in o.symptoms}
        for one in found:
            for watch in one.symptoms:
                self.belongs.setdefault(watch, one.name)
        known = shown.union(reporting)
        self.belongs = {w: i for w, i in self.belongs.items() if i in names and w in known}
        self._absorbed = {w: i for w, i in self._absorbed.items() if self.belongs.get(w) == i}
        self._storms = {i: s for i, s in self._storms.items() if i in names}
        over = {o.part_of for o in self.open.values() if o.part_of} - names
        self.ended = {p: self.ended.get(p, asked) for p in over}

    def rewind(self, now: datetime) -> None:
        """Have nothing lie in the future when the clock was set back."""
        self.ended = {i: min(t, now) for i, t in self.ended.items()}
        self._noted = {w: (o, min(t, now)) for w, (o, t) in self._noted.items()}
        self._shifted = {i: (p, min(t, now)) for i, (p, t) in self._shifted.items()}

    def opened(self, watch: str, incident: str, now: datetime) -> None:
        """Take note of an Incident that was just opened."""
        one = Open(incident, watch, "")
        self._noted[watch] = (one, now)
        self.open[watch] = one
        self.release(watch)

    def shift(self, mine: Open, cause: Open, now: datetime) -> None:
        """The cause of this Incident is that one; whomever it stood for, that one stands for now."""
        self._shifted[mine.name] = (cause.name, now)
        self.open[mine.watch] = self._as_shifted(mine)
        for watch in [mine.watch, *(w for w, name in self.belongs.items() if name == mine.name)]:
            self.join(watch, cause.name)

    def join(self, watch: str, incident: str) -> None:
        """Have the Incident show what this Watch sees, for it explains it."""
        self.belongs[watch] = incident
        self._absorbed.pop(watch, None)

    def absorb(self, watch: str, able: Collection[Open]) -> None:
        """Have one of these Incidents stand for the Watch, for there are too many already: always the same one."""
        if able:
            counts = list(self._absorbed.values())
            chosen = max(able, key=lambda o: (counts.count(o.name), o.name))
            self.belongs[watch] = self._absorbed[watch] = chosen.name

    def release(self, watch: str) -> None:
        """No Incident of another stands for it any more."""
        self.belongs.pop(watch, None)
        self._absorbed.pop(watch, None)

    def holder(self, incident: str) -> str | None:
        """Return the Watch whose open Incident this is."""
        return next((o.watch for o in self.open.values() if o.name == incident), None)

    def stormy(self, watch: str) -> bool:
        """Tell whether an Incident stands for the Watch only because there are too many."""
        return watch in self._absorbed

    def absorbed(self, incident: str) -> list[str]:
        """Return the Watches that the Incident stands for because of a storm."""
        return [w for w, name in self._absorbed.items() if name == incident]

    def storm(self, incident: str, found: Storm) -> Storm | None:
        """Return the most that the Incident stood for, given what it stands for now; None if never for anything."""
        most = self._storms.get(incident, Storm(targets=0, signals=0))
        if found.targets > most.targets:
            most = found.model_copy(update={"signals": max(found.signals, most.signals)})
        elif found.signals > most.signals:
            most = most.model_copy(update={"signals": found.signals})
        if most.targets:
            self._storms[incident] = most
        return most if most.targets else None

    def _as_shifted(self, one: Open) -> Open:
        parent, _ = self._shifted.get(one.name, ("", None))
        return replace(one, part_of=parent) if parent and not one.part_of else one


def _read(incident: Incident) -> Open:
    part_of = incident.status.part_of
    return Open(
        name=incident.metadata.name,
        watch=incident.spec.watch_ref.name,
        part_of=part_of.name if part_of is not None else "",
        symptoms=tuple(sorted({s.watch_ref.name for s in incident.status.signals if s.watch_ref is not None})),
    )
