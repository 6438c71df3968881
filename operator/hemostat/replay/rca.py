"""Recorded metrics and spans -> ranked services with the reasons: what `hemostat replay rca` and the benchmark run."""

from dataclasses import dataclass
from pathlib import Path

from hemostat.errors import Refused
from hemostat.replay import spans, table
from hemostat.signals.rootcause.beginning import Beginning, beginnings
from hemostat.signals.rootcause.rank import Candidate, rank
from hemostat.signals.rootcause.series import Recorded, Recording, recording
from hemostat.signals.rootcause.shift import Window, troubles
from hemostat.signals.rootcause.traces import Fold


@dataclass(frozen=True, slots=True)
class Ranking:
    """Who may be the cause of what began at a moment."""

    at: float
    """When the trouble began, in seconds since the epoch."""
    noticed: Beginning | None
    """How that was found; None where it was given."""
    others: tuple[Beginning, ...]
    """Other times at which trouble began."""
    until: float
    """Nothing later than this was looked at."""
    candidates: tuple[Candidate, ...]


def read(metrics: Path | None, traces: Path | None) -> list[Recorded]:
    """Read the files as series. Raises `Refused` with the file and what is wrong in it."""
    if metrics is None and traces is None:
        raise Refused("NothingToRead", "give --metrics FILE, --traces FILE or both")
    series = table.read(metrics) if metrics is not None else []
    if traces is not None:
        fold = Fold()
        for span in spans.read(traces):
            fold.add(span)
        series += fold.series()
    return series


def load(metrics: Path | None, traces: Path | None) -> Recording:
    """Read the files as a recording. Raises `Refused` as `read` does, and when no metric tells anything."""
    known = recording(read(metrics, traces))
    if not known.quantities:
        names = ", ".join(known.unused[:5])
        raise Refused(
            "Unknown", f"no metric whose name tells its meaning (cpu, latency, errors, requests, ...): {names}"
        )
    if not any(len(quantity.times) for quantity in known.quantities):
        raise Refused("NothingRecorded", "no metric has a sample, and no trace a call that begins or arrives")
    return known


def analyse(known: Recording, at: float | None = None, window: Window | None = None) -> Ranking:
    """Rank the services for trouble that began at `at`, else for the first trouble that a stream would have noticed.

    Raises `Refused` when no trouble is found, or there is nothing recorded around `at`.
    """
    window = window or Window()
    noticed: Beginning | None = None
    others: tuple[Beginning, ...] = ()
    if at is None:
        found = beginnings(known, window)
        if not found:
            raise Refused("NoTrouble", "nothing left its usual range for long enough to be trouble; give --at TIME")
        noticed, others = found[0], found[1:]
        at = noticed.began
    _recorded_around(known, at)
    until = at + window.after
    ranked = rank(troubles(known, at, window), known.edges, known.services)
    return Ranking(at, noticed, others, until, ranked)


def _recorded_around(known: Recording, at: float) -> None:
    times = [q.times for q in known.quantities if len(q.times)]
    first, last = min(t[0] for t in times), max(t[-1] for t in times)
    if not first < at <= last:
        raise Refused(
            "NothingRecorded",
            f"the time given is not within the recording: it must have samples before and after it"
            f" (it goes from {first:.0f} to {last:.0f} seconds since 1970, {last - first:.0f} s)",
        )
