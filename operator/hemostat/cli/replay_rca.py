"""`hemostat replay rca`: ranked services with the reasons, from recorded metrics and traces."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hemostat.cli.options import Format
from hemostat.errors import Refused

if TYPE_CHECKING:
    from hemostat.replay.rca import Ranking
    from hemostat.signals.rootcause.rank import Candidate
    from hemostat.signals.rootcause.series import Recording

SHOWN_REASONS = 4
LEAST_SCORE = 0.005
"""Services at whom next to nothing points are not listed."""

Metrics = Annotated[
    Path | None,
    typer.Option(
        "--metrics",
        help="Long table with the columns time,metric,service,peer,pod,value (peer: the callee of an edge's metric):"
        " CSV, also gzip, or Parquet. Metrics are told by their names: cpu, memory, latency, errors, requests, ...;"
        " an edge's latency with `source` or `client` in its name is the caller's measure, with `destination` or"
        " `server` the callee's.",
    ),
]
Traces = Annotated[Path | None, typer.Option("--traces", help="OTLP JSON lines, also gzip.")]


def rca(
    metrics: Metrics = None,
    traces: Traces = None,
    at: Annotated[
        str | None,
        typer.Option("--at", help="When the trouble began: RFC 3339, or seconds since 1970. Else it is searched for."),
    ] = None,
    top: Annotated[int, typer.Option("--top", min=1, help="How many services to list.")] = 5,
    output: Annotated[Format, typer.Option("--output", "-o", help="How to print them.")] = Format.TABLE,
) -> None:
    """Rank the services that may be the cause of recorded trouble, with the reasons.

    Compared are 10 minutes before the trouble began with 4 minutes after. Without --at the beginning is found as a
    live stream would have found it.
    """
    from hemostat.replay.rca import analyse, load

    moment = _moment(at)
    known = load(metrics, traces)
    if known.unused:
        print(f"not used, as their names do not tell what they mean: {', '.join(known.unused[:20])}", file=sys.stderr)
    found = analyse(known, moment)
    if output is Format.TABLE:
        _table(known, found, top)
        return
    _dump(_plain(found, top), output)


def _moment(at: str | None) -> float | None:
    from hemostat.replay.table import seconds

    if at is None:
        return None
    try:
        return seconds(at)
    except ValueError as error:
        raise Refused("BadTime", f"--at: {error}") from error


def _table(known: "Recording", found: "Ranking", top: int) -> None:
    from hemostat.cli.text import columns, emit, words

    emit(words(_how(found)))
    if found.others:
        later = ", ".join(_time(b.noticed) for b in found.others[:5])
        emit(words(f"Trouble was also noticed at {later}{' ...' if len(found.others) > 5 else ''}; see it with --at"))
    listed = [c for c in found.candidates if c.score >= LEAST_SCORE][:top]
    if not listed:
        print(f"Nothing points at any of the {len(known.services)} services.", file=sys.stderr)
        return
    table = columns("#", "SERVICE", "SCORE", "BECAUSE")
    for number, candidate in enumerate(listed, 1):
        reasons = _shown(candidate)
        table.add_row(
            words(f"{number}"), words(candidate.service, "bold"), words(f"{candidate.score:.2f}"), words(reasons[0])
        )
        for reason in reasons[1:]:
            table.add_row("", "", "", words(reason))
    emit(table)


def _shown(candidate: "Candidate") -> list[str]:
    """Return the strongest reason of each sign: three quantiles of one latency say the same."""
    strongest: dict[str, str] = {}
    for trouble, reason in zip(candidate.troubles, candidate.reasons, strict=True):
        strongest.setdefault(trouble.sign, reason)
    return list(strongest.values())[:SHOWN_REASONS]


def _how(found: "Ranking") -> str:
    until = f"samples up to {_time(found.until)} were used"
    if found.noticed is None:
        return f"Trouble from {_time(found.at)} on, as given; {until}"
    what = "; ".join(found.noticed.what[:2])
    return f"Trouble began at about {_time(found.at)}, noticed at {_time(found.noticed.noticed)} by {what}; {until}"


def _plain(found: "Ranking", top: int) -> dict[str, Any]:
    return {
        "beganTime": _time(found.at),
        "given": found.noticed is None,
        "noticedTime": _time(found.noticed.noticed) if found.noticed else None,
        "noticedBy": list(found.noticed.what) if found.noticed else [],
        "usedUntilTime": _time(found.until),
        "otherNoticedTimes": [_time(b.noticed) for b in found.others],
        "services": [
            {"service": c.service, "score": round(float(c.score), 4), "reasons": list(c.reasons)}
            for c in found.candidates[:top]
        ],
    }


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(round(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _dump(what: dict[str, Any], output: Format) -> None:
    if output is Format.JSON:
        import json

        print(json.dumps(what, indent=2))
        return
    import yaml

    print(yaml.safe_dump(what, sort_keys=False, allow_unicode=True), end="")
