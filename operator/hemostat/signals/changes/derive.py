"""What an object that is seen for the first time says of its past: after a restart too (pure)."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta

from hemostat.clock import parse_time
from hemostat.signals.changes.compare import owns
from hemostat.signals.changes.noted import RECENT, ChangeKind, Json, Noted, ref_of

JOINED = "joined"
"""What is said of a node when it comes into the cluster."""


def derived(raw: Json, now: datetime) -> list[Noted]:
    """Return what an object that is seen for the first time says of its recent changes: after a restart too.

    :param raw: the object with its `managedFields`.
    """
    ref = ref_of(raw)
    tell = _TOLD.get(ref.kind)
    if tell is None:
        return []
    told = ((kind, detail, by, _time(when)) for kind, detail, by, when in tell(raw))
    return [Noted(k, ref, t, d, by) for k, d, by, t in told if t is not None and timedelta(0) <= now - t <= RECENT]


Told = tuple[ChangeKind, str, str, str | None]


def _node_told(raw: Json) -> Iterator[Told]:
    yield ChangeKind.NODE, JOINED, "", raw["metadata"].get("creationTimestamp")
    for condition in raw.get("status", {}).get("conditions") or ():
        if condition["type"] == "Ready" and condition.get("status") != "True":
            yield ChangeKind.NODE, f"Ready True -> {condition.get('status')}", "", condition.get("lastTransitionTime")
    for taint in raw.get("spec", {}).get("taints") or ():
        if taint.get("key") == "node.kubernetes.io/unschedulable":
            yield ChangeKind.NODE, "cordoned", "", taint.get("timeAdded")


def _written(kind: ChangeKind, field: str, words: Callable[[Json], str]) -> Callable[[Json], Iterator[Told]]:
    def tell(raw: Json) -> Iterator[Told]:
        created = _time(raw["metadata"].get("creationTimestamp"))
        for entry in raw["metadata"].get("managedFields") or ():
            when = _time(entry.get("time"))
            if when is None or created is None or when - created < timedelta(seconds=2):
                continue  # it was created like this
            if owns(entry.get("fieldsV1") or {}, field):
                yield kind, words(raw), entry.get("manager", ""), entry.get("time")

    return tell


_TOLD: Mapping[str, Callable[[Json], Iterator[Told]]] = {
    "Node": _node_told,
    "Deployment": lambda raw: _scale_told(raw),
    "StatefulSet": lambda raw: _scale_told(raw),
    "ConfigMap": _written(ChangeKind.CONFIG, "f:data", lambda _: "its data was written"),
    "HorizontalPodAutoscaler": _written(
        ChangeKind.AUTOSCALER,
        "f:maxReplicas",
        lambda raw: f"written, maxReplicas is {(raw.get('spec') or {}).get('maxReplicas')}",
    ),
}


def _scale_told(raw: Json) -> Iterator[Told]:
    """Only the scale subresource leaves an entry that is about replicas alone."""
    spec = raw.get("spec") or {}
    for entry in raw["metadata"].get("managedFields") or ():
        if entry.get("subresource") == "scale":
            yield ChangeKind.SCALE, f"replicas set to {spec.get('replicas')}", entry["manager"], entry.get("time")


def _time(text: str | None) -> datetime | None:
    try:
        return parse_time(text) if text else None
    except ValueError:
        return None
