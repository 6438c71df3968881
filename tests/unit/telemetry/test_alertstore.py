"""The alerts that are kept: within bounds, and known for as long as they may be believed."""

import sys
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.builders import at
from tests.unit.telemetry.test_alerts import one

from hemostat.telemetry.alerts import Standing
from hemostat.telemetry.alertstore import MAX_BYTES, RESOLVED_FOR, AlertStore, size_of

HOUR = timedelta(hours=1)


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


def wide(number, **more):
    return one(
        pod=str(number), **{f"{k:02}" + "\U0001f600" * 250: f"{number}" + "\U0001f600" * 250 for k in range(60)}, **more
    )


def test_what_an_alert_takes_is_counted_by_what_its_texts_take():
    """250 emoji are 250 characters and a thousand bytes: 10,000 alerts of them took more than a gigabyte."""
    alert = wide(1)
    assert size_of(alert) > sum(sys.getsizeof(k) + sys.getsizeof(v) for k, v in alert.labels) > 120_000
    assert size_of(one()) < 3_000 < MAX_BYTES / 10_000


def test_large_alerts_crowd_out_nobody():
    store = AlertStore(HOUR, max_bytes=1_000_000)
    store.put([one(pod="small")], at(0))
    assert store.put([wide(i) for i in range(50)], at(1)) == 7
    assert (store.dropped, store.size <= 1_000_000) == (43, True)
    assert any(a.label("pod") == "small" for a, _ in store.about((), "shop", at(1)))
    store.put([wide(3, status="resolved")], at(2))
    assert store.put([wide(60)], at(3)) == 1, "in the place of the resolved one"


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
    assert (len(store), store.size, store._names, store._spaces) == (0, 0, {}, {})
