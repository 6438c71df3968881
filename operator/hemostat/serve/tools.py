"""The tools that an assistant has: what each asks for, what the caller must be allowed, what it returns (shell)."""

import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from hemostat.api.incident import EvidenceKind, Incident
from hemostat.api.runbook import Runbook
from hemostat.api.watch import Watch
from hemostat.errors import Refused
from hemostat.observe.permits import Permit
from hemostat.replay.telling import moment, plain
from hemostat.replay.watch import Recorded, Span, replay
from hemostat.serve import views
from hemostat.serve.door import Door
from hemostat.serve.identity import BAD, NOT_FOUND, Caller, Wish, checked_name, checked_namespace
from hemostat.telemetry.graph import CallGraph

Json = dict[str, Any]
MAX_LISTED = 100
MAX_READ = 2000
"""Incidents that are gone through for a list."""
MAX_REPLAY_STEPS = 1500
REPLAY_SECONDS = 20.0
NOT_LET_OUT = "what was observed is not told to assistants"

Namespace = Annotated[str, Field(min_length=1, max_length=63, description="Namespace.")]
ObjectName = Annotated[str, Field(min_length=1, max_length=253, description="Name of the object.")]


class Asked(BaseModel):
    """Arguments of a tool, and nothing else."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Listing(Asked):
    """Of a list."""

    namespace: Annotated[str, Field(max_length=63, description="Namespace; empty: all that you may read.")] = ""


class Incidents(Listing):
    """Of the list of Incidents."""

    resolved: Annotated[bool, Field(description="List those that are resolved too.")] = False


class One(Asked):
    """Of one object."""

    namespace: Namespace
    name: ObjectName


class Calls(Asked):
    """Of the call graph."""

    namespace: Namespace


class Past(One):
    """Of a replay."""

    start: Annotated[str, Field(max_length=40, description="Beginning: RFC 3339, or -6h, -1d ago.")] = "-6h"
    end: Annotated[str, Field(max_length=40, description="End: RFC 3339, -1h ago, or now.")] = "now"
    step_seconds: Annotated[int, Field(ge=0, le=86400, description="Seconds between looks; 0: as fits.")] = 0


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the tools read; each may take its time, and is called by a thread of the `Door`'s."""

    incidents: Callable[[str], Iterator[Incident]]
    """Of a namespace; of all for ""."""
    incident: Callable[[str, str], Incident | None]
    runbooks: Callable[[str], Sequence[Runbook]]
    watches: Callable[[str], Sequence[Watch]]
    watch: Callable[[str, str], Watch | None]
    permits: Callable[[str], Permit]
    graph: Callable[[], CallGraph]
    recorded: Recorded
    now: Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Tool:
    """One thing that can be asked."""

    name: str
    description: str
    arguments: type[Asked]
    run: Callable[[Caller, Any], Awaitable[Json]]


