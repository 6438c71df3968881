"""`deny-call`: for a while a mesh refuses one agent's calls to another (Istio AuthorizationPolicy, DENY).

DENY beats every ALLOW, and is asked for each request, so that it stops new calls on connections that stand; a call
that already hangs goes on. The caller is known by its service account, so it must have one of its own, and both sides
must be in the mesh with mutual TLS. https://istio.io/latest/docs/reference/config/security/authorization-policy/
"""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from hemostat.action.contract import Action, Draft, Rule, World
from hemostat.errors import Refused
from hemostat_remediations.edges import EdgeParams, drafted, edge, known, pod_labels

KIND = ("security.istio.io/v1", "AuthorizationPolicy")


class DenyCallParams(EdgeParams):
    """What the mesh calls its identities."""

    trust_domain: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")] = (
        "cluster.local"
    )
    """First part of every principal."""


def plan(world: World, params: DenyCallParams) -> Draft:
    """Plan to deny the calls of the edge that the Incident's signals name."""
    known(world, KIND[1], "Istio")
    found = edge(world, params)
    namespace = world.target["metadata"]["namespace"]
    accounts = [_own_account(world, found.callee, caller) for caller in found.callers]
    principals = [f"{params.trust_domain}/ns/{namespace}/sa/{account}" for account in accounts]
    spec = {
        "selector": {"matchLabels": pod_labels(found.callee)},
        "action": "DENY",
        "rules": [{"from": [{"source": {"principals": principals}}]}],
    }
    summary = f"Deny calls {found.name} in the mesh for {params.hold_seconds} s ({found.why})"
    return drafted(world, KIND, summary, spec, {"spec": spec}, params.hold_seconds)


def _own_account(world: World, callee: Mapping[str, Any], caller: Mapping[str, Any]) -> str:
    """Return the caller's service account. Raises `Refused` (SharedIdentity) if others would be denied with it."""
    mine = _account(caller)
    others = [d["metadata"]["name"] for d in world.deployments if d is not caller and _account(d) == mine]
    others = [name for name in others if name != callee["metadata"]["name"]]
    if others:
        raise Refused(
            "SharedIdentity",
            f"service account {mine} of {caller['metadata']['name']} is {', '.join(sorted(others)[:5])}'s too, which "
            "would be denied as well: give each agent an account of its own, or cut by hemostat.guard (cut-edge)",
        )
    return mine


def _account(deployment: Mapping[str, Any]) -> str:
    return str(deployment["spec"]["template"]["spec"].get("serviceAccountName") or "default")


DENY_CALL = Action(
    name="deny-call",
    summary="Have the mesh refuse one agent's calls to another for a time (Istio)",
    kinds=frozenset({"Deployment", "StatefulSet"}),
    params=DenyCallParams,
    rules=(
        Rule("security.istio.io", ("authorizationpolicies",), ("get", "list", "create", "delete")),
        Rule("apps", ("deployments",), ("list",)),
    ),
    plan=plan,
    on_ineffective="Undo",
    creates=KIND,
)
