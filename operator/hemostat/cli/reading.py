"""The commands that only read: incidents, show, watch."""

import sys
import time
from typing import Annotated, Any

import typer

from hemostat.cli.options import Context, Format, Kubeconfig, Namespace
from hemostat.cli.session import Scope, Session

IncidentName = Annotated[str, typer.Argument(metavar="INCIDENT", help="Name of the Incident.")]


def incidents(
    ctx: typer.Context,
    everywhere: Annotated[bool, typer.Option("--all-namespaces", "-A", help="In all namespaces.")] = False,
    output: Annotated[Format, typer.Option("--output", "-o", help="How to print them.")] = Format.TABLE,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """List incidents, open ones first."""
    session = Session.open(Scope(kubeconfig, context, namespace).over(ctx.obj))
    items = session.incidents(everywhere=everywhere)
    if output is not Format.TABLE:
        dump(items, output)
        return
    from hemostat.api.incident import Incident
    from hemostat.cli.render_incidents import table
    from hemostat.cli.session import parse
    from hemostat.cli.text import emit
    from hemostat.clock import SystemClock

    if not items:
        where = "in any namespace" if everywhere else f"in namespace {session.namespace}"
        print(f"No incidents {where}.", file=sys.stderr)
        return
    emit(table([parse(Incident, i) for i in items], SystemClock().now(), everywhere=everywhere))


def show(
    ctx: typer.Context,
    incident: IncidentName,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Show an incident: timeline, evidence, conversations, diagnosis, remediations with plan, gate and results."""
    from hemostat.cli.render_incident import page
    from hemostat.cli.text import emit
    from hemostat.clock import SystemClock

    session = Session.open(Scope(kubeconfig, context, namespace).over(ctx.obj))
    found = session.incident(incident)
    emit(page(found, session.remediations(found), session.approvals(), SystemClock().now()))


def watch(
    ctx: typer.Context,
    incident: IncidentName,
    timeout_seconds: Annotated[float, typer.Option(min=1, help="Give up after so many seconds.")] = 900,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Follow an incident live until it is resolved. Exit code 0: resolved, 1: not within the time."""
    from hemostat.cli.follow import follow
    from hemostat.cli.render_incident import header, line
    from hemostat.cli.text import emit, words
    from hemostat.clock import SystemClock

    session = Session.open(Scope(kubeconfig, context, namespace).over(ctx.obj))
    first = session.incident(incident)
    clock = SystemClock()
    emit(header(first, clock.now()))
    ended = follow(
        lambda: (session.incident(incident), session.remediations(first)),
        lambda seen, entry: emit(line(entry, seen.spec.opened_time)),
        lambda name: emit(
            words(f"           a person must decide: kubectl hemostat approve {name} -n {session.namespace}", "yellow")
        ),
        clock,
        time.sleep,
        timeout_seconds,
    )
    last = ended.incident or first
    emit(header(last, clock.now()))
    if not ended.resolved:
        why = f": {ended.trouble}" if ended.trouble else ""
        print(f"error: {incident} is not resolved after {timeout_seconds:g} s of waiting{why}", file=sys.stderr)
        raise typer.Exit(1)


def dump(items: list[dict[str, Any]], output: Format) -> None:
    """Print a list as data."""
    whole = {"apiVersion": "v1", "kind": "List", "metadata": {}, "items": items}
    if output is Format.JSON:
        import json

        print(json.dumps(whole, indent=2))
        return
    import yaml

    print(yaml.safe_dump(whole, sort_keys=False), end="")
