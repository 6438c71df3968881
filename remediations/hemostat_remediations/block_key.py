"""`block-key`: for a while an agent's own key opens no model any more (LiteLLM proxy).

For burnt tokens and loops of agents that have neither `hemostat.guard` nor a mesh. Which key is whose only people know:
the Runbook says it, by the key's hash. Blocked is the key of the caller at the edge to cut, in all its conversations.
A key that somebody else has blocked is left alone; only a block that bears this Remediation's mark is taken back.
https://docs.litellm.ai/docs/proxy/virtual_keys
"""

from typing import Annotated

from pydantic import Field, field_validator

from hemostat.action.calls.keys import ADMIN_SECRET, BLOCKED_BY
from hemostat.action.contract import Action, Draft, Rule, World, calling, once, unified_diff
from hemostat.api.remediation import Call, CallProtocol
from hemostat.errors import Refused
from hemostat_remediations.orders import HoldParams, meant, troubled
from hemostat_remediations.services import pairs, service

_HASH = frozenset("0123456789abcdef")


class BlockKeyParams(HoldParams):
    """Where LiteLLM is, and whose key is whose."""

    url: Annotated[str, Field(max_length=512)] = ""
    """Its address (must be given): http(s)://SERVICE.NAMESPACE.svc[:PORT], in the target's namespace."""
    keys: Annotated[str, Field(max_length=4096)] = ""
    """`agent=hash, agent=hash`: the SHA-256 that /key/list shows, never the key itself."""

    @field_validator("keys")
    @classmethod
    def _hashes(cls, text: str) -> str:
        if any(len(value) != 64 or not _HASH.issuperset(value) for value in pairs(text).values()):
            raise ValueError("must be the keys' hashes (64 hexadecimal digits), never the keys themselves")
        return text


def plan(world: World, params: BlockKeyParams) -> Draft:
    """Plan to block the key of the first caller in trouble, and to unblock it when the time is over."""
    known = pairs(params.keys)
    cuts = [t for t in troubled(world) if not t.conversations or any(True for _ in meant(world, t))]
    callers = sorted({t.caller for t in cuts} - {"", "*"})
    if not callers:
        raise Refused("NoCaller", "no single agent is named whose key could be blocked: limit the rate instead")
    agent = next((name for name in callers if name in known), None)
    if agent is None:
        raise Refused("NoKey", f"the Runbook names no key of {', '.join(callers)[:300]}: keys: {callers[0]}=HASH")
    found = service(world, params.url)
    call = Call(protocol=CallProtocol.LITELLM, url=params.url, id=known[agent])
    name = found["metadata"]["name"]
    kinds = ", ".join(sorted({t.kind.value for t in cuts if t.caller == agent}))
    before, after = {"blocked": False}, {"blocked": True, "metadata": {"hemostat": world.remediation}}
    return Draft(
        summary=f"Block the key of {agent} at {name} for {params.hold_seconds} s, in all conversations ({kinds})",
        steps=once(*(calling(name, call, **{BLOCKED_BY: by}) for by in (world.remediation, ""))),
        diff=unified_diff(before, after, f"LiteLLM key {call.id[:8]}..."),
        replaced_pods=0,
        replicas_after=world.replicas,
        reads={"service": found["metadata"]["uid"], "key": call.wire()},
        hold_seconds=params.hold_seconds,
    )


BLOCK_KEY = Action(
    name="block-key",
    summary="Block an agent's key at a LiteLLM proxy for a time",
    kinds=frozenset({"Deployment", "StatefulSet"}),
    params=BlockKeyParams,
    rules=(
        Rule("", ("services",), ("get", "list")),
        Rule("", ("secrets",), ("get",), names=(ADMIN_SECRET,)),
    ),
    plan=plan,
    on_ineffective="Undo",
)
