"""`pause-rollout` and `resume-rollout` of a Deployment: what is rolled out stops where it is, or goes on."""

from hemostat.action.contract import Action, Draft, Params, Rule, World, add, effect, once, remove, unified_diff
from hemostat.errors import Refused
from hemostat.signals.workload import state_of

PATH = "/spec/paused"
RULES = (Rule("apps", ("deployments",), ("patch",)),)
KINDS = frozenset({"Deployment"})


class PauseParams(Params):
    """None."""


def pause(world: World, params: PauseParams) -> Draft:  # noqa: ARG001 - every plan has this form
    """Plan to stop a rollout where it is. Raises `Refused` (Paused, NothingToPause) where there is none."""
    target = world.target
    name, state = target["metadata"]["name"], state_of(target)
    if target["spec"].get("paused"):
        raise Refused("Paused", f"the rollout of Deployment {name} is paused already")
    if state.updated >= state.desired and state.total <= state.desired:
        raise Refused("NothingToPause", f"Deployment {name} rolls nothing out: all pods are of the newest template")
    said = f"{state.updated} of {state.desired} pods are of the newest template"
    return _draft(world, f"Pause the rollout of Deployment {name}: {said}, and no more become so", 0, stop=True)


def resume(world: World, params: PauseParams) -> Draft:  # noqa: ARG001 - every plan has this form
    """Plan to let a rollout go on. Raises `Refused` (NotPaused) where it does."""
    target = world.target
    name, state = target["metadata"]["name"], state_of(target)
    if not target["spec"].get("paused"):
        raise Refused("NotPaused", f"the rollout of Deployment {name} is not paused")
    left = max(0, state.desired - state.updated)
    return _draft(world, f"Resume the rollout of Deployment {name}: {left} pods are to be replaced", left, stop=False)


def _draft(world: World, summary: str, replaced: int, *, stop: bool) -> Draft:
    """The API server does not store a `paused` that is false: it is there, or it is not."""
    target = world.target
    writes = (effect(target, (add(PATH, True),)), effect(target, (remove(PATH),)))
    before, after = {"paused": not stop}, {"paused": stop}
    return Draft(
        summary=summary,
        steps=once(*(writes if stop else writes[::-1])),
        diff=unified_diff(before, after, f"Deployment/{target['metadata']['name']} spec"),
        replaced_pods=replaced,
        replicas_after=state_of(target).desired,
        reads={"template": target["spec"]["template"], "paused": not stop},
    )


PAUSE = Action(
    name="pause-rollout",
    summary="Stop a rollout where it is",
    kinds=KINDS,
    params=PauseParams,
    rules=RULES,
    plan=pause,
    on_ineffective="Keep",  # half of a rollout never counts as complete, and going on with a bad one is no undo
)
RESUME = Action(
    name="resume-rollout",
    summary="Let a paused rollout go on",
    kinds=KINDS,
    params=PauseParams,
    rules=RULES,
    plan=resume,
    on_ineffective="Undo",
)
