"""`hemostat gate`, and `explain`: why a Remediation may, may not or may not yet be carried out. Only reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from hemostat.cli.deciding import RemediationName
from hemostat.cli.options import Context, Kubeconfig, Namespace, group
from hemostat.cli.session import Scope, Session, parse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hemostat.api.gatepolicy import GatePolicy
    from hemostat.api.remediation import Remediation, RemediationSpec

app = group("gate", "See what the gate says, and why.")


@app.command()
def explain(
    ctx: typer.Context,
    remediation: RemediationName,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Explain a remediation: what it would do, what each check of the gate says, which GatePolicies count now and why
    others do not, and what is to be done next."""
    from hemostat.cli.render_explanation import page
    from hemostat.cli.text import emit

    session = Session.open(Scope(kubeconfig, context, namespace).over(ctx.obj))
    found = session.remediation(remediation)
    emit(page(found, session.approvals(), _policies(session, found), _before(session, found)))


def _before(session: Session, found: Remediation) -> Remediation | None:
    """Return the proposal of the same step that this one took the place of."""
    if found.spec.attempt == 1:
        return None
    wanted = found.spec.model_copy(update={"attempt": found.spec.attempt - 1})
    same = (r for r in session.remediations(session.incident(found.spec.incident_ref.name)) if _place(r.spec, wanted))
    return next(same, None)


def _place(one: RemediationSpec, other: RemediationSpec) -> bool:
    """Tell whether two proposals are of the same Runbook, opening, step and attempt."""
    return (one.runbook_ref, one.opening, one.step, one.attempt) == (
        other.runbook_ref,
        other.opening,
        other.step,
        other.attempt,
    )


def _policies(session: Session, found: Remediation) -> list[tuple[GatePolicy, str]] | None:
    """Return all GatePolicies with why each does not count now; None where they, or the Runbook, cannot be read."""
    from hemostat.api.gatepolicy import GatePolicy
    from hemostat.api.resources import GATEPOLICY, RUNBOOK
    from hemostat.api.runbook import Runbook
    from hemostat.clock import SystemClock
    from hemostat.errors import HemostatError
    from hemostat.gate.match import About, why_not

    namespace, now = found.metadata.namespace or "", SystemClock().now()
    try:
        listed = session.kube.list(GATEPOLICY.path(None))
        runbook = parse(Runbook, session.kube.get(RUNBOOK.path(namespace, found.spec.runbook_ref.name)))
        policies = [parse(GatePolicy, item) for item in listed]
    except HemostatError:
        return None
    about = About(namespace, found.spec.action, runbook.spec.risk, _labels(session, found))
    return [(policy, why_not(policy, about, now)) for policy in policies]


def _labels(session: Session, found: Remediation) -> Mapping[str, str] | None:
    from hemostat.errors import HemostatError
    from hemostat.gate.target import told_by
    from hemostat.kube import path_of

    ref = found.spec.target_ref
    try:
        live = session.kube.get(path_of(ref.api_version, ref.kind, found.metadata.namespace or "", ref.name))
    except HemostatError:
        return None
    return told_by(live).labels
