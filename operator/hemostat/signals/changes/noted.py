"""Changes as they are noted, and a bounded log of them (pure)."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

Json = Mapping[str, Any]
RECENT = timedelta(minutes=30)
"""Changes older than this explain nothing."""
MAX_PER_NAMESPACE = 200
MAX_NAMESPACES = 2_000


class ChangeKind(StrEnum):
    """What was changed. Runbook symptoms test these words."""

    ROLLOUT = "Rollout"
    SCALE = "Scale"
    AUTOSCALER = "Autoscaler"
    CONFIG = "ConfigMap"
    QUOTA = "Quota"
    NODE = "Node"
    MODEL = "Model"
    PROMPT = "Prompt"
    TOOLS = "ToolSchema"


@dataclass(frozen=True, slots=True)
class Ref:
    """An object by name. Nodes have no namespace."""

    kind: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Noted:
    """One change of one object, when it was seen, or when the object itself says that it was."""

    kind: ChangeKind
    ref: Ref
    time: datetime
    detail: str
    by: str = ""
    """The field manager that wrote it, where the object says so."""

    def __str__(self) -> str:
        return self.detail + (f" (by {self.by})" if self.by else "")


@dataclass
class ChangeLog:
    """The latest changes by namespace; bounded. Not thread-safe: its owner locks."""

    noted: dict[str, deque[Noted]] = field(default_factory=dict)

    def add(self, changes: Iterable[Noted]) -> None:
        """Remember changes; one that is remembered already is not added again."""
        for change in changes:
            if change.ref.namespace not in self.noted and len(self.noted) >= MAX_NAMESPACES:
                self.noted.pop(next(iter(self.noted)))
            log = self.noted.setdefault(change.ref.namespace, deque(maxlen=MAX_PER_NAMESPACE))
            if change not in log:
                log.append(change)

    def of(self, refs: Iterable[Ref], now: datetime) -> list[Noted]:
        """Return what was changed at these objects in the last half hour, newest first."""
        wanted = set(refs)
        logs = (self.noted.get(namespace, ()) for namespace in {r.namespace for r in wanted})
        found = [c for log in logs for c in log if c.ref in wanted and now - c.time <= RECENT]
        return sorted(found, key=lambda c: c.time, reverse=True)


def ref_of(item: Json) -> Ref:
    """Return kind, namespace and name of an object."""
    meta = item["metadata"]
    return Ref(str(item.get("kind", "")), meta.get("namespace") or "", meta["name"])
