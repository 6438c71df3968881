"""Everything in trouble in one namespace, and what each Watch is to do about it (pure: time is an argument).

A Watch reports what it sees; its word says whether to open an Incident, to wait, or that another's Incident stands for
it. Nothing here must survive a restart: reports come again, and what is open, part of what, and whose symptoms it
shows is read from the Incidents.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from hemostat.api.incident import MAX_NAMED, MAX_SHARED, Incident, Storm
from hemostat.signals.correlate.blame import Case, Suspect
from hemostat.signals.correlate.laying import Blame, lay
from hemostat.signals.correlate.ledger import Ledger, Open
from hemostat.signals.correlate.report import Report, Word
from hemostat.telemetry.graph import CallGraph

GROUP_WAIT = timedelta(seconds=5)
"""How long a caller in trouble waits for the signal of one that it calls (Alertmanager's `group_wait`)."""
SETTLES = timedelta(seconds=10)
"""After a start nobody is blamed for so long: not every Watch has been heard yet."""
OUTLIVES = timedelta(seconds=60)
"""What fires so long after the cause has cleared is no symptom of it."""
STORM_WINDOW = timedelta(seconds=60)
STORM_LIMIT = 5
"""Incidents opened in one namespace within `STORM_WINDOW`; further trouble joins one of them."""
RECOMPUTE = timedelta(seconds=0.5)
"""Blame is laid anew at most so often: in a storm every Watch asks."""
SOON, AGAIN = 0.5, 2.0
"""Seconds after which a Watch should ask again."""
MAX_WATCHES = 5_000
MAX_CALLEES = 32


@dataclass(slots=True)
class _Seat:
    report: Report
    time: datetime
    since: datetime | None = None
    """When it was first seen firing; what comes on top of a full quota is new."""
    cleared: datetime | None = None
    """When it stopped."""
    explained: datetime | None = None
    """When another was last to blame for what no full quota explains."""


class Board:
    """The state of one namespace. Not thread-safe."""

    def __init__(self) -> None:
        self._seats: dict[str, _Seat] = {}
        self._ledger = Ledger()
        self._recent: dict[str, datetime] = {}
        """Watches that opened an Incident within `STORM_WINDOW`."""
        self._blame: Blame | None = None
        self._began: datetime | None = None
        self._latest = datetime.min.replace(tzinfo=UTC)

    def report(self, report: Report, now: datetime) -> None:
        """Take note of a look."""
        self._rewind(now)
        self._began = self._began or now
        name = report.watch.name
        seat = self._seats.pop(name, None) or _Seat(report, now)
        other = seat.report.quota.cause and not report.quota.explains
        seat.report, seat.time = report, now
        if report.firing:
            seat.since, seat.cleared = now if other else seat.since or now, None
        elif seat.since is not None:
            seat.since, seat.cleared = None, now
        self._seats[name] = seat
        while len(self._seats) > MAX_WATCHES:
            self._seats.pop(next(iter(self._seats)))

    def _rewind(self, now: datetime) -> None:
        """Have nothing lie in the future when the clock was set back, or everybody waits until it comes."""
        back, self._latest = now < self._latest, now
        if not back:
            return
        self._blame = None
        self._began = self._began and min(self._began, now)
        self._recent = {w: min(t, now) for w, t in self._recent.items()}
        for seat in self._seats.values():
            seat.time = min(seat.time, now)
            seat.since, seat.cleared = seat.since and min(seat.since, now), seat.cleared and min(seat.cleared, now)
            seat.explained = seat.explained and min(seat.explained, now)
        self._ledger.rewind(now)

    def forget(self, watch: str) -> None:
        """Drop a Watch that was deleted."""
        self._seats.pop(watch, None)
        self._ledger.release(watch)

    def dismiss(self, incident: str, now: datetime) -> None:
        """A person deleted this Incident: who it stood for waits for the cause as at the beginning."""
        for watch in [w for w, name in self._ledger.belongs.items() if name == incident]:
            seat = self._seats.get(watch)
            if seat is not None and seat.since is not None:
                seat.since = now

    def listed(self, incidents: Iterable[Incident], asked: datetime) -> None:
        """Take note of all Incidents, as listed at `asked`."""
        self._ledger.listed(incidents, asked, self._seats)

    def opened(self, watch: str, incident: str, now: datetime) -> None:
        """Take note of an Incident that was just opened."""
        self._ledger.opened(watch, incident, now)

    def recent(self, now: datetime) -> int:
        """Return how many Incidents were opened within the last minute."""
        self._recent = {w: t for w, t in self._recent.items() if now - t < STORM_WINDOW}
        return len(self._recent)

    def word(self, watch: str, graph: CallGraph, now: datetime, *, crowded: bool = False) -> Word:
        """Say what the Watch is to do.

        :param graph: the live call graph, services by their names in traces.
        :param crowded: other namespaces are in trouble too: one Incident here is enough.
        """
        seat = self._seats.get(watch)
        if seat is None:
            return Word()
        blame = self._laid(graph, now)
        mine = self._ledger.open.get(watch)
        if mine is not None:
            return replace(self._kept(mine, seat, blame, now), callers=graph.upstream(seat.report.service))
        if seat.since is None:
            return Word()
        if watch not in blame.suspects:
            return Word(again=SOON)
        return self._led(watch, blame, now, crowded=crowded)

    # --- a Watch with an Incident of its own -------------------------------------------------------------------

    def _kept(self, mine: Open, seat: _Seat, blame: Blame, now: datetime) -> Word:
        case = blame.case_of.get(mine.watch)
        return Word(
            part_of=self._parent(mine, seat, blame, now),
            causes=case.ranking if case is not None else (),
            symptoms=self._symptoms(mine, blame),
            storm=self._storm(mine.name),
            callees=tuple(dict.fromkeys(blame.callees.get(seat.report.service, ())))[:MAX_CALLEES],
            again=AGAIN,
        )

    def _parent(self, mine: Open, seat: _Seat, blame: Blame, now: datetime) -> str:
        """Return what it is part of. Only one that is part of nothing becomes part of another that is part of nothing:
        so blame never goes in a circle.
        """
        if mine.part_of:
            ended = self._ledger.ended.get(mine.part_of)
            alone = ended is not None and seat.since is not None and now - ended >= OUTLIVES
            return "" if alone or self._outgrew(mine.watch, mine.part_of, blame) else mine.part_of
        case = blame.case_of.get(mine.watch)
        if case is None or case.cause.name == mine.watch:
            return ""
        cause = self._ledger.open.get(case.cause.name)
        if cause is None or cause.part_of:
            return ""
        self._ledger.shift(mine, cause, now)
        return cause.name

    def _symptoms(self, mine: Open, blame: Blame) -> tuple[Suspect, ...]:
        """Return everybody whom the Incident stands for, also those that have cleared meanwhile."""
        out = []
        for watch in sorted(w for w, name in self._ledger.belongs.items() if name == mine.name and w != mine.watch):
            seat = self._seats.get(watch)
            if seat is None or (seat.since is not None and mine.watch not in blame.suspects):
                continue
            if self._outgrew(watch, mine.name, blame):
                continue
            report = seat.report
            out.append(Suspect(report.watch, report.target, report.service, report.signals))
        return tuple(out)

    def _storm(self, incident: str) -> Storm | None:
        """Return the most that the Incident stood for; None if it never did for anything."""
        reports = [self._seats[w].report for w in self._ledger.absorbed(incident) if w in self._seats]
        found = Storm(
            targets=len(reports),
            signals=sum(len(r.firing) for r in reports),
            names=tuple(sorted(f"{r.target.kind} {r.target.name}"[:256] for r in reports)[:MAX_NAMED]),
            shared=self._shared(reports),
        )
        return self._ledger.storm(incident, found)

    def _shared(self, reports: Sequence[Report]) -> tuple[str, ...]:
        """Return what all of these share and no Watch that is well does: changes before nodes."""
        if len(reports) <= 1:
            return ()
        common = frozenset.intersection(*(r.shares for r in reports))
        for seat in self._seats.values() if common else ():
            common -= seat.report.shares if seat.since is None else frozenset()
        return tuple(sorted(common, key=lambda s: (s.startswith("node "), s))[:MAX_SHARED])

    # --- a Watch in trouble without an Incident ----------------------------------------------------------------

    def _led(self, watch: str, blame: Blame, now: datetime, *, crowded: bool) -> Word:
        case = blame.case_of[watch]
        if case.cause.name != watch:
            lead = self._ledger.open.get(case.cause.name)
            if lead is not None:
                self._ledger.join(watch, lead.name)
            return Word(again=AGAIN)
        explained = {s.name for s in case.symptoms}
        if self._stands_for(watch, explained, blame):
            return Word(again=AGAIN)
        self._ledger.release(watch)
        wait = self._wait(case, blame, now)
        if wait > 0:
            return Word(again=min(wait, AGAIN))
        if watch not in self._recent and self.recent(now) >= self._limit(explained, crowded=crowded):
            able = [o for o in self._ledger.open.values() if not o.part_of and o.watch in blame.suspects]
            self._ledger.absorb(watch, able)
            return Word(again=AGAIN)
        self._recent[watch] = now
        return Word(opens=True, causes=case.ranking, again=AGAIN)

    def _limit(self, explained: Collection[str], *, crowded: bool) -> int:
        """Return how many Incidents may have been opened lately for another one to be opened.

        The cause of some that are open may be opened late: those become part of it, there are no more to look at.
        """
        limit = 1 if crowded else STORM_LIMIT
        replaces = any(w in explained and not o.part_of for w, o in self._ledger.open.items())
        return 2 * limit if replaces else limit

    def _stands_for(self, watch: str, explained: Collection[str], blame: Blame) -> bool:
        """Tell whether an open Incident showed this trouble before and may still be its cause."""
        name = self._ledger.belongs.get(watch, "")
        holder = self._ledger.holder(name)
        stands = holder is not None and holder in blame.suspects and holder not in explained
        return stands and not self._outgrew(watch, name, blame)

    def _outgrew(self, watch: str, incident: str, blame: Blame) -> bool:
        """Tell whether the Incident, about a full quota, stood for this Watch, and there is other trouble by now that
        nobody else explains, nor did a moment ago.
        """
        suspect = blame.suspects.get(watch)
        if suspect is None or suspect.quota.explains or blame.case_of[watch].cause.name != watch:
            return False
        holder = blame.suspects.get(self._ledger.holder(incident) or "")
        if holder is None or not holder.quota.full or self._ledger.stormy(watch):
            return False
        explained = self._seats[watch].explained
        return explained is None or blame.time - explained >= OUTLIVES

    def _wait(self, case: Case, blame: Blame, now: datetime) -> float:
        """Return for how many seconds a callee that is watched and well yet may still turn out to be the cause."""
        settled = ((self._began or now) + SETTLES - now).total_seconds()
        if settled > 0 or not blame.may_shift(case.cause.service):
            return max(0.0, settled)
        sinces = [seat.since for s in (case.cause, *case.symptoms) if (seat := self._seats.get(s.name)) is not None]
        began = min((t for t in sinces if t is not None), default=now)
        return (GROUP_WAIT - (now - began)).total_seconds()

    # --- blame -------------------------------------------------------------------------------------------------

    def _laid(self, graph: CallGraph, now: datetime) -> Blame:
        if self._blame is not None and timedelta(0) <= now - self._blame.time < RECOMPUTE:
            return self._blame
        for name, seat in list(self._seats.items()):
            if now - seat.time > max(OUTLIVES, 3 * seat.report.interval):
                del self._seats[name]
        suspects = {n: s for n, seat in self._seats.items() if (s := self._suspect(n, seat, now)) is not None}
        self._blame = lay(suspects, [seat.report for seat in self._seats.values()], graph, now)
        for name, suspect in suspects.items():
            if not suspect.quota.explains and self._blame.case_of[name].cause.name != name:
                self._seats[name].explained = now
        return self._blame

    def _suspect(self, name: str, seat: _Seat, now: datetime) -> Suspect | None:
        mine = self._ledger.open.get(name)
        clearing = mine is not None and not mine.part_of and seat.cleared is not None and now - seat.cleared < OUTLIVES
        if seat.since is None and not clearing:
            return None
        report = seat.report
        return Suspect(
            watch=report.watch,
            target=report.target,
            service=report.service,
            signals=report.firing,
            changed=report.changed,
            change=report.change,
            ties=report.ties,
            quota=report.quota,
            incident=mine.name if mine is not None else "",
            part_of=mine.part_of if mine is not None and mine.part_of not in self._ledger.ended else "",
        )
