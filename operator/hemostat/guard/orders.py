"""What the operator may order a guard to do, and how it is written: the one place that `act` and the guard share.

One ConfigMap `hemostat-guard` per namespace, one key per order. The key is the order's id, the value one JSON object:

    {"order": "Cut", "caller": "planner", "callee": "critic", "conversation": "c-7", "state": "Open",
     "hold_seconds": 60, "until": 1795290000, "probe_seconds": 20, "abort": true, "service": "", "reason": "6 rounds"}
    {"order": "Halt", "conversation": "c-7", "until": 1795290000, "reason": "..."}
    {"order": "Cap", "conversation": "c-7", "turns": 5, "tokens": 20000, "until": 1795290000, "reason": "..."}

The ConfigMap says what holds now: a key that vanishes is taken back, whatever its `until` says. So `add /data/ID` is an
order and `remove /data/ID` its exact inverse, and orders of several Remediations never touch each other. The API server
stores no empty `data`: the first order of all is `add /data {ID: ...}`, with the same inverse.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from enum import StrEnum
from typing import Any, ClassVar

CONFIG_MAP = "hemostat-guard"
MAX_ORDERS = 256
MAX_ORDER_BYTES = 4096
MAX_HOLD_SECONDS = 86_400
"""No order holds longer than a day; one that wants to is refused."""
MAX_TIME = 1e11
MAX_TEXT = 256
MAX_PROBE_SECONDS = 3600

_ID = re.compile(r"[a-zA-Z0-9]([-._a-zA-Z0-9]{0,251}[a-zA-Z0-9])?")


class BadOrder(ValueError):
    """An order that is not understood or asks too much; nothing of it is carried out."""


class State(StrEnum):
    """What an order makes of an edge."""

    OPEN = "Open"
    """Calls are refused."""
    HALF_OPEN = "HalfOpen"
    """One call is let through: if it succeeds the edge closes, if it fails it opens again."""
    CLOSED = "Closed"
    """Calls pass; with a conversation it exempts that one from a wider cut ("this was legitimate")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What all orders have. Equal orders are the same order: applying one twice does nothing."""

    id: str
    until: float
    """Unix seconds when it ends at the latest, though the operator be gone."""
    reason: str
    """For the caller, the conversation's owner and the log."""
    service: str = ""
    """Only guards of this `service.name` obey; empty: all that read the ConfigMap."""
    hold_seconds: int = 0
    """It ends by itself so long after a guard has first seen it, if that is before `until`; 0: at `until`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut(Order):
    """Hold the edge `caller` -> `callee` in a state. The most specific order decides."""

    callee: str
    """An agent, a tool or a model, by the name that spans call it."""
    caller: str = ""
    """The calling agent; empty: any caller (a provider that is rate limiting everybody)."""
    conversation: str = ""
    """Only in this conversation; empty: in all."""
    state: State = State.OPEN
    probe_seconds: int = 0
    """Open: half-open after so many seconds, and again after each failed probe; 0: not before the order ends."""
    abort: bool = False
    """Calls under way end with EdgeCut too, where they can be (`async with`); a mutual wait needs that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt(Order):
    """The conversation goes no further: calls under way end, the task is parked."""

    conversation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap(Order):
    """The conversation may have at most so many turns and tokens in all; 0 leaves that one alone."""

    conversation: str
    turns: int = 0
    tokens: int = 0


AnyOrder = Cut | Halt | Cap
_KINDS: dict[str, type[AnyOrder]] = {"Cut": Cut, "Halt": Halt, "Cap": Cap}


class Field:
    """How each field is checked; unknown fields and wrong types are refused, nothing is converted."""

    MAY_BE_EMPTY: ClassVar = frozenset({"service", "caller", "conversation"})
    MOST: ClassVar = {
        "hold_seconds": MAX_HOLD_SECONDS,
        "probe_seconds": MAX_PROBE_SECONDS,
        "turns": 1_000_000,
        "tokens": 10**12,
    }

    @staticmethod
    def check(name: str, value: Any, *, required: bool) -> Any:
        """Return the field's value, or raise BadOrder."""
        if name == "until":
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < MAX_TIME:
                raise BadOrder("until must be a number: Unix seconds")
            return float(value)
        if name == "state":
            if value not in tuple(State):
                raise BadOrder(f"state must be one of {', '.join(State)}")
            return State(value)
        if name == "abort":
            if not isinstance(value, bool):
                raise BadOrder("abort must be true or false")
            return value
        if name in Field.MOST:
            if type(value) is not int or not 0 <= value <= Field.MOST[name]:
                raise BadOrder(f"{name} must be a whole number from 0 to {Field.MOST[name]}")
            return value
        return Field._text(name, value, required=required)

    @staticmethod
    def _text(name: str, value: Any, *, required: bool) -> str:
        if not isinstance(value, str) or len(value) > MAX_TEXT or not value.isprintable():
            raise BadOrder(f"{name} must be a printable text of at most {MAX_TEXT} characters")
        if not value and (required or name not in Field.MAY_BE_EMPTY):
            raise BadOrder(f"{name} must not be empty")
        return value


def parse(key: str, text: str, now: float) -> AnyOrder:
    """Read one order, strictly. Raises BadOrder with the reason; `now` is Unix seconds."""
    if not _ID.fullmatch(key):
        raise BadOrder("the key must be a name of letters, digits, '-', '.' and '_'")
    if len(text.encode("utf-8", "surrogatepass")) > MAX_ORDER_BYTES:
        raise BadOrder(f"longer than {MAX_ORDER_BYTES} bytes")
    try:
        said = json.loads(text, object_pairs_hook=_no_twins)
    except (ValueError, RecursionError) as error:
        raise BadOrder(f"no JSON: {error}") from None
    if not isinstance(said, dict) or not isinstance(said.get("order"), str) or said["order"] not in _KINDS:
        raise BadOrder(f"must be an object whose `order` is one of {', '.join(_KINDS)}")
    order = _build(_KINDS[said.pop("order")], key, said)
    if order.until > now + MAX_HOLD_SECONDS:
        raise BadOrder(f"until is more than {MAX_HOLD_SECONDS} s away")
    if isinstance(order, Cap) and not (order.turns or order.tokens):
        raise BadOrder("a Cap must name turns or tokens")
    return order


def render(order: AnyOrder) -> str:
    """Write an order as the ConfigMap's value; `parse(order.id, render(order), now)` gives it back.

    Raises BadOrder for an order that a guard would refuse for its form.
    """
    said = {name: value for name, value in asdict(order).items() if name != "id"}
    text = json.dumps({"order": type(order).__name__, **said}, sort_keys=True)
    parse(order.id, text, order.until)
    return text


def _build(kind: type[AnyOrder], key: str, said: Mapping[str, Any]) -> AnyOrder:
    known = {f.name: f.default is MISSING for f in fields(kind) if f.name != "id"}
    if unknown := sorted(said.keys() - known.keys()):
        raise BadOrder(f"unknown field {unknown[0]!r}")
    if missing := sorted(name for name, required in known.items() if required and name not in said):
        raise BadOrder(f"field {missing[0]!r} is missing")
    checked = {name: Field.check(name, value, required=known[name]) for name, value in said.items()}
    return kind(id=key, **checked)


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a field is named twice")
    return made
