"""Which Remediations wait for a person, as the API server's events tell it: for whoever pages that person (shell).

Nothing is asked of the API server for it. What is deleted while events are interrupted is not told by them; whoever
looks at each of them now and then finds it gone (`told`).
"""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from hemostat.api.identity import ACKNOWLEDGED
from hemostat.api.remediation import ADMITTED, FINISHED, GateOutcome
from hemostat.clock import parse_time
from hemostat.handlers import key_of
from hemostat.metrics import WAITING, WAITING_SINCE, Row

Key = tuple[str, str]
"""(namespace, name)."""
Body = Mapping[str, Any]
MAX_KEPT = 10_000
"""Remediations that wait, and Incidents that are acknowledged; further ones are not counted."""
MAX_NAMESPACES = 100
"""Whose are told apart, those first where somebody waits longest; the others' are counted together."""
OTHERS = ""


class Waiting:
    """Keeps them. Thread-safe, and never waits."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._since: dict[Key, tuple[float, str]] = {}
        """Since when a Remediation waits, in Unix seconds, and the name of its Incident."""
        self._acknowledged: set[Key] = set()
        WAITING.follow(self.counts)
        WAITING_SINCE.follow(self.oldest)

    def told(self, step: Callable[[Key], float | None]) -> Callable[[Key], float | None]:
        """Return a step that also forgets what it has nothing left to do for."""

        def look(key: Key) -> float | None:
            delay = step(key)
            if delay is None:
                self.forget(key)
            return delay

        return look

    def put(self, body: Body) -> None:
        """Take a Remediation as it is now."""
        key, since = key_of(body), _since(body)
        with self._lock:
            if since is None:
                self._since.pop(key, None)
            elif key in self._since or len(self._since) < MAX_KEPT:
                self._since[key] = since, body["spec"]["incidentRef"]["name"]

    def remove(self, body: Body) -> None:
        """Take that a Remediation was deleted."""
        self.forget(key_of(body))

    def forget(self, key: Key) -> None:
        """Take that there is nothing left to do for it, or that it is gone."""
        with self._lock:
            self._since.pop(key, None)

    def incident(self, body: Body) -> None:
        """Take an Incident as it is now: for one that somebody has acknowledged nobody needs to be paged."""
        key = key_of(body)
        with self._lock:
            self._acknowledged.discard(key)
            if (body["metadata"].get("annotations") or {}).get(ACKNOWLEDGED) and len(self._acknowledged) < MAX_KEPT:
                self._acknowledged.add(key)

    def incident_gone(self, body: Body) -> None:
        """Take that an Incident was deleted."""
        with self._lock:
            self._acknowledged.discard(key_of(body))

    def counts(self) -> list[Row]:
        """Return how many wait, by namespace."""
        with self._lock:
            found = Counter(namespace for namespace, _ in self._since)
            told = {namespace for namespace, _ in self._oldest()}
        rows: Counter[str] = Counter()
        for namespace, count in found.items():
            rows[namespace if namespace in told or len(found) <= MAX_NAMESPACES else OTHERS] += count
        return [((namespace,), float(count)) for namespace, count in rows.items()]

    def oldest(self) -> list[Row]:
        """Return of each namespace which one waits longest and since when, of those that nobody has taken on."""
        with self._lock:
            return [((*key, self._since[key][1]), self._since[key][0]) for key in self._oldest()]

    def _oldest(self) -> list[Key]:
        first: dict[str, tuple[float, Key]] = {}
        for key, (since, incident) in self._since.items():
            known = first.get(key[0])
            if (known is None or (since, key) < known) and (key[0], incident) not in self._acknowledged:
                first[key[0]] = since, key
        return [key for _, key in sorted(first.values())[:MAX_NAMESPACES]]


def _since(body: Body) -> float | None:
    """Return since when it waits for a person's word; None if it does not. Time in which nobody was asked is left out:
    it is as if it had waited since later."""
    conditions = {c["type"]: c for c in body.get("status", {}).get("conditions", ())}
    admitted, finished = conditions.get(ADMITTED), conditions.get(FINISHED)
    if admitted is None or (finished is not None and finished["status"] == "True"):
        return None
    if (admitted["status"], admitted["reason"]) != ("Unknown", GateOutcome.NEEDS_APPROVAL):
        return None
    asked = body["status"].get("asked") or {}
    if "sinceTime" not in asked:
        return parse_time(admitted["lastTransitionTime"]).timestamp()
    return parse_time(asked["sinceTime"]).timestamp() - int(asked.get("seconds", 0))
