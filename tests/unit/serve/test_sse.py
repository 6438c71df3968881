"""Steps as Server-Sent Events, read back as a browser reads them; no text in them can end an event."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.builders import T0

from hemostat.clock import rfc3339
from hemostat.progress.step import Page, Stage, Step, Told
from hemostat.serve import sse


def read(text):
    """Read events as the standard says (WHATWG HTML, 9.2.6)."""
    found, event, last = [], {"data": []}, ""
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if event["data"]:
                found.append((event.get("event", "message"), last, json.loads("\n".join(event["data"]))))
            event = {"data": []}
        elif name == "data":
            event["data"].append(value)
        elif name == "id":
            last = value
        elif name:
            event[name] = value
    return found


def page(*steps):
    told = tuple(Told(n, T0, s) for n, s in enumerate(steps, 1))
    return Page("0a1b2c3d", told, lost=False, over=False)


def test_a_step_is_an_event_with_an_id_to_come_back_with():
    of = page(Step(Stage.DIAGNOSIS, "LookedUp", "logs: 3 items", "kubernetes"))
    assert read(sse.OPENING + sse.HEARTBEAT + sse.steps(of, of.told)) == [
        (
            "step",
            "0a1b2c3d-1",
            {
                "number": 1,
                "time": rfc3339(T0),
                "stage": "Diagnosis",
                "step": "LookedUp",
                "by": "kubernetes",
                "message": "logs: 3 items",
            },
        )
    ]
    assert sse.resumed("0a1b2c3d-1") == ("0a1b2c3d", 1)


@given(st.text(), st.text())
def test_whatever_text_there_is_it_stays_one_event(message, by):
    of = page(Step(Stage.ACTION, "Applied", message, by), Step(Stage.ACTION, "Applied", "next"))
    found = read(sse.steps(of, of.told))
    assert [(e[2]["message"], e[2]["by"]) for e in found] == [(message, by), ("next", "")]


@pytest.mark.parametrize("text", ["1", "0a1b2c3d", "0a1b2c3d-", "0a1b2c3d-9999999999", "x" * 9000, "0a1b2c3d-1\n2"])
def test_an_id_that_is_none_of_ours_is_of_an_unknown_telling(text):
    assert sse.resumed(text) == ("?", 0)


def test_no_id_begins_at_the_beginning():
    assert sse.resumed("") == ("", 0)


def test_reset_and_end_are_events_of_their_own():
    assert [(e, d["message"] != "") for e, _, d in read(sse.reset(4) + sse.end("over"))] == [
        ("reset", True),
        ("end", True),
    ]
