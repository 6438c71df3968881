"""Everything in trouble in one namespace, and what each Watch is to do about it (pure: time is an argument).

A Watch reports what it sees; its word says whether to open an Incident, to wait, or that another's Incident stands for
it. Nothing here must survive a restart: reports come again, and what is open, part of what, and whose symptoms it
shows is read from the Incidents.
"""

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from hemostat.api.incident import Cause, Incident, SignalState, SignalStatus, Storm
from hemostat.api.meta import BoundTargetRef, LocalRef
from hemostat.signals.correlate.blame import Case, Suspect, cases
from hemostat.signals.correlate.draft import is_over
from hemostat.signals.correlate.hints import unwatched_troubles
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
MAX_REPORTED = 16
"""Signals of one Watch that are remembered."""


@dataclass(frozen=True, slots=True)
class Report:
    """What one Watch saw at its last look."""

    watch: LocalRef
    target: BoundTargetRef
    service: str
    signals: tuple[SignalStatus, ...]
    """Those that fire or have fired, as `reported` picks them."""
    fresh: bool
    """Whether anything it saw rests on data: then silence is health."""
    interval: timedelta
    changed: datetime | None = None
    ties: frozenset[str] = frozenset()

    @property
    def firing(self) -> tuple[SignalStatus, ...]:
        """The signals that fire."""
        return tuple(s for s in self.signals if s.state is SignalState.FIRING)


def reported(signals: Iterable[SignalStatus]) -> tuple[SignalStatus, ...]:
    """Return the signals worth reporting: those that fire, then those that did, the latest first; bounded."""
    fired = [s for s in signals if s.state is SignalState.FIRING or s.first_fired_time < s.observed_time]
    fired.sort(key=lambda s: (s.state is not SignalState.FIRING, -s.state_time.timestamp(), s.key))
    return tuple(fired[:MAX_REPORTED])


@dataclass(frozen=True, slots=True)
class Word:
    """What a Watch is to do."""

    opens: bool = False
    """Open an Incident (or reopen the last one), if there is none of its own."""
    part_of: str = ""
    """The Incident that its own is part of."""
    causes: tuple[Cause, ...] = ()
    symptoms: tuple[Suspect, ...] = ()
    """Whose signals its Incident shows besides its own."""
    storm: Storm | None = None
    callees: tuple[str, ...] = ()
    """Services that the target calls."""
    again: float | None = None
    """In how many seconds to look again, if that is sooner than usual."""


@dataclass(slots=True)
class _Seat:
    report: Report
    time: datetime
    since: datetime | None = None
    """When it was first seen firing."""
    cleared: datetime | None = None
    """When it stopped."""


@dataclass(frozen=True, slots=True)
class _Open:
    name: str
    watch: str
    part_of: str
    symptoms: tuple[str, ...] = ()


@dataclass(slots=True)
class _Blame:
    time: datetime
    suspects: Mapping[str, Suspect] = field(default_factory=dict)
    case_of: Mapping[str, Case] = field(default_factory=dict)
    callees: Mapping[str, Sequence[str]] = field(default_factory=dict)
    quiet: Collection[str] = ()


