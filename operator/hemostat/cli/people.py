"""`hemostat people`: the rights by which `relay` may impersonate the people of its ConfigMap, for a person to apply."""

from __future__ import annotations

import sys

import typer

from hemostat.cli.options import Context, Kubeconfig
from hemostat.cli.session import Scope, Session


def people(ctx: typer.Context, context: Context = None, kubeconfig: Kubeconfig = None) -> None:
    """Print the ClusterRole and binding by which relay may create Approvals as the people of ConfigMap hemostat-people.

    Apply it with `kubectl apply --server-side -f -`, and again whenever the ConfigMap changes. Where it is not applied,
    or the API server has no constrained impersonation, relay speaks for them in its own name.
    """
    import yaml

    from hemostat.api.identity import NAMESPACE, PEOPLE
    from hemostat.api.rbac import people as rights
    from hemostat.errors import Refused
    from hemostat.kube import NotFound, path_of
    from hemostat.relay.people import people as read

    try:
        kube = Session.open(Scope(kubeconfig, context, None).over(ctx.obj)).kube
        found = kube.get(path_of("v1", "ConfigMap", NAMESPACE, PEOPLE))
    except NotFound:
        how = f"kubectl create configmap {PEOPLE} -n {NAMESPACE} --from-literal=U012AB3CD=$'ann@example.com\\nsre'"
        raise Refused("NoPeople", f"there is no ConfigMap {PEOPLE} in {NAMESPACE}: {how}") from None
    known, wrong = read(found.get("data") or {})
    for why in wrong:
        print(f"left out: {why}", file=sys.stderr)
    if not known:
        raise Refused(
            "NoPeople", f"ConfigMap {PEOPLE} names nobody: each key is a Slack user id, its value a user name"
        )
    users, groups = {p.user for p in known.values()}, {g for p in known.values() for g in p.groups}
    print(yaml.safe_dump_all(rights(users, groups), sort_keys=False), end="")
