"""The proof that one record is in the log, for somebody who does not have the log (pure).

https://c2sp.org/tlog-proof: the record (`extra`), its index, the hashes that lead to the root, and the signed head.
"""

import base64
import binascii
from collections.abc import Iterable

from hemostat.audit.checkpoint import Checkpoint
from hemostat.audit.keys import MAX_NOTE, Verifier
from hemostat.audit.record import MAX_BYTES, Record
from hemostat.audit.store import Records
from hemostat.audit.tree import inclusion_path, leaf_hash, root_by_path, root_of

_FIRST = "c2sp.org/tlog-proof@v1"
MAX_PROOF = 2 * MAX_BYTES + MAX_NOTE
"""Characters of a proof."""


def prove(store: Records, index: int) -> str:
    """Return the proof of a record under the newest head. Raises ValueError when there is no such record or head."""
    row = next(iter(store.rows(index)), None)
    note = next(iter(store.checkpoints(newest_first=True)), None)
    if row is None or row.index != index or note is None:
        raise ValueError(f"the log has no record {index}")
    size = Checkpoint.read(note).size
    leaves = list(store.leaves())[:size]
    path = inclusion_path(index, size, lambda start, end: root_of(leaves[start:end]))
    encoded = [base64.b64encode(step).decode() for step in path]
    return "\n".join([_FIRST, f"extra {base64.b64encode(row.body).decode()}", f"index {index}", *encoded, "", note])


def check(proof: str, verifiers: Iterable[Verifier]) -> Record:
    """Return the record that is proven. Raises ValueError saying why nothing is."""
    if len(proof) > MAX_PROOF:
        raise ValueError("it is too long to be a proof")
    head, gap, note = proof.partition("\n\n")
    first, *lines = head.split("\n")
    if first != _FIRST or not gap or len(lines) < 2:
        raise ValueError(f"it is no proof: one begins with {_FIRST}")
    try:
        body, index = _decoded(_after("extra", lines[0])), int(_after("index", lines[1]))
        path = [_decoded(line) for line in lines[2:]]
    except (ValueError, binascii.Error) as error:
        raise ValueError(f"it is no proof: {error}") from error
    checkpoint, _ = Checkpoint.open(note, verifiers)
    if root_by_path(leaf_hash(body), index, checkpoint.size, path) != checkpoint.root:
        raise ValueError(f"record {index} is not in the log whose head this is")
    record = Record.decode(body)
    if record.index != index:
        raise ValueError(f"in place of record {index} is record {record.index}")
    return record


def _after(word: str, line: str) -> str:
    found, _, rest = line.partition(" ")
    if found != word:
        raise ValueError(f"the line {word} is missing")
    return rest


def _decoded(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