class Toolbox:
    """All tools. Each asks the door first, as the caller."""

    def __init__(self, door: Door, sources: Sources) -> None:
        self._door, self._from = door, sources
        self.tools = {t.name: t for t in self._made()}

    def _made(self) -> tuple[Tool, ...]:
        return (
            Tool("list_incidents", "List Incidents: what is wrong now, and where.", Incidents, self._incidents),
            Tool("get_incident", "Read an Incident: signals, diagnosis, what was done, timeline.", One, self._incident),
            Tool("get_evidence", "Read the numbered evidence of an Incident.", One, self._evidence),
            Tool("list_runbooks", "List Runbooks: which failures are known.", Listing, self._books),
            Tool("get_runbook", "Read a Runbook: symptoms in CEL, guidance, actions.", One, self._book),
            Tool("get_call_graph", "Calls of the watched services of a namespace: who calls whom.", Calls, self._calls),
            Tool("replay_watch", "What a Watch would have fired over a past that Prometheus kept.", Past, self._past),
        )

    async def _incidents(self, caller: Caller, asked: Incidents) -> Json:
        namespace = checked_namespace(asked.namespace) if asked.namespace else ""
        await self._door.admit(caller, Wish("list", "incidents", namespace))

        def read() -> Json:
            found = islice(self._from.incidents(namespace), MAX_READ)
            told = [views.listed(i, self._kinds(i)) for i in found]  # of each only what is told is held
            wanted = sorted((t for t in told if asked.resolved or not t["resolved"]), key=lambda t: t["opened"])
            more = "and perhaps others: name a namespace" if len(told) == MAX_READ else ""
            return {
                "incidents": wanted[::-1][:MAX_LISTED],
                "more": f"{max(0, len(wanted) - MAX_LISTED)} older ones {more}".rstrip(),
            }

        return await self._door.read(read)

    async def _incident(self, caller: Caller, asked: One) -> Json:
        found, permit = await self._found(caller, asked)
        told = await self._door.read(lambda: views.whole(found, permit.kinds))
        kinds = (EvidenceKind.SIGNAL, EvidenceKind.CHANGE, EvidenceKind.EDGE, EvidenceKind.OUTCOME)
        return told | _withheld(permit, *kinds)

    async def _evidence(self, caller: Caller, asked: One) -> Json:
        found, permit = await self._found(caller, asked)
        return views.evidence(found, permit.kinds) | _withheld(permit)

    async def _found(self, caller: Caller, asked: One) -> tuple[Incident, Permit]:
        place = await self._place(caller, "incidents", asked)
        found = await self._door.read(lambda: self._from.incident(*place))
        if found is None:
            raise _missing("Incident", place)
        return found, await self._door.read(lambda: self._from.permits(place[0]))

    async def _books(self, caller: Caller, asked: Listing) -> Json:
        namespace = checked_namespace(asked.namespace) if asked.namespace else ""
        await self._door.admit(caller, Wish("list", "runbooks", namespace))
        found = await self._door.read(lambda: self._from.runbooks(namespace))
        told = [views.runbook(r, full=False) for r in found[:MAX_LISTED]]
        return {"runbooks": told, "more": max(0, len(found) - MAX_LISTED)}

    async def _book(self, caller: Caller, asked: One) -> Json:
        place = await self._place(caller, "runbooks", asked)
        found = await self._door.read(lambda: self._from.runbooks(place[0]))
        book = next((r for r in found if r.metadata.name == place[1]), None)
        if book is None:
            raise _missing("Runbook", place)
        return views.runbook(book, full=True)

    async def _calls(self, caller: Caller, asked: Calls) -> Json:
        """Of services that no Watch of the namespace names nothing is said but that there are calls."""
        namespace = checked_namespace(asked.namespace)
        await self._door.admit(caller, Wish("list", "watches", namespace))
        everything = await self._door.may(caller, Wish("list", "watches"))
        permit = await self._door.read(lambda: self._from.permits(namespace))
        if EvidenceKind.EDGE not in permit.kinds:
            return _withheld(permit, EvidenceKind.EDGE)

        def read() -> Json:
            mine = {w.spec.service or w.spec.target.name for w in self._from.watches(namespace)}
            return views.graph(self._from.graph(), mine, everything=everything)

        return await self._door.read(read)

    async def _past(self, caller: Caller, asked: Past) -> Json:
        """Only a Watch that is there: its queries are its author's; others could read what is nobody's business."""
        place = await self._place(caller, "watches", asked)
        permit = await self._door.read(lambda: self._from.permits(place[0]))
        if EvidenceKind.SIGNAL not in permit.kinds:
            return _withheld(permit, EvidenceKind.SIGNAL)
        watch = await self._door.read(lambda: self._from.watch(*place))
        if watch is None:
            raise _missing("Watch", place)
        return await self._door.read_alone(lambda: self._replayed(watch, asked))

    def _replayed(self, watch: Watch, asked: Past) -> Json:
        now = self._from.now()
        start, end = moment(asked.start, now, "start"), moment(asked.end, now, "end")
        length = int((end - start).total_seconds())
        fits = max(watch.spec.interval_seconds, 15, length // (MAX_REPLAY_STEPS - 1) + 1)
        span = Span(start, end, asked.step_seconds or fits)
        if span.steps > MAX_REPLAY_STEPS:
            raise Refused(BAD, f"{span.steps:,} steps are too many, at most {MAX_REPLAY_STEPS:,}: leave step_seconds 0")
        until = time.monotonic() + REPLAY_SECONDS

        def in_time(_done: int, _of: int) -> None:
            if time.monotonic() > until:
                raise Refused(BAD, f"it takes longer than {REPLAY_SECONDS:.0f} s: use `hemostat replay watch`, or less")

        found: Json = plain(replay(watch, self._from.recorded, span, in_time))
        return found

    async def _place(self, caller: Caller, resource: str, asked: One) -> tuple[str, str]:
        place = checked_namespace(asked.namespace), checked_name(asked.name)
        await self._door.admit(caller, Wish("get", resource, *place))
        return place

    def _kinds(self, incident: Incident) -> frozenset[EvidenceKind]:
        return self._from.permits(incident.metadata.namespace or "").kinds


def _withheld(permit: Permit, *wanted: EvidenceKind) -> Json:
    """Say why something is not told, if so."""
    lacking = [kind.value for kind in wanted if kind not in permit.kinds]
    if permit.problem:
        return {"notTold": f"{NOT_LET_OUT}: {permit.problem}"}
    return {"notTold": f"{NOT_LET_OUT}: the Namespace does not let out {', '.join(lacking)}"} if lacking else {}


def _missing(kind: str, place: tuple[str, str]) -> Refused:
    return Refused(NOT_FOUND, f"there is no {kind} {place[1]} in namespace {place[0]}")
