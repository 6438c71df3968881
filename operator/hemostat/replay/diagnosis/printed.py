"""What `kubectl` prints for people: tables, ages, Events, and the indented text of `describe` (pure).

Source: kubectl's describers and printers (k8s.io/kubectl/pkg/describe, k8s.io/kubernetes/pkg/printers).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

from hemostat.clock import rfc3339

_CELL = re.compile(r"\S+(?: \S+)*")
_AGE = re.compile(r"(\d+)([ydhms])")
_SECONDS = {"y": 31_536_000, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_SEEN = re.compile(r"(?P<last>\S+)(?: \(x(?P<count>\d+)(?: over (?P<first>\S+))?\))?")
MAX_LINES = 20_000


@dataclass(frozen=True, slots=True)
class Seen:
    """An Event as it is printed: by its age, not by its time."""

    kind: str
    name: str
    type: str
    reason: str
    message: str
    count: int
    last_seconds: float
    """How long before it was printed it was seen last."""
    first_seconds: float


@dataclass(slots=True)
class Entry:
    """A line of an indented text, and what is indented further below it."""

    indent: int
    text: str
    inside: list["Entry"] = field(default_factory=list)

    @property
    def key(self) -> str:
        """What stands before the colon."""
        return self.text.partition(":")[0].strip()

    @property
    def value(self) -> str:
        """What stands after the colon."""
        return self.text.partition(":")[2].strip()

    def get(self, key: str) -> "Entry":
        """Return the first entry of this key; an empty one if there is none."""
        return next((e for e in self.inside if e.key == key), Entry(0, ""))

    def lines(self) -> list[str]:
        """Return everything inside, as it was printed."""
        return [line for e in self.inside for line in (e.text, *e.lines())]


def tree(text: str) -> Entry:
    """Read an indented text; of more than 20,000 lines the first."""
    root = Entry(-1, "")
    path = [root]
    for line in text.splitlines()[:MAX_LINES]:
        bare = line.lstrip(" ")
        if not bare:
            continue
        entry = Entry(len(line) - len(bare), line)
        while path[-1].indent >= entry.indent:
            path.pop()
        path[-1].inside.append(entry)
        path.append(entry)
    return root


def table(lines: Sequence[str]) -> list[dict[str, str]]:
    """Read a table whose columns begin where those of its header do; rulers are no rows."""
    if not lines:
        return []
    heads = [(m.start(), m[0]) for m in _CELL.finditer(lines[0])]
    ends = [*(start for start, _ in heads[1:]), None]
    rows = ({name: line[a:b].strip() for (a, name), b in zip(heads, ends, strict=True)} for line in lines[1:MAX_LINES])
    return [row for row in rows if heads and row[heads[0][1]] and set("".join(row.values())) != {"-"}]


def seconds(age: str) -> float | None:
    """Read an age as kubectl prints it: `3m19s`, `5h43m`, `28d`; None if it is none. It is cut, never rounded up."""
    parts = _AGE.findall(age)
    return float(sum(int(n) * _SECONDS[unit] for n, unit in parts)) if parts and _AGE.sub("", age) == "" else None


def moment(text: str) -> str | None:
    """Return a time of `describe` (`Tue, 12 Aug 2025 05:45:20 +0200`) as RFC 3339; None if it is none."""
    try:
        found = parsedate_to_datetime(text)
    except ValueError:
        return None
    return rfc3339(found) if found.tzinfo is not None and found.year >= 1970 else None


def events(rows: Sequence[dict[str, str]], kind: str = "", name: str = "") -> Iterator[Seen]:
    """Yield the Events of a table, of `kubectl events`, `kubectl get events` or `describe`.

    :param kind: of the object that `describe` tells of.
    """
    for row in rows:
        seen = _SEEN.fullmatch(row.get("LAST SEEN") or row.get("Age") or "")
        last = seconds(seen["last"]) if seen is not None else None
        about_kind, _, about = (row.get("OBJECT") or f"{kind}/{name}").partition("/")
        sort = row.get("TYPE") or row.get("Type") or ""
        if seen is None or last is None or sort not in ("Normal", "Warning"):
            continue
        first = seconds(seen["first"] or "")
        yield Seen(
            kind=about_kind,
            name=about,
            type=sort,
            reason=row.get("REASON") or row.get("Reason") or "",
            message=row.get("MESSAGE") or row.get("Message") or "",
            count=int(seen["count"] or 1),
            last_seconds=last,
            first_seconds=last if first is None else first,
        )
