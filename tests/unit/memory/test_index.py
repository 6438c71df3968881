"""The index in memory: it must find what a plain search over unsqueezed vectors finds, and nothing that was dropped."""

import numpy as np
import pytest

from hemostat.memory.index import Index, squeeze

DIMS = 48


def unit(random, count):
    vectors = random.standard_normal((count, DIMS)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("count", [1, 5, 255, 256, 257, 1300])
def test_it_finds_what_a_plain_search_finds(count):
    random = np.random.default_rng(count)
    vectors = unit(random, count)
    index = Index(DIMS)
    for i, vector in enumerate(vectors):
        index.put(f"k{i}", f"g{i % 3}", squeeze(vector))
    for query in unit(random, 20):
        exact = vectors @ query
        got = index.search(query, None, 5)
        assert [score for _, score in got] == sorted((score for _, score in got), reverse=True)
        wanted = sorted((float(s) for s in exact if s > 0), reverse=True)[:5]
        assert [score for _, score in got] == pytest.approx(wanted, abs=0.01)
        assert all(abs(exact[int(key[1:])] - score) < 0.01 for key, score in got)
        of_one = index.search(query, "g1", 5)
        assert all(int(key[1:]) % 3 == 1 for key, _ in of_one)
        wanted = sorted((float(s) for s in exact[1::3] if s > 0), reverse=True)[:5]
        assert [score for _, score in of_one] == pytest.approx(wanted, abs=0.01)


def test_after_any_mixture_of_changes_it_holds_what_a_plain_dictionary_holds():
    random = np.random.default_rng(7)
    index, plain = Index(DIMS), {}
    for step in range(3000):
        key = f"k{random.integers(400)}"
        if random.random() < 0.6:
            vector, group = unit(random, 1)[0], f"g{random.integers(5)}"
            index.put(key, group, squeeze(vector))
            plain[key] = (group, vector)
        else:
            index.drop([key, f"never-{step}"])
            plain.pop(key, None)
    assert len(index) == len(plain)
    for key, (group, vector) in plain.items():
        assert index.search(vector, group, 1)[0][0] == key
        assert index.search(vector, group, 1)[0][1] > 0.99
        other = f"g{(int(group[1:]) + 1) % 5}"
        assert all(found != key for found, _ in index.search(vector, other, len(plain)))


def test_groups_that_are_empty_are_forgotten():
    index = Index(DIMS)
    vector = squeeze(unit(np.random.default_rng(1), 1)[0])
    for i in range(500):
        index.put(f"k{i}", f"g{i}", vector)
        index.drop([f"k{i - 1}"])
    assert len(index._groups) == 1
    assert index.search(vector.astype(np.float32), "g499", 9)
    assert index.search(vector.astype(np.float32), "g3", 9) == []


def test_an_empty_index_finds_nothing():
    assert Index(DIMS).search(np.ones(DIMS, np.float32), None, 5) == []


def test_squeezing_keeps_the_direction():
    for vector in unit(np.random.default_rng(3), 50):
        small = squeeze(vector).astype(np.float32)
        assert float(small @ vector / np.linalg.norm(small)) > 0.999
    assert not squeeze(np.zeros(DIMS, np.float32)).any()
