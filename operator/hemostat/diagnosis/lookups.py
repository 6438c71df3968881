"""What was looked up, in sentences: calls, measurements, Events, logs, steps of agents (pure)."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from hemostat.api.incident import EvidenceKind
from hemostat.diagnosis.evidence import Item
from hemostat.diagnosis.plots import plot, said
from hemostat.diagnosis.redact import redact
from hemostat.diagnosis.templates import MAX_TEMPLATES, excerpt
from hemostat.signals.course import Course
from hemostat.signals.words import amount, counted, duration
from hemostat.signals.workload import containers
from hemostat.signals.workload.scene import event_age, event_count
from hemostat.telemetry.graph import CallGraph, EdgeStats
from hemostat.telemetry.sample import History

MAX_EDGES = 8
MAX_HISTORIES = 4
MAX_EVENTS = 8
MAX_ENDINGS = 3
MAX_LAST_WORDS = 600


def edges(graph: CallGraph, service: str) -> list[Item]:
    """Return the calls into and out of a service over the graph's window: the worst first, at most 8."""
    about = {(e.caller, e.callee): e for e in (*graph.callers(service), *graph.callees(service)) if e.calls}
    worst = sorted(about.values(), key=lambda e: (-e.failures / e.calls, -e.total_seconds, e.caller, e.callee))
    return [_edge(e, graph.seconds) for e in worst[:MAX_EDGES]]


def _edge(e: EdgeStats, seconds: float) -> Item:
    text = (
        f"{e.caller} -> {e.callee}, last {duration(seconds)}: {amount(e.calls / seconds, '')} calls/s, "
        f"{100 * e.failures / e.calls:.0f} % fail, "
        f"median {amount(1000 * e.p50_seconds, 'ms')}, 95th percentile {amount(1000 * e.p95_seconds, 'ms')}"
    )
    if e.served.calls:
        text += f"; the callee itself took {amount(1000 * e.served.p95_seconds, 'ms')} (95th percentile)"
    return Item(f"edge/{e.caller}->{e.callee}", EvidenceKind.EDGE, f"{e.caller} -> {e.callee}", text)


def series(name: str, query: str, histories: Sequence[History]) -> list[Item]:
    """Return how measurements went: those that moved most first, at most 4."""
    moved = sorted((h for h in histories if h.points), key=_moved, reverse=True)
    return [_series(name, query, h) for h in moved[:MAX_HISTORIES]]


def _moved(history: History) -> float:
    values = [v for _, v in history.points]
    return (max(values) - min(values)) / (abs(sum(values)) / len(values) + 1e-12)


def _series(name: str, query: str, history: History) -> Item:
    labels = ", ".join(f"{k}={v}" for k, v in history.labels if k != "__name__")
    course = Course(tuple(history.points))
    text = f"{query[:160]}: {said(course, course.points[-1][0])}"
    subject = f"{name} {labels}".strip()
    return Item(f"series/{name}/{labels}", EvidenceKind.SERIES, subject, text, None, plot(course))


def events(found: Iterable[Mapping[str, Any]], now: datetime) -> list[Item]:
    """Return what Events of the API server say, those of one reason and message once, the newest first, at most 8."""
    grouped: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for event in found:
        grouped.setdefault((event.get("reason") or "", event.get("message") or ""), []).append(event)
    latest = sorted(grouped.items(), key=lambda pair: min(event_age(dict(e), now) for e in pair[1]))
    return [_event(reason, message, same, now) for (reason, message), same in latest[:MAX_EVENTS]]


def logs(where: str, lines: Sequence[str], since: datetime | None = None, *, most: int = MAX_TEMPLATES) -> list[Item]:
    """Return what lines of a log say, a template each, the most telling first.

    :param where: whose log it is: a pod, with its container.
    :param since: what begins to be said after this is new.
    """
    return [
        Item(f"log/{where}/{t.text}", EvidenceKind.LOG, where, f"{where} logged {t}; for example: {t.example}")
        for t in excerpt(lines, since, most=most).templates
    ]


def last_words(pods: Iterable[Mapping[str, Any]], now: datetime) -> list[Item]:
    """Return what containers said as they ended (the termination message in the pod's status), the latest first, what
    several said alike once, at most 3: each takes some 20 ms to be redacted.
    """
    said: dict[tuple[str, str], tuple[float, str]] = {}
    for pod in pods:
        for container, words, ago in containers.last_words(pod, now):
            found = (ago, pod["metadata"]["name"])
            said[container, words] = min(found, said.get((container, words), found))
    latest = sorted(said.items(), key=lambda pair: pair[1])[:MAX_ENDINGS]
    return [_ending(pod, container, words, ago) for (container, words), (ago, pod) in latest]


def _ending(pod: str, container: str, words: str, ago: float) -> Item:
    line = " ".join(redact(words).split())  # redacted before it is cut: half a secret looks like none
    line = line if len(line) <= MAX_LAST_WORDS else f"... {line[-MAX_LAST_WORDS:]}"
    text = f"{pod} {container} said as it ended {duration(ago)} ago: {line}"
    return Item(f"log/{pod} {container}/last words", EvidenceKind.LOG, pod, text)


def _event(reason: str, message: str, same: Sequence[Mapping[str, Any]], now: datetime) -> Item:
    objects = sorted({f"{o.get('kind', '')} {o.get('name', '')}" for e in same if (o := e.get("involvedObject") or {})})
    named = ", ".join(objects[:3]) + (f" and {len(objects) - 3} more" if len(objects) > 3 else "")
    times = sum(event_count(dict(e)) for e in same)
    ago = duration(min(event_age(dict(e), now) for e in same))
    text = f"{named}: {reason}, {counted(times, 'time')}, last {ago} ago: {message}"
    return Item(f"event/{reason}/{message}", EvidenceKind.EVENT, named, text)
