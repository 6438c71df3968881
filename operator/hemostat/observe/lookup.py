"""What specialists may look up about an Incident: its own pods, calls, Events, measurements and agents' steps, past
incidents of its namespace, and nobody else's; and what of that is gathered without being asked for.

Nothing that a model writes becomes a path or a query: it picks names out of what is there (shell).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import Field

from hemostat.api.incident import EvidenceKind, Incident, SignalState
from hemostat.api.watch import Watch
from hemostat.clock import Clock
from hemostat.diagnosis import lookups
from hemostat.diagnosis.evidence import Item
from hemostat.diagnosis.footsteps import footsteps
from hemostat.diagnosis.logs.entry import timed
from hemostat.diagnosis.panel.reply import Reply
from hemostat.diagnosis.panel.tools import MAX_ITEMS, Tool
from hemostat.diagnosis.redact import redact
from hemostat.errors import HemostatError, Refused
from hemostat.kube import Kube, path_of
from hemostat.observe.store import Store
from hemostat.signals.loops.trail import Trail
from hemostat.signals.presets import Target, mounted, rules_of
from hemostat.telemetry.graph import CallGraph
from hemostat.telemetry.prometheus import Prometheus

MAX_LOG_BYTES = 512 * 1024
LOG_SECONDS = 1800
MAX_SAID = 300
POINTS = 60
NEIGHBOURS = 2
"""Services that can be asked about call the target, or are called by it, over at most so many edges."""
MAX_TRAILS = 1
MAX_GATHERED = 5
"""Conversations whose steps are gathered when an Incident opens, and Events and calls: the rest is for who asks."""
MOST_SIMILAR = 8
Name = Annotated[str, Field(max_length=253)]


class WhichLog(Reply):
    """Whose log."""

    pod: Name
    """Name of one of the target's pods."""
    container: Name
    """Name of the container; empty: its first."""
    previous: bool
    """Whether it is that of the container's run before, which ended."""


class WhichService(Reply):
    """Whose calls."""

    service: Name
    """Name of the target's service, or of one near it in the call graph."""


class WhichSignal(Reply):
    """Which measurement."""

    signal: Name
    """Name of a signal of the Watch that rests on a query."""
    minutes: Annotated[int, Field(ge=1, le=360)]
    """How far back from now."""


class WhichConversation(Reply):
    """Whose steps."""

    conversation: Name
    """Id of one of the conversations that signals of the Incident name."""


class Nothing(Reply):
    """There is nothing to choose."""


