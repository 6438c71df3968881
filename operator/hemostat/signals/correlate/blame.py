"""Who is to blame: targets in trouble at the same time -> one case per cause (pure, deterministic).

A target in trouble is explained by one that it calls and that is in trouble too, directly or through services nobody
watches; by its caller, where only that caller sees it and has trouble of its own; and by whatever it shares with
another (target, owner, node, full quota). Who explain each other in a circle are one cause, and the ranking over the
call graph (`signals.rootcause`) says which of them. So blame never goes in a circle, and two faults that do not explain
each other are two cases.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hemostat.api.incident import MAX_CAUSES, Cause, SignalSource, SignalStatus
from hemostat.api.meta import BoundTargetRef, LocalRef
from hemostat.api.watch import SignalKind
from hemostat.signals.correlate.components import components
from hemostat.signals.correlate.quota import UNTOLD, Quota
from hemostat.signals.rootcause import Candidate, Sign, Trouble, rank
from hemostat.signals.sentence import sentence

Edge = tuple[str, str]
"""(caller, callee), by service name."""
RECENT_CHANGE = timedelta(minutes=10)
"""A rollout so long before the trouble began may be its cause."""
LATER = timedelta(minutes=2)
"""What began so long after a trouble does not explain it: signals take their time, but not that long."""
_STAYS = 1.3
"""Among equals the one that has an Incident keeps it, unless another ranks so many times as high."""
_SIGN = {
    SignalKind.ERROR_RATE: Sign.ERRORS,
    SignalKind.LATENCY: Sign.LATENCY,
    SignalKind.SATURATION: Sign.RESOURCE,
    SignalKind.EXHAUSTION: Sign.RESOURCE,
    SignalKind.TRAFFIC: Sign.TRAFFIC,
    SignalKind.WORKLOAD: Sign.WORKLOAD,
}
_SEEN_BY_ITSELF = frozenset({SignalSource.PROMETHEUS, SignalSource.WORKLOAD})


@dataclass(frozen=True, slots=True)
class Suspect:
    """A watched target in trouble."""

    watch: LocalRef
    target: BoundTargetRef
    service: str
    """Its name in traces."""
    signals: tuple[SignalStatus, ...]
    """Those that fire; none while its open Incident is clearing up."""
    changed: datetime | None = None
    """When its present revision began or its configuration was changed, if that was seen."""
    change: str = ""
    """What was changed then, in words, where it was not the revision."""
    ties: frozenset[str] = frozenset()
    """What it shares with others: `owner/<uid>`, `node/<name>`."""
    quota: Quota = UNTOLD
    """What a full quota of the namespace has to do with it."""
    incident: str = ""
    """Name of its open Incident."""
    part_of: str = ""
    """The Incident that its own was found to be part of."""

    @property
    def name(self) -> str:
        """The Watch's name: unique among the suspects of a namespace."""
        return self.watch.name

    @property
    def since(self) -> datetime | None:
        """When the first of its signals fired."""
        return min((s.first_fired_time for s in self.signals), default=None)


@dataclass(frozen=True, slots=True)
class Case:
    """One cause and what it explains."""

    cause: Suspect
    symptoms: tuple[Suspect, ...]
    ranking: tuple[Cause, ...]
    """The likeliest first; names services that nobody watches too."""


def cases(
    suspects: Sequence[Suspect],
    edges: Collection[Edge],
    quiet: Collection[str] = (),
    hints: Sequence[Trouble] = (),
) -> tuple[Case, ...]:
    """Return the cases, ordered by the name of the cause's Watch. Each suspect is in exactly one.

    :param suspects: all of one namespace, each Watch once.
    :param edges: the live call graph.
    :param quiet: services that are watched and well: trouble does not travel through them.
    :param hints: trouble of services that nobody watches.
    """
    by_name = {s.name: s for s in suspects}
    callees: dict[str, list[str]] = {}
    for caller, callee in edges:
        callees.setdefault(caller, []).append(callee)
    graph = _explanations(suspects, edges, frozenset(quiet))
    ranking = rank([*_troubles(suspects), *hints], edges)
    score = {c.service: c.score for c in ranking}
    hinted = {t.service for t in hints}
    cause_of = _causes(graph, by_name, hinted, score)
    members: dict[str, list[Suspect]] = {}
    for name in sorted(by_name):
        members.setdefault(cause_of[name], []).append(by_name[name])
    out = []
    for name in sorted(members):
        symptoms = tuple(s for s in members[name] if s.name != name)
        cause = by_name[name]
        out.append(Case(cause, symptoms, _named(ranking, (cause, *symptoms), hinted, callees)))
    return tuple(out)


