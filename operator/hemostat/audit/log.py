"""Writes the log: one record after the other, each under a signed head before anybody acts on it (shell).

Whoever comes while another's records are written waits, and is then written with all who wait: one signature and one
flush of the disk for all of them.
"""

import itertools
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from hemostat.audit.checkpoint import Checkpoint
from hemostat.audit.keys import Signer, Verifier
from hemostat.audit.record import Entry, Record, digest
from hemostat.audit.store import Head, Row, Store, Unsure
from hemostat.audit.tree import Tree, leaf_hash
from hemostat.clock import Clock
from hemostat.errors import HemostatError, Refused, Retry

MOST_AT_ONCE = 512
MOST_UNSURE = 64
"""Commits of which it is not known whether they are there that are remembered at once."""
WAIT_SECONDS = 30.0
"""How long a writer waits for the one before it: a store that hangs must not hold up the process."""


@dataclass(eq=False)
class _Waiting:
    entry: Entry
    kept: Mapping[str, bytes]
    record: Record | None = None
    failed: HemostatError | None = None

    @property
    def settled(self) -> bool:
        return self.record is not None or self.failed is not None


class Log:
    """An open log. Several threads may append; one process alone does."""

    def __init__(self, store: Store, signer: Signer, verifiers: Sequence[Verifier], by: str, clock: Clock) -> None:
        """Open it. Raises `Refused` (AuditDamaged) when what is there is not what was signed last, `Retry` when
        another process writes to it.

        :param verifiers: whose heads are believed: the keys that signed before.
        :param by: name and version of this process, for the records.
        """
        self._store, self._signer, self._by, self._clock = store, signer, by, clock
        self._turn, self._writing, self._pending = threading.Condition(), False, list[_Waiting]()
        self._unsure: dict[str, Tree] = {}
        """By the head that they would have: what commits would have made of the log whose fate is not known."""
        self._head = self.checkpoint()
        self._tree = Tree()
        for leaf in store.leaves():
            self._tree.add(leaf)
        self._check((*verifiers, signer.verifier))

    @property
    def origin(self) -> str:
        """The name of the log: that of its key."""
        return self._signer.verifier.name

    @property
    def verifier(self) -> Verifier:
        """The key that others need to believe it."""
        return self._signer.verifier

    def size(self) -> int:
        """Return the bytes that it takes."""
        return self._store.size()

    def holds(self, head: Checkpoint) -> bool:
        """Tell whether its first records are those that a head counts."""
        tree = Tree()
        for leaf in itertools.islice(self._store.leaves(), head.size):
            tree.add(leaf)
        return (len(tree), tree.root()) == (head.size, head.root)

    def append(self, entry: Entry, kept: Mapping[str, bytes] | None = None) -> Record:
        """Record it; on disk and signed when this returns.

        :param kept: what the entry is to have the digests of, by name; kept beside the log.
        Raises `Retry` or `Refused`: then nothing may be done. Nothing was recorded, unless it is `Unsure`.
        """
        kept = kept or {}
        own = _Waiting(_with(entry, kept), kept)
        with self._turn:
            self._pending.append(own)
        while batch := self._next(own):
            try:
                self._write(batch)
            finally:
                with self._turn:
                    self._writing = False
                    self._turn.notify_all()
        if own.record is None:
            raise own.failed or Refused("AuditStuck", "the record was given up")
        return own.record

    def checkpoint(self) -> str | None:
        """Return the newest signed head, to be published."""
        return next(self._store.checkpoints(newest_first=True), None)

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    def _next(self, own: _Waiting) -> list[_Waiting]:
        """Wait for the one who writes; return those who are to be written next, nobody once this one is settled."""
        with self._turn:
            if not self._turn.wait_for(lambda: own.settled or not self._writing, WAIT_SECONDS):
                own.failed = Refused("AuditStuck", f"the audit log did not answer within {WAIT_SECONDS:.0f} s")
                self._pending = [one for one in self._pending if one is not own]
            if own.settled:
                return []
            self._writing = True
            batch, self._pending = self._pending[:MOST_AT_ONCE], self._pending[MOST_AT_ONCE:]
            return batch

    def _write(self, batch: Sequence[_Waiting]) -> None:
        try:
            self._commit(batch)
        except BaseException as error:
            told = error if isinstance(error, HemostatError) else Refused("AuditBroken", f"not recorded: {error!r}")
            for one in batch:
                one.failed = one.failed or told
            if told is not error:
                raise

    def _commit(self, batch: Sequence[_Waiting]) -> None:
        self._settle()
        tree, now, rows, records = self._tree.copy(), self._clock.now(), [], []
        for one in batch:
            record = Record(len(tree), now, self._by, one.entry)
            try:
                body = record.encode()
            except ValueError as error:
                one.failed = Refused("AuditRecord", str(error))
                continue
            rows.append(Row(len(tree), leaf_hash(body), body))
            records.append((one, record))
            tree.add(rows[-1].leaf)
        if not rows:
            return
        head = Checkpoint(self.origin, len(tree), tree.root()).signed(self._signer)
        kept = {digest(data): data for one, _ in records for data in one.kept.values()}
        try:
            self._store.commit(rows, [Head(len(tree), head)], kept, self._head)
        except Unsure:
            if len(self._unsure) < MOST_UNSURE:
                self._unsure[head] = tree
            raise
        self._tree, self._head = tree, head
        self._unsure.clear()
        for one, record in records:
            one.record = record

    def _settle(self) -> None:
        """Go on from a commit of which it was not known whether it is there, if it is."""
        head = self.checkpoint() if self._unsure else None
        if head is not None and head in self._unsure:
            self._tree, self._head = self._unsure[head], head
            self._unsure.clear()

    def _check(self, verifiers: Sequence[Verifier]) -> None:
        note = self._head
        if self.checkpoint() != note:
            raise Retry("another process writes to the audit log")
        if note is None and not len(self._tree):
            return
        try:
            if note is None:
                raise ValueError("its signed heads are gone")
            head, _ = Checkpoint.open(note, verifiers)
            if (head.origin, head.size, head.root) != (self.origin, len(self._tree), self._tree.root()):
                raise ValueError(f"its records are not those that were signed: {head.origin} had {head.size}")
        except ValueError as error:
            said = f"the audit log cannot be gone on with: {error}; see hemostat audit verify"
            raise Refused("AuditDamaged", said) from error


def _with(entry: Entry, kept: Mapping[str, bytes]) -> Entry:
    return replace(entry, digests={**entry.digests, **{name: digest(data) for name, data in kept.items()}})
