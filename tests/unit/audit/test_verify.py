"""Every byte counts. What else an attacker may do to a log is in the contract of stores."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from tests.unit.audit.contract import entry, opened, signer

from hemostat.audit.sqlite import SqliteStore
from hemostat.audit.verify import verify


def test_every_single_bit_of_every_record_counts(tmp_path: Path) -> None:
    """Flip each byte of a record in turn: the log is never whole, and the record is named."""
    path = tmp_path / "small.db"
    with closing(SqliteStore(path)) as store:
        log = opened(store)
        for n in range(3):
            log.append(entry(n))
        rows, notes = list(store.rows()), list(store.checkpoints())

    class Held:
        def __init__(self, change: Callable[[bytes], bytes]) -> None:
            self._change = change

        def rows(self, start: int = 0) -> object:
            return (replace(r, body=self._change(r.body)) if r.index == 1 else r for r in rows)

        def checkpoints(self, *, newest_first: bool = False) -> object:
            return iter(notes[::-1] if newest_first else notes)

    for at in range(len(rows[1].body)):
        changed = Held(lambda body, at=at: body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :])
        found = verify(changed, [signer().verifier])  # type: ignore[arg-type]
        assert (found.bad, found.proven) == (1, 1), at
