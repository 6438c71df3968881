"""The commands of the stop switch, with the person's own rights. They need no running operator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from hemostat.cli.deciding import MANAGER, Reason
from hemostat.cli.options import Context, Kubeconfig
from hemostat.cli.session import Scope, Session

if TYPE_CHECKING:
    from hemostat.api.stop import Level

_POLICY = "hemostat-stop"
_INSTALL = "kubectl apply --server-side -k operator/deploy"
"""Not client-side: that would resume in silence what is stopped."""


def stop(
    ctx: typer.Context,
    everything: Annotated[bool, typer.Option("--everything", help="Undo nothing either.")] = False,
    reason: Reason = "",
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Have Hemostat begin nothing new anywhere; what was done is still verified, and undone where it must be."""
    from hemostat.api.stop import Level

    _set(Scope(kubeconfig, context, None).over(ctx.obj), Level.NOTHING if everything else Level.NO_NEW_ACTIONS, reason)


def resume(ctx: typer.Context, context: Context = None, kubeconfig: Kubeconfig = None) -> None:
    """Take `stop` back."""
    from hemostat.api.stop import Level

    _set(Scope(kubeconfig, context, None).over(ctx.obj), Level.RUNS, "")


def status(ctx: typer.Context, context: Context = None, kubeconfig: Kubeconfig = None) -> None:
    """Say whether Hemostat is stopped, by whom and why, and whether the API server holds it to that."""
    from hemostat.api.stop import words
    from hemostat.cli.text import emit
    from hemostat.cli.text import words as text

    session = Session.open(Scope(kubeconfig, context, None).over(ctx.obj))
    found, level = _look(session)
    told = words(found["metadata"].get("annotations") or {}) if found is not None else ": the Role hemostat-go is gone"
    emit(text(f"{level}{told if level != 'Runs' else ''}", "bold green" if level == "Runs" else "bold red"))
    emit(text(_MEANING[level.value]))
    emit(text(_held(session)))


_MEANING = {
    "Runs": "Hemostat acts as GatePolicies and people let it.",
    "NoNewActions": "Nothing is begun. What was done is verified, and undone where it must be.",
    "Nothing": "Nothing is begun, and nothing is undone.",
}


def _set(scope: Scope, level: Level, reason: str) -> None:
    from hemostat.api import stop
    from hemostat.cli.text import emit, words
    from hemostat.clock import SystemClock, rfc3339
    from hemostat.errors import Refused

    session = Session.open(scope)
    user, _ = session.kube.user()
    said = {stop.BY: user, stop.TIME: rfc3339(SystemClock().now())[:19] + "Z", stop.REASON: reason[:256]}
    body = stop.role(level, {} if level is stop.Level.RUNS else said)
    try:
        session.kube.apply(stop.path(), body, MANAGER, force=True)
    except Refused as error:
        raise Refused(error.reason, f"{error}; who stops needs ClusterRole hemostat-stopper in its namespace") from None
    _, now = _look(session)
    emit(words(f"{now}: {_MEANING[now.value]}", "bold green" if now is stop.Level.RUNS else "bold red"))
    if now is not level:
        raise Refused("NotBound", f"the RoleBinding {stop.GO} is not as it must be: {_INSTALL}")


def _look(session: Session) -> tuple[Any, Level]:
    from hemostat.api.stop import level_of, path

    found, bound = _read(session, path()), _read(session, path("rolebindings"))
    return found, level_of(found, bound)


def _held(session: Session) -> str:
    from hemostat.errors import Refused

    group = "/apis/admissionregistration.k8s.io/v1"
    kinds = ("validatingadmissionpolicies", "validatingadmissionpolicybindings")
    try:
        missing = [kind for kind in kinds if _read(session, f"{group}/{kind}/{_POLICY}") is None]
    except Refused:
        return f"Whether the admission policy {_POLICY} is installed cannot be told: you may not read it."
    if missing:
        return f"The API server does NOT enforce it: no {missing[0]} {_POLICY} ({_INSTALL})."
    return f"The API server enforces it (ValidatingAdmissionPolicy {_POLICY}), with or without the operator."


def _read(session: Session, path: str) -> Any:
    from hemostat.kube import NotFound

    try:
        return session.kube.get(path)
    except NotFound:
        return None
