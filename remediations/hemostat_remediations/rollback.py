"""`rollback`: put a workload's pod template back to the last revision that was observed healthy.

Done as `kubectl rollout undo` does it (a JSON Patch of /spec/template): server-side apply of an old template cannot
take away what the bad revision added.

A StatefulSet that updates its pods in order waits for ever for a pod that the bad revision broke, whatever its template
says by then: such pods are evicted afterwards. https://github.com/kubernetes/kubernetes/issues/67250,
https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback
"""

from collections.abc import Mapping, Sequence
from typing import Any

from hemostat.action.contract import (
    Action,
    Draft,
    Params,
    Rule,
    World,
    deletion,
    effect,
    once,
    replace,
    unified_diff,
)
from hemostat.api.remediation import PlanStep
from hemostat.errors import Refused
from hemostat.signals.workload.state import holds
from hemostat_remediations.revisions import KINDS, healthy_templates, rolls, size

REVISION_LABEL = "controller-revision-hash"
MAX_STUCK = 15
DEADLINE_SECONDS = 600
Json = Mapping[str, Any]


class RollbackParams(Params):
    """None: the revision to return to is what a Watch observed."""


def plan(world: World, params: RollbackParams) -> Draft:  # noqa: ARG001 - every plan has this form
    """Plan the way back to the youngest healthy revision that is not the present one."""
    target = world.target
    rolls(target)
    for revision, template in healthy_templates(world):
        return _draft(world, template, revision)
    what = f"{target['kind']} {target['metadata']['name']}"
    raise Refused(
        "NoHealthyRevision",
        f"{what} has no earlier revision that a Watch observed healthy and that still exists; roll back by hand, or "
        "raise revisionHistoryLimit for the next time",
    )


def _draft(world: World, template: dict[str, Any], revision: str) -> Draft:
    target = world.target
    what, present = f"{target['kind']} {target['metadata']['name']}", target["spec"]["template"]
    stuck = _stuck(world, revision)
    names = ", ".join(pod["metadata"]["name"] for pod in stuck)
    more = f", and evict {names}, for which it would wait for ever" if stuck else ""
    back = once(*(effect(target, (replace("/spec/template", t),)) for t in (template, present)))
    evictions = (PlanStep(forward=deletion({"apiVersion": "v1", "kind": "Pod", **pod}, "eviction")) for pod in stuck)
    return Draft(
        summary=f"Roll {what} back to template {revision}, last observed healthy{more}"[:1000],
        steps=(*back, *evictions),
        diff=unified_diff(present, template, f"{what.replace(' ', '/')} spec.template"),
        replaced_pods=size(target),
        replicas_after=size(target),
        reads={"present": present, "wanted": template},
        deadline_seconds=DEADLINE_SECONDS if stuck else None,
    )


def _stuck(world: World, revision: str) -> Sequence[Json]:
    """Return the pods that keep a StatefulSet from updating: of another revision, and not ready."""
    target = world.target
    if target["kind"] != "StatefulSet" or target["spec"].get("podManagementPolicy", "OrderedReady") != "OrderedReady":
        return ()
    wanted, uid = f"{target['metadata']['name']}-{revision}", target["metadata"]["uid"]
    found = [
        pod
        for pod in world.pods
        if any(o["uid"] == uid for o in pod["metadata"].get("ownerReferences") or ())
        and (pod["metadata"].get("labels") or {}).get(REVISION_LABEL) != wanted
        and not holds(pod, "Ready")
        and "deletionTimestamp" not in pod["metadata"]
    ]
    if len(found) > MAX_STUCK:
        raise Refused(
            "TooMany",
            f"{len(found)} pods of {target['metadata']['name']} are not ready, more than the {MAX_STUCK} of one plan: "
            "roll back by hand",
        )
    return sorted(found, key=lambda pod: str(pod["metadata"]["name"]))


ROLLBACK = Action(
    name="rollback",
    summary="Put a workload's template back to the last revision observed healthy",
    kinds=KINDS,
    params=RollbackParams,
    rules=(
        Rule("apps", ("deployments", "statefulsets", "daemonsets"), ("patch",)),
        Rule("apps", ("replicasets", "controllerrevisions"), ("list",)),
        Rule("", ("pods",), ("get", "list")),
        Rule("", ("pods/eviction",), ("create",)),
    ),
    plan=plan,
    on_ineffective="Undo",
    irreversible="the eviction of pods for which a StatefulSet would wait for ever; a Deployment has none",
)
