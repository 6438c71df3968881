"""Vectors in memory, searched whole (pure).

A vector is kept as bytes, a number each from -127 to 127: 38 MB for 100,000 of 384 numbers, and a quarter of the time
of float32 to read from memory makes up for making float32 of them, block by block, in the processor's cache.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hemostat.memory.embed import Vector

Bytes = NDArray[np.int8]
_BLOCK = 512
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
        length = float(np.linalg.norm(vector.astype(np.float32)))
        self._vectors[row] = vector
        self._scale[row] = 1 / length if length else 0.0
        if group not in self._groups:
            self._groups[group] = self._next_group
            self._next_group += 1
        self._group[row] = self._groups[group]

    def drop(self, keys: Sequence[str]) -> None:
        """Forget these keys; unknown ones are ignored."""
        for key in keys:
            row = self._rows.pop(key, None)
            if row is None:
                continue
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

        :param vector: of length one.
        :param group: only of this group; None for all.
        """
        count = len(self._keys)
        scores = self._dots(vector)
        scores *= self._scale[:count]
        if group is not None:
            scores[self._group[:count] != self._groups.get(group, -1)] = 0.0
        most = min(most, count)
        best = np.argpartition(scores, count - most)[count - most :] if most > 0 else np.zeros(0, np.int64)
        found = [(self._keys[i], min(1.0, float(scores[i]))) for i in best if scores[i] > 0]
        return sorted(found, key=lambda pair: (-pair[1], pair[0]))

    def _dots(self, vector: Vector) -> NDArray[np.float32]:
        count = len(self._keys)
        out = np.empty(count, np.float32)
        block = np.empty((min(_BLOCK, count), self._vectors.shape[1]), np.float32)
        for start in range(0, count, _BLOCK):
            end = min(start + _BLOCK, count)
            np.copyto(block[: end - start], self._vectors[start:end])
            np.dot(block[: end - start], vector, out=out[start:end])
        return out

    def _make_room(self, count: int) -> None:
        room = len(self._scale)
        if count <= room:
            return
        more = max(_FIRST_ROOM, 2 * room) - room
        self._vectors = np.concatenate((self._vectors, np.zeros((more, self._vectors.shape[1]), np.int8)))
        self._scale = np.concatenate((self._scale, np.zeros(more, np.float32)))
        self._group = np.concatenate((self._group, np.zeros(more, np.int32)))
