"""Text to vector, offline and always the same: hashed words and parts of words (pure).

What an incident looks like is told mostly by Hemostat's own sentences, so shared words find it again; parts of words
bring forms of one word together (`expired`, `expires`). Every word, and every four characters of it, is a feature;
features are hashed with a sign to 384 numbers (Weinberger et al., Feature Hashing for Large Scale Multitask Learning,
2009), each the root of how often it came. Names with digits in them (pods, hashes) and numbers are left out, save those
of three digits: exit codes, HTTP statuses.

Measured on 50 kinds of incidents (tests/unit/memory/incidents.yaml): of those that come again at another workload 98 %
are found first; told in a person's words 36 %, and 66 % are among the first five (six other hashes: 32-44 and 64-74 %).
wordllama 0.4.0 (256 numbers, trained, 16 MB of weights in its wheel): 98 %, 44 % and 66 %. It has no types, sets up
logging when it is imported and does not find the tokenizer it brings unless it may download one: it is not used.
"""

import hashlib
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]
DIMS = 384
MAX_CHARACTERS = 4096
"""What is embedded of a text."""
_GRAM = 4
_LONGEST = 40
"""Longer words are cut: they are no words."""
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD = re.compile(r"[^\W_]+")
_STOP = frozenset(
    (
        *("a", "an", "and", "are", "as", "at", "be", "by", "for", "from", "has", "in", "is", "it", "its", "no", "not"),
        *("of", "on", "or", "since", "so", "that", "the", "they", "this", "to", "was", "were", "with"),
    )
)
_CODE = 3
"""Digits of an exit code or an HTTP status."""


@dataclass(frozen=True, slots=True)
class Embedding:
    """A way to embed. Vectors of different versions must not be compared, so stores keep the version with each."""

    version: str
    dims: int
    embed: Callable[[str], Vector]
    """From a text to `dims` numbers of length one, or all zero where the text says nothing."""


def words_of(text: str) -> list[str]:
    """Return the words that say something, in small letters; CamelCase is several."""
    plain = unicodedata.normalize("NFKC", text[:MAX_CHARACTERS])[:MAX_CHARACTERS]
    found = (word[:_LONGEST] for word in _WORD.findall(_HUMP.sub(" ", plain).lower()))
    return [word for word in found if _says(word)]


def _says(word: str) -> bool:
    if word.isdigit():
        return len(word) == _CODE
    return len(word) > 1 and word not in _STOP and not any(c.isdigit() for c in word)


def _embed(text: str) -> Vector:
    features: defaultdict[int, float] = defaultdict(float)
    for word, count in Counter(words_of(text)).items():
        for feature, weight in _features(word):
            features[feature] += count * weight
    vector = np.zeros(DIMS, np.float32)
    for feature, weight in features.items():
        vector[(feature >> 1) % DIMS] += weight**0.5 * (1 if feature & 1 else -1)
    length = float(np.linalg.norm(vector))
    return vector / np.float32(length) if length else vector


@lru_cache(maxsize=2048)
def _features(word: str) -> tuple[tuple[int, float], ...]:
    """Return the features of a word with their weights: the word's is 1, and that of all its parts together too."""
    padded = f"<{word}>"
    parts = [padded[i : i + _GRAM] for i in range(max(1, len(padded) - _GRAM + 1))]
    share = len(parts) ** -0.5
    return ((_hash(f"w{word}"), 1.0), *((_hash(f"c{part}"), share) for part in parts))


def _hash(feature: str) -> int:
    return int.from_bytes(hashlib.blake2b(feature.encode(), digest_size=4).digest(), "big")


HASHED = Embedding("hashed-1", DIMS, _embed)
