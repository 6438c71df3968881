"""`restart`: replace all pods of a workload, one after the other, as `kubectl rollout restart` does.

Nothing undoes it: what the old pods had in memory is gone, and taking the annotation away would replace them once more.
"""

from hemostat.action.contract import Action, Draft, Params, Rule, World, add, effect, once, unified_diff
from hemostat.action.effects import at
from hemostat.clock import rfc3339
from hemostat.errors import Refused
from hemostat_remediations.revisions import KINDS, rolls, size

PATH = "/spec/template/metadata/annotations/kubectl.kubernetes.io~1restartedAt"


class RestartParams(Params):
    """None."""


def plan(world: World, params: RestartParams) -> Draft:  # noqa: ARG001 - every plan has this form
    """Plan to replace all pods by others of the same template. Raises `Refused` where they would not be replaced."""
    target = world.target
    what = f"{target['kind']} {target['metadata']['name']}"
    rolls(target)
    if size(target) == 0:
        raise Refused("ScaledToZero", f"{what} has no pods to replace")
    if world.proposed is None:
        raise Refused("NoTime", "the Remediation does not say when it was created")
    now, before = rfc3339(world.proposed), at(target, PATH)
    return Draft(
        summary=f"Restart {what}: its {size(target)} pods are replaced, by others of the same template",
        steps=once(effect(target, (add(PATH, now),))),
        diff=unified_diff({"restartedAt": before}, {"restartedAt": now}, f"{what.replace(' ', '/')} spec.template"),
        replaced_pods=size(target),
        replicas_after=size(target),
        reads={"template": target["spec"]["template"]},
    )


RESTART = Action(
    name="restart",
    summary="Replace all pods of a workload one after the other (irreversible)",
    kinds=KINDS,
    params=RestartParams,
    rules=(Rule("apps", ("deployments", "statefulsets", "daemonsets"), ("patch",)),),
    plan=plan,
    on_ineffective="Keep",
    irreversible="the restart: what the old pods had in memory is gone",
)
