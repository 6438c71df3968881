"""The shop's call graph as data: which role answers which route, and whom it calls to do so."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Call:
    """One outgoing request: the callee's Service name and the route there."""

    peer: str
    method: str
    path: str


@dataclass(frozen=True, slots=True)
class Route:
    """One route a role answers; its calls are made one after the other."""

    method: str
    path: str
    calls: tuple[Call, ...] = ()


@dataclass(frozen=True, slots=True)
class Role:
    """One kind of process; `required` names the variables that have no sane default."""

    name: str
    routes: tuple[Route, ...] = ()
    required: tuple[str, ...] = ()


BROWSE = Call("frontend", "GET", "/browse")
BUY = Call("frontend", "POST", "/buy")

_ALL = (
    Role("load"),
    Role(
        "frontend",
        routes=(
            Route("GET", "/browse", (Call("catalog", "GET", "/items"),)),
            Route("POST", "/buy", (Call("checkout", "POST", "/orders"),)),
        ),
    ),
    Role("catalog", routes=(Route("GET", "/items"),)),
    Role(
        "checkout",
        routes=(
            Route(
                "POST",
                "/orders",
                # Stock is reserved before money moves, so the calls are in order, not at once.
                (Call("inventory", "POST", "/reservations"), Call("payment", "POST", "/charges")),
            ),
        ),
    ),
    Role("inventory", routes=(Route("POST", "/reservations"),)),
    Role("payment", routes=(Route("POST", "/charges"),), required=("SHOP_PAYMENT_ACCOUNT",)),
)

ROLES = {role.name: role for role in _ALL}


def peers(role: Role) -> tuple[str, ...]:
    """Return the roles this one calls, each once, in order of first use."""
    if role.name == "load":
        return (BROWSE.peer,)
    return tuple(dict.fromkeys(call.peer for route in role.routes for call in route.calls))
