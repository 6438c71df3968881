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
    from hemostat.api.remediation import Remediation

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
    emit(page(found, session.approvals(), _policies(session, found)))


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
