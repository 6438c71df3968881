"""Log excerpts as templates with counts, not as tails: what is wrong, rare and new comes first (pure).

The parse tree of Drain (He, Zhu, Zheng, Lyu, "Drain: an online log parsing approach with fixed depth tree", ICWS
2017): templates of equal length that begin alike are compared word by word. drain3 (0.9.11, of 2022) is not used: it
wants jsonpickle and cachetools to keep a state that is not kept here, and what is needed of it are thirty lines.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from hemostat.diagnosis.logs.entry import Entry
from hemostat.diagnosis.logs.fold import entries
from hemostat.diagnosis.logs.mask import WILD, masked
from hemostat.diagnosis.redact import redact
from hemostat.diagnosis.redaction.blocks import without_keys

MAX_LINES = 2_000
"""Lines that are read, the newest."""
MAX_LINE = 4_096
"""Characters of a line that are read."""
MAX_GROUPS = 1_000
"""Templates that are told apart while reading; what fits none of them then is counted in `Excerpt.other`."""
MAX_TEMPLATES = 30
MAX_CHARS = 6_000
"""Of all templates and examples together: some 1,500 tokens."""
MAX_EXAMPLE = 600
_WORDS = 48
"""Words of a first line that are compared."""
_ALIKE = 0.5
"""Share of words that must be the same; Drain's own default is 0.4 to 0.6."""
_MAX_LEAF = 64
_RARE = 2


@dataclass(frozen=True, slots=True)
class Template:
    """Lines that say the same but for numbers, names and times."""

    text: str
    """Masked and redacted; `<*>` is what differs."""
    count: int
    first: datetime | None
    """None where no line of it tells its time."""
    last: datetime | None
    error: bool
    new: bool
    """First seen after the moment that was asked about."""
    example: str
    """The newest of its lines, with its stack trace, redacted and cut."""

    def __str__(self) -> str:
        times = sorted({f"{t:%H:%M:%S}" for t in (self.first, self.last) if t is not None})
        marks = [mark for mark, there in (("error", self.error), ("new", self.new)) if there]
        return " ".join((f"{self.count}x", "-".join(times), *marks, self.text)).replace("  ", " ")


@dataclass(frozen=True, slots=True)
class Excerpt:
    """What is shown of a log."""

    templates: tuple[Template, ...]
    """Errors first, then what is new, rare, and frequent."""
    lines: int
    """How many lines were read."""
    dropped: int
    """Lines that were too many."""
    other: int
    """Entries whose template is not shown."""


@dataclass(slots=True)
class _Group:
    words: list[str]
    count: int
    first: datetime | None
    last: datetime | None
    error: bool
    example: Entry
    order: int


def excerpt(
    lines: Sequence[str],
    since: datetime | None = None,
    *,
    most: int = MAX_TEMPLATES,
    chars: int = MAX_CHARS,
) -> Excerpt:
    """Return what lines of a log say. The same lines always give the same excerpt.

    :param lines: in the order of time, with or without their times; of more than MAX_LINES the newest count.
    :param since: what begins to be said after this is new; None: nothing is.
    """
    read = lines[-MAX_LINES:]
    found = entries(line[:MAX_LINE] for line in without_keys(read))
    groups, lost = _grouped(found)
    groups.sort(key=lambda g: _rank(g, since))
    shown: list[Template] = []
    room = chars
    for group in groups[:most]:
        template = _template(group, since)
        room -= len(template.text) + len(template.example)
        if room < 0:
            break
        shown.append(template)
    other = lost + sum(g.count for g in groups[len(shown) :])
    return Excerpt(tuple(shown), len(read), len(lines) - len(read), other)


def _grouped(found: Iterable[Entry]) -> tuple[list[_Group], int]:
    """Return the groups, and how many entries found no room."""
    tree: dict[tuple[int, str, bool, str], list[_Group]] = {}
    groups: list[_Group] = []
    lost = 0
    for entry in found:
        words = masked(entry.message).split()[:_WORDS]
        key = (len(words), entry.level, entry.error, _first(words))
        leaf = tree.setdefault(key, [])
        group = _nearest(leaf, words)
        if group is not None:
            _join(group, words, entry)
        elif len(groups) < MAX_GROUPS and len(leaf) < _MAX_LEAF:
            group = _Group(words, 1, entry.time, entry.time, entry.error, entry, len(groups))
            groups.append(group)
            leaf.append(group)
        else:
            lost += 1
    return groups, lost


def _first(words: Sequence[str]) -> str:
    """Return the word by which the tree branches; one with a digit is no constant."""
    word = words[0] if words else ""
    return WILD if any(c.isdigit() for c in word) else word


def _nearest(leaf: Sequence[_Group], words: Sequence[str]) -> _Group | None:
    """Return the group of a leaf that has most words in common, if enough."""
    best, most = None, _ALIKE * len(words)
    for group in leaf:
        alike = sum(one == other for one, other in zip(group.words, words, strict=True))
        if alike == len(words):
            return group
        if alike > most or (best is None and alike == most):
            best, most = group, alike
    return best


def _join(group: _Group, words: Sequence[str], entry: Entry) -> None:
    group.words = [one if one == other else WILD for one, other in zip(group.words, words, strict=True)]
    group.count += 1
    if entry.time is not None:
        group.first = entry.time if group.first is None else min(group.first, entry.time)
        group.last = entry.time if group.last is None else max(group.last, entry.time)
    if entry.stack or not group.example.stack:
        group.example = entry


def _rank(group: _Group, since: datetime | None) -> tuple[bool, bool, bool, int, int]:
    """Errors, new, rare; among equals the frequent error and the rare remark first."""
    rare = group.count <= _RARE
    return not group.error, not _new(group, since), not rare, -group.count if group.error else group.count, group.order


def _new(group: _Group, since: datetime | None) -> bool:
    return since is not None and group.first is not None and group.first > since


def _template(group: _Group, since: datetime | None) -> Template:
    # redacted first: what is masked, or cut, may be no longer known for a key
    words = masked(redact(group.example.message)).split()[:_WORDS]
    if len(words) == len(group.words):
        words = [WILD if common == WILD else word for common, word in zip(group.words, words, strict=True)]
    text = " ".join(words)[:MAX_EXAMPLE]
    example = redact(str(group.example))[:MAX_EXAMPLE]
    return Template(text, group.count, group.first, group.last, group.error, _new(group, since), example)
