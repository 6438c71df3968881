"""`cancel-task`: an A2A agent gives up the task of a conversation in trouble. Nothing undoes it: a person decides.

The only clean end of a call that hangs already: whoever waits gets an answer. Asked is the agent that is called at the
edge to cut. Whether it can stop is its own word (TaskNotCancelable). A conversation is known by the id of its task or,
where the agent speaks protocol 1.0, of its context; a task that has ended by itself needs nothing.
https://a2a-protocol.org/latest/specification/
"""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from hemostat.action.contract import Action, Draft, Params, Rule, World, calling, once
from hemostat.api.remediation import Call, CallProtocol
from hemostat.errors import Refused
from hemostat_remediations.orders import meant, troubled
from hemostat_remediations.services import pairs, service

PROTOCOLS = {"1.0": CallProtocol.A2A, "0.3": CallProtocol.A2A_03}


class CancelTaskParams(Params):
    """Where the agents are."""

    urls: Annotated[str, Field(max_length=4096)] = ""
    """`agent=URL, agent=URL` (must be given): http(s)://SERVICE.NAMESPACE.svc[:PORT][/PATH], where JSON-RPC is."""
    version: Literal["1.0", "0.3"] = "1.0"
    """The protocol's."""

    @field_validator("urls")
    @classmethod
    def _pairs(cls, text: str) -> str:
        pairs(text)
        return text


def plan(world: World, params: CancelTaskParams) -> Draft:
    """Plan to cancel the one conversation's task."""
    known = pairs(params.urls)
    cuts = [(t, c) for t in troubled(world) for c in meant(world, t) if t.callee]
    if not cuts:
        raise Refused(
            "NothingToCut", "no conversation with an agent that was in trouble when this was proposed still is"
        )
    told = [(t, c) for t, c in cuts if t.callee in known]
    if not told:
        names = ", ".join(sorted({t.callee for t, _ in cuts}))[:300]
        raise Refused("NoService", f"the Runbook names no address of {names}: urls: {cuts[0][0].callee}=http://...")
    if len({c for _, c in told}) > 1 or any(t.affected > 1 for t, _ in told):
        raise Refused("TooMany", "several conversations are in trouble: cut the edge between their agents instead")
    trouble, conversation = told[0]
    url = known[trouble.callee]
    found = service(world, url)
    call = Call(protocol=PROTOCOLS[params.version], url=url, id=conversation)
    return Draft(
        summary=f"Cancel the task of conversation {conversation[:200]} at {trouble.callee[:200]}: "
        f"{trouble.kind.value} of {', '.join(trouble.agents)[:300]}; what it has done so far is lost",
        steps=once(calling(found["metadata"]["name"], call, ended=True)),
        diff=f"- A2A task {conversation} at {url} (cancelled)",
        replaced_pods=0,
        replicas_after=world.replicas,
        reads={"service": found["metadata"]["uid"], "task": call.wire()},
    )


CANCEL_TASK = Action(
    name="cancel-task",
    summary="Have an A2A agent cancel the task of a conversation in trouble (irreversible)",
    kinds=frozenset({"Deployment", "StatefulSet"}),
    params=CancelTaskParams,
    rules=(Rule("", ("services",), ("get", "list")),),
    plan=plan,
    on_ineffective="Keep",
    irreversible="the task: what was cancelled must be begun anew",
)
