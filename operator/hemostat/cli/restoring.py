"""The commands by which a person sees what is cut between agents and takes it back, with the person's own rights.

They need no running operator: what holds is what the API server says.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hemostat.cli.deciding import MANAGER, Yes, confirmed
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
    from hemostat.cli.text import emit
    from hemostat.clock import SystemClock

    session = Session.open(Scope(kubeconfig, context, namespace).over(ctx.obj))
    held = _held(session, None if everywhere else session.namespace)
    if output is not Format.TABLE:
        dump([one.wire() for one in held], output)
    elif held:
        emit(table(held, SystemClock().now(), everywhere=everywhere))
    else:
        where = "in any namespace" if everywhere else f"in namespace {session.namespace}"
        print(f"Nothing is cut {where}.", file=sys.stderr)


def restore(
    ctx: typer.Context,
    cut: Annotated[str, typer.Argument(metavar="ID", help="Which, as `cuts` lists it.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="All that is cut in the namespace.")] = False,
    yes: Yes = False,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Take back what is cut between agents, before its time; works without the operator."""
    from hemostat.cli.cuts import table
    from hemostat.cli.text import emit, words
    from hemostat.clock import SystemClock

    session = Session.open(Scope(kubeconfig, context, namespace).over(ctx.obj))
    chosen = _chosen(session, cut, everything)
    if not chosen:
        print(f"Nothing is cut in namespace {session.namespace}.", file=sys.stderr)
        return
    emit(table(chosen, SystemClock().now(), everywhere=False))
    if not yes and not confirmed("Take this back now?"):
        print("Nothing was changed.", file=sys.stderr)
        raise typer.Exit(1)
    left = sum(not _told(session, one) for one in chosen)
    emit(words("If the trouble goes on it may be cut again; see kubectl hemostat legitimate.", "dim"))
    if left:
        raise typer.Exit(1)


def _told(session: Session, one: Held) -> bool:
    """Take one back and say so; what cannot be taken back keeps nothing else."""
    from hemostat.cli.text import clean, emit, words
    from hemostat.errors import HemostatError

    try:
        emit(words(f"{one.kind} {one.id}: {_lift(session, one)}", "bold green"))
    except HemostatError as error:
        first, *more = str(error).splitlines()
        emit(words(f"{one.kind} {one.id}: NOT taken back: {first}", "bold red"))
        for line in more:  # to copy: never wrapped
            print(clean(line))
        return False
    return True


def _chosen(session: Session, cut: str, everything: bool) -> list[Held]:
    from hemostat.errors import Refused

    if bool(cut) == everything:
        raise Refused("BadArguments", "give the ID of one cut (see kubectl hemostat cuts), or --all")
    held = _held(session, session.namespace)
    chosen = [one for one in held if everything or one.id == cut]
    if cut and not chosen:
        known = f"there are: {', '.join(one.id for one in held[:10])}" if held else "there are none; another -n?"
        raise Refused("NotFound", f"nothing with ID {cut!r} is cut in namespace {session.namespace}; {known}")
    return chosen


def _lift(session: Session, one: Held) -> str:
    """Take one back; `Refused` says what right is missing."""
    from hemostat.errors import Refused
    from hemostat.guard.orders import CONFIG_MAP
    from hemostat.kube import Conflict, NotFound, path_of

    if one.by_hand:
        raise Refused("ByHand", one.by_hand)
    verb, what = ("patch", f"configmap {CONFIG_MAP}") if one.is_order else ("delete", f"{one.kind} {one.id}")
    try:
        if one.is_order:
            session.kube.json_patch(path_of("v1", "ConfigMap", one.namespace, CONFIG_MAP), one.lifting(), MANAGER)
        else:
            session.kube.delete(path_of(one.api_version, one.kind, one.namespace, one.id), one.uid)
    except (NotFound, Conflict):
        return "was gone already"
    except Refused as error:
        if error.reason != "Forbidden":
            raise
        raise Refused("Forbidden", f"you may not {verb} {what} in namespace {one.namespace}: {error}") from error
    return "taken back"


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