def _explanations(suspects: Sequence[Suspect], edges: Iterable[Edge], quiet: Collection[str]) -> dict[str, set[str]]:
    """Return who is explained by whom: `w/<watch>` for suspects, `s/<service>` for services nobody watches."""
    nodes: dict[str, list[str]] = {}
    since = {f"w/{s.name}": s.since for s in suspects}
    for suspect in suspects:
        nodes.setdefault(suspect.service, []).append(f"w/{suspect.name}")
    graph: dict[str, set[str]] = {f"w/{s.name}": set() for s in suspects}
    steadfast = {f"w/{s.name}" for s in suspects if _own_reason(s)}
    for caller, callee in edges:
        if caller == callee or caller in quiet or callee in quiet:
            continue
        for a in nodes.get(caller, [f"s/{caller}"]):
            if a not in steadfast:
                below = nodes.get(callee, [f"s/{callee}"])
                graph.setdefault(a, set()).update(b for b in below if not _later(since.get(b), since.get(a)))
    _blame_callers(suspects, nodes, graph)
    _tie(suspects, graph)
    return graph


def _later(callee: datetime | None, caller: datetime | None) -> bool:
    return callee is not None and caller is not None and callee - caller >= LATER


def _own_reason(suspect: Suspect) -> bool:
    """Tell whether nobody else is to blame: its pods are in trouble right after a rollout, or agents are at an edge
    where they may be cut, now or later, whatever other conversations are about.
    """
    if any(s.conversation is not None and s.conversation.callee for s in suspect.signals):
        return True
    begun = [s.first_fired_time for s in suspect.signals if s.kind is SignalKind.WORKLOAD]
    return bool(begun) and suspect.changed is not None and timedelta(0) <= min(begun) - suspect.changed < RECENT_CHANGE


def _blame_callers(suspects: Sequence[Suspect], nodes: Mapping[str, Sequence[str]], graph: dict[str, set[str]]) -> None:
    """A callee that only one caller complains about may be well, if that caller has trouble of its own."""
    local = {s.service for s in suspects if any(g.source in _SEEN_BY_ITSELF for g in s.signals)}
    for suspect in suspects:
        seen = {caller_of(g) for g in suspect.signals}
        (only,) = seen if len(seen) == 1 else ("",)
        if only and only in local and only != suspect.service:
            graph[f"w/{suspect.name}"].update(nodes.get(only, ()))


def _tie(suspects: Sequence[Suspect], graph: dict[str, set[str]]) -> None:
    """Who share a target, an owner, a troubled node or a full quota explain each other; a node that is watched itself
    explains all that share it and is explained by none of them.
    """
    watched = {tie: f"w/{s.name}" for s in suspects if s.target.kind == "Node" for tie in sorted(s.ties)}
    first = dict(watched)
    for suspect in suspects:
        node = f"w/{suspect.name}"
        for tie in (f"target/{suspect.target.uid}", *suspect.ties, *(("quota",) if suspect.quota.cause else ())):
            other = first.setdefault(tie, node)
            if other != node:
                graph[node].add(other)
                if tie not in watched:
                    graph[other].add(node)


def caller_of(signal: SignalStatus) -> str:
    """Return who sees the signal, for one about calls; empty for every other."""
    caller, arrow, _ = signal.subject.partition(" -> ")
    return caller if arrow and signal.source is SignalSource.TRACES else ""


