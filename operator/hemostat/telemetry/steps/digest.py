"""Content into numbers: what is equal has the same digest, what is alike has a similar sketch (pure).

What a content is *about* (`identity`) is what it names: numbers, paths, identifiers, capitalised words. Two searches in
other words for the same thing have one identity; edits of two files have two, however alike they are.

Digests are of canonical JSON (sorted keys, no white space; RFC 8785 in spirit), so that the order of a tool's arguments
does not matter. Sketches are MinHash (Broder, 1997) over character trigrams, one byte a hash: the share of equal bytes
estimates the Jaccard similarity of two texts.
"""

import json
import re
from hashlib import blake2b
from typing import Any

import numpy as np

MAX_CONTENT = 65_536
"""Characters of a content that are looked at; what comes after is compared as it is."""
SKETCH = 32
"""Bytes of a sketch: similarities are within 0.09 (one standard deviation)."""
_MAX_SKETCHED = 2_000
_WORDS = re.compile(r"[^\W_]+")
_TOKENS = re.compile(r"\w(?:[\w./:@#-]*\w)?")
_NAMES = re.compile(r"[\d_./:@#]")
_MAX_DEPTH, _MAX_NAMED = 6, 256
_RANDOM = np.random.default_rng(20_261_121)
_FACTORS = _RANDOM.integers(1, 1 << 63, SKETCH, np.uint64) | np.uint64(1)
_SHIFTS = _RANDOM.integers(0, 1 << 63, SKETCH, np.uint64)


def digest(content: Any) -> int | None:
    """Return 64 bits of the content, a JSON text or value; None when there is none."""
    if content is None or content == "":
        return None
    rest = ""
    if isinstance(content, str):
        content, rest = parsed(content[:MAX_CONTENT]), content[MAX_CONTENT:]
    text = content if isinstance(content, str) else canonical(content)
    return int.from_bytes(blake2b((text + rest).encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def canonical(content: Any) -> str:
    """Return JSON with sorted keys and no white space."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)


def identity(content: Any) -> int | None:
    """Return 64 bits of what the content names, in any order; None when it names nothing."""
    named: set[str] = set()
    _name(content[:MAX_CONTENT] if isinstance(content, str) else content, named, 0)
    return digest(" ".join(sorted(named))) if named else None


def _name(content: Any, named: set[str], depth: int) -> None:
    if depth > _MAX_DEPTH or len(named) > _MAX_NAMED or content is None:
        return
    content = parsed(content)  # texts in JSON may be JSON themselves
    if isinstance(content, dict | list):
        for inner in content.values() if isinstance(content, dict) else content:
            _name(inner, named, depth + 1)
    elif not isinstance(content, str):
        named.add(str(content))
    else:
        words = _TOKENS.findall(content)
        if len(words) == 1:
            named.add(words[0])
        else:
            named.update(w for i, w in enumerate(words) if _NAMES.search(w) or (i and w[0].isupper()))


def parsed(text: Any) -> Any:
    """Return the value of a JSON text; what is no such text as it is."""
    if not isinstance(text, str):
        return text
    stripped = text.strip()
    if stripped[:1] in ("{", "[", '"'):
        try:
            return json.loads(stripped)
        except (ValueError, RecursionError):
            return stripped  # cut off, or no JSON: as it is
    return stripped


def sketch(text: str) -> bytes:
    """Return `SKETCH` bytes that resemble those of similar texts; empty for a text without words.

    Case, punctuation and white space do not count.
    """
    plain = " ".join(_WORDS.findall(text[:_MAX_SKETCHED].lower())).encode("utf-8", "surrogatepass")
    if not plain:
        return b""
    letters = np.frombuffer(b" " + plain + b" ", np.uint8).astype(np.uint64)
    grams = np.unique(letters[:-2] << np.uint64(16) | letters[1:-1] << np.uint64(8) | letters[2:])
    hashes = grams[:, None] * _FACTORS + _SHIFTS
    hashes ^= hashes >> np.uint64(32)
    hashes *= np.uint64(0x9E3779B97F4A7C15)
    return bytes((hashes.min(axis=0) >> np.uint64(7)).astype(np.uint8))


def similarity(one: bytes, other: bytes) -> float:
    """Return the share of trigrams that two sketched texts have in common, estimated; 0 where one is missing."""
    if not one or not other:
        return 0.0
    return sum(a == b for a, b in zip(one, other, strict=True)) / SKETCH
