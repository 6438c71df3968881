"""The table that ``status`` prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Row(NamedTuple):
    """One cluster, as text."""

    name: str
    phase: str
    nodes: str
    since: str
    directory: str


_HEAD = Row("NAME", "STATE", "NODES", "SINCE", "DIRECTORY")


def table(rows: Sequence[Row]) -> str:
    """Render rows in columns; say so if there are none."""
    if not rows:
        return "no clusters"
    lines = [_HEAD, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
