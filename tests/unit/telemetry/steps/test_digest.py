"""What is equal has the same digest, what is alike a similar sketch."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemostat.telemetry.steps.digest import SKETCH, digest, identity, similarity, sketch

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), VALUES, max_size=4), st.integers(0, 4))
def test_the_order_of_keys_and_white_space_do_not_matter(value, indent):
    turned = dict(reversed(list(value.items())))
    assert digest(json.dumps(value)) == digest(json.dumps(turned, indent=indent)) == digest(value)


@given(st.text(max_size=200))
def test_any_text_has_a_digest_and_a_sketch(text):
    assert digest(text) is None if text == "" else 0 <= digest(text) < 1 << 64
    assert len(sketch(text)) in (0, SKETCH)


def test_no_content_has_no_digest():
    assert digest(None) is None
    assert digest("") is None
    assert digest("[" * 10_000) is not None  # nested too deeply to be read


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("What is the weather in Rome today?", "what is the WEATHER in rome, today", 1.0),
        ("Please search for the cause of the outage", "Please search for the causes of the outage", 0.85),
        ("Please search for the cause of the outage", "The quarterly report is due on Friday", 0.05),
    ],
)
def test_sketches_estimate_how_much_two_texts_have_in_common(one, other, alike):
    assert similarity(sketch(one), sketch(other)) == pytest.approx(alike, abs=0.15)


def test_a_missing_sketch_is_like_nothing():
    assert similarity(sketch("a text"), b"") == 0.0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ('{"q": "what is the capital of France"}', '{"q": "tell me the capital city of France please"}', True),
        ('{"q": "what is the capital of France"}', '{"q": "what is the capital of Spain"}', False),
        ('{"path": "src/a.py", "text": "fix the bug"}', '{"path": "src/b.py", "text": "fix the bug"}', False),
        ('{"page": 1}', '{"page": 2}', False),
        ('{"id": 7, "city": "Rome"}', '{"city": "Rome", "id": 7}', True),
        ("look into order 77 again", "please check the order 77", True),
        ('{"inputs": "{\\"q\\": \\"Find a paper on rails\\"}"}', '{"inputs": "{\\"q\\": \\"show rails\\"}"}', True),
    ],
)
def test_what_a_content_is_about_is_what_it_names(one, other, same):
    assert (identity(one) == identity(other)) is same


def test_what_names_nothing_is_about_nothing():
    assert identity("try it again and again") is None
    assert identity(None) is None


@given(VALUES)
def test_anything_can_be_asked_what_it_is_about(value):
    assert identity(value) is None or 0 <= identity(value) < 1 << 64
