"""`hemostat replay`: which recordings can be played through the detectors."""

import typer

from hemostat.cli import replay_agents, replay_diagnosis, replay_metrics, replay_rca, replay_watch

app = typer.Typer(
    name="replay",
    help="See what would have been found in recorded telemetry.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for _command in (
    replay_metrics.metrics,
    replay_rca.rca,
    replay_watch.watch,
    replay_agents.agents,
    replay_diagnosis.diagnosis,
):
    app.command()(_command)
