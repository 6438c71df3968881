"""Recorded outputs as evidence: logs as templates, other texts in parts; what has no room is looked up (pure)."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from typing import Annotated

from pydantic import Field

from hemostat.api.incident import EvidenceKind
from hemostat.diagnosis import lookups
from hemostat.diagnosis.evidence import Item
from hemostat.diagnosis.panel.reply import Reply
from hemostat.diagnosis.panel.tools import MAX_ITEMS, Tool
from hemostat.diagnosis.redact import redact
from hemostat.errors import Refused
from hemostat.replay.diagnosis.case import Output

MAX_TEXT = 64 * 1024
"""Characters of one output that are shown, in parts; of logs all lines count that `excerpt` reads."""
PART = 800
"""Characters of a part: an item of evidence has room for 1,024, with its name."""
MAX_OPENING, MAX_OPENING_CHARS = 40, 20_000
"""Items, and their characters (some 5,000 tokens), that are shown without being looked up."""
K = EvidenceKind
_KINDS = (
    (K.CHANGE, re.compile(r"change|diff|history|rollout|revision", re.IGNORECASE)),
    (K.EVENT, re.compile(r"events?(?:_|\b)|finding|alert|issue_data", re.IGNORECASE)),
    (K.EDGE, re.compile(r"trace|span|tempo|jaeger", re.IGNORECASE)),
    (K.SERIES, re.compile(r"prometheus|promql|metric|(?:\b|_)top(?:_|\b)", re.IGNORECASE)),
)
"""What an output is by the name of its tool; else it is of the workload."""
_TOOLS = {
    K.LOG: ("logs", "templates of what a recorded log says, with counts"),
    K.EVENT: ("events", "more of a recorded output about events and alerts"),
    K.SERIES: ("series", "more of a recorded output about measurements"),
    K.EDGE: ("edges", "more of a recorded output about traces"),
    K.CHANGE: ("changes", "more of a recorded output about changes"),
    K.WORKLOAD: ("objects", "more of a recorded output about objects"),
}


class WhichOutput(Reply):
    """Which part of which recorded output."""

    output: Annotated[str, Field(max_length=253)]
    """Name of the output, as the evidence is about it."""
    part: Annotated[int, Field(ge=1, le=200)]
    """From which part on: as many follow as one look-up shows."""


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One output as items of evidence, the most telling or the first ones first."""

    name: str
    kind: EvidenceKind
    items: tuple[Item, ...]


def exhibits(outputs: Iterable[Output]) -> list[Exhibit]:
    """Return the outputs that say anything, those last that only say that their tool failed."""
    found = [_exhibit(o) for o in sorted(outputs, key=lambda o: o.failed) if o.text.strip()]
    return [e for e in found if e.items]


def opening(shown: Sequence[Exhibit]) -> Iterator[Item]:
    """Yield what is evidence from the start: of every output the first item, then the second, while there is room."""
    left, count = MAX_OPENING_CHARS, 0
    for row in zip_longest(*(e.items for e in shown)):
        for item in filter(None, row):
            left -= len(item.summary)
            count += 1
            if left < 0 or count > MAX_OPENING:
                return
            yield item


def tools(shown: Sequence[Exhibit]) -> dict[str, Tool]:
    """Return what the specialists may look up: the outputs of their own kinds."""
    found = {}
    for kind in dict.fromkeys(e.kind for e in shown):
        name, description = _TOOLS[kind]
        mine = {e.name: e for e in shown if e.kind is kind}
        found[name] = Tool(name, description, kind, WhichOutput, partial(_look_up, mine))
    return found


def _look_up(among: Mapping[str, Exhibit], asked: WhichOutput, _seconds: float) -> Sequence[Item]:
    exhibit = among.get(asked.output)
    if exhibit is None:
        raise Refused("NoSuchOutput", f"{asked.output[:64]!r} was not recorded; there are {', '.join(among)}")
    return exhibit.items[asked.part - 1 : asked.part - 1 + MAX_ITEMS]


def _exhibit(output: Output) -> Exhibit:
    if output.is_log:
        about = output.parameters.get("pod_name") or output.parameters.get("name") or ""
        where = " ".join(filter(None, (redact(output.name), f"of {about}" if about not in output.name else "")))
        return Exhibit(where, K.LOG, tuple(lookups.logs(where, output.text.splitlines())))
    name = redact(output.name)
    kind = next((k for k, pattern in _KINDS if pattern.search(output.tool or output.name)), K.WORKLOAD)
    parts = list(_parts(redact(output.text[:MAX_TEXT])))  # before it is cut: half a secret looks like none
    items = [
        Item(f"output/{name}/{n}", kind, name, f"{name}, part {n} of {len(parts)}: {part}")
        for n, part in enumerate(parts, 1)
    ]
    return Exhibit(name, kind, tuple(items))


def _parts(text: str) -> Iterator[str]:
    """Yield pieces of whole lines where they fit."""
    piece = ""
    for line in text.splitlines(keepends=True):
        if piece and len(piece) + len(line) > PART:
            yield piece.rstrip()
            piece = ""
        piece += line
        while len(piece) > PART:
            yield piece[:PART]
            piece = piece[PART:]
    if piece.strip():
        yield piece.rstrip()
