"""`cut-edge`: agents go on, but for a while one of them may not call the other (circuit breaker in `hemostat.guard`).

The caller gets a typed error that is not to be retried, the owner of the conversation a message, and the task is
parked. The guard lets one call through after `probeSeconds` (half-open); if it succeeds the edge is closed before the
time is over.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from hemostat.action.contract import Action, Draft, World
from hemostat.api.incident import ConversationStatus
from hemostat.api.watch import SignalKind
from hemostat.guard.orders import Cut
from hemostat_remediations.orders import MAX_ORDERS, RULES, HoldParams, affected, drafted, key, meant, until, why


class CutEdgeParams(HoldParams):
    """What to cut."""

    scope: Literal["Conversation", "Edge"] = "Conversation"
    """Only in the conversations in trouble (up to 8, beyond it the edge), or the edge in all of them."""
    probe_seconds: Annotated[int, Field(ge=0, le=3600)] = 0
    """After so long one call is let through (half-open): if it succeeds the edge is closed, else it stays open for as
    long again, and never longer than `holdSeconds`; 0: no call before that."""


def plan(world: World, params: CutEdgeParams) -> Draft:
    """Plan to hold the edges open that the Incident's signals name."""
    orders: list[Cut] = []
    for trouble in affected(world):
        if trouble.callee:
            orders += _cuts(world, params, trouble, len(orders))
    edges = dict.fromkeys(f"{o.caller or 'anybody'} -> {o.callee}" for o in orders)
    where = sorted({o.conversation for o in orders} - {""})
    said = f" in {len(where)} conversation{'s' if len(where) > 1 else ''} ({', '.join(where)[:200]})" if where else ""
    summary = f"Cut {', '.join(edges)}{said} for {params.hold_seconds} s"
    return drafted(world, summary[:1000], orders, params.hold_seconds)


def _cuts(world: World, params: CutEdgeParams, trouble: ConversationStatus, first: int) -> Iterator[Cut]:
    conversations = list(meant(world, trouble))
    named = conversations if trouble.affected <= len(trouble.conversations) else []
    whole = params.scope == "Edge" or not named or len(named) > MAX_ORDERS
    if conversations or not trouble.conversations:
        for number, conversation in enumerate([""] if whole else named, start=first):
            yield Cut(
                id=key(world, number),
                until=until(world),
                hold_seconds=params.hold_seconds,
                reason=why(trouble),
                caller="" if trouble.caller == "*" else trouble.caller,
                callee=trouble.callee,
                conversation=conversation,
                probe_seconds=params.probe_seconds,
                abort=trouble.kind is SignalKind.DEADLOCK,
            )


CUT_EDGE = Action(
    name="cut-edge",
    summary="Hold one edge between agents, or from an agent to a tool or model, open for a time (hemostat.guard)",
    kinds=frozenset({"Deployment", "StatefulSet"}),
    params=CutEdgeParams,
    rules=RULES,
    plan=plan,
    on_ineffective="Undo",
)