class Lookups:
    """Makes the tools of an Incident.

    :param graph: the live call graph, as it was a few seconds ago at most.
    :param trails: the last steps of conversations in which a service is in trouble.
    :param similar: past incidents like this one, at most so many; None without a memory.
    """

    def __init__(
        self,
        kube: Kube,
        store: Store,
        prometheus: Prometheus,
        graph: Callable[[datetime], CallGraph],
        trails: Callable[[str, Collection[str]], Sequence[Trail]],
        similar: Callable[[Incident, int], Sequence[Item]] | None,
        clock: Clock,
    ) -> None:
        self._kube, self._store, self._prometheus = kube, store, prometheus
        self._graph, self._trails, self._similar = graph, trails, similar
        self._clock = clock

    def opening(self, incident: Incident) -> list[Item]:
        """Return what costs nothing to gather when an Incident opens: memory is read, and nobody is asked."""
        found = list(self._events(incident))[:MAX_GATHERED]
        pods = self._store.scene(incident.metadata.namespace or "", incident.spec.target_ref).pods
        found += lookups.last_words(pods, self._clock.now())
        try:
            service = self._service(incident)
        except HemostatError:  # its Watch was deleted meanwhile
            return found
        found += lookups.edges(self._graph(self._clock.now()), service)[:MAX_GATHERED]
        for trail in self._trails(service, _conversations(incident))[:MAX_TRAILS]:
            found += footsteps(trail, self._clock.now().timestamp())
        return found

    def of(self, incident: Incident) -> dict[str, Tool]:
        """Return what may be looked up about it, by name."""
        made = (
            Tool(
                "logs",
                "templates of what one of the target's containers logged in the last half hour, with counts",
                EvidenceKind.LOG,
                WhichLog,
                lambda asked, _: self._logs(incident, asked),
            ),
            Tool(
                "events",
                "warnings of the API server about the target, its pods and what they mount",
                EvidenceKind.EVENT,
                Nothing,
                lambda *_: self._events(incident),
            ),
            Tool(
                "edges",
                "calls into and out of a service over the last minute: rate, failures, durations",
                EvidenceKind.EDGE,
                WhichService,
                lambda asked, _: self._edges(incident, asked),
            ),
            Tool(
                "series",
                "how a measurement that the Watch asks for went",
                EvidenceKind.SERIES,
                WhichSignal,
                lambda asked, _: self._series(incident, asked),
            ),
            Tool(
                "steps",
                "the last steps of agents in a conversation: their order, counts, tokens, and what is open",
                EvidenceKind.STEP,
                WhichConversation,
                lambda asked, _: self._steps(incident, asked),
            ),
        )
        tools = {tool.name: tool for tool in made}
        if (similar := self._similar) is not None:
            tools["similar"] = Tool(
                "similar",
                f"past incidents of the namespace that are like this one, at most {MOST_SIMILAR}, with what helped",
                EvidenceKind.EPISODE,
                Nothing,
                lambda *_: similar(incident, MOST_SIMILAR),
            )
        return tools

    def _logs(self, incident: Incident, asked: WhichLog) -> Sequence[Item]:
        namespace, ref = incident.metadata.namespace or "", incident.spec.target_ref
        pods = {p["metadata"]["name"]: p for p in self._store.scene(namespace, ref).pods}
        if asked.pod not in pods:
            raise Refused("NoSuchPod", f"{asked.pod!r} is no pod of the target; there are {_some(set(pods))}")
        containers = _containers(pods[asked.pod])
        if asked.container and asked.container not in containers:
            said = f"{asked.pod} has no container {asked.container!r}; there are {_some(containers)}"
            raise Refused("NoSuchContainer", said)
        path = path_of("v1", "Pod", namespace, asked.pod, "log")
        query = {"sinceSeconds": str(LOG_SECONDS), "tailLines": "2000", "limitBytes": str(MAX_LOG_BYTES)}
        query |= {"container": asked.container, "previous": "true" if asked.previous else "", "timestamps": "true"}
        lines = self._kube.text(path, MAX_LOG_BYTES, **query).splitlines()
        where = f"{asked.pod} {asked.container}".strip() + (" (previous run)" if asked.previous else "")
        if (
            lines and timed(lines[0])[0] is None
        ):  # every line of a container is given its time: this is the kubelet's word
            raise Refused("NoLog", f"there is no log of {where} now; the kubelet says: {lines[0][:MAX_SAID]}")
        return lookups.logs(where, lines, incident.spec.started_time, most=MAX_ITEMS)

    def _events(self, incident: Incident) -> Sequence[Item]:
        scene = self._store.scene(incident.metadata.namespace or "", incident.spec.target_ref)
        return lookups.events(scene.events, self._clock.now())

    def _edges(self, incident: Incident, asked: WhichService) -> Sequence[Item]:
        graph = self._graph(self._clock.now())
        near = {self._service(incident)}
        for _ in range(NEIGHBOURS):
            near |= {n for e in graph.edges if e.caller in near or e.callee in near for n in (e.caller, e.callee)}
        if asked.service not in near:
            raise Refused("NoSuchService", f"{asked.service!r} is not near the target; there are {_some(near)}")
        return lookups.edges(graph, asked.service)

    def _series(self, incident: Incident, asked: WhichSignal) -> Sequence[Item]:
        watch = self._watch(incident)
        namespace, target = incident.metadata.namespace or "", watch.spec.target
        pods = self._store.scene(namespace, target).pods
        rules = [r for r in rules_of(watch.spec, Target(namespace, target, *mounted(pods))) if asked.signal == r.name]
        if not rules:
            raise Refused("NoSuchSignal", f"the Watch has no signal {asked.signal!r} that rests on a query")
        now, back = self._clock.now(), timedelta(minutes=asked.minutes)
        step = max(1, round(back.total_seconds() / POINTS))
        found: list[Item] = []
        for rule in rules[:MAX_ITEMS]:
            found += lookups.series(rule.key, rule.query, self._prometheus.between(rule.query, now - back, now, step))
        return found

    def _steps(self, incident: Incident, asked: WhichConversation) -> Sequence[Item]:
        known = {redact(c): c for c in _conversations(incident)}  # who asks has seen it redacted
        if asked.conversation not in known:
            there = f"there are {_some(set(known))}" if known else "none is in trouble"
            raise Refused("NoSuchConversation", f"no signal names a conversation {asked.conversation!r}; {there}")
        trails = self._trails(self._service(incident), {known[asked.conversation]})
        return [item for trail in trails for item in footsteps(trail, self._clock.now().timestamp())]

    def _service(self, incident: Incident) -> str:
        return self._watch(incident).spec.service or incident.spec.target_ref.name

    def _watch(self, incident: Incident) -> Watch:
        watch = self._store.watch(incident.metadata.namespace or "", incident.spec.watch_ref.name)
        if watch is None:
            raise Refused("NoWatch", f"Watch {incident.spec.watch_ref.name} is gone")
        return watch


def _containers(pod: Mapping[str, Any]) -> set[str]:
    found = (pod["status"].get(s) or () for s in ("initContainerStatuses", "containerStatuses"))
    return {c["name"] for statuses in found for c in statuses}


def _some(names: set[str]) -> str:
    shown = sorted(names)[:10]
    return ", ".join(shown) + (f" and {len(names) - 10} more" if len(names) > 10 else "")


def _conversations(incident: Incident) -> set[str]:
    """Return the conversations that the signals of an Incident name, of those that fire."""
    firing = [s.conversation for s in incident.status.signals if s.state is SignalState.FIRING]
    return {c.id for one in firing if one is not None for c in one.conversations}
