"""What is cut between agents now, and how it is taken back (pure)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.table import Table

from hemostat.action.calls.keys import ADMIN_KEY, ADMIN_SECRET
from hemostat.action.contract import HOLD_ANNOTATION
from hemostat.api.identity import REMEDIATION_LABEL
from hemostat.api.meta import is_true
from hemostat.api.remediation import UNDONE, Call, Remediation
from hemostat.cli.text import columns, words
from hemostat.guard.orders import CONFIG_MAP, AnyOrder, BadOrder, Cap, Cut, Halt, parse
from hemostat.lifecycle import held_until

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Held:
    """Something that is cut for a time: an order to the guard, a policy that was created, or what was called for."""

    id: str
    """Key of the order, name of the policy, or name of the Remediation that called another service."""
    namespace: str
    kind: str
    """Cut, Halt, Cap; AuthorizationPolicy and so on; LiteLLM; Unreadable for an order that no guard obeys."""
    what: str
    ends: datetime | None
    """When it is taken back; None if that cannot be told."""
    remediation: str
    """Name of the Remediation, or its uid where that is gone; empty for an order that somebody else gave."""
    is_order: bool = False
    """Whether it is a key of the guard's ConfigMap."""
    hand: str = ""
    """How to take back what no Remediation is there for."""

    def wire(self) -> Json:
        """Return it as data."""
        found: Json = {"id": self.id, "namespace": self.namespace, "kind": self.kind, "what": self.what}
        found |= {"endTime": self.ends.isoformat()} if self.ends is not None else {}
        return found | ({"remediation": self.remediation} if self.remediation else {})


def orders(config_map: Mapping[str, Any], known: Sequence[Remediation], now: datetime) -> Iterator[Held]:
    """Yield the orders of a ConfigMap of the guard; those that ended by themselves are none any more."""
    namespace = config_map["metadata"]["namespace"]
    for key, text in sorted((config_map.get("data") or {}).items()):
        by = next((r for r in known if r.metadata.uid and key.startswith(f"{r.metadata.uid}-")), None)
        name = by.metadata.name if by is not None else ""
        hand = "" if by is not None else _hand(key, namespace)
        try:
            order = parse(key, text, now.timestamp())
        except BadOrder as error:
            yield Held(
                key, namespace, "Unreadable", f"no guard obeys it: {error}", None, name, is_order=True, hand=hand
            )
            continue
        if order.until <= now.timestamp():
            continue
        yield Held(
            key, namespace, type(order).__name__, _words(order), _ends(order, by), name, is_order=True, hand=hand
        )


def policies(found: Iterable[Mapping[str, Any]], known: Sequence[Remediation]) -> Iterator[Held]:
    """Yield the policies that were created for a time."""
    for one in found:
        meta = one["metadata"]
        uid = meta["labels"][REMEDIATION_LABEL]
        by = next((r for r in known if r.metadata.uid == uid), None)
        plan = by.status.plan if by is not None else None
        yield Held(
            id=meta["name"],
            namespace=meta["namespace"],
            kind=one["kind"],
            what=plan.summary if plan is not None else json.dumps(one.get("spec", {}), sort_keys=True)[:200],
            ends=_until(meta),
            remediation=by.metadata.name if by is not None else uid,
            hand=""
            if by is not None
            else f"kubectl delete -n {meta['namespace']} {one['kind'].lower()} {meta['name']}",
        )


def _hand(key: str, namespace: str) -> str:
    ops = json.dumps([{"op": "remove", "path": f"/data/{key}"}])
    return f"kubectl patch configmap {CONFIG_MAP} -n {namespace} --type=json -p '{ops}'"


def called(known: Sequence[Remediation]) -> Iterator[Held]:
    """Yield what other services were asked to do for a time and have not been asked to end: as far as `act` knows."""
    for by in known:
        plan, where = by.status.plan, by.metadata.namespace or ""
        calls = [e.call for e in plan.effects if e.call is not None] if plan is not None else []
        ends = held_until(by)
        if plan is None or not calls or ends is None or is_true(by.status.conditions, UNDONE):
            continue
        protocol = calls[0].protocol.value  # what is there for a time only is one step
        yield Held(by.metadata.name, where, protocol, plan.summary, ends, by.metadata.name)


def by_hand(call: Call, service: str, namespace: str) -> str:
    """Say how a person takes back what stands in another service, in several lines."""
    scheme, _, rest = call.url.partition("://")
    place, _, path = rest.rstrip("/").partition("/")
    port = place.partition(":")[2] or ("443" if scheme == "https" else "80")
    local = f"{scheme}://localhost:4000/{path}".rstrip("/")
    secret = f"kubectl get secret {ADMIN_SECRET} -n {namespace} -o go-template='{{{{index .data \"{ADMIN_KEY}\"}}}}'"
    body = json.dumps({"key": call.id, "blocked": False})
    return (
        "it stands in another service, which knows no right of yours here. Run these three:\n"
        f"  kubectl port-forward -n {namespace} service/{service} 4000:{port} &\n"
        f"  KEY=$({secret} | base64 -d)     # or your own admin's key of LiteLLM\n"
        f"  curl -sS {local}/key/update -H \"Authorization: Bearer $KEY\" -H 'Content-Type: application/json' "
        f"-d '{body}'"
    )


def _ends(order: AnyOrder, by: Remediation | None) -> datetime | None:
    """Return when the last guard lets go of it; None where only the guards know since when they have held it."""
    latest = datetime.fromtimestamp(order.until, UTC)
    held = held_until(by) if by is not None else None
    if held is not None:
        return min(latest, held)
    return None if order.hold_seconds else latest


def table(held: Sequence[Held], now: datetime, *, everywhere: bool) -> Table:
    """Return one row for each."""
    names = ("ID", "KIND", "LEFT", "REMEDIATION", "WHAT")
    out = columns(*(("NAMESPACE", *names) if everywhere else names))
    for one in held:
        left, style = _left(one, now)
        row = [words(one.id, "bold"), words(one.kind), words(left, style), words(one.remediation or "-")]
        out.add_row(*([words(one.namespace)] if everywhere else []), *row, words(one.what))
    return out


def _left(one: Held, now: datetime) -> tuple[str, str]:
    if one.ends is None:
        return "?", "yellow"
    seconds = int((one.ends - now).total_seconds())
    if seconds >= 0:
        return f"{seconds}s", ""
    return ("ended", "dim") if one.is_order else (f"overdue {-seconds}s", "bold red")  # guards end orders by themselves


def _words(order: AnyOrder) -> str:
    if isinstance(order, Cut):
        where = f" in conversation {order.conversation}" if order.conversation else ""
        return f"{order.caller or 'anybody'} -> {order.callee} {order.state.value}{where}{_hold(order)}: {order.reason}"
    if isinstance(order, Halt):
        return f"conversation {order.conversation} halted{_hold(order)}: {order.reason}"
    assert isinstance(order, Cap)
    bounds = [f"{n} {unit}" for n, unit in ((order.turns, "turns"), (order.tokens, "tokens")) if n]
    return f"conversation {order.conversation} capped at {' and '.join(bounds)}{_hold(order)}: {order.reason}"


def _hold(order: AnyOrder) -> str:
    return f" for {order.hold_seconds} s" if order.hold_seconds else ""


def _until(meta: Mapping[str, Any]) -> datetime | None:
    seconds = meta.get("annotations", {}).get(HOLD_ANNOTATION, "")
    born = meta.get("creationTimestamp")
    if not seconds.isdecimal() or born is None or len(seconds) > 6:
        return None
    return datetime.fromisoformat(born) + timedelta(seconds=int(seconds))
