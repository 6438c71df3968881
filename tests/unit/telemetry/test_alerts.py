"""What Alertmanager sends, parsed without trust."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemostat.errors import Refused
from hemostat.telemetry.alerts import MAX_LABELS, MAX_TEXT, Alert, parse
from hemostat.telemetry.jsontext import values

GO_ZERO = "0001-01-01T00:00:00Z"


def item(name="Slow", status="firing", ends=GO_ZERO, annotations=None, **labels):
    return {
        "status": status,
        "labels": {"alertname": name, "namespace": "shop"} | labels,
        "annotations": annotations or {},
        "startsAt": "2026-03-01T12:00:00Z",
        "endsAt": ends,
        "generatorURL": "http://prometheus/graph",
        "fingerprint": "made up",
    }


def body(*items, **more):
    return json.dumps(
        {"version": "4", "status": "firing", "receiver": "hemostat", "alerts": list(items)} | more
    ).encode()


def one(**fields):
    (found,) = parse(body(item(**fields))).alerts
    return found


def reason(text):
    with pytest.raises(Refused) as caught:
        parse(text)
    assert caught.value.reason == "BadAlert"
    return str(caught.value)


def test_a_notification_as_alertmanager_sends_it():
    found = one(annotations={"summary": "it is slow", "description": "very"}, deployment="payment")
    assert (found.name, found.label("deployment"), found.label("nothing")) == ("Slow", "payment", "")
    assert (found.resolved, found.ends, found.summary) == (False, None, "it is slow")
    assert one(annotations={"description": "very"}).summary == "very"
    assert one(status="resolved", ends="2026-03-01T12:05:00Z").resolved


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "body"),
        (b"{", "body"),
        (b"null", "body"),
        (b"[]", "body"),
        (b"\xff\xfe", "body"),
        (b'{"version": "4"}', "alerts"),
        (b'{"version": "3", "alerts": []}', "version"),
        (b'{"version": 4, "alerts": []}', "version"),
        (b'{"version": "4", "alerts": [7]}', "alerts.0"),
        (body({"status": "firing"}), "alerts.0.labels"),
        (body({"status": "maybe", "labels": {}}), "alerts.0.status"),
        (body({"status": "firing", "labels": {"a": 1}}), "alerts.0.labels.a"),
        (body({"status": "firing", "labels": {}, "endsAt": "now"}), "alerts.0.endsAt"),
        (body({"status": "firing", "labels": {}, "endsAt": "2026-03-01T12:00:00"}), "alerts.0.endsAt"),
        (b'{"version": "4", "alerts": ' + b"[" * 100_000, "body"),
        (b'{"version": "4", "alerts": [], "deep": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}", "body"),
        (b'{"version": "4", "alerts": [], "big": ' + b"9" * 100_000 + b"}", "body"),
        (b'{"version": "4", "alerts": [{"status": "firing", "labels": {"a": "\\ud800"}}]}', "body"),
    ],
)
def test_what_is_wrong_is_said_and_where(text, words):
    said = reason(text)
    assert words in said
    assert len(said) < 1000


def test_what_alertmanager_left_out_is_told():
    """A receiver with `max_alerts` sends the first ones, and in this field how many more there are."""
    assert parse(body(item())).truncated == 0
    assert parse(body(item(), truncatedAlerts=500)).truncated == 500
    assert "truncatedAlerts" in reason(body(item(), truncatedAlerts=-1))
    assert "truncatedAlerts" in reason(body(item(), truncatedAlerts=2**64))


@pytest.mark.parametrize(
    "text",
    [
        b'{"version": "4", "alerts": [' + b"{}," * 300_000 + b"{}]}",
        b'{"version": "4", "alerts": [], "ignored": [' + b"1," * 300_000 + b"1]}",
        b'{"version": "4", "alerts": [{"labels": {' + b'"":"",' * 300_000 + b'"":""}}]}',
    ],
)
def test_a_text_that_would_become_many_objects_is_refused_before_it_is_parsed(text, monkeypatch):
    """4 MB of `{},` took 240 MB."""
    monkeypatch.setattr("hemostat.telemetry.alerts._Notification", None)
    with pytest.raises(Refused, match="max_alerts") as refused:
        parse(text)
    assert refused.value.reason == "TooLarge"


def test_five_thousand_ordinary_alerts_are_not_too_many():
    labels = {f"label_{i}": f"value {i}" for i in range(8)}
    text = body(
        *(item(pod=f"p-{i}", annotations={"summary": "slow, again", "runbook_url": "x"}, **labels) for i in range(5000))
    )
    assert len(parse(text).alerts) == 5000


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=20) | st.integers(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)


@given(st.binary(max_size=200) | JSON.map(lambda v: json.dumps(v).encode()) | JSON.map(lambda v: body(item(), extra=v)))
def test_nothing_but_refused_comes_out_of_garbage(text):
    try:
        assert all(isinstance(a, Alert) for a in parse(text).alerts)
    except Refused:
        return


def size(value):
    if isinstance(value, list):
        return 1 + sum(size(v) for v in value)
    return 1 + sum(size(v) for v in value.values()) if isinstance(value, dict) else 1


@given(JSON)
def test_the_bound_on_values_is_one(value):
    assert values(json.dumps(value).encode()) >= size(value) - 1


@given(JSON, st.sampled_from(["status", "labels", "annotations", "endsAt", "startsAt"]))
def test_any_field_may_be_of_any_type(value, field):
    try:
        parse(body(item() | {field: value}))
    except Refused as error:
        said = str(error)
    else:
        return
    assert field in said or "body" in said


def test_hostile_labels_are_cut_and_cannot_write_on_a_terminal():
    found = one(**{f"l{i:03}": "x" for i in range(500)}, evil="a\x1b[31m\n" + "b" * 10_000)
    assert len(found.labels) == MAX_LABELS
    assert all(len(k) <= MAX_TEXT and len(v) <= MAX_TEXT for k, v in found.labels)
    assert (found.name, found.label("namespace")) == ("Slow", "shop")  # the two that decide whose it is are kept
    assert all(v.isprintable() for _, v in found.labels)
    assert one(annotations={"summary": "a\n\nb\x07"}).summary == "a b"


def test_the_identity_is_that_of_the_labels_whatever_the_sender_says():
    assert one(pod="a").identity == one(pod="a", annotations={"summary": "other"}).identity
    assert one(pod="a").identity != one(pod="b").identity
    assert one(a="b\0c").identity != one(a="b", c="").identity
    long = {f"l{i:03}": "x" * 1000 for i in range(100)}  # what is cut off counts too
    assert one(**long, z="1").identity != one(**long, z="2").identity
