"""`limit-rate`: for a while a gateway lets only so many requests, or tokens, through (Envoy Gateway, Envoy AI Gateway).

For storms at a provider and burnt tokens. Tokens are charged when the answer is there, so one call may overshoot; they
need the gateway's rate limit service and an AIGatewayRoute that counts them (`llmRequestCosts`).
https://gateway.envoyproxy.io/docs/api/extension_types/#backendtrafficpolicy
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from hemostat.action.contract import Action, Draft, Rule, World
from hemostat.errors import Refused
from hemostat_remediations.edges import drafted, known
from hemostat_remediations.orders import MAX_ORDERS, HoldParams, meant, troubled

KIND = ("gateway.envoyproxy.io/v1alpha1", "BackendTrafficPolicy")
ROUTE = {"group": "gateway.networking.k8s.io", "kind": "HTTPRoute"}


class LimitRateParams(HoldParams):
    """What to limit, and how far."""

    route: Annotated[str, Field(max_length=253)] = ""
    """The HTTPRoute (must be given), in the target's namespace. Of an AIGatewayRoute it is the one of the same name."""
    limit: Annotated[int, Field(ge=1, le=1_000_000_000)] = 60
    """Requests, or tokens where `tokenKey` is given, for each unit of time."""
    unit: Literal["Second", "Minute", "Hour"] = "Minute"
    """The unit of time."""
    token_key: Annotated[str, Field(max_length=128)] = ""
    """`metadataKey` of the AIGatewayRoute's `llmRequestCosts`: what is limited then are tokens."""
    conversation_header: Annotated[str, Field(max_length=256)] = ""
    """Request header that holds the conversation's id: only those in trouble are limited (up to 8, beyond it all)."""


def plan(world: World, params: LimitRateParams) -> Draft:
    """Plan to limit the route."""
    if not params.route:
        raise Refused("BadParameters", "action limit-rate: give route, the HTTPRoute to limit")
    _free(known(world, KIND[1], "Envoy Gateway"), params.route)
    conversations = _conversations(world) if params.conversation_header else []
    rules = [_rule(params, conversation) for conversation in conversations or [""]]
    kind = "global" if params.token_key else "local"
    spec = {
        "targetRefs": [{**ROUTE, "name": params.route}],
        "mergeType": "StrategicMerge",  # what a policy of the Gateway says otherwise stays in force
        "rateLimit": {kind: {"rules": rules}},
    }
    what = "tokens" if params.token_key else "requests"
    of = f" in {len(conversations)} conversations" if conversations else ""
    why = ", ".join(sorted({t.kind.value for t in troubled(world)}))
    summary = (
        f"Limit HTTPRoute {params.route} to {params.limit} {what} a {params.unit.lower()}{of} for {params.hold_seconds}"
        f" s ({why})"
    )
    return drafted(world, KIND, summary, spec, {"spec": spec}, params.hold_seconds)


def _conversations(world: World) -> list[str]:
    """Return the conversations in trouble; none if they are not all named, or too many."""
    troubles = troubled(world)
    found = sorted({c for t in troubles for c in meant(world, t)})
    whole = any(t.affected > len(t.conversations) for t in troubles)
    return [] if whole or len(found) > MAX_ORDERS else found


def _rule(params: LimitRateParams, conversation: str) -> dict[str, Any]:
    rule: dict[str, Any] = {"limit": {"requests": params.limit, "unit": params.unit}}
    if conversation:
        header = {"name": params.conversation_header, "type": "Exact", "value": conversation}
        rule["clientSelectors"] = [{"headers": [header]}]
    if params.token_key:
        spent = {"namespace": "io.envoy.ai_gateway", "key": params.token_key}
        rule["cost"] = {
            "request": {"from": "Number", "number": 0},
            "response": {"from": "Metadata", "metadata": spent},
        }
    return rule


def _free(policies: Sequence[Mapping[str, Any]], route: str) -> None:
    """Refuse where a policy for the route is there already: of two, the gateway obeys the older."""
    for policy in policies:
        spec = policy["spec"]
        refs = [*spec.get("targetRefs", ()), *([spec["targetRef"]] if "targetRef" in spec else ())]
        mine = any(r.get("kind") == ROUTE["kind"] and r["name"] == route for r in refs)
        if mine or spec.get("targetSelectors"):
            name = policy["metadata"]["name"]
            raise Refused(
                "AlreadyLimited",
                f"BackendTrafficPolicy {name} is, or may be, for HTTPRoute {route}: the gateway obeys the older of "
                "two; change that one by hand",
            )


LIMIT_RATE = Action(
    name="limit-rate",
    summary="Have a gateway let only so many requests or tokens through for a time (Envoy Gateway)",
    kinds=frozenset({"Deployment", "StatefulSet"}),
    params=LimitRateParams,
    rules=(Rule("gateway.envoyproxy.io", ("backendtrafficpolicies",), ("get", "list", "create", "delete")),),
    plan=plan,
    on_ineffective="Undo",
    creates=KIND,
)
