"""An API server in memory: versions, generations, field owners, JSON Patch with tests; and faults by script.

What a call does besides what it is asked for is taken from `script`, one entry per call, until none is left.
"""

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from hemostat.act.recording import NOTHING, NotRecorded
from hemostat.audit.record import Entry
from hemostat.errors import Retry
from hemostat.kube import Conflict, Disrupted, NotFound

Json = dict[str, Any]
OK, DIES_BEFORE, DIES_AFTER, REPLY_LOST, DELAYED = "ok", "dies before", "dies after", "reply lost", "delayed"
FAULTS = (OK, DIES_BEFORE, DIES_AFTER, REPLY_LOST, DELAYED)


PLAIN = {str, int, float, bool, type(None)}


class Killed(BaseException):
    """The process ended here."""


def copied(value: Any) -> Any:
    """Return a copy, as one that came over the wire."""
    kind = type(value)
    if kind is dict:
        return {key: copied(child) for key, child in value.items()}
    if kind is list or kind is tuple:
        return [copied(child) for child in value]
    return value if kind in PLAIN else json.loads(json.dumps(value))


def at_pointer(document: Any, pointer: str) -> tuple[Any, str | int]:
    """Return the container and the key that a JSON pointer names."""
    *parents, last = (p.replace("~1", "/").replace("~0", "~") for p in pointer.lstrip("/").split("/"))
    for part in parents:
        document = document[int(part)] if isinstance(document, list) else document[part]
    return document, int(last) if isinstance(document, list) else last


def patched(document: Json, ops: Iterable[Mapping[str, Any]]) -> Json:
    """Apply a JSON Patch (RFC 6902: test, add, replace, remove) to a copy."""
    result = copied(document)
    for op in ops:
        try:
            container, key = at_pointer(result, op["path"])
            if op["op"] == "test":
                if container[key] != op["value"]:
                    raise Conflict(f"test of {op['path']}: {container[key]!r} is not {op['value']!r}")
            elif op["op"] == "remove":
                del container[key]
            elif op["op"] == "add" and isinstance(container, list):
                container.insert(key, copied(op["value"]))
            else:
                if op["op"] == "replace":
                    container[key]
                container[key] = copied(op["value"])
        except (KeyError, IndexError) as error:
            raise Conflict(f"{op['path']} is not there") from error
    return result


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every field that somebody may own."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if not children:
        yield path, value
    for key, child in children:
        yield from leaves(child, f"{path}/{key}")


