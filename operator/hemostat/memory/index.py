"""Vectors in memory, searched whole (pure).

A vector is kept as bytes, a number each from -127 to 127: 38 MB for 100,000 of 384 numbers, a quarter of float32's to
read, and compared in whole numbers by machine code (numba), twice as fast as numpy can.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hemostat.compiled import compiled
from hemostat.memory.embed import Vector

Bytes = NDArray[np.int8]
_FIRST_ROOM = 256


def squeeze(vector: Vector) -> Bytes:
    """Return a vector as bytes, the largest number as 127. Its length is lost, which cosines do not need."""
    largest = float(np.abs(vector).max(initial=0.0))
    return np.rint(vector * (127 / largest) if largest else vector).astype(np.int8)


class Index:
    """Vectors by key, each in a group. It grows by doubling and never shrinks; who fills it sets the bound.

    :param dims: numbers of a vector.
    """

    def __init__(self, dims: int) -> None:
        self._keys: list[str] = []
        self._rows: dict[str, int] = {}
        self._groups: dict[str, int] = {}
        self._next_group = 0
        self._vectors = np.zeros((0, dims), np.int8)
        self._scale = np.zeros(0, np.float32)
        self._group = np.zeros(0, np.int32)

    def __len__(self) -> int:
        return len(self._keys)

    def put(self, key: str, group: str, vector: Bytes) -> None:
        """Add a vector, or replace that of the key."""
        row = self._rows.setdefault(key, len(self._keys))
        if row == len(self._keys):
            self._keys.append(key)
            self._make_room(row + 1)
        self._vectors[row] = vector
        self._scale[row] = _inverse(vector)
        if group not in self._groups:
            self._groups[group] = self._next_group
            self._next_group += 1
        self._group[row] = self._groups[group]

    def drop(self, keys: Sequence[str]) -> None:
        """Forget these keys; unknown ones are ignored."""
        known = [key for key in dict.fromkeys(keys) if key in self._rows]
        if not known:  # as at most episodes: to look through all groups takes as long as a search
            return
        for key in known:
            row = self._rows.pop(key)
            last = self._keys.pop()
            if last != key:
                self._keys[row] = last
                self._rows[last] = row
                for array in (self._vectors, self._scale, self._group):
                    array[row] = array[len(self._keys)]
        used = set(np.unique(self._group[: len(self._keys)]).tolist())
        self._groups = {name: number for name, number in self._groups.items() if number in used}

    def search(self, vector: Vector, group: str | None, most: int) -> list[tuple[str, float]]:
        """Return the nearest keys with their cosines, the nearest first; none whose cosine is not positive.

        :param vector: of any length.
        :param group: only of this group; None for all.
        """
        count = len(self._keys)
        if most < 1:
            return []
        asked = squeeze(vector)
        scores = np.empty(count, np.float32)
        _dots(self._vectors, asked, scores)
        scores *= self._scale[:count] * _inverse(asked)
        wanted = scores > 0
        if group is not None:
            wanted &= self._group[:count] == self._groups.get(group, -1)
        rows = np.flatnonzero(wanted)
        if len(rows) > most:
            rows = rows[np.argpartition(scores[rows], -most)[-most:]]
        found = [(self._keys[i], min(1.0, float(scores[i]))) for i in rows]
        return sorted(found, key=lambda pair: (-pair[1], pair[0]))

    def _make_room(self, count: int) -> None:
        room = len(self._scale)
        if count <= room:
            return
        more = max(_FIRST_ROOM, 2 * room) - room
        self._vectors = np.concatenate((self._vectors, np.zeros((more, self._vectors.shape[1]), np.int8)))
        self._scale = np.concatenate((self._scale, np.zeros(more, np.float32)))
        self._group = np.concatenate((self._group, np.zeros(more, np.int32)))


def _inverse(vector: Bytes) -> np.float32:
    """Return one divided by the length, or 0 for a vector of zeros."""
    length = float(np.linalg.norm(vector.astype(np.float32)))
    return np.float32(1 / length if length else 0.0)


@compiled
def _dots(vectors: NDArray[np.int8], asked: Bytes, out: NDArray[np.float32]) -> None:
    """Write the products of the first rows with the vector, as many as there is room for."""
    for row in range(len(out)):
        line, total = vectors[row], np.int32(0)
        for i in range(len(line)):  # in narrow numbers, of which the processor takes many at once
            total = np.int32(total + np.int32(np.int16(line[i]) * np.int16(asked[i])))
        out[row] = total
