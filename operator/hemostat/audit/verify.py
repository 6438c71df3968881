"""Whether a log is what was signed (pure).

A head with a valid signature proves every record before it, so where all is well one signature is checked. Else the
newest head that holds says up to where the log is whole, and the first record that differs is named.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from hemostat.audit.checkpoint import Checkpoint
from hemostat.audit.keys import Verifier
from hemostat.audit.record import Record, Step
from hemostat.audit.store import Records, Row
from hemostat.audit.tree import Tree, leaf_hash


@dataclass(frozen=True, slots=True)
class Report:
    """What was found."""

    size: int
    """Records that were read."""
    proven: int
    """The first so many are as they were signed."""
    bad: int | None = None
    """The first record that is not, or is missing."""
    why: str = ""
    """What is wrong, in words; empty when nothing is."""

    @property
    def whole(self) -> bool:
        """Whether everything is proven."""
        return not self.why


@dataclass(slots=True)
class _Read:
    """What one pass over the records leaves behind."""

    size: int = 0
    newest: int = 0
    """Records that the newest head counts."""
    bad: tuple[int, str] | None = None
    """The first record that contradicts itself or its place."""
    differs: int | None = None
    """The size of the first head that is not over these records."""
    holding: bytearray = field(default_factory=bytearray)
    """A bit for each size at which a head has our root."""
    keys: tuple[tuple[int, Verifier], ...] = ()
    """Keys that records name, and in which."""
    published: tuple[tuple[int, str], ...] = ()
    """What is wrong with published heads, and from which record on."""


def verify(store: Records, verifiers: Sequence[Verifier], published: Sequence[str] = ()) -> Report:
    """Read a log through.

    :param verifiers: the keys that are believed. A record `Key` that they prove adds the one it names.
    :param published: heads that were published elsewhere: what they count must still be there, and be the same.
        Raises ValueError when one is none, or signed by nobody who is believed.
    """
    read = _pass(store, published)
    proven, believed, why = _proven(store, verifiers, read)
    for note in published:
        Checkpoint.open(note, believed)
    told = _told(read, proven, why)
    for index, words in read.published:
        if told.bad is None:
            told = replace(told, bad=index, why=words)
        elif index < told.bad:  # which one is the first then only the log's own signatures can tell
            told = replace(told, why=f"{words}; by its own signatures {told.why}")
    return told


def _told(read: _Read, proven: int, why: str) -> Report:
    if read.bad is not None:
        return Report(read.size, min(proven, read.bad[0]), *read.bad)
    if proven < read.size:
        last = (read.differs or proven + 1) - 1
        which = f"record {proven}" if last <= proven else f"one of the records {proven} to {last}"
        return Report(read.size, proven, proven, f"{which} is not what was signed: {why}")
    if read.newest > read.size:
        return Report(read.size, proven, read.size, f"record {read.size} is missing: {read.newest} were signed")
    return Report(read.size, proven)


def _pass(store: Records, published: Sequence[str]) -> _Read:
    """Read every record once, and every head beside it."""
    read, tree, heads = _Read(), Tree(), _Heads(store.checkpoints())
    elsewhere = sorted((Checkpoint.read(note) for note in published), key=lambda c: c.size)
    for row in store.rows():
        record, why = _look(row, len(tree))
        if why and read.bad is None:
            read.bad = (len(tree), why)
        if record is not None and record.entry.step is Step.KEY:
            read.keys += _named(record)
        tree.add(leaf_hash(row.body))
        _compare(read, tree, heads)
        while elsewhere and elsewhere[0].size == len(tree):
            if elsewhere.pop(0).root != tree.root():
                read.published += ((0, f"the first {len(tree)} records are not those that were published"),)
    read.size = len(tree)
    read.newest = heads.newest()
    for head in elsewhere:
        if head.size:
            words = f"record {read.size} is missing: {head.size} were published"
            read.published += ((read.size, words),)
    return read


class _Heads:
    """The heads beside the records, each read when its place comes."""

    def __init__(self, notes: Iterator[str]) -> None:
        self._notes, self._last = notes, 0
        self.next: Checkpoint | None = None
        self.move()

    def move(self) -> None:
        """Go to the next head that can be read; one that cannot proves nothing."""
        for note in self._notes:
            try:
                self.next = Checkpoint.read(note)
            except ValueError:
                continue
            self._last = max(self._last, self.next.size)
            return
        self.next = None

    def newest(self) -> int:
        """Return the largest size of all."""
        while self.next is not None:
            self.move()
        return self._last


def _compare(read: _Read, tree: Tree, heads: _Heads) -> None:
    size = len(tree)
    if size >> 3 >= len(read.holding):
        read.holding.append(0)
    while heads.next is not None and heads.next.size <= size:
        if heads.next.size == size:
            if heads.next.root == tree.root():
                read.holding[size >> 3] |= 1 << (size & 7)
            elif read.differs is None:
                read.differs = size
        heads.move()


def _look(row: Row, place: int) -> tuple[Record | None, str]:
    try:
        record = Record.decode(row.body)
    except ValueError as error:
        return None, f"record {place} cannot be read: {error}"
    if row.index != place or record.index != place:
        found = record.index if row.index == place else row.index
        return record, f"in place of record {place} is record {found}"
    if row.leaf != leaf_hash(row.body):
        return record, f"record {place} was changed: it is not what its hash is of"
    return record, ""


def _named(record: Record) -> tuple[tuple[int, Verifier], ...]:
    try:
        return ((record.index, Verifier.parse(str(record.entry.says.get("key", "")))),)
    except ValueError:
        return ()


def _proven(store: Records, verifiers: Sequence[Verifier], read: _Read) -> tuple[int, list[Verifier], str]:
    """Return how many records are proven, by which keys, and why the newest head proves no more."""
    believed, proven = list(verifiers), 0
    while True:
        proven, why = _newest_that_holds(store, believed, read, proven)
        new = [key for index, key in read.keys if index < proven and key not in believed]
        if not new:
            return proven, believed, why or "no signed head counts it"
        believed += new


def _newest_that_holds(store: Records, believed: Sequence[Verifier], read: _Read, beyond: int) -> tuple[int, str]:
    why = ""
    for note in store.checkpoints(newest_first=True):
        try:
            size = Checkpoint.read(note).size
            if size <= beyond:
                break
            if not _holds(read, size):
                raise ValueError(f"the head of {size} records is over others")
            head, verifier = Checkpoint.open(note, believed)
            if head.origin != verifier.name:
                raise ValueError(f"it is the head of another log, {head.origin}")
        except ValueError as error:
            why = why or str(error)
            continue
        return size, why
    return beyond, why


def _holds(read: _Read, size: int) -> bool:
    return size >> 3 < len(read.holding) and bool(read.holding[size >> 3] >> (size & 7) & 1)
