"""Other people's objects, as the watch streams tell of them: one cache for all looks (thread-safe, in memory).

Nothing is ever written on what is only watched. Objects are trimmed on entry and indexed by name, owner and namespace.
"""

import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hemostat.clock import Clock
from hemostat.metrics import WORLD_DROPPED, WORLD_OBJECTS
from hemostat.observe.freshness import Freshness
from hemostat.observe.kinds import BY_NAME
from hemostat.observe.trim import trim
from hemostat.signals.changes import REVISED, ChangeKind, ChangeLog, Noted, Ref, derived, differences, revision_of
from hemostat.signals.workload.scene import event_age, tells_trouble

Json = dict[str, Any]
Raw = Mapping[str, Any]
MAX_BYTES = 24 * 1024 * 1024
"""Bound on all trimmed objects together, as JSON; in memory they take a few times that."""
USUAL_BYTES = 4096
"""Taken as the size of an object of a kind of which none is kept."""
EVENT_SECONDS = 900.0
"""Events that were last seen longer ago are not taken in."""


@dataclass(slots=True)
class Entry:
    """An object in the cache."""

    item: Json
    size: int
    taken: datetime
    """When it was last told of."""

    @property
    def version(self) -> int:
        """resourceVersion; they can be compared within a kind since Kubernetes 1.35, and in practice always could."""
        return version_of(self.item["metadata"])


@dataclass
class Shelf:
    """All objects of one kind."""

    entries: dict[str, Entry] = field(default_factory=dict)
    """By uid, oldest first."""
    names: dict[tuple[str, str], str] = field(default_factory=dict)
    """Namespace and name to uid."""
    spaces: dict[str, dict[str, None]] = field(default_factory=dict)
    """Namespace to uids."""
    dropped: int = 0


