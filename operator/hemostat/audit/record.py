"""One record of the log: what was done, about what, on whose word (pure)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any

from hemostat.clock import parse_time, rfc3339

MAX_BYTES = 65_536
"""Of one record; what is larger belongs into what it is the digest of."""
VERSION = 1


class Step(StrEnum):
    """What was about to be done, or had been, when the record was written."""

    STARTED = "Started"
    """The process opened the log."""
    PLANNED = "Planned"
    DECIDED = "Decided"
    """The gate's decision, with the digest of all that it knew."""
    ADMITTED = "Admitted"
    INTENT = "Intent"
    """Written before an effect is sent."""
    RESULT = "Result"
    RELEASED = "Released"
    """The target's fields were given back to whom they belonged before."""
    VERIFIED = "Verified"
    UNDONE = "Undone"
    FINISHED = "Finished"
    FORGOTTEN = "Forgotten"
    """It is about to be deleted: nobody needs it any more but this log."""
    KEY = "Key"
    """From here on another key signs; this record is still signed by the old one."""


class Word(StrEnum):
    """On whose word."""

    PROCESS = "Process"
    POLICY = "Policy"
    PERSON = "Person"


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to be recorded."""

    step: Step
    namespace: str = ""
    remediation: str = ""
    uid: str = ""
    word: Word = Word.PROCESS
    names: tuple[str, ...] = ()
    """Of the people, or of the policies."""
    says: Mapping[str, Any] = field(default_factory=dict)
    """What is worth reading without anything else: text, whole numbers, booleans, lists and maps of these."""
    digests: Mapping[str, str] = field(default_factory=dict)
    """SHA-256, in hex, of what was known: by a name, such as `facts` or `prompt`."""


@dataclass(frozen=True, slots=True)
class Record:
    """An entry in its place."""

    index: int
    """From 0, without a gap."""
    time: datetime
    by: str
    """Which process wrote it: name and version."""
    entry: Entry

    def encode(self) -> bytes:
        """Return the bytes that are hashed: JSON with sorted keys, no spaces, no fractions. Raises ValueError."""
        entry = self.entry
        data = {
            "by": self.by,
            "digests": dict(entry.digests),
            "index": self.index,
            "names": list(entry.names),
            "namespace": entry.namespace,
            "remediation": entry.remediation,
            "says": _whole(entry.says),
            "step": entry.step.value,
            "time": rfc3339(self.time),
            "uid": entry.uid,
            "version": VERSION,
            "word": entry.word.value,
        }
        encoded = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        if len(encoded) > MAX_BYTES:
            raise ValueError(f"a record of {len(encoded)} bytes is larger than {MAX_BYTES}")
        return encoded

    @classmethod
    def decode(cls, encoded: bytes) -> "Record":
        """Read a record. Raises ValueError when it is none, or of a version that is not known."""
        try:
            data = json.loads(encoded)
            if data.pop("version") != VERSION:
                raise ValueError("it was written by a later Hemostat; update this one")
            index, time, by = data.pop("index"), parse_time(data.pop("time")), data.pop("by")
            step, word, names = Step(data.pop("step")), Word(data.pop("word")), tuple(data.pop("names"))
            return cls(index, time, by, Entry(step=step, word=word, names=names, **data))
        except (AttributeError, KeyError, TypeError, RecursionError, UnicodeDecodeError) as error:
            raise ValueError(f"it is no record: {error}") from error


def digest(data: bytes) -> str:
    """Return the SHA-256 by which a record names what is kept beside the log, in hex."""
    return sha256(data).hexdigest()


def _whole(value: Any) -> Any:
    """Fractions are not written the same everywhere: there are none in a record."""
    if isinstance(value, Mapping):
        return {str(k): _whole(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_whole(v) for v in value]
    if isinstance(value, float) or not isinstance(value, str | int | bool | None):
        raise ValueError(f"{value!r} cannot be in a record: write it as text")  # noqa: TRY004  (the data is wrong)
    return value
