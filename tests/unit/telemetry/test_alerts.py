"""What Alertmanager sends: parsed without trust, kept within bounds, known for as long as it may be believed."""

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.builders import at

from hemostat.errors import Refused
from hemostat.telemetry.alerts import MAX_LABELS, MAX_TEXT, RESOLVED_FOR, Alert, AlertStore, Standing, parse

GO_ZERO = "0001-01-01T00:00:00Z"
HOUR = timedelta(hours=1)


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
    (found,) = parse(body(item(**fields)))
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


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=20) | st.integers(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)


@given(st.binary(max_size=200) | JSON.map(lambda v: json.dumps(v).encode()) | JSON.map(lambda v: body(item(), extra=v)))
def test_nothing_but_refused_comes_out_of_garbage(text):
    try:
        assert all(isinstance(a, Alert) for a in parse(text))
    except Refused:
        return


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


# --- the store -----------------------------------------------------------------------------------------------------


@pytest.fixture
def store():
    return AlertStore(stale_after=HOUR, max_alerts=3)


def standings(store, now, names=(), namespace="shop"):
    return [standing for _, standing in store.about(names, namespace, now)]


def test_an_alert_fires_until_it_is_resolved_and_is_then_known_to_be(store):
    store.put([one()], at(0))
    assert standings(store, at(1800)) == [Standing.FIRING]
    store.put([one(status="resolved")], at(1900))
    assert standings(store, at(1901)) == [Standing.RESOLVED]
    store.put([], at(1901 + RESOLVED_FOR.total_seconds()))
    assert standings(store, at(3000)) == []


def test_an_alert_ends_when_its_sender_said(store):
    store.put([one(ends="2026-03-01T12:01:00Z")], at(0))
    assert standings(store, at(59)) == [Standing.FIRING]
    assert standings(store, at(60)) == [Standing.RESOLVED]


def test_what_is_not_repeated_is_not_believed_for_ever(store):
    store.put([one()], at(0))
    store.put([one()], at(1800))  # a repeat counts anew
    assert standings(store, at(1800 + HOUR.total_seconds())) == [Standing.FIRING]
    assert standings(store, at(1801 + HOUR.total_seconds())) == [Standing.STALE]
    store.put([], at(1801 + HOUR.total_seconds() + RESOLVED_FOR.total_seconds()))
    assert len(store) == 0


def test_it_is_found_by_name_or_by_namespace(store):
    store.put([one(), one(name="Full", namespace="other")], at(0))
    assert len(standings(store, at(1))) == 1
    assert len(standings(store, at(1), namespace="other")) == 1
    assert len(standings(store, at(1), names=("Slow", "Full", "Slow?"))) == 2
    assert standings(store, at(1), namespace="nowhere") == []


def test_live_alerts_are_not_crowded_out_and_what_is_dropped_is_counted(store):
    assert store.put([one(pod=str(i)) for i in range(5)], at(0)) == 3
    assert (len(store), store.dropped) == (3, 2)
    store.put([one(pod="1", status="resolved")], at(1))
    assert store.put([one(pod="9")], at(2)) == 1  # in the place of the resolved one
    assert {a.label("pod") for a, _ in store.about((), "shop", at(2))} == {"0", "2", "9"}
    assert store.put([one(pod="0")], at(3)) == 1  # a repeat needs no room


@given(st.lists(st.tuples(st.integers(0, 8), st.booleans(), st.integers(0, 4000)), max_size=60))
def test_the_store_is_bounded_and_its_indexes_agree(moves):
    store, now = AlertStore(stale_after=HOUR, max_alerts=4), 0
    for pod, resolved, seconds in moves:
        now += seconds
        store.put([one(pod=str(pod), name=f"A{pod % 3}", status="resolved" if resolved else "firing")], at(now))
        by_space = sorted(a.identity for a, _ in store.about((), "shop", at(now)))
        by_name = sorted(a.identity for a, _ in store.about(("A0", "A1", "A2"), "", at(now)))
        assert by_space == by_name == sorted(store._kept)
        assert len(store) <= 4
    store.put([], at(now + 90_000))
    assert (len(store), store._names, store._spaces) == (0, {}, {})
