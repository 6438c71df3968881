"""The commands by which a person decides: approve, deny, legitimate."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hemostat.cli.options import Context, Kubeconfig, Namespace
from hemostat.cli.session import Scope, Session

if TYPE_CHECKING:
    from hemostat.api.approval import Approval, Word
    from hemostat.api.remediation import Remediation

MANAGER = "kubectl-hemostat"
LOOKS, PAUSE = 30, 0.5
"""How often, and after how many seconds each, it is looked what came of a denial."""
RemediationName = Annotated[str, typer.Argument(metavar="REMEDIATION", help="Name of the Remediation.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, for the record.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def approve(
    ctx: typer.Context,
    remediation: RemediationName,
    reason: Reason = "",
    yes: Yes = False,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Approve the present plan of a remediation, after showing it."""
    from hemostat.api.approval import Word

    session = Session.open(Scope(kubeconfig, context, namespace).over(ctx.obj))
    _decide(session, session.remediation(remediation), Word.APPROVE, reason, yes)


def deny(
    ctx: typer.Context,
    remediation: RemediationName,
    reason: Reason = "",
    yes: Yes = False,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Deny the present plan of a remediation. One denial outweighs every approval."""
    from hemostat.api.approval import Word

    session = Session.open(Scope(kubeconfig, context, namespace).over(ctx.obj))
    _decide(session, session.remediation(remediation), Word.DENY, reason, yes)


def legitimate(
    ctx: typer.Context,
    incident: Annotated[str, typer.Argument(metavar="INCIDENT", help="Name of the Incident.")],
    lasts: Annotated[str, typer.Option("--for", help="For how long: 30m, 24h, 7d.")] = "24h",
    yes: Yes = False,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Say that what an Incident tells of AI agents is no trouble: its Watch does not tell it for a time."""
    from hemostat.cli.legitimate import lasting, patch, told, words_about
    from hemostat.cli.text import emit, words
    from hemostat.clock import SystemClock, rfc3339

    session = Session.open(Scope(kubeconfig, context, namespace).over(ctx.obj))
    now = SystemClock().now()
    found = session.incident(incident)
    about = words_about(found, now + lasting(lasts))
    name = found.spec.watch_ref.name
    watch = session.watch(name)
    ops = patch(watch, about, now)
    said = [word for group in about.values() for word in group]
    for word in said:
        emit(words(f"{told(word)} is legitimate until {rfc3339(word.until_time)}"))
    if not watch["spec"].get("signals"):
        emit(words(f"Note: Watch {name} has no signals of its own; the defaults are written into it.", "yellow"))
    if not yes and not confirmed(f"Write this into Watch {name}?"):
        print("Nothing was written.", file=sys.stderr)
        raise typer.Exit(1)
    _write(session, name, ops)
    emit(words(f"Written into Watch {name}. Does it come from a repository? Then say it there too.", "bold green"))


def _write(session: Session, name: str, ops: Sequence[Mapping[str, Any]]) -> None:
    from hemostat.api.resources import WATCH
    from hemostat.cli.legitimate import advice
    from hemostat.errors import Refused
    from hemostat.gate.word import server_words
    from hemostat.kube import Conflict

    try:
        session.kube.json_patch(WATCH.path(session.namespace, name), ops, MANAGER)
    except Conflict:
        raise Refused("Changed", f"Watch {name} was changed meanwhile: nothing was written; try again") from None
    except Refused as error:
        said, (user, _) = server_words(error), session.kube.user()
        todo = advice(said, user, session.namespace)
        raise refused(said, todo) from None


def _decide(session: Session, found: Remediation, word: Word, reason: str, yes: bool) -> None:
    import secrets

    from hemostat.api.approval import Word
    from hemostat.api.meta import is_true
    from hemostat.api.remediation import ADMITTED
    from hemostat.cli.render_explanation import plan_and_gate
    from hemostat.cli.text import emit, words
    from hemostat.gate.word import build, caution, check_open

    now = session.kube.server_now() if word is Word.DENY else None
    plan_hash = check_open(found, word, now)
    emit(plan_and_gate(found))
    warning = caution(found)
    if warning and word is Word.APPROVE:
        emit(words(f"Note: {warning}", "yellow"))
    user, groups = session.kube.user()
    if not yes and not confirmed(f"{word} plan {plan_hash[:19]}... as {user}?"):
        print("Nothing was decided.", file=sys.stderr)
        raise typer.Exit(1)
    name = _create(session, build(found, word, user, groups, reason, secrets.token_hex(3), now))
    done = "Approved" if word is Word.APPROVE else "Denied"
    emit(words(f"{done} by {user} as Approval {name}.", "bold green"))
    if word is Word.DENY and is_true(found.status.conditions, ADMITTED):
        emit(words(_came_of_it(session, found.metadata.name), "bold"))
    incident = found.spec.incident_ref.name
    emit(words(f"Follow it: kubectl hemostat watch {incident} -n {session.namespace}", "dim"))


def _came_of_it(session: Session, name: str) -> str:
    """Wait for what came of a denial of what had been approved, which may have been sent meanwhile."""
    import time

    from hemostat.gate.word import outcome_of_denial

    for _ in range(LOOKS):
        told = outcome_of_denial(session.remediation(name))
        if told is not None:
            return told
        time.sleep(PAUSE)
    return f"Whether it came in time is not known yet: kubectl hemostat explain {name} -n {session.namespace}"


def _create(session: Session, approval: Approval) -> str:
    from hemostat.api.resources import APPROVAL
    from hemostat.errors import Refused
    from hemostat.gate.word import advice, body, server_words

    try:
        session.kube.create(APPROVAL.path(session.namespace), body(approval), MANAGER)
    except Refused as error:
        said = server_words(error)
        todo = advice(said, approval.spec.approver, session.namespace, approval.spec.remediation)
        raise refused(said, todo) from None
    return approval.metadata.name


def refused(said: str, todo: str) -> typer.Exit:
    """Tell why the API server refused and what to do; return what ends the command."""
    print(f"error: refused by the API server: {said}\nwhat to do: {todo}", file=sys.stderr)
    return typer.Exit(1)


def confirmed(question: str) -> bool:
    """Ask a person; False, with a hint, where there is none."""
    try:
        return typer.confirm(question, default=False)
    except typer.Abort:
        print("\nThere is nobody to ask: give --yes to decide without a question.", file=sys.stderr)
        return False
