"""Which objects and Events of the API server recorded outputs hold (pure).

What a program logged is never read so: whatever it prints, it is no word of the API server.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import yaml

from hemostat.clock import rfc3339
from hemostat.replay.diagnosis.case import Output
from hemostat.replay.diagnosis.described import described
from hemostat.replay.diagnosis.printed import Seen, events, seconds, table
from hemostat.signals.workload import WAITING_TROUBLE

Json = dict[str, Any]
MAX_YAML = 512 * 1024
MAX_ROWS = 500
NOT_NAMED = "(its name was not recorded)"
_POD = re.compile(
    r"(?:(?P<namespace>[a-z0-9][a-z0-9-]*)\s+)?(?P<name>[a-z0-9][a-z0-9.-]*)\s+(?P<ready>\d+)/(?P<all>\d+)\s+"
    r"(?P<status>[A-Z][A-Za-z0-9:/]*)\s+(?P<restarts>\d+)(?: \([^)]*\))?\s+(?P<age>(?:\d+[ydhms])+)(?P<rest>\s.*)?"
)
_LABEL = re.compile(r"(?<![^\s,])(pod-template-hash|job-name)=([A-Za-z0-9._-]+)")
_PHASES = {"Completed": "Succeeded", "Pending": "Pending", "Evicted": "Failed"}
_NODE = re.compile(r"(?P<name>[a-z0-9][a-z0-9.-]*)\s+(?P<status>(?:Not)?Ready\S*)\s")


@dataclass(slots=True)
class Found:
    """What is known of the cluster."""

    objects: dict[tuple[str, str, str], Json] = field(default_factory=dict)
    """By kind, namespace and name; of several tellings of one object the fullest."""
    events: list[Seen] = field(default_factory=list)
    recorded: list[Json] = field(default_factory=list)
    """Events with their own times, as `-o yaml` prints them."""
    ages: dict[str, float] = field(default_factory=dict)
    """Seconds by name of a pod, as tables tell them."""
    read_as: dict[str, str] = field(default_factory=dict)
    """By output: what it was taken for."""
    alone: list[tuple[str, str, str]] = field(default_factory=list)
    """Objects that an output is about and nothing else: somebody asked for them."""

    def put(self, found: Json) -> tuple[str, str, str]:
        """Add an object unless it is known already, and return how it is known."""
        meta = found["metadata"]
        key = (str(found["kind"]), str(meta.get("namespace") or ""), str(meta["name"]))
        meta.setdefault("uid", "/".join(key))
        self.objects.setdefault(key, found)
        return key


def read(outputs: Iterable[Output]) -> Found:
    """Return what all outputs hold: those of objects as they are first, then described ones, then rows of tables."""
    found = Found()
    rows: list[Output] = []
    later: list[Output] = []
    for output in outputs:
        if output.is_log:
            found.read_as[output.name] = "log"
        elif output.failed:
            found.read_as[output.name] = "error"
        elif _manifests(output, found):
            found.read_as[output.name] = "objects"
        else:
            later.append(output)
    for output in later:
        rows += [output] if not _descriptions(output, found) else []
    for output in rows:
        found.read_as[output.name] = _tables(output, found) or "text"
    return found


def _manifests(output: Output, found: Found) -> bool:
    begins = output.text.lstrip()[:400]
    if len(output.text) > MAX_YAML or not (
        re.match(r"(?:---\n)?(?:apiVersion|kind|items):", begins) or begins.startswith("{")
    ):
        return False
    try:
        read = [json.loads(output.text)] if begins.startswith("{") else list(yaml.safe_load_all(output.text))
    except (yaml.YAMLError, ValueError, RecursionError):
        return False
    keys = []
    for item in [i for document in read for i in _items(document)][:MAX_ROWS]:
        if item["kind"] == "Event":
            found.recorded.append(item)
        else:
            keys.append(found.put(item))
    found.alone += keys if len(keys) == 1 else []
    return bool(keys) or bool(found.recorded)


def _items(document: Any) -> Iterator[Json]:
    """Yield the objects of a document that have what every object has, and what we read of them has its type."""
    if not isinstance(document, dict):
        return
    inside = document.get("items")
    for item in inside if isinstance(inside, list) else [document]:
        if isinstance(item, dict) and isinstance(item.get("kind"), str) and _plain(item):
            yield item


def _plain(item: Json) -> bool:
    meta = item.get("metadata")
    parts = (item.get("spec", {}), item.get("status", {}))
    return isinstance(meta, dict) and isinstance(meta.get("name"), str) and all(isinstance(p, dict) for p in parts)


def _descriptions(output: Output, found: Found) -> bool:
    several = list(described(output.text))[:MAX_ROWS]
    keys = [found.put(item) for item, _ in several]
    for _, told in several:
        found.events += told
    found.alone += keys if len(keys) == 1 else []
    if keys:
        found.read_as[output.name] = f"describe of {', '.join(sorted({kind for kind, _, _ in keys}))}"
    return bool(keys)


def _tables(output: Output, found: Found) -> str:
    lines = output.text.strip().lstrip('" ').splitlines()[:MAX_ROWS]
    head = lines[0] if lines else ""
    if head.startswith("LAST SEEN"):
        found.events += events(table(lines))
        return "table of events"
    if re.match(r"NAME\s+STATUS\s+ROLES", head):
        for node in filter(None, map(_NODE.match, lines[1:])):
            found.put(_node(node))
        return "table of nodes"
    named = re.match(r"(?:NAMESPACE\s+)?NAME\s+READY\s+STATUS", head) is not None
    if not named and not output.tool.startswith(("kubectl_get", "kubectl_find")):
        return ""
    pods = [pod for line in lines if (pod := _POD.fullmatch(line.rstrip()))]
    for row in pods:
        found.ages[row["name"]] = seconds(row["age"]) or 0.0
        found.put(_row(row, row["namespace"] or output.parameters.get("namespace", "")))
    return "table of pods" if pods else ""


def _node(row: re.Match[str]) -> Json:
    ready = row["status"].split(",")[0] == "Ready"
    condition = {"type": "Ready", "status": str(ready), "message": ""}
    return {"kind": "Node", "metadata": {"name": row["name"]}, "spec": {}, "status": {"conditions": [condition]}}


def _row(row: re.Match[str], namespace: str) -> Json:
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


def event(seen: Seen, found: Found, now: datetime) -> Json:
    """Return an Event as the API server has it, for what was printed at this time."""
    uid = next((o["metadata"]["uid"] for k, o in found.objects.items() if _is(k, seen)), "")
    last, first = (rfc3339(now - timedelta(seconds=s)) for s in (seen.last_seconds, seen.first_seconds))
    return {
        "type": seen.type,
        "reason": seen.reason,
        "message": seen.message,
        "count": seen.count,
        "lastTimestamp": last,
        "firstTimestamp": first,
        "involvedObject": {"kind": seen.kind, "name": seen.name, "uid": uid},
        "metadata": {},
    }


def _is(key: tuple[str, str, str], seen: Seen) -> bool:
    return key[0].lower() == seen.kind.lower() and key[2] == seen.name
