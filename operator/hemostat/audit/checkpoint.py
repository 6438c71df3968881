"""Tree heads, signed (pure). https://c2sp.org/tlog-checkpoint: origin, size and root, a line each, as a signed note."""

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass

from hemostat.audit.keys import Signer, Verifier, open_note
from hemostat.audit.tree import Hash


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log held when it had so many records."""

    origin: str
    """Which log it is of."""
    size: int
    root: Hash

    def signed(self, signer: Signer) -> str:
        """Return it as a signed note."""
        return signer.sign(f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n")

    @classmethod
    def open(cls, note: str, verifiers: Iterable[Verifier]) -> tuple["Checkpoint", Verifier]:
        """Return it and who signed it. Raises ValueError when nobody we know did, or it is no checkpoint."""
        text, verifier = open_note(note, verifiers)
        return cls.read(text), verifier

    @classmethod
    def read(cls, note: str) -> "Checkpoint":
        """Read what a note says, whoever signed it. Raises ValueError when it is no checkpoint."""
        try:
            origin, size, root = note.split("\n", 3)[:3]
            found = cls(origin, int(size), base64.b64decode(root, validate=True))
        except (ValueError, binascii.Error) as error:
            raise ValueError("it is no checkpoint: origin, size and root hash, a line each") from error
        if not origin or str(found.size) != size or found.size < 0 or len(found.root) != 32:
            raise ValueError("it is no checkpoint: its size or its root hash cannot be read")
        return found