class Records:
    """An audit log that may refuse."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.kept: list[Mapping[str, bytes]] = []
        self.room: int | None = None
        """How many more it takes; None: as many as there are."""

    def __call__(self, entry: Entry, kept: Mapping[str, bytes] = NOTHING) -> None:
        if self.room is not None:
            if not self.room:
                raise NotRecorded("the disk is full")
            self.room -= 1
        self.entries.append(entry)
        self.kept.append(kept)


class ApiServer:
    """Objects by URL path."""

    def __init__(self, objects: Mapping[str, Json] | None = None) -> None:
        self.objects: dict[str, Json] = copied(objects or {})
        self.owners: dict[str, dict[str, str]] = {}
        self.pending: list[Callable[[], object]] = []
        self.script: list[tuple[str, str]] = []
        self.between: Callable[[str], None] = lambda _: None
        self.writes: list[tuple[str, str, Json]] = []
        """(path, field manager, JSON Patch tests by path) of every patch that changed something."""
        self.created: list[Json] = []
        self.deleted: list[tuple[str, str | None]] = []
        """(uid, precondition on the version)"""
        self.budget = True
        """Whether disruption budgets allow evictions."""
        self.go = {"begin", "undo"}
        """What the stop switch lets `act` do."""
        self.calls = 0
        newest = max((int(o["metadata"].get("resourceVersion", 0)) for o in self.objects.values()), default=0)
        self._versions = itertools.count(max(100, newest + 1))  # none is ever given twice
        self._scripted = True

    # --- what the world does ---------------------------------------------------------------------------------

    def put(self, path: str, body: Json) -> None:
        body = copied(body)
        body["metadata"] |= {"resourceVersion": str(next(self._versions))}
        self.objects[path] = body

    def write(self, path: str, manager: str, change: Callable[[Json], object]) -> None:
        """Write as somebody else, unhindered."""
        changed = copied(self.objects[path])
        change(changed)
        self._store(path, changed, manager)

    def deliver(self) -> None:
        """Let the requests that were on their way arrive, oldest first."""
        waiting, self.pending = self.pending, []
        for request in waiting:
            try:
                request()
            except (Conflict, NotFound):
                continue

    # --- hemostat.kube.Kube ----------------------------------------------------------------------------------

    def get(self, path: str, **query: str) -> Json:
        return self._call(lambda: self._get(path))

    def list(self, path: str, **query: str) -> list[Json]:
        def read() -> list[Json]:
            found = [copied(o) for p, o in sorted(self.objects.items()) if p.rsplit("/", 1)[0] == path]
            where, _, wanted = query.get("fieldSelector", "").partition("=")
            return [o for o in found if not where or _at(o, where) == wanted]

        return self._call(read)

    def create(self, path: str, body: Json, manager: str, *, dry_run: bool = False) -> Json:
        body = copied(body)
        if path.endswith("selfsubjectaccessreviews"):
            return body | {"status": {"allowed": body["spec"]["resourceAttributes"]["verb"] in self.go}}
        if path.endswith(("/events", "reviews")):
            return body
        name = f"{path}/{body['metadata']['name']}"

        def write() -> Json:
            if name in self.objects:
                raise Conflict(f"{name} is there already")
            if not dry_run:
                version = str(next(self._versions))
                born = {"uid": f"uid-born-{version}", "generation": 1, "managedFields": [{"manager": manager}]}
                self.objects[name] = body | {"metadata": body["metadata"] | born | {"resourceVersion": version}}
                self.created.append(self.objects[name])
            return body

        return self._call(write, writes=not dry_run)

    def delete(self, path: str, uid: str, version: str | None = None, *, dry_run: bool = False) -> None:
        def write() -> None:
            meta = self._get(path)["metadata"]
            if uid != meta["uid"] or version not in (None, meta["resourceVersion"]):
                raise Conflict(f"{path} is another one, or at another version")
            if not dry_run:
                del self.objects[path]
                self.deleted.append((uid, version))

        self._call(write, writes=not dry_run)

    def evict(self, path: str, uid: str, version: str | None = None, *, dry_run: bool = False) -> None:
        if self.budget:
            self.delete(path, uid, version, dry_run=dry_run)
        else:
            self._call(self._forbidden, writes=not dry_run)

    def _forbidden(self) -> None:
        raise Disrupted("Cannot evict pod as it would violate the pod's disruption budget.")

    def each(self, path: str, **query: str) -> Iterator[Json]:
        return iter(self.list(path, **query))

    def merge_patch(self, path: str, body: Json, manager: str) -> Json:
        return copied(body)

    def replace(self, path: str, body: Json, manager: str) -> Json:
        body = copied(body)

        def write() -> Json:
            owner = path.removesuffix("/status")
            current = self._get(owner)
            if current["metadata"]["resourceVersion"] != body["metadata"]["resourceVersion"]:
                raise Conflict(f"{path} is at another version")
            self._store(owner, current | {"status": body["status"]}, manager)
            return self._get(owner)

        return self._call(write, writes=True)

    def json_patch(self, path: str, ops: Iterable[Mapping[str, Any]], manager: str, *, dry_run: bool = False) -> Json:
        ops = copied(list(ops))

        def write() -> Json:
            owner = path.removesuffix("/scale")
            current = self._get(owner)
            after = patched(current, ops)
            if not dry_run and self._store(owner, after, manager):
                self.writes.append((path, manager, {o["path"]: o["value"] for o in ops if o["op"] == "test"}))
            return after

        return self._call(write, writes=not dry_run)

    def server_now(self) -> datetime:
        raise NotImplementedError

    # --- inside ----------------------------------------------------------------------------------------------

    def _call(self, do: Callable[[], Any], *, writes: bool = False) -> Any:
        self.calls += 1
        if not self._scripted or not self.script:
            return do()
        fault, event = self.script.pop(0)
        if event:
            self._scripted = False  # what others do in between is not itself disturbed
            try:
                self.between(event)
            finally:
                self._scripted = True
        if fault == DIES_BEFORE:
            raise Killed
        if fault == DELAYED and writes:
            self.pending.append(do)
            raise Retry("no answer in time")
        result = do()
        if fault == DIES_AFTER:
            raise Killed
        if fault == REPLY_LOST:
            raise Retry("the connection was lost")
        return result

    def _get(self, path: str) -> Json:
        if path not in self.objects:
            raise NotFound(path)
        return copied(self.objects[path])

    def _store(self, path: str, after: Json, manager: str) -> bool:
        """Keep the object if it changed, as the API server does; return whether it did."""
        before = self.objects[path]
        if after == before:
            return False
        old, new = (dict(leaves(o.get("spec", {}))) for o in (before, after))
        if old != new:
            after["metadata"]["generation"] = before["metadata"].get("generation", 0) + 1
        if "managedFields" in before["metadata"]:
            self._own(path, before, after, manager, {p for p, v in new.items() if old.get(p, Killed) != v}, set(new))
        after["metadata"]["resourceVersion"] = str(next(self._versions))
        self.objects[path] = after
        return True

    def _own(self, path: str, before: Json, after: Json, manager: str, taken: set[str], left: set[str]) -> None:
        kept = {entry["manager"] for entry in after["metadata"]["managedFields"]}
        owners = self.owners.setdefault(path, {})
        owned = {p: who for p, who in owners.items() if p in left and who in kept}
        owned |= dict.fromkeys(taken, manager)
        self.owners[path] = owned
        after["metadata"]["managedFields"] = [{"manager": who} for who in sorted(set(owned.values()))]


def _at(body: Json, where: str) -> Any:
    """Return the field that a field selector names, "" where there is none."""
    for name in where.split("."):
        body = body.get(name, "") if isinstance(body, dict) else ""
    return body
