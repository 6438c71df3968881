"""From agents to the workloads that run them: where the cluster itself can cut between two of them.

Traces name agents, meshes and networks know pods and service accounts. An agent is taken to be the Deployment of its
name; where it is not, the parameter `workloads` says which. What is cut is named by the Incident's signals alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, field_validator

from hemostat.action.contract import Draft, Params, World, creation, once, unified_diff
from hemostat.api.incident import ConversationStatus
from hemostat.errors import Refused
from hemostat_remediations.orders import HoldParams, meant, troubled
from hemostat_remediations.services import pairs

Json = Mapping[str, Any]


class WorkloadParams(Params):
    """Who is who."""

    workloads: Annotated[str, Field(max_length=2048)] = ""
    """Where an agent's Deployment bears another name: `agent=deployment, agent=deployment`."""

    @field_validator("workloads")
    @classmethod
    def _pairs(cls, text: str) -> str:
        pairs(text)
        return text

    def workload_of(self, agent: str) -> str:
        """Return the name of the Deployment that runs this agent."""
        return pairs(self.workloads).get(agent, agent)


class EdgeParams(WorkloadParams, HoldParams):
    """Who is who, and how long it holds."""


@dataclass(frozen=True, slots=True)
class Edge:
    """A callee, and those who may not call it for a while."""

    callee: Json
    """Deployment."""
    callers: Sequence[Json]
    """Deployments."""
    why: str

    @property
    def name(self) -> str:
        """`a, b -> c`."""
        callers = ", ".join(c["metadata"]["name"] for c in self.callers)
        return f"{callers} -> {self.callee['metadata']['name']}"


def edge(world: World, params: EdgeParams) -> Edge:
    """Return the edge to cut: the first callee that the signals name, with all its callers in trouble.

    Raises `Refused` that says what cannot be told apart here.
    """
    cuts = [t for t in troubled(world) if t.callee and _meant(world, t)]
    if not cuts:
        raise Refused("NothingToCut", "no edge that was in trouble when this was proposed still is")
    callee, named = cuts[0].callee, [t for t in cuts if t.callee == cuts[0].callee]
    if any(t.caller in ("", "*") for t in named):
        raise Refused("NoCaller", f"all who call {callee} are in trouble: limit its rate instead")
    end = deployment_of(world, params, callee)
    callers = [deployment_of(world, params, name) for name in sorted({t.caller for t in named})]
    if end in callers:
        raise Refused("SameWorkload", f"{callee} and its caller run in the same pods: cut by hemostat.guard (cut-edge)")
    kinds = ", ".join(sorted({t.kind.value for t in named}))
    return Edge(end, callers, f"{kinds} of {', '.join(named[0].agents)}"[:256])


def pod_labels(deployment: Json) -> dict[str, str]:
    """Return the labels that select just this Deployment's pods. Raises `Refused` (Selector) if labels alone do not."""
    selector = deployment["spec"]["selector"]
    labels = dict(selector.get("matchLabels", {}))
    if not labels or selector.get("matchExpressions"):
        name = deployment["metadata"]["name"]
        raise Refused("Selector", f"the pods of Deployment {name} are not selected by matchLabels alone")
    return labels


def drafted(
    world: World, kind: tuple[str, str], summary: str, spec: dict[str, Any], reads: Any, hold_seconds: int
) -> Draft:
    """Return the plan that creates a policy, and deletes it when the time is over."""
    forward, inverse = creation(kind, world, spec, hold_seconds)
    return Draft(
        summary=summary[:1000],
        steps=once(forward, inverse),
        diff=unified_diff({}, spec, f"{kind[1]}/{forward.name} spec"),
        replaced_pods=0,
        replicas_after=world.replicas,
        reads=reads,
        hold_seconds=hold_seconds,
    )


def known(world: World, kind: str, of: str) -> Sequence[Json]:
    """Return the policies there are. Raises `Refused` (NotInstalled) where the cluster has none of that kind."""
    if world.policies is None:
        raise Refused("NotInstalled", f"this cluster knows no {kind}: {of} is not installed")
    return world.policies


def deployment_of(world: World, params: WorkloadParams, agent: str) -> Json:
    """Return the Deployment that runs this agent. Raises `Refused` (NoWorkload) where there is none."""
    wanted = params.workload_of(agent)
    for found in world.deployments:
        if found["metadata"]["name"] == wanted:
            return found
    namespace = world.target["metadata"]["namespace"]
    raise Refused(
        "NoWorkload",
        f"there is no Deployment {wanted} in namespace {namespace}; if agent {agent} runs in another one, name it in "
        f"the Runbook: workloads: {agent}=DEPLOYMENT",
    )


def _meant(world: World, trouble: ConversationStatus) -> bool:
    return not trouble.conversations or any(True for _ in meant(world, trouble))
