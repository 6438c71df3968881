"""`hemostat replay diagnosis`: what would have been concluded from recorded outputs of tools, and how good that is."""

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hemostat.cli.options import Format
from hemostat.errors import Refused

if TYPE_CHECKING:
    from hemostat.api.runbook import Runbook
    from hemostat.replay.diagnosis.diagnose import Diagnoser
    from hemostat.replay.diagnosis.judge import Judge
    from hemostat.replay.diagnosis.report import Json, Line


def diagnosis(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A case (a folder of recorded outputs, *.txt), or a folder of cases.")
    ],
    runbooks: Annotated[
        list[Path] | None,
        typer.Option("--runbooks", metavar="FILE", help="YAML with Runbooks to choose from; may be repeated."),
    ] = None,
    judge: Annotated[
        str | None,
        typer.Option("--judge", metavar="MODEL", help="Score against the expected facts; named as litellm names it."),
    ] = None,
    leave_out: Annotated[
        list[str] | None,
        typer.Option("--leave-out", metavar="GLOB", help="Cases to leave out, by name or path; may be repeated."),
    ] = None,
    output: Annotated[Format, typer.Option("--output", "-o", help="How to print the diagnoses.")] = Format.JSON,
) -> None:
    """Diagnose from recorded outputs of tools, with the models of HEMOSTAT_MODELS or, without any, by the matcher.

    Nothing is read of a case but its outputs and its alert; what is expected is read for the judge alone. Texts are
    redacted before a model sees them. Exit code 0: all was diagnosed, and judged where that was asked for; 1: not all,
    stderr says what and why.
    """
    from hemostat.replay.diagnosis.recording import cases
    from hemostat.replay.diagnosis.report import report

    given = _runbooks(runbooks or [])
    chosen = _chosen(cases(folder), folder, leave_out or [])
    diagnoser, judging = _connected(given, judge)
    lines: list[Line] = []
    for number, (path, name) in enumerate(chosen, 1):
        line = _case(path, name, diagnoser, judging)
        lines.append(line)
        print(f"[{number}/{len(chosen)}] {name}: {_progress(line)}", file=sys.stderr)
    found = report(lines, (list(judging.models), judging.usage) if judging is not None else None)
    _print(found, lines, output)
    if any(_incomplete(line, scored=judging is not None) for line in lines):
        raise typer.Exit(1)


def _runbooks(files: Sequence[Path]) -> "list[Runbook]":
    from hemostat.cli.runbook import runbooks_of

    if not files:
        print("no --runbooks: the matcher has nothing to choose from", file=sys.stderr)
    return runbooks_of(list(files))


def _chosen(found: Sequence[Path], folder: Path, leave_out: Sequence[str]) -> list[tuple[Path, str]]:
    """Return cases with their names: paths within the folder. Raises `Refused` where none is left."""
    named = [(path, str(path.relative_to(folder)) if path != folder else path.resolve().name) for path in found]
    kept = [(p, name) for p, name in named if not any(fnmatch(name, g) or fnmatch(p.name, g) for g in leave_out)]
    if not kept:
        raise Refused("NoCases", f"{folder}: --leave-out leaves out all of {len(named)} cases")
    return kept


def _connected(runbooks: "list[Runbook]", judge: str | None) -> "tuple[Diagnoser, Judge | None]":
    """Return who diagnoses, and who judges. Raises `Broken` for a model that litellm does not know."""
    from hemostat.diagnosis.model import connect
    from hemostat.diagnosis.panel.consult import Panel
    from hemostat.diagnosis.panel.meter import Budget, Meter
    from hemostat.replay.diagnosis.diagnose import Diagnoser
    from hemostat.replay.diagnosis.judge import Judge
    from hemostat.settings import Settings
    from hemostat.telemetry.pricelist import load

    s = Settings.read()
    prices = load(s.prices_file)
    budget = Budget(s.diagnosis_turns, s.diagnosis_tokens, s.diagnosis_usd, s.diagnosis_seconds)
    asks = connect(s, prices)
    panel = Panel(asks, Meter(budget, time), time) if asks is not None else None
    grades = connect(replace(s, models=(judge,)), prices) if judge else None
    return Diagnoser(runbooks, panel), Judge(grades, time, budget.seconds, budget.usd) if grades is not None else None


