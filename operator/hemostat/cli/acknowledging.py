"""The command by which a person takes an Incident on: nothing is done for it without a person from then on."""

from __future__ import annotations

from typing import Annotated

import typer

from hemostat.cli.deciding import MANAGER
from hemostat.cli.options import Context, Kubeconfig, Namespace
from hemostat.cli.reading import IncidentName
from hemostat.cli.session import Scope, Session


def acknowledge(
    ctx: typer.Context,
    incident: IncidentName,
    back: Annotated[bool, typer.Option("--undo", help="Leave it to Hemostat again.")] = False,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Take an incident on: Hemostat still proposes, and a person decides; what is at work already goes on."""
    from hemostat.api.identity import ACKNOWLEDGED
    from hemostat.api.resources import INCIDENT
    from hemostat.cli.text import emit, words

    session = Session.open(Scope(kubeconfig, context, namespace).over(ctx.obj))
    found = session.incident(incident)
    user, _ = session.kube.user()
    by = None if back else user
    body = {"metadata": {"uid": found.metadata.uid, "annotations": {ACKNOWLEDGED: by}}}
    session.kube.merge_patch(INCIDENT.path(session.namespace, incident), body, MANAGER)
    emit(words(f"{incident} is {'left to Hemostat again' if back else f'with {user}'}.", "bold green"))
