"""`hemostat shadow`: what Hemostat would have done, beside what people did. Only reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hemostat.cli.options import Context, Kubeconfig, Namespace, group
from hemostat.cli.session import Json, Scope, Session, parse

if TYPE_CHECKING:
    from hemostat.api.remediation import Remediation
    from hemostat.gate.shadow import Compared

app = group("shadow", "See what GatePolicies in shadow would have let Hemostat do.")


@app.command()
def report(
    ctx: typer.Context,
    everywhere: Annotated[bool, typer.Option("--all-namespaces", "-A", help="In all namespaces.")] = False,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Compare what would have been done with what people did to the same targets since, as these are now."""
    from hemostat.api.remediation import Remediation
    from hemostat.cli.render_shadow import page
    from hemostat.cli.text import emit
    from hemostat.gate.shadow import in_shadow

    session = Session.open(Scope(kubeconfig, context, namespace).over(ctx.obj))
    listed = session.every_remediation(everywhere=everywhere)
    found = [r for r in (parse(Remediation, item) for item in listed) if in_shadow(r)]
    emit(page([_compared(session, r) for r in found], everywhere=everywhere))


def _compared(session: Session, remediation: Remediation) -> Compared:
    from hemostat.action.effects import place
    from hemostat.api.incident import Incident
    from hemostat.api.remediation import Verb
    from hemostat.api.resources import INCIDENT
    from hemostat.gate.shadow import compared
    from hemostat.kube import path_of

    namespace, ref = remediation.metadata.namespace or "", remediation.spec.target_ref
    target = _live(session, path_of(ref.api_version, ref.kind, namespace, ref.name), ref.uid)
    plan = remediation.status.plan
    written = [
        _live(session, path_of(e.api_version, e.kind, place(e, namespace), e.name), e.uid)
        for e in (plan.effects if plan is not None else ())
        if e.verb is not Verb.CALL
    ]
    seen = _live(session, INCIDENT.path(namespace, remediation.spec.incident_ref.name), None)
    return compared(remediation, target, written, parse(Incident, seen) if seen is not None else None)


def _live(session: Session, path: str, uid: str | None) -> Json | None:
    """Return the object of this uid; None if there is none, or another one of that name."""
    from hemostat.kube import NotFound

    try:
        found = session.kube.get(path)
    except NotFound:
        return None
    return found if uid in (None, found["metadata"]["uid"]) else None
