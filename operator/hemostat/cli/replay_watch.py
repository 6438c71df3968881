"""`hemostat replay watch`: what a Watch would have fired, had it been there."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
import yaml

from hemostat.cli.manifest import load
from hemostat.cli.options import Format
from hemostat.errors import Refused, Retry

if TYPE_CHECKING:
    from hemostat.api.watch import Watch
    from hemostat.replay.watch import Replayed

LONGEST_ANSWER_SECONDS = 60.0
LARGEST_ANSWER_BYTES = 64 * 1024 * 1024
STEPS = 11_000
WHERE = (
    "Say where it is with --prometheus URL or HEMOSTAT_PROMETHEUS_URL; from outside the cluster, for example:"
    " kubectl port-forward -n monitoring svc/prometheus 9090 and --prometheus http://localhost:9090"
)


def watch(
    file: Annotated[Path, typer.Argument(help="YAML with a Watch.")],
    prometheus: Annotated[
        str | None,
        typer.Option("--prometheus", help="Address of a Prometheus API; HEMOSTAT_PROMETHEUS_URL by default."),
    ] = None,
    since: Annotated[str, typer.Option("--from", help="Beginning: RFC 3339, or -7d, -12h, -30m ago.")] = "-1d",
    until: Annotated[str, typer.Option("--to", help="End: RFC 3339, -1h ago, or now.")] = "now",
    step: Annotated[
        int | None, typer.Option("--step", min=1, help="Seconds between two looks; the Watch's interval if it fits.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Where to write a picture (SVG).")] = None,
    output: Annotated[Format, typer.Option("--output", "-o", help="How to print the alarms.")] = Format.TABLE,
) -> None:
    """Say what a Watch would have fired over a past that Prometheus kept, and draw it.

    The series are judged by the code that judges live, step by step, without looking ahead. Traces and objects of the
    API server cannot be replayed from Prometheus; which signals are left out is said.
    """
    from dataclasses import replace

    from hemostat.api.watch import Watch
    from hemostat.replay.telling import moment, plain
    from hemostat.replay.watch import Span, replay
    from hemostat.settings import Settings
    from hemostat.telemetry.answer import QueryFailed
    from hemostat.telemetry.prometheus import Prometheus

    wanted = load(file, Watch)
    now = datetime.now(UTC).replace(microsecond=0)
    start, end = moment(since, now, "--from"), moment(until, now, "--to")
    length = (end - start).total_seconds()
    chosen = step or max(wanted.spec.interval_seconds, 15, int(length / STEPS) + 1)
    settings = replace(Settings.read(), prometheus_timeout_seconds=LONGEST_ANSWER_SECONDS)
    if prometheus is not None:
        settings = replace(settings, prometheus_url=prometheus)

    def progress(done: int, of: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{done:,} of {of:,} steps", end="" if done < of else "\n", file=sys.stderr, flush=True)

    source = Prometheus.connect(settings, LARGEST_ANSWER_BYTES)
    try:
        found = replay(wanted, source, Span(start, end, chosen), progress)
    except QueryFailed:
        raise
    except Retry as error:
        raise Retry(f"{error}. {WHERE}") from error
    if out is not None:
        _draw(found, wanted, out)
    if output is Format.TABLE:
        _table(found)
    elif output is Format.JSON:
        print(json.dumps(plain(found), indent=2))
    else:
        print(yaml.safe_dump(plain(found), sort_keys=False), end="")


def _draw(found: "Replayed", wanted: "Watch", out: Path) -> None:
    from hemostat.replay.picture import picture

    title = f"Watch {wanted.metadata.namespace or 'default'}/{wanted.metadata.name}"
    try:
        out.write_text(picture(found, title))
    except OSError as error:
        raise Refused("BadFile", f"--out {out}: {error.strerror or error}") from error


def _table(found: "Replayed") -> None:
    from hemostat.cli.text import columns, emit, words
    from hemostat.signals.words import amount, counted, duration

    table = columns("SIGNAL", "FROM", "TO", "LASTED", "WORST", "LIMIT", "WHAT")
    for alarm in found.alarms:
        ended = alarm.ended or found.span.end
        table.add_row(
            words(alarm.key.split("{", 1)[0]),
            words(f"{alarm.began:%m-%d %H:%M:%S}"),
            words(f"{alarm.ended:%m-%d %H:%M:%S}" if alarm.ended is not None else "still fires"),
            words(duration((ended - alarm.began).total_seconds())),
            words(amount(alarm.worst, alarm.unit) if alarm.worst is not None else ""),
            words(amount(alarm.threshold, alarm.unit) if alarm.threshold is not None else ""),
            words(alarm.note or alarm.subject),
        )
    if found.alarms:
        emit(table)
    count, total = len(found.alarms) + found.dropped_alarms, sum(found.series.values())
    length = duration((found.span.end - found.span.start).total_seconds())
    looked = f"looked at every {found.span.step_seconds} s (times in UTC)"
    emit(words(f"{counted(count, 'alarm')} in {length}, {total:,} series, {looked}"))
    for what, lines in (
        (
            "not judged",
            [f"{count} series of {key}: too many of one signal" for key, count in found.dropped_series.items()],
        ),
        ("could not be asked", [f"{k}: {v}" for k, v in found.problems.items()]),
        ("Prometheus has no series for", [", ".join(found.silent)] if found.silent else []),
        ("not replayed", found.left_out),
    ):
        for line in lines:
            emit(words(f"{what}: {line}"))
