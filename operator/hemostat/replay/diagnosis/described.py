"""Objects as the API server has them, out of `kubectl describe` (pure)."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hemostat.replay.diagnosis.printed import Entry, Seen, events, moment, table, tree

Json = dict[str, Any]
_NEXT = re.compile(r"\n{2,}(?=Name:[ \t])")
_COUNT = re.compile(r"(\d+) (\w+)")
_SIGNS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Node", ("Roles", "Taints", "Addresses")),
    ("CronJob", ("Schedule", "Concurrency Policy")),
    ("Job", ("Parallelism", "Completions")),
    ("DaemonSet", ("Desired Number of Nodes Scheduled",)),
    ("StatefulSet", ("Update Strategy", "Pods Status")),
    ("Deployment", ("StrategyType", "Replicas")),
    ("Pod", ("Node", "Containers")),
    ("PersistentVolumeClaim", ("StorageClass", "Access Modes")),
)
"""What `describe` prints of this kind and of no other above it: a header may be wrong, and there may be none."""
STANDING = ("Deployment", "DaemonSet", "Job", "Node")
"""Kinds of which `describe` prints how many are ready and of the newest template."""


def described(text: str) -> Iterator[tuple[Json, list[Seen]]]:
    """Yield each object of a known kind, with its Events."""
    for part in _NEXT.split(text):
        root = tree(part.strip().strip('"'))
        kind = next((kind for kind, keys in _SIGNS if all(root.get(key).text for key in keys)), None)
        name = root.get("Name").value
        if kind is None or not name:
            continue
        found = list(events(table(root.get("Events").lines()), kind, name))
        yield {"kind": kind, **_READERS[kind](root, found), "metadata": _metadata(root)}, found


def _metadata(root: Entry) -> Json:
    created = moment(root.get("CreationTimestamp").value or root.get("Start Time").value)
    owner, _, name = root.get("Controlled By").value.partition("/")
    found: Json = {"name": root.get("Name").value, "namespace": root.get("Namespace").value, "labels": _labels(root)}
    found |= {"creationTimestamp": created} if created else {}
    found |= {"ownerReferences": [{"kind": owner, "name": name, "controller": True}]} if name else {}
    found |= {"deletionTimestamp": created} if root.get("Status").value.startswith("Terminating") else {}
    return found


def _labels(root: Entry) -> Mapping[str, str]:
    labels = root.get("Labels")
    pairs = (line.strip().partition("=") for line in (labels.value, *labels.lines()))
    return {key: value for key, equals, value in pairs if equals}


def _conditions(root: Entry) -> list[Json]:
    names = {"Type": "type", "Status": "status", "Reason": "reason", "Message": "message"}
    found = [{names[k]: v for k, v in row.items() if k in names} for row in table(root.get("Conditions").lines())]
    for condition, row in zip(found, table(root.get("Conditions").lines()), strict=True):
        changed = moment(row.get("LastTransitionTime", ""))
        condition |= {"lastTransitionTime": changed} if changed else {}
    return found


def _counts(text: str) -> Mapping[str, int]:
    """Read `1 desired | 1 updated`, or `1 Active (1 Ready) / 0 Succeeded`."""
    return {word.lower(): int(n) for n, word in _COUNT.findall(text)}


def _pod(root: Entry, found: list[Seen]) -> Json:
    conditions = _conditions(root)
    told = next((e for e in found if e.reason == "FailedScheduling"), None)
    for condition in conditions:  # the scheduler writes the same into both, and `describe` prints one of them
        if condition["type"] == "PodScheduled" and condition["status"] == "False" and told is not None:
            condition |= {"reason": "Unschedulable", "message": told.message}
    owner = root.get("Controlled By").value.partition("/")[0]
    node = root.get("Node").value.partition("/")[0]
    status: Json = {
        "phase": root.get("Status").value.split(" ")[0],
        "reason": root.get("Reason").value,
        "message": root.get("Message").value,
        "conditions": conditions,
        "initContainerStatuses": [_container(e) for e in root.get("Init Containers").inside],
        "containerStatuses": [_container(e) for e in root.get("Containers").inside],
    }
    started = moment(root.get("Start Time").value)
    claims = [e.get("ClaimName").value for e in root.get("Volumes").inside if e.get("ClaimName").value]
    spec: Json = {"volumes": [{"persistentVolumeClaim": {"claimName": claim}} for claim in claims]}
    spec |= {"restartPolicy": "OnFailure"} if owner == "Job" else {}
    spec |= {"nodeName": node} if node != "<none>" else {}
    return {"spec": spec, "status": status | ({"startTime": started} if started else {})}


def _container(entry: Entry) -> Json:
    restarts = entry.get("Restart Count").value
    return {
        "name": entry.key,
        "ready": entry.get("Ready").value == "True",
        "restartCount": int(restarts) if restarts.isdecimal() else 0,
        "state": _state(entry.get("State")),
        "lastState": _state(entry.get("Last State")),
    }


def _state(entry: Entry) -> Json:
    word = entry.value.lower()
    if word not in ("waiting", "running", "terminated"):
        return {}
    code = entry.get("Exit Code").value
    fields = {
        "reason": entry.get("Reason").value,
        "message": entry.get("Message").value,
        "startedAt": moment(entry.get("Started").value),
        "finishedAt": moment(entry.get("Finished").value),
        "exitCode": int(code) if code.isdecimal() else None,
    }
    return {word: {key: value for key, value in fields.items() if value not in ("", None)}}


def _deployment(root: Entry, _found: list[Seen]) -> Json:
    """What is available is ready; `describe` prints no more of it."""
    n = _counts(root.get("Replicas").value)
    names = {"updated": "updatedReplicas", "total": "replicas", "available": "availableReplicas"}
    status: Json = {names[word]: count for word, count in n.items() if word in names}
    status |= {"readyReplicas": n.get("available", 0), "conditions": _conditions(root)}
    return {"spec": {"replicas": n.get("desired", 1)}, "status": status}


def _stateful_set(root: Entry, _found: list[Seen]) -> Json:
    n = _counts(root.get("Replicas").value)
    return {"spec": {"replicas": n.get("desired", 1)}, "status": {"replicas": n.get("total", 0)}}


def _daemon_set(root: Entry, _found: list[Seen]) -> Json:
    names = {
        "Desired Number of Nodes Scheduled": "desiredNumberScheduled",
        "Current Number of Nodes Scheduled": "currentNumberScheduled",
        "Number of Nodes Scheduled with Up-to-date Pods": "updatedNumberScheduled",
        "Number of Nodes Scheduled with Available Pods": "numberAvailable",
    }
    status = {name: int(root.get(key).value) for key, name in names.items() if root.get(key).value.isdecimal()}
    return {"spec": {}, "status": status | {"numberReady": status.get("numberAvailable", 0)}}


def _job(root: Entry, found: list[Seen]) -> Json:
    """Conditions of a Job are not printed; that it failed is told by an Event of the same words."""
    n = _counts(root.get("Pods Statuses").value)
    failed = next((e for e in found if e.reason in ("BackoffLimitExceeded", "DeadlineExceeded")), None)
    conditions = []
    if failed is not None:
        conditions = [{"type": "Failed", "status": "True", "reason": failed.reason, "message": failed.message}]
    spec = {k: int(v) for k in ("Completions", "Parallelism") if (v := root.get(k).value).isdecimal()}
    status = {k: n.get(k, 0) for k in ("active", "ready", "succeeded", "failed")}
    return {"spec": {k.lower(): v for k, v in spec.items()}, "status": {**status, "conditions": conditions}}


def _cron_job(root: Entry, _found: list[Seen]) -> Json:
    return {"spec": {"suspend": root.get("Suspend").value == "True"}, "status": {}}


def _node(root: Entry, _found: list[Seen]) -> Json:
    return {"spec": {}, "status": {"conditions": _conditions(root)}}


def _claim(root: Entry, _found: list[Seen]) -> Json:
    storage = root.get("StorageClass").value
    return {"spec": {"storageClassName": storage}, "status": {"phase": root.get("Status").value}}


_READERS: Mapping[str, Callable[[Entry, list[Seen]], Json]] = {
    "Pod": _pod,
    "Deployment": _deployment,
    "StatefulSet": _stateful_set,
    "DaemonSet": _daemon_set,
    "Job": _job,
    "CronJob": _cron_job,
    "Node": _node,
    "PersistentVolumeClaim": _claim,
}
