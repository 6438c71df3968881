"""Copies a log from one store into another, a bounded part at a time (shell)."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from hemostat.audit.keys import Verifier
from hemostat.audit.record import Record
from hemostat.audit.store import Records, Row, Store
from hemostat.audit.verify import Report, verify
from hemostat.errors import Refused

PART = 512
"""Records, and heads, of one commit."""
PART_BYTES = 8 * 1024 * 1024
"""Of what is kept, in one commit."""
T = TypeVar("T")


def copy(source: Records, target: Store) -> None:
    """Append to the target what it does not hold of the source: records and heads as they are, whether well or not.

    What was interrupted is gone on with. What no record has the digest of, or cannot be unpacked, stays behind.
    Raises `Refused` (AuditTarget) when the target holds anything else, and what the stores raise.
    """
    rows, heads = source.rows(), source.heads()
    if not (_begins(rows, target.rows()) and _begins(heads, target.heads())):
        said = "the log that is to be written holds something else than the one that is read; name an empty one"
        raise Refused("AuditTarget", said)
    note = next(target.checkpoints(newest_first=True), None)
    while True:
        part, signed = list(islice(rows, PART)), list(islice(heads, PART))
        if not part and not signed:
            return
        kept, size = dict[str, bytes](), 0
        for digest, data in _kept(source, part):
            if size + len(data) > PART_BYTES:
                target.commit((), (), kept, note)
                kept, size = {}, 0
            kept[digest] = data
            size += len(data)
        target.commit(part, signed, kept, note)
        note = signed[-1].note if signed else note


def compare(source: Records, target: Records, verifiers: Sequence[Verifier]) -> Report:
    """Return what is wrong with either, or that both are the same log, proven."""
    found = verify(source, verifiers)
    if not found.whole:
        return found
    return verify(target, verifiers, list(islice(source.checkpoints(newest_first=True), 1)))


def _begins(source: Iterator[T], held: Iterable[T]) -> bool:
    """Pass over what the target has already; tell whether the source begins with it."""
    return all(next(source, None) == one for one in held)


def _kept(source: Records, rows: Sequence[Row]) -> Iterator[tuple[str, bytes]]:
    for row in rows:
        try:
            digests = Record.decode(row.body).entry.digests.values()
            found = [(digest, source.kept(digest)) for digest in digests]
        except (ValueError, AttributeError, Refused):  # damaged: as such it is copied, or missed
            continue
        yield from ((digest, data) for digest, data in found if data is not None)
