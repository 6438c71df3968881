"""`halt-conversation` and `cap-conversation`: conversations of agents go no further, or only so far (`hemostat.guard`).

Other conversations of the same agents go on. A halted one is parked for its owner, who may have it taken up again.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, TypeVar

from pydantic import Field

from hemostat.action.contract import Action, Draft, World
from hemostat.errors import Refused
from hemostat.guard.orders import Cap, Halt
from hemostat_remediations.orders import RULES, HoldParams, affected, drafted, key, meant, until, why

_Order = TypeVar("_Order", Halt, Cap)


class CapParams(HoldParams):
    """How far a conversation may go, in all."""

    turns: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """Turns; 0 leaves them alone."""
    tokens: Annotated[int, Field(ge=0, le=1_000_000_000)] = 0
    """Tokens; 0 leaves them alone."""


def plan_halt(world: World, params: HoldParams) -> Draft:
    """Plan to halt the conversations in trouble."""
    orders = _orders(world, partial(Halt, hold_seconds=params.hold_seconds))
    return drafted(world, f"Halt {_named(orders)} for {params.hold_seconds} s", orders, params.hold_seconds)


def plan_cap(world: World, params: CapParams) -> Draft:
    """Plan to cap the conversations in trouble."""
    if not params.turns and not params.tokens:
        raise Refused("BadParameters", "action cap-conversation: give turns, tokens or both")
    orders = _orders(world, partial(Cap, turns=params.turns, tokens=params.tokens, hold_seconds=params.hold_seconds))
    bounds = [f"{n} {unit}" for n, unit in ((params.turns, "turns"), (params.tokens, "tokens")) if n]
    summary = f"Cap {_named(orders)} at {' and '.join(bounds)} for {params.hold_seconds} s"
    return drafted(world, summary, orders, params.hold_seconds)


def _orders(world: World, order: Callable[..., _Order]) -> list[_Order]:
    """Return an order for each conversation in trouble."""
    return [
        order(id=key(world, number), until=until(world), reason=reason, conversation=conversation)
        for number, (conversation, reason) in enumerate(_conversations(world))
    ]


def _conversations(world: World) -> list[tuple[str, str]]:
    """Return the conversations in trouble, each once, with the reason."""
    found: dict[str, str] = {}
    for trouble in affected(world):
        for conversation in meant(world, trouble):
            found.setdefault(conversation, why(trouble))
    return sorted(found.items())


def _named(orders: Sequence[Halt | Cap]) -> str:
    names = ", ".join(order.conversation for order in orders)[:300]
    return f"conversation{'s' if len(orders) > 1 else ''} {names}"


HALT = Action(
    name="halt-conversation",
    summary="Let conversations of agents go no further for a time (hemostat.guard)",
    kinds=frozenset({"Deployment", "StatefulSet"}),
    params=HoldParams,
    rules=RULES,
    plan=plan_halt,
    on_ineffective="Undo",
)
CAP = Action(
    name="cap-conversation",
    summary="Bound the turns and tokens of conversations of agents for a time (hemostat.guard)",
    kinds=frozenset({"Deployment", "StatefulSet"}),
    params=CapParams,
    rules=RULES,
    plan=plan_cap,
    on_ineffective="Undo",
)