class World:
    """Knows the objects that Watches are about. `put` and `remove` come from the streams, the rest is for looks."""

    def __init__(self, clock: Clock, max_bytes: int = MAX_BYTES) -> None:
        self._clock = clock
        self._max_bytes = max_bytes
        self._bytes = 0
        self._lock = threading.RLock()
        self._shelves = {name: Shelf() for name in BY_NAME}
        self._owned: dict[str, dict[tuple[str, str], None]] = {}
        """uid of an owner (of an Event: of what it is about) to (kind, uid)."""
        self._log = ChangeLog()
        self.freshness = Freshness(clock)

    # --- What the streams tell

    def put(self, kind: str, raw: Raw) -> None:
        """Take in an object that exists or changed. One that is older than what is known is ignored."""
        now = self._clock.now()
        raw = {**raw, "kind": kind}
        item = trim(kind, raw)
        if kind == "Event" and (event_age(item, now) > EVENT_SECONDS or not tells_trouble(item)):
            return
        size = len(json.dumps(item, default=str))
        uid = item["metadata"]["uid"]
        with self._lock:
            old = self._shelves[kind].entries.get(uid)
            if old is not None and old.version > version_of(item["metadata"]):
                return
            self.freshness.seen(kind, uid, version_of(item["metadata"]))
            self._notice(kind, old.item if old is not None else None, item, raw, now)
            if old is not None:
                self._take_out(kind, uid)
            if self._room(kind, size):
                self._take_in(kind, uid, Entry(item, size, now))

    def remove(self, kind: str, raw: Raw) -> None:
        """Forget an object that was deleted."""
        uid = raw["metadata"]["uid"]
        with self._lock:
            self.freshness.gone(kind, uid)
            if uid in self._shelves[kind].entries:
                self._take_out(kind, uid)
                if kind == "Node":
                    ref = Ref("Node", "", raw["metadata"]["name"])
                    self._log.add([Noted(ChangeKind.NODE, ref, self._clock.now(), "left the cluster")])

    def reconcile(self, kind: str, versions: Mapping[str, int], began: datetime) -> None:
        """Compare with a list of all objects of a kind: forget what is gone, note what we were not told.

        A watch that was interrupted for long begins anew with a list, and what was deleted meanwhile is in none of
        its events.

        :param versions: uid to resourceVersion, as listed.
        :param began: when the list was asked for; what was told of since may be younger than it.
        """
        with self._lock:
            shelf = self._shelves[kind]
            for uid in [u for u, e in shelf.entries.items() if u not in versions and e.taken < began]:
                self.remove(kind, shelf.entries[uid].item)
            if shelf.dropped and self._fits(kind, sum(uid not in shelf.entries for uid in versions)):
                shelf.dropped = 0  # what was left out is now late, and read
            full = shelf.dropped > 0
            known = {uid: entry.version for uid, entry in shelf.entries.items()}
            behind = {u: v for u, v in versions.items() if known.get(u, v if full else -1) < v}
            self.freshness.listed(kind, behind, began)
            WORLD_OBJECTS.labels(kind).set(len(shelf.entries))

    def unread(self, kind: str, why: str) -> None:
        """Note why a list of all objects of a kind could not be read."""
        with self._lock:
            self.freshness.failed(kind, why)

    # --- What looks ask

    def doubt(self, kinds: Iterable[str]) -> str:
        """Return why what is cached of these kinds is not to be relied on; see `Freshness`."""
        with self._lock:
            return self.freshness.doubt(tuple(dict.fromkeys(kinds)))

    def behind(self, kind: str) -> timedelta:
        """Return for how long the stream of a kind has not told what a list showed."""
        with self._lock:
            return self.freshness.behind(kind)

    def settled(self, kind: str) -> bool:
        """Tell whether the cache had everything of a kind that the last list showed."""
        with self._lock:
            return self.freshness.settled(kind)

    def find(self, kind: str, namespace: str, name: str) -> Json | None:
        """Return an object by name. Do not change it."""
        with self._lock:
            shelf = self._shelves[kind]
            uid = shelf.names.get((namespace, name))
            return shelf.entries[uid].item if uid is not None else None

    def owned(self, uid: str, kind: str) -> list[Json]:
        """Return the objects of a kind that this one owns; of kind Event, those about it."""
        with self._lock:
            entries = self._shelves[kind].entries
            return [entries[u].item for k, u in self._owned.get(uid, ()) if k == kind]

    def within(self, kind: str, namespace: str) -> list[Json]:
        """Return all objects of a kind in a namespace."""
        with self._lock:
            shelf = self._shelves[kind]
            return [shelf.entries[uid].item for uid in shelf.spaces.get(namespace, ())]

    def elsewhere(self, kind: str, namespace: str, name: str) -> str:
        """Return another namespace that has an object of this kind and name; empty if none has, as far as is known."""
        with self._lock:
            names = self._shelves[kind].names
            return min((ns for ns, known in names if known == name and ns != namespace), default="")

    def changes(self, refs: Iterable[Ref], now: datetime) -> list[Noted]:
        """Return what was changed at these objects in the last half hour, newest first."""
        with self._lock:
            return self._log.of(refs, now)

    def dropped(self, kind: str) -> int:
        """Return how many objects of a kind there was no room for."""
        with self._lock:
            return self._shelves[kind].dropped

    @property
    def size(self) -> tuple[int, int]:
        """Number of objects, and their bytes as JSON."""
        with self._lock:
            return sum(len(s.entries) for s in self._shelves.values()), self._bytes

    # --- Keeping the books; the lock is held

    def _notice(self, kind: str, old: Json | None, item: Json, raw: Raw, now: datetime) -> None:
        if kind in ("ReplicaSet", "ControllerRevision"):
            if old is not None and revision_of(old) != revision_of(item):
                item[REVISED] = now.isoformat()
            elif old is not None and REVISED in old:
                item[REVISED] = old[REVISED]
        elif old is None:
            self._log.add(derived(raw, now))
        else:
            self._log.add(differences(old, item, raw["metadata"].get("managedFields") or (), now))

    def _room(self, kind: str, size: int) -> bool:
        """Events make room for younger ones; anything else that is too much is not taken in, and counted."""
        shelf, limit = self._shelves[kind], BY_NAME[kind].limit
        if kind == "Event" and len(shelf.entries) >= limit:
            self._take_out(kind, next(iter(shelf.entries)))
        if len(shelf.entries) < limit and self._bytes + size <= self._max_bytes:
            return True
        shelf.dropped += 1
        WORLD_DROPPED.labels(kind).inc()
        return False

    def _fits(self, kind: str, more: int) -> bool:
        """Tell whether there is room for so many more, were they half as large again as those that are kept."""
        entries = self._shelves[kind].entries
        usual = sum(e.size for e in entries.values()) / len(entries) if entries else USUAL_BYTES
        room = self._max_bytes - self._bytes
        return len(entries) + more <= BY_NAME[kind].limit and 1.5 * more * usual <= room

    def _take_in(self, kind: str, uid: str, entry: Entry) -> None:
        shelf, meta = self._shelves[kind], entry.item["metadata"]
        namespace = meta.get("namespace") or ""
        shelf.entries[uid] = entry
        shelf.names[namespace, meta["name"]] = uid
        shelf.spaces.setdefault(namespace, {})[uid] = None
        self._bytes += entry.size
        for owner in _owners(entry.item):
            self._owned.setdefault(owner, {})[kind, uid] = None

    def _take_out(self, kind: str, uid: str) -> None:
        shelf = self._shelves[kind]
        entry = shelf.entries.pop(uid)
        meta = entry.item["metadata"]
        namespace = meta.get("namespace") or ""
        if shelf.names.get((namespace, meta["name"])) == uid:
            del shelf.names[namespace, meta["name"]]
        _drop(shelf.spaces, namespace, uid)
        self._bytes -= entry.size
        for owner in _owners(entry.item):
            _drop(self._owned, owner, (kind, uid))


def version_of(meta: Raw) -> int:
    """Return the resourceVersion as a number; 0 when it is none."""
    text = str(meta.get("resourceVersion") or "0")
    return int(text) if text.isdecimal() else 0


def _owners(item: Json) -> Iterator[str]:
    about = item.get("involvedObject") or {}
    if about.get("uid"):
        yield about["uid"]
    for owner in item["metadata"].get("ownerReferences") or ():
        yield owner["uid"]


def _drop(index: dict[Any, dict[Any, None]], key: Any, value: Any) -> None:
    values = index.get(key, {})
    values.pop(value, None)
    if not values:
        index.pop(key, None)
