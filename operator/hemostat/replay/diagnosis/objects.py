"""Which objects and Events of the API server recorded outputs hold (pure).

What a program logged is never read so: whatever it prints, it is no word of the API server.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import yaml

from hemostat.clock import rfc3339
from hemostat.observe.trim import trim
from hemostat.replay.diagnosis import rows
from hemostat.replay.diagnosis.case import Output
from hemostat.replay.diagnosis.described import STANDING, described
from hemostat.replay.diagnosis.printed import Seen, events, table
from hemostat.signals.workload import KINDS

Json = dict[str, Any]
Key = tuple[str, str, str]
"""Kind, namespace and name of an object."""
MAX_MANIFESTS = 2 * 1024 * 1024
MAX_LINE = 4096
MAX_ROWS, MAX_OBJECTS = 500, 5_000

_ALIAS = re.compile(r"(?:^|[\s\[{,:])[&*][\w-]", re.MULTILINE)
"""The API server writes none, and a few of them in each other make a text that fills the memory."""
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(slots=True)
class Found:
    """What is known of the cluster."""

    objects: dict[Key, Json] = field(default_factory=dict)
    """By kind, namespace and name; of several tellings of one object the fullest."""
    events: list[Seen] = field(default_factory=list)
    recorded: list[Json] = field(default_factory=list)
    """Events with their own times, as `-o yaml` prints them."""
    ages: dict[str, float] = field(default_factory=dict)
    """Seconds by name of a pod, as tables tell them."""
    read_as: dict[str, str] = field(default_factory=dict)
    """By output: what it was taken for."""
    alone: list[Key] = field(default_factory=list)
    """Objects that an output is about and nothing else: somebody asked for them."""
    standing: set[Key] = field(default_factory=set)
    """Workloads of which it was told how many replicas are ready and up to date."""

    _named: dict[tuple[str, str], list[Key]] = field(default_factory=dict)

    def named(self, kind: str, name: str, namespace: str = "") -> Iterator[Key]:
        """Yield the objects of this name; where one namespace is not told, in any."""
        known = self._named.get((kind.lower(), name), ())
        return (key for key in known if key[1] == namespace or not (key[1] and namespace))

    def put(self, found: Json, *, whole: bool = False) -> Key:
        """Add an object unless it is known already, or there are too many; return how it is known.

        :param whole: whether its status tells how it stands.
        """
        meta = found["metadata"]
        key = (str(found["kind"]), str(meta.get("namespace") or ""), str(meta["name"]))
        known = next(self.named(key[0], key[2], key[1]), None)
        if known is not None or len(self.objects) >= MAX_OBJECTS:
            return known or key
        meta.setdefault("uid", "/".join(key))
        self.objects[key] = found
        self._named.setdefault((key[0].lower(), key[2]), []).append(key)
        if whole and key[0] in KINDS:
            self.standing.add(key)
        return key


def read(outputs: Iterable[Output]) -> Found:
    """Return what all outputs hold: those of objects as they are first, then described ones, then rows of tables."""
    found = Found()
    tables: list[Output] = []
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
        tables += [output] if not _descriptions(output, found) else []
    for output in tables:
        found.read_as[output.name] = _tables(output, found) or "text"
    return found


def _manifests(output: Output, found: Found) -> bool:
    begins = output.text.lstrip()[:400]
    is_json, is_yaml = begins.startswith("{"), re.match(r"(?:---\n)?(?:apiVersion|kind|items):", begins) is not None
    if len(output.text) > MAX_MANIFESTS or not (is_json or (is_yaml and not _ALIAS.search(output.text))):
        return False
    try:
        if is_json:
            read = [json.loads(output.text)]
        else:  # times that are not quoted become texts, as in JSON
            read = json.loads(json.dumps(list(yaml.load_all(output.text, _LOADER)), default=str))
    except (yaml.YAMLError, TypeError, ValueError, RecursionError):
        return False
    keys = []
    for item in [i for document in read for i in _items(document)][:MAX_OBJECTS]:
        if item["kind"] == "Event":
            found.recorded.append(trim("Event", item))
        else:  # a manifest from a repository has no status
            keys.append(found.put(trim(item["kind"], item), whole=bool(item.get("status"))))
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
    keys = [found.put(item, whole=item["kind"] in STANDING) for item, _ in several]
    for _, told in several:
        found.events += told
    found.alone += keys if len(keys) == 1 else []
    if keys:
        found.read_as[output.name] = f"describe of {', '.join(sorted({kind for kind, _, _ in keys}))}"
    return bool(keys)


def _tables(output: Output, found: Found) -> str:
    lines = output.text.strip().lstrip('" ').splitlines()[:MAX_ROWS]
    lines = [line[:MAX_LINE] for line in lines]
    head = lines[0] if lines else ""
    if head.startswith("LAST SEEN"):
        found.events += events(table(lines))
        return "table of events"
    if re.match(r"NAME\s+STATUS\s+ROLES", head):
        for node in rows.nodes(lines[1:]):
            found.put(node)
        return "table of nodes"
    named = re.match(r"(?:NAMESPACE\s+)?NAME\s+READY\s+STATUS", head) is not None
    if not named and not output.tool.startswith(("kubectl_get", "kubectl_find")):
        return ""
    pods = list(rows.pods(lines, output.parameters.get("namespace", "")))
    for pod, age in pods:
        found.ages[pod["metadata"]["name"]] = age
        found.put(pod)
    return "table of pods" if pods else ""


def event(seen: Seen, found: Found, now: datetime) -> Json:
    """Return an Event as the API server has it, for what was printed at this time."""
    known = next(found.named(seen.kind, seen.name), None)
    uid = found.objects[known]["metadata"]["uid"] if known is not None else ""
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
