"""Where a log is kept (pure: the contract of both stores)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from hemostat.audit.tree import Hash


@dataclass(frozen=True, slots=True)
class Row:
    """A record as it lies in the store."""

    index: int
    leaf: Hash
    body: bytes


class Store(Protocol):
    """Keeps rows, the checkpoint after each commit, and what records are digests of. Appended to, never changed."""

    def leaves(self) -> Iterator[Hash]:
        """Yield the leaf hashes, in order."""
        ...

    def rows(self, start: int = 0) -> Iterator[Row]:
        """Yield the rows from there on, in order."""
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

    def commit(self, rows: Sequence[Row], checkpoint: str, kept: Mapping[str, bytes]) -> None:
        """Append all of it or nothing, on disk before it returns.

        Raises `Retry` (busy, full, another process appended first) or `Refused`.
        """
        ...
