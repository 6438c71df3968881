"""The embedding: the same for ever under one version, and good enough to find an incident again."""

import hashlib
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from hemostat.memory.embed import DIMS, HASHED, words_of

INCIDENTS = yaml.safe_load((Path(__file__).parent / "incidents.yaml").read_text())
SENTENCE = "OOMKilled of catalog: container app was killed for lack of memory, 4 restarts; raise its memory limit"


def found(kind):
    """Share of incidents that are found first, and among the first five, when they are told this way."""
    kept = np.array([HASHED.embed(i["was"]) for i in INCIDENTS])
    scores = np.array([HASHED.embed(i[kind]) for i in INCIDENTS]) @ kept.T
    better = (scores > np.diag(scores)[:, None]).sum(axis=1)
    return float((better == 0).mean()), float((better < 5).mean())


def test_the_numbers_of_this_version_never_change():
    """Vectors are stored: who changes how they are made must change the version too, and then this sum."""
    rounded = (HASHED.embed(SENTENCE) * 1000).round().astype(np.int16)
    assert (HASHED.version, hashlib.sha256(rounded.tobytes()).hexdigest()[:16]) == ("hashed-1", "24eefc8bf4ad59fd")


def test_an_incident_that_comes_again_elsewhere_is_found():
    first, among_five = found("again")
    assert first >= 0.95
    assert among_five >= 0.97


def test_an_incident_in_a_persons_words_is_found_more_often_than_not():
    _, among_five = found("told")
    assert among_five >= 0.6  # by chance it would be 0.1


@pytest.mark.parametrize(
    "text", [SENTENCE, "a", "OOM", "Zeitüberschreitung beim Lesen", "内存不足 容器被杀死", "x" * 4096]
)
def test_every_text_that_says_something_has_length_one(text):
    vector = HASHED.embed(text)
    assert (vector.shape, vector.dtype) == ((DIMS,), np.float32)
    assert float(np.linalg.norm(vector)) == pytest.approx(0.0 if text == "a" else 1.0, abs=1e-5)


@pytest.mark.parametrize("text", ["", " \n\t", "!!! --- ???", "12345 0x7f 10.2.3.4", "the of and", "\x00\ud800"])
def test_a_text_that_says_nothing_is_nothing(text):
    assert not HASHED.embed(text).any()


def test_names_of_pods_and_numbers_do_not_count():
    one = HASHED.embed("payment-7d9c6f5b8-x2x4z: 41 % of 1234 calls fail, revision 12")
    other = HASHED.embed("payment-5cc6d8d9f-q8kzp: 66 % of 98765 calls fail, revision 3")
    assert float(one @ other) == pytest.approx(1.0, abs=1e-5)


def test_exit_codes_and_statuses_count():
    assert words_of("exit code 137, HTTP 503, port 8080") == ["exit", "code", "137", "http", "503", "port"]


def test_words_that_are_written_together_are_taken_apart():
    assert words_of("ErrImagePull OOMKilled HTTPRoute maxReplicas") == (
        ["err", "image", "pull", "oom", "killed", "http", "route", "max", "replicas"]
    )


def test_forms_of_a_word_are_near():
    near = HASHED.embed("certificate expired") @ HASHED.embed("certificates expire")
    assert float(near) > 0.3 > float(HASHED.embed("certificate expired") @ HASHED.embed("volume unbound")) + 0.1


@pytest.mark.parametrize(
    "text",
    [
        "aA" * 500_000,
        "a" * 1_000_000,
        "ﷺ" * 200_000,
        "_" * 1_000_000,
        " ".join(chr(0x4E00 + i) * 2 for i in range(20_000)),
    ],
    ids=["humps", "one word", "one that grows eighteenfold", "no word", "twenty thousand words"],
)
def test_a_hostile_text_takes_no_longer_than_a_long_one(text):
    def seconds() -> float:
        began = time.process_time()
        HASHED.embed(text)
        return time.process_time() - began

    assert any(seconds() < 0.25 for _ in range(5))