def _causes(
    graph: Mapping[str, set[str]], by_name: Mapping[str, Suspect], hinted: Collection[str], score: Mapping[str, float]
) -> dict[str, str]:
    """Return for each suspect the one that leads its case. Components come callees first."""
    found = components(graph)
    home = {node: index for index, component in enumerate(found) for node in component}
    root: dict[int, int] = {}
    """Per component, the best component that it leads to and that nothing else explains."""
    weight: dict[int, float] = {}
    for index, component in enumerate(found):
        below = {root[home[n]] for node in component for n in graph.get(node, ()) if home[n] in root}
        if below:
            root[index] = max(below, key=lambda r: (weight[r], -r))
            continue
        mine = [_service(node, by_name) for node in component if node[0] == "w" or node[2:] in hinted]
        if mine:
            root[index], weight[index] = index, max(score.get(name, 0.0) for name in mine)
    led: dict[int, list[Suspect]] = {}
    for name, suspect in by_name.items():
        led.setdefault(root[home[f"w/{name}"]], []).append(suspect)
    leaders = {r: _leader([by_name[n[2:]] for n in found[r] if n[0] == "w"] or s, score) for r, s in led.items()}
    return {s.name: leaders[r] for r, found_ in led.items() for s in found_}


def _service(node: str, by_name: Mapping[str, Suspect]) -> str:
    return by_name[node[2:]].service if node[0] == "w" else node[2:]


def _leader(among: Sequence[Suspect], score: Mapping[str, float]) -> str:
    """Whom was found to be part of another's trouble never leads again while it is: blame must not come back."""

    def key(s: Suspect) -> tuple[bool, float, float, str]:
        since = s.since.timestamp() if s.since is not None else float("inf")
        worth = score.get(s.service, 0.0) * (_STAYS if s.incident else 1.0)
        clearing = s.incident and not s.signals  # others may take longer to clear: it is still about the same cause
        return bool(s.part_of), -float("inf") if clearing else -worth, since, s.name

    return min(among, key=key).name


def _troubles(suspects: Sequence[Suspect]) -> list[Trouble]:
    out = []
    for suspect in suspects:
        out += [
            Trouble(
                sign=_SIGN.get(signal.kind, Sign.OTHER),
                service=suspect.service,
                strength=1.0,
                reason=sentence(signal),
                caller=caller_of(signal),
                since=signal.first_fired_time.timestamp(),
            )
            for signal in suspect.signals
        ]
        begun = suspect.since
        if begun is not None and suspect.changed is not None and begun - suspect.changed < RECENT_CHANGE:
            seconds = (begun - suspect.changed).total_seconds()
            if seconds >= 0:
                said = f"{suspect.change or 'rolled out'} {seconds:.0f} s before"
                out.append(Trouble(Sign.CHANGE, suspect.service, 1.0, said, since=suspect.changed.timestamp()))
    return out


def _named(
    ranking: Sequence[Candidate],
    case: Sequence[Suspect],
    hinted: Collection[str],
    callees: Mapping[str, Sequence[str]],
) -> tuple[Cause, ...]:
    """Return the ranking as the Incident shows it: the services of the case, and the unwatched ones they call."""
    watches: dict[str, LocalRef] = {}
    for suspect in reversed(case):
        watches[suspect.service] = suspect.watch
    near = {callee for service in watches for callee in callees.get(service, ()) if callee in hinted}
    lead = case[0].service
    chosen = [c for c in ranking if c.service in watches or c.service in near]
    first = [c for c in chosen if c.service == lead] or [Candidate(lead, 0.0, (), ())]
    ordered = chosen if lead in {c.service for c in chosen[:MAX_CAUSES]} else [*first, *chosen]
    return tuple(
        Cause(
            service=c.service[:256] or "?",
            watch_ref=watches.get(c.service),
            score_percent=round(100 * c.score),
            reasons=tuple(dict.fromkeys(r[:1024] for r in c.reasons))[:4],
        )
        for c in ordered[:MAX_CAUSES]
    )
