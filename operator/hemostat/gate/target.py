"""What the live target says of itself, as far as the gate asks (pure)."""

from collections.abc import Mapping
from typing import Any

from hemostat.clock import parse_time
from hemostat.gate.input import Edit, TargetFacts

MAX_EDITS = 16
_CONTROLLERS = frozenset(
    {"kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubelet", "flux"}
)
_LIKE_CONTROLLERS = ("-controller", "-controller-manager", "-operator", "-autoscaler", "-updater")
OURS = "hemostat-"


def told_by(live: Mapping[str, Any]) -> TargetFacts:
    """Return what can be read of an object; what is not as it should be is None."""
    meta = live.get("metadata", {})
    try:
        edits: tuple[Edit, ...] | None = edits_of(live)
    except (TypeError, ValueError):
        edits = None
    return TargetFacts(
        labels=_texts(meta.get("labels", {})),
        annotations=_texts(meta.get("annotations", {})),
        edits=edits,
    )


def edits_of(live: Mapping[str, Any]) -> tuple[Edit, ...]:
    """Return who wrote the object last, the newest first, as far as they are people or their tools.

    Statuses, controllers and Hemostat itself are left out; a manager that nobody knows is taken for a person's tool.
    Raises ValueError or TypeError where that cannot be told: no managedFields, or none that can be understood.
    https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
    """
    entries = live.get("metadata", {}).get("managedFields")
    if entries is None:
        raise ValueError("the object has no managedFields")
    found = [_edit(e) for e in entries if e.get("subresource", "") != "status" and not _is_controller(e)]
    return tuple(sorted(found, key=lambda e: e.time, reverse=True)[:MAX_EDITS])


def _edit(entry: Mapping[str, Any]) -> Edit:
    when = entry.get("time")
    if not isinstance(when, str):
        raise TypeError("an entry of managedFields has no time")
    return Edit(str(entry.get("manager", ""))[:128], parse_time(when))


def _is_controller(entry: Mapping[str, Any]) -> bool:
    name = entry.get("manager")
    if not isinstance(name, str):
        raise TypeError("an entry of managedFields has no manager")
    return name in _CONTROLLERS or name.endswith(_LIKE_CONTROLLERS) or name.startswith(OURS)


def _texts(value: Any) -> dict[str, str] | None:
    """Return labels or annotations; the API server leaves empty ones out, or says null."""
    if value is None:
        return {}
    if isinstance(value, Mapping) and all(isinstance(part, str) for item in value.items() for part in item):
        return dict(value)
    return None
