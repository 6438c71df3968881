"""`hemostat replay metrics`: what the default detector would have said of recorded series."""

import csv
import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO, TypeVar

import typer

from hemostat.errors import Refused

if TYPE_CHECKING:
    from hemostat.api.watch import Direction, Sensitivity
    from hemostat.replay.metrics import Judged

_E = TypeVar("_E", bound=StrEnum)
ALARMS = "alarms.csv"
SHOWN = 50
"""Alarms that are printed; all are in the file."""
_HEADER = ("file", "timestamp", "value", "expected", "score")


def _sensitivity(word: str) -> "Sensitivity":
    from hemostat.api.watch import Sensitivity  # here: `--help` loads no pydantic

    return _one_of(Sensitivity, word)


def _direction(word: str) -> "Direction":
    from hemostat.api.watch import Direction

    return _one_of(Direction, word)


def _one_of(words: type[_E], word: str) -> _E:
    for known in words:
        if known.value.lower() == word.lower():
            return known
    raise typer.BadParameter(f"{word!r} is none of {', '.join(known.value for known in words)}")


def metrics(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE.csv...", help="Columns timestamp,value; ISO 8601 or unix seconds; also gzip."),
    ],
    out: Annotated[
        Path, typer.Option("--out", help="Folder for FILE.csv with timestamp,anomaly_score and alarms.csv.")
    ],
    probation: Annotated[
        int | None,
        typer.Option(
            "--probation", min=1, max=100_000, help="Rows to learn from first; else 15 % of the file, at most 750."
        ),
    ] = None,
    sensitivity: Annotated[
        Any, typer.Option("--sensitivity", parser=_sensitivity, metavar="Low|Medium|High", help="How much is an alarm.")
    ] = "Medium",
    direction: Annotated[
        Any, typer.Option("--direction", parser=_direction, metavar="Up|Down|Both", help="Which way is wrong.")
    ] = "Both",
) -> None:
    """Judge recorded series by the default detector, row by row and without looking ahead.

    A score is the onset of something unusual, from 0.5 on it is an alarm. An empty value is no evidence. A row that is
    not later than every row before it is left out: it is neither learned nor judged, its score is 0, and stderr says
    how many there are. Nothing but the length of the file is known in advance, and that only without --probation.
    """
    from hemostat.replay.metrics import default_probation, judge, read

    names = _targets(files, out)
    found: list[tuple[str, Judged]] = []
    total = 0
    with ExitStack() as stack:
        listed = _opened(stack, out / ALARMS)
        alarms = _writer(listed, _HEADER)
        for path, name in zip(files, names, strict=True):
            rows = probation or default_probation(path)
            with _kept_if_whole(listed, out / name) as file:
                scores = _writer(file, ("timestamp", "anomaly_score"))
                for judged in _told(path, judge(read(path), rows, sensitivity, direction)):
                    scores.writerow((judged.row.text, f"{judged.score:.6f}"))
                    if judged.alarm:
                        total += 1
                        alarms.writerow(_line(name, judged))
                        found = [*found, (name, judged)] if len(found) < SHOWN else found
    _print(found, total, len(files), out)


def _targets(files: Sequence[Path], out: Path) -> list[str]:
    """Return the names of the files to write. Raises `Refused`: two would have one name, or a source be overwritten."""
    names = [path.name.removesuffix(".gz") for path in files]
    for name in names:
        if names.count(name) > 1 or name == ALARMS:
            raise Refused("SameName", f"{name}: two results would have this name; replay such files one at a time")
    for path, name in zip(files, names, strict=True):
        if not path.is_file():
            raise Refused("Unreadable", f"{path}: no such file")
        if (out / name).resolve() == path.resolve():
            raise Refused("SameName", f"{path}: --out is its own folder, the result would replace it")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Refused("Unwritable", f"{out}: {error.strerror or error}") from error
    return names


def _opened(stack: ExitStack, path: Path) -> TextIO:
    try:
        return stack.enter_context(path.open("w", newline="", encoding="utf-8"))
    except OSError as error:
        raise Refused("Unwritable", f"{path}: {error.strerror or error}") from error


def _writer(file: TextIO, header: Sequence[str]) -> Any:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(header)
    return writer


@contextmanager
def _kept_if_whole(alarms: TextIO, path: Path) -> Iterator[TextIO]:
    """Yield a file that replaces `path` when all is written; what an error cut off leaves no scores and no alarms."""
    part, before = path.with_name(f"{path.name}.part"), alarms.tell()
    try:
        with ExitStack() as stack:
            yield _opened(stack, part)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        alarms.seek(before)
        alarms.truncate()
        raise


def _told(path: Path, judged: "Iterator[Judged]") -> "Iterator[Judged]":
    """Pass on what was judged and tell of rows that were not. Raises `Refused` if that is most of them."""
    from hemostat.signals.words import counted

    late, rows, first, numbers = 0, 0, 0, 0
    for one in judged:
        rows += 1
        numbers += math.isfinite(one.row.value)
        if one.late:
            late += 1
            first = first or one.row.line
        yield one
    if rows == 0:
        raise Refused("Empty", f"{path}: no rows")
    if late * 2 > rows:
        said = f"{late} of {rows} rows are not later than a row before; sort by time"
        raise Refused("NotInOrder", f"{path}, line {first}: {said}")
    if numbers == 0:
        print(f"{path}: none of {rows} values is a number, nothing was judged", file=sys.stderr)
    if late:
        print(
            f"{path}: {counted(late, 'row')} left out, not later than a row before (first at line {first})",
            file=sys.stderr,
        )


def _line(name: str, judged: "Judged") -> tuple[str, ...]:
    expected = "" if math.isnan(judged.expected) else f"{judged.expected:.6g}"
    return name, judged.row.text, f"{judged.row.value:.6g}", expected, f"{judged.score:.3f}"


def _print(found: "list[tuple[str, Judged]]", total: int, files: int, out: Path) -> None:
    from hemostat.cli.text import columns, emit, words
    from hemostat.signals.words import counted

    if found:
        table = columns("FILE", "TIME", "VALUE", "EXPECTED", "SCORE")
        for name, judged in found:
            table.add_row(*(words(cell) for cell in _line(name, judged)))
        emit(table)
    more = f", the first {len(found)} shown" if total > len(found) else ""
    print(f"{counted(total, 'alarm')} in {files} series{more}; written to {out}", file=sys.stderr)
