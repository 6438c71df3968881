"""`hemostat replay agents`: what would have been told of agents that loop, wait for each other or burn tokens."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml

from hemostat.cli.options import Format

if TYPE_CHECKING:
    from hemostat.replay.agents import Moment, Replayed, Trouble

NAMED = 8
"""Agents that are listed by name in the table."""


def agents(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="OTLP JSON lines of traces and logs, as the Collector's file exporter writes them; also gzip.",
        ),
    ],
    output: Annotated[Format, typer.Option("--output", "-o", help="How to print the verdicts.")] = Format.TABLE,
) -> None:
    """Say what would have been told of each conversation of recorded AI agents: loops, deadlocks, storms, burnt tokens.

    The detectors are those that judge live, line by line and without looking ahead; time is that of the records.
    Several files are read side by side. Steps are numbered within their conversation by when they began: FIRST is where
    the trouble began, ALARM the newest step that had arrived when it was told.
    """
    from hemostat.replay.agents import replay
    from hemostat.replay.requests import read
    from hemostat.signals.loops.detect import Detector
    from hemostat.telemetry.pricelist import load

    found = replay(read(files), Detector(prices=load()))
    if output is Format.TABLE:
        _table(found)
    elif output is Format.JSON:
        print(json.dumps(plain(found), indent=2))
    else:
        print(yaml.safe_dump(plain(found), sort_keys=False, allow_unicode=True), end="")
    _hints(found)


def plain(found: "Replayed") -> dict[str, Any]:
    """Return the outcome as plain values, for JSON and YAML."""
    return {
        "from": _time(found.began),
        "to": _time(found.ended),
        "records": found.records,
        "steps": found.steps,
        "stepsLate": found.late,
        "conversations": found.conversations,
        "conversationsWithoutVerdict": found.silent,
        "verdicts": [_plain(trouble) for trouble in found.troubles],
        "verdictsNotListed": found.dropped,
    }


def _plain(trouble: "Trouble") -> dict[str, Any]:
    verdict = trouble.verdict
    return {
        "kind": verdict.kind.value,
        "advice": verdict.advice.value,
        "tenant": verdict.tenant,
        "conversation": verdict.conversation or None,
        "conversations": list(verdict.conversations),
        "agents": list(verdict.agents),
        "edge": list(verdict.edge) if any(verdict.edge) else None,
        "first": _moment(trouble.first),
        "alarm": _moment(trouble.alarm),
        "cut": _moment(trouble.cut) if trouble.cut is not None else None,
        "rounds": verdict.rounds,
        "confidencePercent": verdict.confidence,
        "visibility": verdict.visibility.value,
        "tokens": verdict.tokens,
        "message": verdict.words,
    }


def _moment(moment: "Moment") -> dict[str, Any]:
    return {"step": moment.step or None, "time": _time(moment.time)}


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _table(found: "Replayed") -> None:
    from hemostat.cli.text import columns, emit, words
    from hemostat.signals.words import counted, duration

    headers = ("CONVERSATION", "KIND", "ADVICE", "AGENTS", "FIRST", "ALARM", "EDGE", "SURE", "SEEN", "TOKENS", "WHAT")
    table = columns(*headers)
    for trouble in found.troubles:
        verdict = trouble.verdict
        named = ", ".join(verdict.agents[:NAMED]) + (", ..." if len(verdict.agents) > NAMED else "")
        table.add_row(
            words(verdict.conversation or f"{len(verdict.conversations)} of them"),
            words(verdict.kind.value),
            words(verdict.advice.value, "bold red" if trouble.cut is not None else "yellow"),
            words(named),
            words(_when(trouble.first)),
            words(_when(trouble.alarm)),
            words(" -> ".join(verdict.edge) if any(verdict.edge) else "-"),
            words(f"{verdict.confidence} %"),
            words(verdict.visibility.value),
            words(f"{verdict.tokens:,}"),
            words(verdict.words),
        )
    if found.troubles:
        emit(table)
    emit(
        words(
            f"{counted(len(found.troubles) + found.dropped, 'verdict')}; {found.silent:,} of {found.conversations:,}"
            f" conversations without one; {found.steps:,} steps in {duration(found.ended - found.began)} (times in UTC)"
        )
    )


def _when(moment: "Moment") -> str:
    time = datetime.fromtimestamp(moment.time, UTC)
    return f"{moment.step or '-'} at {time:%m-%d %H:%M:%S}"


def _hints(found: "Replayed") -> None:
    """Say on stderr what makes the verdicts less than they could be."""
    if not found.steps:
        print(
            f"none of {found.records:,} spans and log records is a step of an agent: they have no attributes of"
            " OpenTelemetry GenAI, OpenInference, OpenLLMetry, MCP or A2A",
            file=sys.stderr,
        )
    if found.late:
        print(
            f"{found.late:,} of {found.steps:,} steps came so late after they ended that they were judged out of order:"
            " are the lines in the order of arrival, and the clocks right?",
            file=sys.stderr,
        )
    if found.dropped:
        print(f"verdicts not listed: {found.dropped:,} more", file=sys.stderr)
