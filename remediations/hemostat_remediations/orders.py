"""Orders to `hemostat.guard`, as plans: keys that are added to the ConfigMap and removed again when the time is over.

What is cut is named by the Incident's own signals, never by a parameter: who calls, whom, in which conversation. Only
the conversations that the Remediation is about are meant or, where it names none, those that were in trouble when it
was created: those which join later make no other plan of it.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Annotated

from pydantic import Field

from hemostat.action.contract import Draft, Params, Rule, World, add, effect, once, remove, unified_diff
from hemostat.api.incident import Advice, ConversationStatus
from hemostat.errors import Refused
from hemostat.guard.orders import CONFIG_MAP, AnyOrder, render

LONGEST = timedelta(hours=6)
"""No guard obeys an order that it sees for the first time so long after it was proposed: a person has till then to
approve it. One that it has seen ends by itself after its `holdSeconds`, though nobody be there to take it back."""
WHOLE_SECOND = timedelta(seconds=1)
"""The API server cuts off the rest of the second in which something was created."""
MAX_ORDERS = 8
"""Orders of one plan; beyond it the whole edge is meant, or a person decides."""
RULES = (Rule("", ("configmaps",), ("get", "patch"), names=(CONFIG_MAP,)),)


class HoldParams(Params):
    """How long it holds."""

    hold_seconds: Annotated[int, Field(ge=10, le=14400)] = 120
    """After so long it is taken back; an order also ends by itself, so long after a guard has first seen it."""


def affected(world: World) -> Sequence[ConversationStatus]:
    """Return what `troubled` does. Raises `Refused` (NoGuard) too, when nobody there takes orders."""
    namespace = world.target["metadata"]["namespace"]
    if world.orders is None:
        raise Refused(
            "NoGuard",
            f"namespace {namespace} has no ConfigMap {CONFIG_MAP}: no application there takes orders "
            f"(kubectl create configmap {CONFIG_MAP} -n {namespace}; README: In an application with AI agents)",
        )
    return troubled(world)


def troubled(world: World) -> Sequence[ConversationStatus]:
    """Return what is to be cut: what is known to bring nothing, else all that is told, which a person then judges.

    Raises `Refused` (NothingToCut) when nothing is.
    """
    if not world.conversations:
        raise Refused("NothingToCut", "no conversation of agents is in trouble any more")
    return [told for told in world.conversations if told.advice is Advice.CUT] or world.conversations


def meant(world: World, trouble: ConversationStatus) -> Iterator[str]:
    """Yield the conversations that the Remediation is about, of those that are in trouble still."""
    for one in trouble.conversations:
        then = world.proposed is None or one.since_time < world.proposed + WHOLE_SECOND
        if one.id in world.about if world.about else then:
            yield one.id


def why(trouble: ConversationStatus) -> str:
    """Say what is wrong, for the guard and for whom it tells."""
    return f"{trouble.kind} of {', '.join(trouble.agents)}"[:256]


def until(world: World) -> float:
    """Return when the orders end by themselves, in Unix seconds: the same at every look at this Remediation."""
    if world.proposed is None:
        raise Refused("NoTime", "the Remediation does not say when it was created")
    return (world.proposed + LONGEST).timestamp()


def key(world: World, number: int) -> str:
    """Return the id of an order: one Remediation never touches another's."""
    return f"{world.remediation}-{number}"


def drafted(world: World, summary: str, orders: Sequence[AnyOrder], hold_seconds: int) -> Draft:
    """Return the plan that gives these orders, and takes back just them."""
    if not orders:
        raise Refused("NothingToCut", "no conversation that was in trouble when this was proposed still is")
    if len(orders) > MAX_ORDERS:
        raise Refused("TooMany", f"{len(orders)} orders would be needed, more than {MAX_ORDERS}; a person decides")
    assert world.orders is not None  # else `affected` has refused
    texts = {order.id: render(order) for order in orders}
    return Draft(
        summary=summary,
        steps=once(
            effect(world.orders, tuple(add(f"/data/{name}", text) for name, text in texts.items())),
            effect(world.orders, tuple(remove(f"/data/{name}") for name in texts)),
        ),
        diff=unified_diff({}, texts, f"ConfigMap/{CONFIG_MAP} data"),
        replaced_pods=0,
        replicas_after=world.replicas,
        reads={"orders": texts, "configMap": world.orders["metadata"]["uid"]},
        hold_seconds=hold_seconds,
    )
