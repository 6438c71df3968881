"""`delete-pod`: evict the one pod whose loss ends a deadlock at the least cost. Nothing undoes it: a person decides.

The victim is the agent whose wait came last (the caller of the edge that the signal names): the least work is behind
it. None of the tools that are open in the conversation may have side effects, by the Runbook's own list: what a tool
says of itself is no proof. Evicted as `kubectl drain` does, so that disruption budgets hold.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from hemostat.action.contract import Action, Draft, Rule, World, deletion, once
from hemostat.api.incident import ConversationStatus
from hemostat.api.watch import SignalKind
from hemostat.errors import Refused
from hemostat_remediations.edges import WorkloadParams, deployment_of, pod_labels
from hemostat_remediations.orders import meant, troubled


class DeletePodParams(WorkloadParams):
    """Which tools may be broken off."""

    safe_tools: Annotated[str, Field(max_length=4096)] = ""
    """Tools without side effects, separated by commas: only these may be open in the conversation."""


def plan(world: World, params: DeletePodParams) -> Draft:
    """Plan to evict the victim's only pod."""
    trouble = _deadlock(world)
    safe = {name.strip() for name in params.safe_tools.split(",")}
    if unsafe := sorted(set(trouble.open_tools) - safe):
        raise Refused(
            "SideEffects",
            f"tool {', '.join(unsafe)[:500]} is at work and not among the Runbook's safeTools: it might be broken off "
            "half done, or be done twice",
        )
    victim = deployment_of(world, params, trouble.caller)
    pod = _only_pod(world, victim)
    name = pod["metadata"]["name"]
    return Draft(
        summary=f"Evict pod {name}: {trouble.caller} of a deadlock of {', '.join(trouble.agents)} has least to lose; "
        "what it has in memory is lost"[:1000],
        steps=once(deletion({"apiVersion": "v1", "kind": "Pod", **pod}, "eviction")),
        diff=f"- Pod/{name} (its controller makes another one)",
        replaced_pods=1,
        replicas_after=world.replicas,
        reads={"pod": pod["metadata"]["uid"], "openTools": sorted(trouble.open_tools)},
    )


def _deadlock(world: World) -> ConversationStatus:
    """Return the deadlock. Raises `Refused` (NoDeadlock) where it is none, or too little is seen of it."""
    for trouble in troubled(world):
        fits = trouble.kind is SignalKind.DEADLOCK and trouble.visibility == "Full" and trouble.caller not in ("", "*")
        if fits and any(True for _ in meant(world, trouble)):
            return trouble
    raise Refused(
        "NoDeadlock",
        "only a deadlock whose open spans are seen (hemostat.guard) is broken by deleting a pod; a loop is cut instead",
    )


def _only_pod(world: World, deployment: Mapping[str, Any]) -> Mapping[str, Any]:
    labels = pod_labels(deployment)
    pods = [p for p in world.pods if _has(p, labels) and "deletionTimestamp" not in p["metadata"]]
    if len(pods) == 1:
        return pods[0]
    raise Refused(
        "WhichPod",
        f"Deployment {deployment['metadata']['name']} has {len(pods)} pods: which of them holds the conversation, "
        "traces do not tell",
    )


def _has(pod: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    has: Mapping[str, str] = pod["metadata"].get("labels", {})
    return all(has.get(key) == value for key, value in labels.items())


DELETE_POD = Action(
    name="delete-pod",
    summary="Evict the pod whose loss ends a deadlock of agents at the least cost (irreversible)",
    kinds=frozenset({"Deployment", "StatefulSet"}),
    params=DeletePodParams,
    rules=(
        Rule("", ("pods",), ("get", "list")),
        Rule("", ("pods/eviction",), ("create",)),
        Rule("apps", ("deployments",), ("list",)),
    ),
    plan=plan,
    on_ineffective="Keep",
    irreversible="the pod: what it had in memory is lost",
)
