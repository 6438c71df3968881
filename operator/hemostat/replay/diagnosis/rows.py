"""Pods and nodes out of the tables of `kubectl get` (pure)."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hemostat.replay.diagnosis.printed import seconds
from hemostat.signals.workload import WAITING_TROUBLE

Json = dict[str, Any]
NOT_NAMED = "(its name was not recorded)"
_POD_ROW = re.compile(
    r"(?:(?P<namespace>[a-z0-9][a-z0-9-]*)\s+)?(?P<name>[a-z0-9][a-z0-9.-]*)\s+(?P<ready>\d+)/(?P<all>\d+)\s+"
    r"(?P<status>[A-Z][A-Za-z0-9:/]*)\s+(?P<restarts>\d+)(?: \([^)]*\))?\s+(?P<age>(?:\d+[ydhms])+)(?P<rest>\s.*)?"
)
_LABEL = re.compile(r"(?<![^\s,])(pod-template-hash|job-name)=([A-Za-z0-9._-]+)")
_PHASES = {"Completed": "Succeeded", "Pending": "Pending", "Evicted": "Failed"}
_NODE_ROW = re.compile(r"(?P<name>[a-z0-9][a-z0-9.-]*)\s+(?P<status>(?:Not)?Ready\S*)\s")


def pods(lines: Sequence[str], namespace: str) -> Iterator[tuple[Json, float]]:
    """Yield each pod that a line tells of, and its age in seconds.

    :param namespace: whose table it is, where the lines do not say it.
    """
    for row in filter(None, (_POD_ROW.fullmatch(line.rstrip()) for line in lines)):
        yield _pod(row, row["namespace"] or namespace), seconds(row["age"]) or 0.0


def nodes(lines: Sequence[str]) -> Iterator[Json]:
    """Yield each node that a line tells of."""
    return map(_node, filter(None, map(_NODE_ROW.match, lines)))


def _node(row: re.Match[str]) -> Json:
    ready = row["status"].split(",")[0] == "Ready"
    condition = {"type": "Ready", "status": str(ready), "message": ""}
    return {"kind": "Node", "metadata": {"name": row["name"]}, "spec": {}, "status": {"conditions": [condition]}}


def _pod(row: re.Match[str], namespace: str) -> Json:
    """Return what a line of `kubectl get pods` tells of a pod."""
    word = row["status"].split(":")[-1]
    container: Json = {"name": NOT_NAMED, "ready": row["ready"] == row["all"], "restartCount": int(row["restarts"])}
    status: Json = {"phase": "Running", "containerStatuses": [container]}
    if word in WAITING_TROUBLE:
        container["state"] = {"waiting": {"reason": word}}
    elif word == "OOMKilled":
        container["state"] = {"terminated": {"reason": word}}
    elif word in _PHASES:
        status = {"phase": _PHASES[word], "reason": word}
    meta: Json = {"name": row["name"], "namespace": namespace, "labels": _labels(row["rest"] or "")}
    meta |= {"deletionTimestamp": "not told"} if word == "Terminating" else {}
    return {"kind": "Pod", "metadata": meta, "spec": {}, "status": status}


def _labels(rest: str) -> Mapping[str, str]:
    return dict(_LABEL.findall(rest))
