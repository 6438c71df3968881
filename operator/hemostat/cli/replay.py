"""`hemostat replay`: which recordings can be played through the detectors."""

from hemostat.cli import replay_agents, replay_diagnosis, replay_metrics, replay_rca, replay_watch
from hemostat.cli.options import group

app = group("replay", "See what would have been found in recorded telemetry.")

for _command in (
    replay_metrics.metrics,
    replay_rca.rca,
    replay_watch.watch,
    replay_agents.agents,
    replay_diagnosis.diagnosis,
):
    app.command()(_command)
