"""The command by which a person sees what is cut between agents, with the person's own rights.

It needs no running operator: what holds is what the API server says.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hemostat.cli.options import Context, Format, Kubeconfig, Namespace
from hemostat.cli.session import Scope, Session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hemostat.cli.cuts import Held


def cuts(
    ctx: typer.Context,
    everywhere: Annotated[bool, typer.Option("--all-namespaces", "-A", help="In all namespaces.")] = False,
    output: Annotated[Format, typer.Option("--output", "-o", help="How to print them.")] = Format.TABLE,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """List what is cut between agents now, for how long, and by which remediation."""
    from hemostat.cli.cuts import table
    from hemostat.cli.reading import dump
    from hemostat.cli.text import clean, emit
    from hemostat.clock import SystemClock

    session = Session.open(Scope(kubeconfig, context, namespace).over(ctx.obj))
    held = _held(session, None if everywhere else session.namespace)
    if output is not Format.TABLE:
        dump([one.wire() for one in held], output)
    elif held:
        emit(table(held, SystemClock().now(), everywhere=everywhere))
        for one in held:
            if one.hand:
                print(f"note: no Remediation is there for {clean(one.id)}; by hand: {clean(one.hand)}", file=sys.stderr)
    else:
        where = "in any namespace" if everywhere else f"in namespace {session.namespace}"
        print(f"Nothing is cut {where}.", file=sys.stderr)


def _held(session: Session, namespace: str | None) -> list[Held]:
    from hemostat.api import API_VERSION
    from hemostat.api.remediation import Remediation
    from hemostat.cli.cuts import called, orders, policies
    from hemostat.cli.session import parse
    from hemostat.clock import SystemClock
    from hemostat.guard.orders import CONFIG_MAP

    now = SystemClock().now()
    known = [parse(Remediation, item) for item in _listed(session, API_VERSION, "Remediation", namespace)]
    maps = list(_listed(session, "v1", "ConfigMap", namespace, fieldSelector=f"metadata.name={CONFIG_MAP}"))
    made = [one for api_version, kind in _created() for one in _ours(session, api_version, kind, namespace)]
    return [*(held for one in maps for held in orders(one, known, now)), *policies(made, known), *called(known)]


def _created() -> list[tuple[str, str]]:
    """Return the kinds that the catalogue's actions create."""
    from hemostat.action.registry import discover

    return sorted({action.creates for action in discover().values() if action.creates is not None})


def _ours(session: Session, api_version: str, kind: str, namespace: str | None) -> Iterator[dict[str, Any]]:
    from hemostat.api.identity import REMEDIATION_LABEL

    return _listed(session, api_version, kind, namespace, labelSelector=REMEDIATION_LABEL)


def _listed(
    session: Session, api_version: str, kind: str, namespace: str | None, **selector: str
) -> Iterator[dict[str, Any]]:
    """Yield objects; a kind that the cluster does not know has none, one that may not be read is said so."""
    from hemostat.errors import Refused
    from hemostat.kube import NotFound, path_of

    try:
        yield from session.kube.list(path_of(api_version, kind, namespace, ""), **selector)
    except NotFound:
        return
    except Refused as error:
        print(f"warning: not shown, for you may not list them: {kind}: {error}", file=sys.stderr)
