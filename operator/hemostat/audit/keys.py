"""Signed notes: who vouches for a text, with which key (pure). https://c2sp.org/signed-note, as Go's sumdb writes it.

A note is a text that ends with a line feed, an empty line, and lines `— NAME BASE64(key id || signature)`. A verifier
key is written `NAME+HEX(key id)+BASE64(0x01 || public key)`.
"""

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from hemostat.errors import Broken

_ED25519 = b"\x01"
_DASH = "— "
MAX_NOTE = 65_536
"""Characters of a note that is read at most; ours have some 250."""


@dataclass(frozen=True)
class Verifier:
    """Who a signature may be of."""

    name: str
    public: bytes
    """32 bytes."""

    @property
    def id(self) -> bytes:
        """Four bytes by which a signature names its key; no proof of anything."""
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(_ED25519 + self.public).decode()}"

    @classmethod
    def parse(cls, text: str) -> "Verifier":
        """Read a verifier key as it is printed. Raises ValueError saying what is wrong with it."""
        try:
            name, key_id, encoded = text.strip().split("+", 2)  # base64 may hold a +
            raw = base64.b64decode(encoded, validate=True)
        except (ValueError, binascii.Error) as error:
            raise ValueError(f"{text.strip()[:80]!r} is no key: it is written NAME+ID+KEY") from error
        if len(raw) != 33 or raw[:1] != _ED25519:
            raise ValueError(f"{name!r} is no Ed25519 key")
        found = cls(_checked(name), raw[1:])
        if found.id.hex() != key_id:
            raise ValueError(f"the key of {name!r} is damaged: its id is {found.id.hex()}, not {key_id}")
        return found

    def signed(self, text: str, signature: bytes) -> bool:
        """Tell whether this key signed the text."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text.encode())
        except InvalidSignature:
            return False
        return True


class Signer:
    """Signs in the name of one process."""

    def __init__(self, name: str, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.verifier = Verifier(_checked(name), key.public_key().public_bytes_raw())

    @classmethod
    def load(cls, name: str, pem: bytes) -> "Signer":
        """Read a key as `openssl genpkey -algorithm ed25519` writes it. Raises `Broken` when it is none."""
        try:
            key = load_pem_private_key(pem, None)
        except (ValueError, TypeError) as error:
            raise Broken(f"the audit key cannot be read: {error}; make one: {_MAKE}") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise Broken(f"the audit key is of another kind than Ed25519; make one: {_MAKE}")
        return cls(name, key)

    @classmethod
    def generate(cls, name: str) -> tuple["Signer", bytes]:
        """Return a new key, and its PEM."""
        key = Ed25519PrivateKey.generate()
        return cls(name, key), key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def sign(self, text: str) -> str:
        """Return the note: the text and our signature."""
        signature = base64.b64encode(self.verifier.id + self._key.sign(text.encode())).decode()
        return f"{text}\n{_DASH}{self.verifier.name} {signature}\n"


_MAKE = "openssl genpkey -algorithm ed25519"


def open_note(note: str, verifiers: Iterable[Verifier]) -> tuple[str, Verifier]:
    """Return a note's text and whose it is. Signatures of unknown keys are passed over, as the format says.

    Raises ValueError when nobody we know signed it, or a known key's signature is wrong.
    """
    if len(note) > MAX_NOTE:
        raise ValueError("it is too long to be a note")
    text, gap, lines = note.rpartition("\n\n")
    if not gap or not lines.endswith("\n"):
        raise ValueError("it is no signed note: a text, an empty line and signatures")
    text += "\n"
    known = {(v.name, v.id): v for v in verifiers}
    others = []
    for line in lines.splitlines():
        name, key_id, signature = _signature(line)
        verifier = known.get((name, key_id))
        if verifier is None:
            others.append(f"{name}+{key_id.hex()}")
        elif verifier.signed(text, signature):
            return text, verifier
        else:
            raise ValueError(f"the signature of {name}+{key_id.hex()} is wrong")
    raise ValueError(f"signed by {', '.join(others)[:200]}, of whom no key was given")


def _signature(line: str) -> tuple[str, bytes, bytes]:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    try:
        raw = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        raw = b""
    if not line.startswith(_DASH) or len(raw) != 68:
        raise ValueError("a line of its signatures cannot be read")
    return name, raw[:4], raw[4:]


def _checked(name: str) -> str:
    if not name or "+" in name or any(c.isspace() for c in name):
        raise ValueError(f"{name!r} is no name of a key: it holds a space or a +, or nothing")
    return name
