"""The entry point: which commands there are, and how errors are told."""

import sys
from pathlib import Path

import typer

from hemostat.cli import (
    acknowledging,
    audit,
    cutting,
    deciding,
    gate,
    lesson,
    people,
    processes,
    reading,
    remediation,
    replay,
    runbook,
    shadow,
    stopping,
    undoing,
)
from hemostat.cli.options import Context, Kubeconfig, Namespace
from hemostat.cli.session import Scope
from hemostat.errors import HemostatError

app = typer.Typer(
    name="hemostat",
    help="See what Hemostat found, what it wants to do about it and why, and have the last word.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def scope(
    ctx: typer.Context, namespace: Namespace = None, context: Context = None, kubeconfig: Kubeconfig = None
) -> None:
    """See what Hemostat found, what it wants to do about it and why, and have the last word."""
    ctx.obj = Scope(kubeconfig, context, namespace)


for _command in (
    reading.incidents,
    reading.show,
    reading.watch,
    gate.explain,
    deciding.approve,
    deciding.deny,
    deciding.legitimate,
    acknowledging.acknowledge,
    undoing.undo,
    cutting.cuts,
    stopping.stop,
    stopping.resume,
    stopping.status,
    people.people,
    processes.observe,
    processes.act,
    processes.relay,
    processes.version,
):
    app.command()(_command)
app.add_typer(audit.app)
app.add_typer(gate.app)
app.add_typer(lesson.app)
app.add_typer(remediation.app)
app.add_typer(replay.app)
app.add_typer(runbook.app)
app.add_typer(shadow.app)


def run() -> None:
    """Run the command line; errors raised on purpose end as one line on stderr and exit code 1."""
    plugin = Path(sys.argv[0]).name.startswith("kubectl")
    try:
        app(prog_name="kubectl hemostat" if plugin else "hemostat")
    except HemostatError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
