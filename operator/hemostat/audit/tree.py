"""The Merkle tree of an append-only log (pure).

Hashes as in RFC 9162 section 2.1: a leaf is SHA-256(0x00 || data), a node SHA-256(0x01 || left || right), the tree of
nothing SHA-256 of nothing. Every hash is 32 bytes.
"""

from collections.abc import Callable, Sequence
from hashlib import sha256

EMPTY = sha256(b"").digest()
Hash = bytes


def leaf_hash(data: bytes) -> Hash:
    """Return the hash of one record."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: Hash, right: Hash) -> Hash:
    """Return the hash of two subtrees."""
    return sha256(b"\x01" + left + right).digest()


class Tree:
    """A growing tree, of which only the roots of its perfect subtrees are kept: 32 bytes for each bit of its size."""

    def __init__(self) -> None:
        self._peaks: list[Hash] = []
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def copy(self) -> "Tree":
        """Return a tree that grows on its own."""
        other = Tree()
        other._peaks, other._size = self._peaks.copy(), self._size
        return other

    def add(self, leaf: Hash) -> None:
        """Append a leaf, by its hash."""
        below = self._size
        while below & 1:
            leaf = node_hash(self._peaks.pop(), leaf)
            below >>= 1
        self._peaks.append(leaf)
        self._size += 1

    def root(self) -> Hash:
        """Return the hash of the whole tree."""
        if not self._peaks:
            return EMPTY
        found = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            found = node_hash(peak, found)
        return found


def root_of(leaves: Sequence[Hash]) -> Hash:
    """Return the root over these leaf hashes."""
    tree = Tree()
    for leaf in leaves:
        tree.add(leaf)
    return tree.root()


def inclusion_path(index: int, size: int, root_between: Callable[[int, int], Hash]) -> list[Hash]:
    """Return the hashes that lead from a leaf to the root, the lowest first (RFC 9162 section 2.1.3.1).

    :param index: of the leaf, from 0.
    :param root_between: gives the root over the leaves from its first argument up to, without, its second.
    Raises ValueError when the tree has no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    start, end, path = 0, size, []
    while end - start > 1:
        middle = start + (1 << ((end - start - 1).bit_length() - 1))
        if index < middle:
            path.append(root_between(middle, end))
            end = middle
        else:
            path.append(root_between(start, middle))
            start = middle
    return path[::-1]


def root_by_path(leaf: Hash, index: int, size: int, path: Sequence[Hash]) -> Hash | None:
    """Return the root that leaf and path lead to, None when the path is too short or too long (section 2.1.3.2)."""
    if not 0 <= index < size:
        return None
    at, last, found = index, size - 1, leaf
    for step in path:
        if last == 0:
            return None
        if at & 1 or at == last:
            found = node_hash(step, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, step)
        at, last = at >> 1, last >> 1
    return found if last == 0 else None
