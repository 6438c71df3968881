"""`hemostat runbook`: Runbooks before they are needed. Nothing here writes to the cluster."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hemostat.cli.manifest import documents, every, told
from hemostat.cli.options import Context, Kubeconfig, Namespace, group
from hemostat.cli.reading import IncidentName
from hemostat.cli.session import Json, Scope, Session, parse
from hemostat.errors import Refused

if TYPE_CHECKING:
    from hemostat.action.registry import Catalogue
    from hemostat.api.runbook import Runbook

app = group("runbook", "Write Runbooks: check them, try them on a past Incident, draft one from what was done by hand.")
Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="YAML with Runbooks; -: standard input.")]
ERROR = "error"


@app.command()
def lint(files: Files) -> None:
    """Say what is wrong with Runbooks, without a cluster. Exit code 0: no errors (there may be warnings), 1: errors."""
    from hemostat.action.registry import discover
    from hemostat.cli.text import emit, words
    from hemostat.signals.words import counted

    catalogue, errors, warnings = discover(), 0, 0
    for file in files:
        for level, said in _findings(file, catalogue):
            errors, warnings = errors + (level == ERROR), warnings + (level != ERROR)
            emit(words(f"{level}: {said}", "red" if level == ERROR else "yellow"))
    emit(words(f"{counted(len(files), 'file')}: {counted(errors, 'error')}, {counted(warnings, 'warning')}"))
    if errors:
        raise typer.Exit(1)


@app.command()
def test(
    files: Files,
    incident: Annotated[
        Path,
        typer.Option(
            "--incident", help="YAML with one Incident, as `kubectl get incident -o yaml` prints it; -: standard input."
        ),
    ],
) -> None:
    """Say which of these Runbooks the matcher would choose for a past Incident. Exit code 0: one, for certain; else 1.

    Drafts are taken as if they were Active. Only what is stored in the Incident is known; what is not is said.
    """
    from hemostat.api.incident import Incident
    from hemostat.cli.render_rehearsal import page
    from hemostat.cli.text import emit
    from hemostat.diagnosis.rehearsal import rehearse

    past = parse(Incident, _stored(incident))
    played = rehearse(runbooks_of(files), past)
    emit(page(past, played))
    if played.winner is None:
        raise typer.Exit(1)


@app.command()
def draft(
    ctx: typer.Context,
    incident: IncidentName,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Print a Draft of a Runbook made of an Incident that was resolved by hand, for a person to finish and apply."""
    from hemostat.api import API_VERSION
    from hemostat.cli.manifest import printed
    from hemostat.diagnosis import drafting

    session = Session.open(Scope(kubeconfig, context, namespace).over(ctx.obj))
    found = session.incident(incident)
    made = drafting.draft(found, session.remediations(found))
    if made is None:
        raise Refused("NoDraft", drafting.no_draft(found))
    metadata = {"name": made.metadata.name, "namespace": session.namespace}
    document = {"apiVersion": API_VERSION, "kind": "Runbook", "metadata": metadata, "spec": made.spec.wire()}
    for line in drafting.notes(found):
        print(f"# {line}")
    print(printed(document), end="")


def _findings(file: Path, catalogue: "Catalogue") -> Iterator[tuple[str, str]]:
    """Yield how much each finding matters, and what it says: file, Runbook, place, what to do."""
    from hemostat.api.runbook import Runbook
    from hemostat.diagnosis.lint import lint as judge

    try:
        read = every(file, Runbook)
    except Refused as error:  # the other files are judged all the same
        yield ERROR, str(error)
        return
    seen: set[tuple[str | None, str]] = set()
    for name, runbook, wrong in read:
        here = f"{file}: Runbook {name}"
        yield from ((ERROR, f"{here}: {told(w)}") for w in wrong)
        if runbook is not None:
            yield from ((f.level.value, f"{here}: {f}") for f in judge(runbook, catalogue))
            key = (runbook.metadata.namespace, runbook.metadata.name)
            if key in seen:
                yield ERROR, f"{here}: metadata.name: two are named so in one namespace: rename one of them"
            seen.add(key)


def runbooks_of(files: list[Path]) -> "list[Runbook]":
    """Return the Runbooks of all files. Raises `Refused` (BadFile) for one that cannot be read, or named as another."""
    from hemostat.api.runbook import Runbook

    given: dict[str, Runbook] = {}
    for file in files:
        for name, runbook, wrong in every(file, Runbook):
            if runbook is None:
                raise Refused("BadFile", f"{file}: Runbook {name}: {told(wrong[0])}")
            if name in given:
                raise Refused("BadFile", f"{file}: a second Runbook is named {name}: an Incident sees one namespace")
            given[name] = runbook
    return list(given.values())


def _stored(file: Path) -> Json:
    found = documents(file, "Incident")
    if len(found) != 1:
        raise Refused("BadFile", f"{file}: must hold one Incident, has {len(found)}: kubectl get incident NAME -o yaml")
    return found[0]
