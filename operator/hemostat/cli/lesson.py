"""`hemostat lesson`: what was learnt from an Incident. A draft counts for nothing until a person accepts it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from hemostat.cli.deciding import MANAGER, Yes, confirmed, refused
from hemostat.cli.options import Context, Kubeconfig, Namespace, group
from hemostat.cli.reading import IncidentName
from hemostat.cli.session import Scope, Session
from hemostat.errors import Refused

if TYPE_CHECKING:
    from hemostat.api.incident import Incident

app = group(
    "lesson",
    "Read the drafted lesson of an Incident that is over, and accept it: then it is shown with what is like it.",
)


@app.command()
def show(
    ctx: typer.Context,
    incident: IncidentName,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Print the lesson, accepted or drafted, and the evidence that it cites."""
    from hemostat.cli.text import clean, emit, words

    session = Session.open(Scope(kubeconfig, context, namespace).over(ctx.obj))
    found = session.incident(incident)
    text, by = _text(found)
    emit(words(f"accepted by {by}" if by else "a draft, which nobody has accepted", "green" if by else "yellow"))
    print(clean(text))
    _print_evidence(found, text)


@app.command()
def accept(
    ctx: typer.Context,
    incident: IncidentName,
    text: Annotated[
        str | None, typer.Option("--text", help="The lesson in your own words, with [E1 E2] for evidence.")
    ] = None,
    yes: Yes = False,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Accept the lesson: from then on it is remembered, and shown with incidents that are like this one."""
    from hemostat.cli.text import clean, emit, words

    session = Session.open(Scope(kubeconfig, context, namespace).over(ctx.obj))
    found = session.incident(incident)
    said = text.strip() if text is not None else _text(found)[0]
    _check(found, said)
    print(clean(said))
    _print_evidence(found, said)
    user, _ = session.kube.user()
    if not yes and not confirmed(f"Accept this as the lesson of {incident}, as {user}?"):
        print("Nothing was accepted.", file=sys.stderr)
        raise typer.Exit(1)
    _write(session, found, said, user)
    emit(words(f"Accepted by {user}.", "bold green"))


def _text(incident: Incident) -> tuple[str, str]:
    """Return the lesson, and who accepted it. Raises `Refused` (NoLesson) where there is none."""
    from hemostat.api.identity import LESSON, LESSON_BY

    notes, draft = incident.metadata.annotations, incident.status.lesson
    if notes.get(LESSON) and notes.get(LESSON_BY):
        return notes[LESSON], notes[LESSON_BY]
    if draft is None:
        name = incident.metadata.name
        raise Refused("NoLesson", f"Incident {name} has no lesson: it is drafted once the Incident is resolved")
    return draft.text, ""


def _check(incident: Incident, text: str) -> None:
    from hemostat.api.identity import MAX_LESSON
    from hemostat.diagnosis.lesson import cited, resolved_since, unknown

    name = incident.metadata.name
    if resolved_since(incident.status.conditions) is None:
        raise Refused("NotResolved", f"Incident {name} is not resolved yet: accept its lesson then")
    if not 0 < len(text) <= MAX_LESSON:
        raise Refused("BadLesson", f"the lesson has {len(text)} characters, must have 1 to {MAX_LESSON}")
    if wrong := unknown(text, incident.status.evidence):
        raise Refused("BadLesson", f"the lesson cites {', '.join(wrong)}, which Incident {name} does not have")
    if not cited(text):
        raise Refused("BadLesson", f"the lesson must cite evidence of {name}, like this: [E1 E2]")


def _print_evidence(incident: Incident, text: str) -> None:
    from hemostat.cli.text import emit, words
    from hemostat.diagnosis.lesson import cited

    wanted = cited(text)
    for item in incident.status.evidence:
        if item.id in wanted:
            emit(words(f"  {item.id} {item.kind}: {item.summary}"))


def _write(session: Session, found: Incident, text: str, user: str) -> None:
    from hemostat.api.identity import LESSON, LESSON_BY
    from hemostat.api.resources import INCIDENT
    from hemostat.gate.word import server_words

    name = found.metadata.name
    body = {"metadata": {"uid": found.metadata.uid, "annotations": {LESSON: text, LESSON_BY: user}}}
    try:
        session.kube.merge_patch(INCIDENT.path(session.namespace, name), body, MANAGER)
    except Refused as error:
        todo = f"{user} needs the verbs `accept` and `patch` on `incidents` (ClusterRole hemostat-approver has them)"
        raise refused(server_words(error), todo) from None