def _case(path: Path, name: str, diagnoser: "Diagnoser", judge: "Judge | None") -> "Line":
    """Diagnose one case, and then judge that. What is wrong with a case ends no other."""
    from hemostat.replay.diagnosis.recording import expected, read
    from hemostat.replay.diagnosis.report import Line
    from hemostat.replay.diagnosis.score import Judged

    outcome, error = None, None
    try:
        outcome = diagnoser.diagnose(read(path, name))
    except Refused as refused:
        error = refused
    if judge is None:
        return Line(name, outcome, error)
    try:
        facts = expected(path)
    except Refused as refused:
        return Line(name, outcome, error, unscored=refused)
    if outcome is None:  # what was not diagnosed states nothing, whatever the judge would say
        return Line(name, outcome, error, tuple(Judged(fact, False) for fact in facts))
    return Line(name, outcome, error, judge.judge(name, outcome.answer, facts))


def _incomplete(line: "Line", *, scored: bool) -> bool:
    failed = any(j.failure for j in line.judged)
    return line.outcome is None or bool(line.unheard) or (scored and (failed or line.unscored is not None))


def _progress(line: "Line") -> str:
    if line.outcome is None:
        said = f"failed: {line.error.reason}: {line.error}" if line.error is not None else "failed"
    else:
        found, concluded = line.outcome.headline, line.outcome.concluded.conclusion.message
        said = f"{line.state.lower()}: {f'{found} ({concluded})' if found else concluded}"
    if line.unheard:
        said += f"; no model answered: {line.unheard}"
    if line.unscored is not None:
        said += f"; not scored: {line.unscored}"
    if line.judged:
        failed = [j.failure for j in line.judged if j.failure]
        said += f"; {_stated(line)} facts stated"
        said += f", the judge failed at {len(failed)}: {failed[0]}" if failed else ""
    return " ".join(said.split())


def _stated(line: "Line", between: str = " of ") -> str:
    """Return how many facts were stated of those that could be judged."""
    judged = [j for j in line.judged if j.stated is not None]
    return f"{sum(1 for j in judged if j.stated)}{between}{len(judged)}"


def _totals(found: "Json") -> str:
    said = ", ".join(f"{name}: {count}" for name, count in found["total"].items())
    if "score" not in found:
        return said
    facts, whole = found["score"]["facts"], found["score"]["wholeCases"]
    return f"{said}\nfacts stated: {_told(facts)}; cases with all of theirs: {_told(whole)}"


def _print(found: "Json", lines: "Sequence[Line]", output: Format) -> None:
    if output in (Format.JSON, Format.YAML):
        print(_totals(found), file=sys.stderr)
    if output is Format.JSON:
        print(json.dumps(found, indent=2, ensure_ascii=False))
    elif output is Format.YAML:
        import yaml

        print(yaml.safe_dump(found, sort_keys=False, allow_unicode=True), end="")
    else:
        _table(found, lines)


def _table(found: "Json", lines: "Sequence[Line]") -> None:
    from hemostat.cli.text import columns, emit, words

    table = columns("CASE", "STATE", "TARGET", "FACTS", "ANSWER")
    for line in lines:
        seen = line.outcome.setting.target if line.outcome is not None else ("-", "", "")
        facts = _stated(line, "/") if line.judged else "-"
        said = line.outcome.headline if line.outcome is not None else str(line.error)
        table.add_row(*map(words, (line.name, line.state, f"{seen[0]} {seen[2]}".strip(), facts, said or "-")))
    emit(table)
    for said in _totals(found).splitlines():
        emit(words(said))


def _told(share: "Json") -> str:
    if not share["of"]:
        return "none could be judged"
    return f"{share['stated']} of {share['of']} (95 %: {share['low']:.2f} to {share['high']:.2f})"
