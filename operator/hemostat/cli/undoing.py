"""The command by which a person takes back what Hemostat did, with the person's own rights.

It needs no running operator, and no leave of the stop switch: what stands is what the API server says, and the undo is
the person's own.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from hemostat.cli.deciding import Yes, confirmed
from hemostat.cli.options import Context, Kubeconfig, Namespace
from hemostat.cli.session import Scope, Session

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hemostat.api.remediation import Remediation
    from hemostat.cli.undo import Item

_HOLDS = (
    "None of these is applied again. Something new may be proposed for the same trouble, the same action too: a person"
    " decides about that target for humanEditSeconds of the GatePolicies that match (900, unless they say otherwise);"
    " where that is 0, nobody is asked because of this."
)
MOST = 1000
"""Remediations that are looked at by one command."""


def undo(
    ctx: typer.Context,
    remediation: Annotated[str, typer.Argument(metavar="REMEDIATION", help="Name of the Remediation.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="All that stands of what was done.")] = False,
    everywhere: Annotated[bool, typer.Option("--all-namespaces", "-A", help="With --all: in all namespaces.")] = False,
    since: Annotated[str, typer.Option(help="With --all: done since then (30m, 24h, 7d), or not ended yet.")] = "24h",
    yes: Yes = False,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Take back what Hemostat did, newest first; works without the operator. Exit code 1: something is left."""
    from hemostat.cli.text import emit
    from hemostat.cli.undo import Fate, page
    from hemostat.clock import SystemClock
    from hemostat.errors import Refused

    if bool(remediation) == everything or (everywhere and not everything):
        raise Refused("BadArguments", "give the name of one Remediation, or --all (with -A in all namespaces)")
    session = Session.open(Scope(kubeconfig, context, namespace).over(ctx.obj))
    known, unread = ([session.remediation(remediation)], 0) if remediation else _all(session, everywhere)
    found = _looked(session, known, since if everything else "")
    if not found and not unread:
        print(_nothing(known, remediation, since), file=sys.stderr)
        return
    emit(page(found, SystemClock().now()))
    _by_hand(found)
    takes = [item.remediation for item in found if item.fate is Fate.TAKES]
    if takes and not yes and not confirmed(f"Take back {'this' if len(takes) == 1 else f'these {len(takes)}'} now?"):
        print("Nothing was changed.", file=sys.stderr)
        raise typer.Exit(1)
    left = unread + sum(item.fate is Fate.LEFT for item in found) + _taken(session, takes)
    if left:
        print(f"{left} could not be taken back.", file=sys.stderr)
    if left or (remediation and not takes):
        raise typer.Exit(1)


def _nothing(known: list[Remediation], name: str, since: str) -> str:
    from hemostat.cli.undo import began

    if name and began(known[0]) is None:
        return f"{name} has done nothing. To keep it from being done: kubectl hemostat deny {name}"
    what = f"what {name} did" if name else f"what was done within {since}"
    return f"Nothing stands of {what}."


def _looked(session: Session, known: Iterable[Remediation], since: str) -> list[Item]:
    """Look at what stands of them now; of one that is named, whenever it was done."""
    from hemostat.action.execute import Executor
    from hemostat.cli.legitimate import lasting
    from hemostat.cli.undo import chosen, items
    from hemostat.errors import Refused

    now, executor = session.kube.server_now(), Executor(session.kube)
    ordered = chosen(known, now - lasting(since, "--since") if since else now.min.replace(tzinfo=now.tzinfo))
    if len(ordered) > MOST:
        raise Refused("TooMany", f"{len(ordered)} Remediations would have to be looked at: give a shorter --since")
    return list(items(ordered, lambda step, where: executor.read(step.inverse, where), now))


def _all(session: Session, everywhere: bool) -> tuple[list[Remediation], int]:
    """Return all Remediations, and how many cannot be understood: they keep nothing else."""
    from hemostat.api.remediation import Remediation
    from hemostat.cli.session import parse
    from hemostat.errors import Broken

    found, unread = [], 0
    for item in session.every_remediation(everywhere=everywhere):
        try:
            found.append(parse(Remediation, item))
        except Broken as error:
            unread += 1
            print(f"warning: {error}", file=sys.stderr)
    return found, unread


def _by_hand(found: Iterable[Item]) -> None:
    """Print what a person may copy: never wrapped."""
    from hemostat.cli.text import clean

    for item in found:
        for line in item.why.splitlines()[1:]:
            print(clean(line))


def _taken(session: Session, takes: Sequence[Remediation]) -> int:
    """Take them back, one after another; return how many were left. What is refused keeps nothing else."""
    from hemostat.cli.taking import Taker
    from hemostat.cli.text import clean, emit, words
    from hemostat.errors import HemostatError

    taker = Taker(session.kube, time.sleep, lambda said: print(f"note: {clean(said)}", file=sys.stderr))
    left = 0
    for one in takes:
        where, name = one.metadata.namespace or "", one.metadata.name
        try:
            emit(words(f"{where}/{name}: {taker.back(where, name)}", "bold green"))
        except HemostatError as error:
            left += 1
            emit(words(f"{where}/{name}: NOT taken back: {error}", "bold red"))
    if takes:
        emit(words(_HOLDS, "dim"))
        emit(words("To keep Hemostat from beginning anything else: kubectl hemostat stop", "dim"))
    return left
