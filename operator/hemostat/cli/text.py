"""How text is made fit for a terminal (pure) and where it goes."""

import sys
import unicodedata
from datetime import datetime
from typing import TextIO

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

PIPE_WIDTH = 500
"""Where the output is not a terminal nothing is cut or wrapped: `grep` and `awk` want whole lines."""

OUTCOME_STYLE = {
    "Pass": "green",
    "Allow": "green",
    "Approve": "green",
    "Auto": "green",
    "True": "green",
    "Clear": "green",
    "Healed": "green",
    "Ask": "yellow",
    "NeedsApproval": "bold yellow",
    "Hold": "yellow",
    "NoData": "yellow",
    "Undecided": "yellow",
    "Warning": "yellow",
    "Major": "bold yellow",
    "Minor": "cyan",
    "Unknown": "yellow",
    "Deny": "bold red",
    "Critical": "bold red",
    "Firing": "bold red",
    "Worse": "bold red",
    "False": "red",
}


def console(out: TextIO | None = None) -> Console:
    """Return a console that takes text as it is; it respects NO_COLOR and pipes."""
    stream = out if out is not None else sys.stdout
    width = None if stream.isatty() else PIPE_WIDTH
    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False)


def emit(what: RenderableType) -> None:
    """Print to standard output; lines in a pipe have no trailing blanks."""
    out = console()
    if out.is_terminal:
        out.print(what)
        return
    with out.capture() as captured:
        out.print(what)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()), flush=True)


def clean(text: str) -> str:
    """Take control characters out: what comes from telemetry must not steer the reader's terminal."""
    return "".join(c if c in "\n\t" or not unicodedata.category(c).startswith("C") else "?" for c in text)


def words(text: str, style: str = "") -> Text:
    """Return clean text in a style, on one line: what comes from telemetry must not look like a line of ours."""
    return Text(clean(text).replace("\n", " "), style=style)


def outcome(word: str) -> Text:
    """Return a word of the API in its colour."""
    return words(word, OUTCOME_STYLE.get(word, ""))


def columns(*headers: str) -> Table:
    """Return a table in the manner of kubectl."""
    table = Table(box=None, pad_edge=False, show_edge=False, header_style="bold", padding=(0, 3, 0, 0))
    for header in headers:
        table.add_column(header, no_wrap=header != headers[-1], overflow="fold")
    return table


def grid(indent: int = 2) -> Table:
    """Return a table without headers, indented, whose last column wraps."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(width=max(0, indent - 2))
    return table


def age(since: datetime | None, now: datetime) -> str:
    """Say how long ago as kubectl does: 12s, 5m, 3h, 2d."""
    if since is None:
        return "?"
    seconds = max(0, int((now - since).total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def offset(moment: datetime, start: datetime) -> str:
    """Say when something was, in seconds since the start: `+12.3 s`.

    A part of a second before it is at the start: processes have clocks of their own.
    """
    seconds = (moment - start).total_seconds()
    return f"{0.0 if -1 < seconds < 0 else seconds:+.1f} s"
