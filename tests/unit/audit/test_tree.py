"""The tree is RFC 9162's: its published roots, and for every small tree each leaf's path leads to the root."""

from hashlib import sha256

import pytest

from hemostat.audit.tree import EMPTY, Tree, inclusion_path, leaf_hash, node_hash, root_by_path, root_of

INPUTS = [bytes.fromhex(x) for x in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657")] + [
    bytes(range(0x60, 0x70))
]
"""Inputs and roots of certificate-transparency's reference tests (merkletree, RFC 6962)."""
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_those_of_the_reference(size: int) -> None:
    assert root_of([leaf_hash(data) for data in INPUTS[:size]]).hex() == ROOTS[size - 1]


def test_the_tree_of_nothing_is_the_hash_of_nothing() -> None:
    assert Tree().root() == EMPTY == sha256().digest()


def naive(leaves: list[bytes]) -> bytes:
    """The definition, word for word: split at the largest power of two below the size."""
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return node_hash(naive(leaves[:k]), naive(leaves[k:]))


@pytest.mark.parametrize("size", range(1, 40))
def test_every_leaf_is_proven_by_its_own_path_and_by_no_other(size: int) -> None:
    leaves = [leaf_hash(bytes([n])) for n in range(size)]
    root = root_of(leaves)
    assert root == naive(leaves)
    paths = [inclusion_path(n, size, lambda a, b: root_of(leaves[a:b])) for n in range(size)]
    for index, path in enumerate(paths):
        assert root_by_path(leaves[index], index, size, path) == root
        assert root_by_path(leaf_hash(b"other"), index, size, path) != root
        assert root_by_path(leaves[index], index, size, [*path, EMPTY]) is None, "a path that is too long"
        if path:
            assert root_by_path(leaves[index], index, size, path[:-1]) != root, "a path that is too short"
        wrong = (index + 1) % size
        assert size == 1 or root_by_path(leaves[index], wrong, size, path) != root, "in another place"


def test_a_leaf_that_is_not_there_has_no_path() -> None:
    with pytest.raises(ValueError, match="no leaf 3"):
        inclusion_path(3, 3, lambda a, b: EMPTY)
    assert root_by_path(EMPTY, 3, 3, ()) is None


def test_a_copy_grows_on_its_own() -> None:
    tree = Tree()
    tree.add(EMPTY)
    other = tree.copy()
    other.add(EMPTY)
    assert (len(tree), len(other)) == (1, 2)
    assert tree.root() == EMPTY
