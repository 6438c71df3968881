"""Orders are an open door into the application: what is not exactly in order must be refused, whole."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemostat.guard.orders import MAX_HOLD_SECONDS, MAX_ORDER_BYTES, BadOrder, Cap, Cut, Halt, State, parse, render

NOW = 1_795_200_000.0
CUT = {"order": "Cut", "callee": "critic", "until": NOW + 60, "reason": "ping-pong"}
HALT = {"order": "Halt", "conversation": "c-7", "until": NOW + 60, "reason": "burns tokens"}
CAP = {"order": "Cap", "conversation": "c-7", "turns": 5, "until": NOW + 60, "reason": "enough"}

NAMES = st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), min_size=1, max_size=50)
COMMON = {
    "id": st.from_regex(r"[a-z0-9][-a-z0-9]{0,40}[a-z0-9]", fullmatch=True),
    "until": st.floats(0, NOW),
    "reason": NAMES,
    "service": st.just("") | NAMES,
    "hold_seconds": st.integers(0, MAX_HOLD_SECONDS),
}
CUTS = st.builds(
    Cut,
    callee=NAMES,
    caller=st.just("") | NAMES,
    conversation=st.just("") | NAMES,
    state=st.sampled_from(State),
    probe_seconds=st.integers(0, 3600),
    abort=st.booleans(),
    **COMMON,
)
HALTS = st.builds(Halt, conversation=NAMES, **COMMON)
CAPS = st.builds(Cap, conversation=NAMES, turns=st.integers(1, 99), tokens=st.integers(0, 99), **COMMON)


@given(CUTS | HALTS | CAPS)
def test_what_act_writes_is_what_the_guard_reads(order):
    assert parse(order.id, render(order), NOW) == order


def test_the_least_that_can_be_said():
    assert parse("one", json.dumps(CUT), NOW) == Cut(id="one", callee="critic", until=NOW + 60, reason="ping-pong")
    assert parse("one", json.dumps(CUT), NOW).state is State.OPEN


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (CUT | {"order": "Delete"}, "`order` is one of"),
        (CUT | {"order": ["Cut"]}, "`order` is one of"),
        (CUT | {"callee": ""}, "callee must not be empty"),
        (HALT | {"conversation": ""}, "conversation must not be empty"),
        (CUT | {"callee": 7}, "callee must be a printable text"),
        (CUT | {"callee": "a\nb"}, "printable"),
        (CUT | {"callee": "\ud800"}, "printable"),
        (CUT | {"callee": "x" * 257}, "256"),
        (CUT | {"reason": ""}, "reason must not be empty"),
        (CUT | {"until": "soon"}, "until must be a number"),
        (CUT | {"until": True}, "until must be a number"),
        (CUT | {"until": float("nan")}, "until must be a number"),
        (CUT | {"until": float("inf")}, "until must be a number"),
        (CUT | {"until": 10**400}, "until must be a number"),
        (CUT | {"until": NOW + MAX_HOLD_SECONDS + 1}, "away"),
        (CUT | {"state": "Ajar"}, "state must be one of"),
        (CUT | {"state": ["Open"]}, "state must be one of"),
        (CUT | {"abort": 1}, "abort must be true or false"),
        (CUT | {"probe_seconds": 1.5}, "whole number"),
        (CUT | {"probe_seconds": True}, "whole number"),
        (CUT | {"probe_seconds": -1}, "whole number"),
        (CUT | {"hold_seconds": MAX_HOLD_SECONDS + 1}, "whole number"),
        (HALT | {"hold_seconds": "60"}, "whole number"),
        (CUT | {"id": "two"}, "unknown field 'id'"),
        (CUT | {"exec": "rm"}, "unknown field 'exec'"),
        ({k: v for k, v in CUT.items() if k != "until"}, "'until' is missing"),
        (CAP | {"turns": 0}, "must name turns or tokens"),
        ([CUT], "must be an object"),
        ("Cut", "must be an object"),
    ],
)
def test_what_is_not_in_order_is_refused_with_the_reason(said, why):
    with pytest.raises(BadOrder, match=why):
        parse("one", json.dumps(said), NOW)


@pytest.mark.parametrize("key", ["", "-a", "a/b", "../x", "a b", "x" * 254, "a\n"])
def test_a_strange_key_is_refused(key):
    with pytest.raises(BadOrder, match="key"):
        parse(key, json.dumps(CUT), NOW)


def test_a_field_named_twice_is_refused():
    text = json.dumps(CUT)[:-1] + ', "callee": "other"}'
    with pytest.raises(BadOrder, match="named twice"):
        parse("one", text, NOW)


@pytest.mark.parametrize("text", ["", "{", "[" * 2000, "null", " " * (MAX_ORDER_BYTES + 1), "�" * MAX_ORDER_BYTES])
def test_garbage_is_refused(text):
    with pytest.raises(BadOrder):
        parse("one", text, NOW)


@given(st.text(max_size=200) | st.recursive(st.none() | st.text(max_size=9), st.lists).map(json.dumps))
def test_nothing_but_bad_order_is_ever_raised(text):
    with pytest.raises(BadOrder):
        parse("one", text, NOW)


def test_the_orders_of_the_readme_are_in_order():
    """Whoever writes one by hand copies it from there."""
    text = (Path(__file__).parents[3] / "README.md").read_text("utf-8")
    found = re.findall(r'^    (\{"order": .+?\})$', text, re.MULTILINE | re.DOTALL)
    assert [type(parse(f"o{i}", said, 1_795_289_900)) for i, said in enumerate(found)] == [Cut, Halt, Cap]


def test_what_a_guard_would_refuse_cannot_be_written():
    with pytest.raises(BadOrder, match="reason"):
        render(Halt(id="one", conversation="c", until=NOW, reason=""))
