"""Former pod templates of a workload, and which of them were seen healthy."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from hemostat.action.contract import World
from hemostat.errors import Refused
from hemostat.signals.changes import revision_name
from hemostat.signals.workload import state_of

Json = Mapping[str, Any]
KINDS = frozenset({"Deployment", "StatefulSet", "DaemonSet"})
HASH = "pod-template-hash"


def healthy_templates(world: World) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield name and template of the revisions that a Watch observed healthy and that differ from the present one, the
    youngest first.
    """
    target = world.target
    present, uid = target["spec"]["template"], target["metadata"]["uid"]
    owned = {revision_name(revision): revision for revision in world.revisions}
    healthy = sorted((h for h in world.healthy if h.target_uid == uid), key=lambda h: h.observed_time)
    for seen in reversed(healthy):
        revision = owned.get(seen.template_hash)
        template = template_in(revision, present) if revision is not None else present
        if template != present:
            yield seen.template_hash, dict(template)


def template_in(revision: Json, present: Json) -> dict[str, Any]:
    """Return the pod template that a ReplicaSet or ControllerRevision holds, as the API server would give it.

    A ControllerRevision holds a patch, and both name an empty creationTimestamp where the live object does.
    """
    held = revision["spec"] if "spec" in revision else revision["data"]["spec"]
    template: dict[str, Any] = deepcopy(dict(held["template"]))
    template.pop("$patch", None)
    meta = template.setdefault("metadata", {})
    (meta.get("labels") or {}).pop(HASH, None)
    meta.pop("creationTimestamp", None)
    if "creationTimestamp" in present.get("metadata", {}):
        meta["creationTimestamp"] = None
    return template


def rolls(target: Json) -> None:
    """Raise `Refused` where a new template would not reach the pods by itself."""
    what, spec = f"{target['kind']} {target['metadata']['name']}", target["spec"]
    if (spec.get("updateStrategy") or {}).get("type") == "OnDelete":
        raise Refused(
            "OnDelete", f"{what} replaces no pod by itself (updateStrategy OnDelete): delete its pods by hand"
        )
    if spec.get("paused"):
        raise Refused("Paused", f"the rollout of {what} is paused: resume it first, or run resume-rollout")
    if (spec.get("updateStrategy") or {}).get("rollingUpdate", {}).get("partition"):
        raise Refused(
            "Partitioned", f"{what} updates a part of its pods (partition): somebody is rolling it out by hand"
        )


def size(target: Json) -> int:
    """Return how many pods the workload has, or is to have."""
    return state_of(target).desired