class Board:
    """The state of one namespace. Not thread-safe."""

    def __init__(self) -> None:
        self._seats: dict[str, _Seat] = {}
        self._open: dict[str, _Open] = {}
        """Open Incidents by Watch."""
        self._noted: dict[str, tuple[_Open, datetime]] = {}
        """Opened by ourselves, and not yet listed."""
        self._belongs: dict[str, str] = {}
        """Watch -> the Incident that shows its signals."""
        self._absorbed: dict[str, str] = {}
        """Watch -> the Incident that stands for it because of a storm."""
        self._storms: dict[str, tuple[int, int]] = {}
        """Per Incident the most targets and signals it stood for."""
        self._recent: dict[str, datetime] = {}
        """Watches that opened an Incident within `STORM_WINDOW`."""
        self._shifted: dict[str, tuple[str, datetime]] = {}
        """Incident -> the one it was found to be part of, and when: it may take a while to be written."""
        self._ended: dict[str, datetime] = {}
        """Incidents that others are part of, and that are over."""
        self._blame: _Blame | None = None
        self._began: datetime | None = None

    def report(self, report: Report, now: datetime) -> None:
        """Take note of a look."""
        self._began = self._began or now
        name = report.watch.name
        seat = self._seats.pop(name, None) or _Seat(report, now)
        seat.report, seat.time = report, now
        if report.firing:
            seat.since, seat.cleared = seat.since or now, None
        elif seat.since is not None:
            seat.since, seat.cleared = None, now
        self._seats[name] = seat
        while len(self._seats) > MAX_WATCHES:
            self._seats.pop(next(iter(self._seats)))

    def forget(self, watch: str) -> None:
        """Drop a Watch that was deleted."""
        for known in (self._seats, self._belongs, self._absorbed):
            known.pop(watch, None)

    def dismiss(self, incident: str, now: datetime) -> None:
        """A person deleted this Incident: who it stood for waits for the cause as at the beginning."""
        for watch in [w for w, name in self._belongs.items() if name == incident]:
            seat = self._seats.get(watch)
            if seat is not None and seat.since is not None:
                seat.since = now

    def listed(self, incidents: Iterable[Incident], asked: datetime) -> None:
        """Take note of all Incidents, as listed at `asked`."""
        self._shifted = {i: (p, t) for i, (p, t) in self._shifted.items() if asked - t < OUTLIVES}
        found = [self._as_shifted(_opened(i)) for i in incidents if not is_over(i)]
        self._noted = {w: (o, t) for w, (o, t) in self._noted.items() if t >= asked}
        self._open = {o.watch: o for o in found} | {w: o for w, (o, _) in self._noted.items()}
        names = {o.name for o in self._open.values()}
        for one in found:
            for watch in one.symptoms:
                self._belongs.setdefault(watch, one.name)
        parents = {o.part_of for o in self._open.values() if o.part_of} - names
        self._ended = {p: self._ended.get(p, asked) for p in parents}
        self._absorbed = {w: i for w, i in self._absorbed.items() if i in names}
        self._belongs = {w: i for w, i in self._belongs.items() if i in names and w in self._seats_or(found)}
        self._storms = {i: s for i, s in self._storms.items() if i in names}

    def opened(self, watch: str, incident: str, now: datetime) -> None:
        """Take note of an Incident that was just opened."""
        one = _Open(incident, watch, "")
        self._noted[watch] = (one, now)
        self._open[watch] = one
        self._belongs.pop(watch, None)
        self._absorbed.pop(watch, None)

    def recent(self, now: datetime) -> int:
        """Return how many Incidents were opened within the last minute."""
        self._recent = {w: t for w, t in self._recent.items() if now - t < STORM_WINDOW}
        return len(self._recent)

    def word(
        self,
        watch: str,
        graph: CallGraph,
        now: datetime,
        *,
        crowded: bool = False,
    ) -> Word:
        """Say what the Watch is to do.

        :param graph: the live call graph, services by their names in traces.
        :param crowded: other namespaces are in trouble too: one Incident here is enough.
        """
        seat = self._seats.get(watch)
        if seat is None:
            return Word()
        blame = self._blamed(graph, now)
        mine = self._open.get(watch)
        if mine is not None:
            return self._kept(mine, blame, now)
        if seat.since is None:
            return Word()
        if watch not in blame.suspects:
            return Word(again=SOON)
        return self._led(watch, blame, now, crowded=crowded)

    # --- a Watch with an Incident of its own -------------------------------------------------------------------

    def _kept(self, mine: _Open, blame: _Blame, now: datetime) -> Word:
        case, seat = blame.case_of.get(mine.watch), self._seats[mine.watch]
        causes = case.ranking if case is not None else ()
        storm = self._storm(mine.name)
        return Word(
            part_of=self._parent(mine, case, now),
            causes=causes,
            symptoms=self._symptoms(mine, blame),
            storm=storm,
            callees=tuple(dict.fromkeys(blame.callees.get(seat.report.service, ())))[:MAX_CALLEES],
            again=AGAIN,
        )

    def _parent(self, mine: _Open, case: Case | None, now: datetime) -> str:
        if mine.part_of:
            ended = self._ended.get(mine.part_of)
            seat = self._seats[mine.watch]
            alone = ended is not None and seat.since is not None and now - ended >= OUTLIVES
            return "" if alone else mine.part_of
        if case is None or case.cause.name == mine.watch:
            return ""
        lead = self._open.get(case.cause.name)
        if lead is None or lead.part_of:
            return ""
        self._shifted[mine.name] = (lead.name, now)
        self._open[mine.watch] = self._as_shifted(mine)
        self._belongs[mine.watch] = lead.name
        for watch in [w for w, name in self._belongs.items() if name == mine.name]:
            self._belongs[watch] = lead.name
        return lead.name

    def _as_shifted(self, one: _Open) -> _Open:
        parent, _ = self._shifted.get(one.name, ("", None))
        return replace(one, part_of=parent) if parent and not one.part_of else one

    def _symptoms(self, mine: _Open, blame: _Blame) -> tuple[Suspect, ...]:
        """Return everybody whom the Incident stands for, also those that have cleared meanwhile."""
        out = []
        for watch in sorted(w for w, name in self._belongs.items() if name == mine.name and w != mine.watch):
            seat = self._seats.get(watch)
            if seat is None or (seat.since is not None and mine.watch not in blame.suspects):
                continue
            report = seat.report
            out.append(Suspect(report.watch, report.target, report.service, report.signals))
        return tuple(out)

    def _storm(self, incident: str) -> Storm | None:
        watches = [w for w, name in self._absorbed.items() if name == incident and w in self._seats]
        signals = sum(len(self._seats[w].report.firing) for w in watches)
        targets, most = self._storms.get(incident, (0, 0))
        if not watches and not targets:
            return None
        self._storms[incident] = max(targets, len(watches)), max(most, signals)
        targets, most = self._storms[incident]
        return Storm(targets=targets, signals=most)

    # --- a Watch in trouble without an Incident ----------------------------------------------------------------

    def _led(self, watch: str, blame: _Blame, now: datetime, *, crowded: bool) -> Word:
        case = blame.case_of[watch]
        explained = {s.name for s in case.symptoms} if case.cause.name == watch else set()
        if case.cause.name != watch:
            lead = self._open.get(case.cause.name)
            if lead is not None:
                self._belongs[watch] = lead.name
                self._absorbed.pop(watch, None)
            return Word(causes=case.ranking, again=AGAIN)
        if self._stands_for(watch, explained, blame):
            return Word(causes=case.ranking, again=AGAIN)
        self._belongs.pop(watch, None)
        self._absorbed.pop(watch, None)
        wait = self._wait(case, blame, now)
        if wait > 0:
            return Word(causes=case.ranking, again=min(wait, AGAIN))
        if watch not in self._recent and self.recent(now) >= self._limit(explained, crowded=crowded):
            self._absorb(watch, blame)
            return Word(causes=case.ranking, again=AGAIN)
        self._recent[watch] = now
        return Word(opens=True, causes=case.ranking, again=AGAIN)

    def _limit(self, explained: Collection[str], *, crowded: bool) -> int:
        """Return how many Incidents may have been opened lately for another one to be opened.

        The cause of some that are open may be opened late: those become part of it, there are no more to look at.
        """
        limit = 1 if crowded else STORM_LIMIT
        replaces = any(w in explained and not o.part_of for w, o in self._open.items())
        return 2 * limit if replaces else limit

    def _stands_for(self, watch: str, explained: Collection[str], blame: _Blame) -> bool:
        """Tell whether an open Incident showed this trouble before and may still be its cause."""
        name = self._belongs.get(watch)
        holder = next((o.watch for o in self._open.values() if o.name == name), None)
        return holder is not None and holder in blame.suspects and holder not in explained

    def _wait(self, case: Case, blame: _Blame, now: datetime) -> float:
        """Return for how many seconds a callee that is watched and well yet may still turn out to be the cause."""
        settled = ((self._began or now) + SETTLES - now).total_seconds()
        if settled > 0 or not _may_shift(case.cause.service, blame):
            return max(0.0, settled)
        sinces = [seat.since for s in (case.cause, *case.symptoms) if (seat := self._seats.get(s.name)) is not None]
        began = min((t for t in sinces if t is not None), default=now)
        return (GROUP_WAIT - (now - began)).total_seconds()

    def _absorb(self, watch: str, blame: _Blame) -> None:
        able = [o for o in self._open.values() if not o.part_of and o.watch in blame.suspects]
        if not able:
            return
        counts = {o.name: sum(i == o.name for i in self._absorbed.values()) for o in able}
        chosen = max(able, key=lambda o: (counts[o.name], o.name))
        self._belongs[watch] = self._absorbed[watch] = chosen.name

    # --- blame -------------------------------------------------------------------------------------------------

    def _blamed(self, graph: CallGraph, now: datetime) -> _Blame:
        if self._blame is not None and timedelta(0) <= now - self._blame.time < RECOMPUTE:
            return self._blame
        suspects = {}
        for name, seat in list(self._seats.items()):
            if now - seat.time > max(OUTLIVES, 3 * seat.report.interval):
                del self._seats[name]
            elif (suspect := self._suspect(name, seat, now)) is not None:
                suspects[name] = suspect
        troubled = {s.service for s in suspects.values()}
        well = {s.report.service for s in self._seats.values() if s.report.fresh} - troubled
        watched = {s.report.service for s in self._seats.values()}
        edges = [(e.caller, e.callee) for e in graph.edges]
        callees: dict[str, list[str]] = {}
        for caller, callee in edges:
            callees.setdefault(caller, []).append(callee)
        found = cases(list(suspects.values()), edges, well, unwatched_troubles(graph, watched))
        case_of = {s.name: case for case in found for s in (case.cause, *case.symptoms)}
        self._blame = _Blame(now, suspects, case_of, callees, well)
        return self._blame

    def _suspect(self, name: str, seat: _Seat, now: datetime) -> Suspect | None:
        mine = self._open.get(name)
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
            ties=report.ties,
            incident=mine.name if mine is not None else "",
            part_of=mine.part_of if mine is not None and mine.part_of not in self._ended else "",
        )

    def _seats_or(self, found: Sequence[_Open]) -> set[str]:
        """Return the Watches that report, and those whose signals are shown: after a restart they report soon."""
        return {*self._seats, *(w for one in found for w in one.symptoms)}


def _may_shift(service: str, blame: _Blame) -> bool:
    """Tell whether the service calls one that is watched and well, directly or through services nobody watches."""
    todo, seen = deque(blame.callees.get(service, ())), {service}
    while todo:
        callee = todo.popleft()
        if callee in seen:
            continue
        if callee in blame.quiet:
            return True
        seen.add(callee)
        todo.extend(blame.callees.get(callee, ()))
    return False


def _opened(incident: Incident) -> _Open:
    part_of = incident.status.part_of
    return _Open(
        name=incident.metadata.name,
        watch=incident.spec.watch_ref.name,
        part_of=part_of.name if part_of is not None else "",
        symptoms=tuple(sorted({s.watch_ref.name for s in incident.status.signals if s.watch_ref is not None})),
    )
