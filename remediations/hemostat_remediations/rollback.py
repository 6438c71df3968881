"""`rollback`: put a Deployment's pod template back to the last revision that was observed healthy.

Done as `kubectl rollout undo` does it (a JSON Patch of /spec/template): server-side apply of an old template cannot
take away what the bad revision added.
"""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from hemostat.action.contract import Action, Draft, Params, Rule, World, effect, once, replace, unified_diff
from hemostat.errors import Refused

HASH = "pod-template-hash"


class RollbackParams(Params):
    """None: the revision to return to is what a Watch observed."""


def plan(world: World, params: RollbackParams) -> Draft:  # noqa: ARG001 - every plan has this form
    """Plan the way back to the youngest healthy revision that is not the present one."""
    target = world.target
    uid = target["metadata"]["uid"]
    present = target["spec"]["template"]
    owned = {rs["metadata"]["labels"].get(HASH, ""): rs for rs in world.replicasets}
    healthy = sorted((h for h in world.healthy if h.target_uid == uid), key=lambda h: h.observed_time)
    for revision in reversed(healthy):
        replicaset = owned.get(revision.template_hash)
        if replicaset is None:
            continue
        template = _template(replicaset)
        if template != present:
            return _draft(target, template, revision.template_hash)
    name = target["metadata"]["name"]
    raise Refused(
        "NoHealthyRevision",
        f"Deployment {name} has no earlier revision that a Watch observed healthy and whose ReplicaSet still "
        "exists; roll back by hand, or raise revisionHistoryLimit for the next time",
    )


def _template(replicaset: Mapping[str, Any]) -> dict[str, Any]:
    template = deepcopy(replicaset["spec"]["template"])
    template["metadata"].get("labels", {}).pop(HASH, None)
    return dict(template)


def _draft(target: Mapping[str, Any], template: dict[str, Any], revision: str) -> Draft:
    name = target["metadata"]["name"]
    present = target["spec"]["template"]
    replicas = int(target["spec"].get("replicas", 1))
    return Draft(
        summary=f"Roll Deployment {name} back to template {revision}, last observed healthy",
        steps=once(*(effect(target, (replace("/spec/template", t),)) for t in (template, present))),
        diff=unified_diff(present, template, f"Deployment/{name} spec.template"),
        replaced_pods=replicas,
        replicas_after=replicas,
        reads={"present": present, "wanted": template},
    )


ROLLBACK = Action(
    name="rollback",
    summary="Put a Deployment's template back to the last revision observed healthy",
    kinds=frozenset({"Deployment"}),
    params=RollbackParams,
    rules=(Rule("apps", ("deployments",), ("patch",)), Rule("apps", ("replicasets",), ("list",))),
    plan=plan,
    on_ineffective="Undo",
)
