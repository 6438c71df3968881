"""What specialists may look up about an Incident: its own pods, calls, Events and measurements, and nobody else's.

Nothing that a model writes becomes a path or a query: it picks names out of what is there (shell).
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Annotated

from pydantic import Field

from hemostat.api.incident import EvidenceKind, Incident
from hemostat.api.watch import Watch
from hemostat.clock import Clock
from hemostat.diagnosis import lookups
from hemostat.diagnosis.evidence import Item
from hemostat.diagnosis.panel.reply import Reply
from hemostat.diagnosis.panel.tools import MAX_ITEMS, Tool
from hemostat.diagnosis.templates import excerpt
from hemostat.errors import Refused
from hemostat.kube import Kube, path_of
from hemostat.observe.store import Store
from hemostat.signals.presets import Target, mounted, rules_of
from hemostat.telemetry.graph import CallGraph
from hemostat.telemetry.prometheus import Prometheus

MAX_LOG_BYTES = 512 * 1024
LOG_SECONDS = 1800
POINTS = 60
NEIGHBOURS = 2
"""Services that can be asked about call the target, or are called by it, over at most so many edges."""
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


class Nothing(Reply):
    """There is nothing to choose."""


class Lookups:
    """Makes the tools of an Incident."""

    def __init__(
        self, kube: Kube, store: Store, prometheus: Prometheus, graph: Callable[[], CallGraph], clock: Clock
    ) -> None:
        self._kube, self._store, self._prometheus = kube, store, prometheus
        self._graph, self._clock = graph, clock

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
        )
        return {tool.name: tool for tool in made}

    def _logs(self, incident: Incident, asked: WhichLog) -> Sequence[Item]:
        namespace, ref = incident.metadata.namespace or "", incident.spec.target_ref
        pods = {p["metadata"]["name"] for p in self._store.scene(namespace, ref).pods}
        if asked.pod not in pods:
            raise Refused("NoSuchPod", f"{asked.pod!r} is no pod of the target; there are {_some(pods)}")
        path = path_of("v1", "Pod", namespace, asked.pod, "log")
        query = {"sinceSeconds": str(LOG_SECONDS), "tailLines": "2000", "limitBytes": str(MAX_LOG_BYTES)}
        query |= {"container": asked.container, "previous": "true" if asked.previous else "", "timestamps": "true"}
        lines = self._kube.text(path, MAX_LOG_BYTES, **query).splitlines()
        found = excerpt(lines, incident.spec.started_time, most=MAX_ITEMS)
        where = f"{asked.pod} {asked.container}".strip() + (" (previous run)" if asked.previous else "")
        return [
            Item(f"log/{where}/{t.text}", EvidenceKind.LOG, where, f"{where} logged {t}; for example: {t.example}")
            for t in found.templates
        ]

    def _events(self, incident: Incident) -> Sequence[Item]:
        scene = self._store.scene(incident.metadata.namespace or "", incident.spec.target_ref)
        return lookups.events(scene.events, self._clock.now())

    def _edges(self, incident: Incident, asked: WhichService) -> Sequence[Item]:
        graph = self._graph()
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

    def _service(self, incident: Incident) -> str:
        return self._watch(incident).spec.service or incident.spec.target_ref.name

    def _watch(self, incident: Incident) -> Watch:
        watch = self._store.watch(incident.metadata.namespace or "", incident.spec.watch_ref.name)
        if watch is None:
            raise Refused("NoWatch", f"Watch {incident.spec.watch_ref.name} is gone")
        return watch


def _some(names: set[str]) -> str:
    shown = sorted(names)[:10]
    return ", ".join(shown) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
