"""Where a log is kept (pure: the contract of all stores)."""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from hemostat.audit.tree import Hash
from hemostat.errors import Refused, Retry

MAX_KEPT = 4 * 1024 * 1024
"""Bytes of one thing that is kept beside the log, before compression."""


@dataclass(frozen=True, slots=True)
class Row:
    """A record as it lies in the store."""

    index: int
    leaf: Hash
    body: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """A signed note as it lies in the store."""

    size: int
    """How many records it is said to count."""
    note: str


class Unsure(Retry):
    """The store was lost while it appended: all of it is there, or nothing, and which shows later."""


class Records(Protocol):
    """What there is to read of a log."""

    def leaves(self) -> Iterator[Hash]:
        """Yield the leaf hashes, in order."""
        ...

    def rows(self, start: int = 0) -> Iterator[Row]:
        """Yield the rows from there on, in order."""
        ...

    def heads(self) -> Iterator[Head]:
        """Yield the signed notes in order, each with the size under which it lies."""
        ...

    def checkpoints(self, *, newest_first: bool = False) -> Iterator[str]:
        """Yield the signed notes, the oldest first unless told otherwise."""
        ...

    def size(self) -> int:
        """Return the bytes that it takes."""
        ...

    def kept(self, digest: str) -> bytes | None:
        """Return what a digest is of."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...


class Store(Records, Protocol):
    """Keeps rows, the checkpoint after each commit, and what records are digests of. Appended to, never changed."""

    def commit(self, rows: Sequence[Row], heads: Sequence[Head], kept: Mapping[str, bytes], after: str | None) -> None:
        """Append all of it or nothing, on disk before it returns.

        :param after: the newest signed note that the writer knows, None when it knows of none. Where the store has
            another one nothing is appended: of two writers one goes on, and no log is forked.
        Raises `Retry` (busy, full, not to be reached) when nothing was appended, `Unsure`, or `Refused`: AuditForeign
        when another process appended, or took something away; else what a person has to change.
        """
        ...


FOREIGN = "AuditForeign"
"""Why a writer is refused whose newest note is not the store's."""


def foreign(where: str) -> Refused:
    """Return what a writer is told whose newest note is not the store's."""
    said = f"{where} is not as this process left it: another one wrote to it, or it was put back to an earlier state"
    return Refused(FOREIGN, f"{said}; nothing is recorded here before a restart")


def packed(kept: Mapping[str, bytes]) -> list[tuple[str, bytes]]:
    """Return what is kept, compressed, by digest. Raises `Refused` (AuditRecord) for what is larger than `MAX_KEPT`."""
    too_large = next((d for d, data in kept.items() if len(data) > MAX_KEPT), None)
    if too_large is not None:
        raise Refused("AuditRecord", f"{too_large}: {len(kept[too_large])} bytes are more than {MAX_KEPT}")
    return [(digest, zlib.compress(data)) for digest, data in kept.items()]


def unpacked(digest: str, data: bytes) -> bytes:
    """Return what was packed, at most `MAX_KEPT` of it. Raises `Refused` (AuditDamaged)."""
    try:
        return zlib.decompressobj().decompress(data, MAX_KEPT)
    except zlib.error as error:
        raise Refused("AuditDamaged", f"what {digest} is of cannot be unpacked: {error}") from error
