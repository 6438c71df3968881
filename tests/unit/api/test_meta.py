"""Conditions, the wire form of models, and times."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.unit.builders import T0, approval, at, incident, policy, remediation, runbook, signal, watch

from hemostat.api.meta import TargetRef, find, is_false, is_true, set_condition
from hemostat.api.resources import RESOURCES
from hemostat.clock import FakeClock, SystemClock, parse_time, rfc3339

STATUSES = st.sampled_from([True, False, "Unknown"])


def test_a_new_condition_is_appended_with_the_present_moment():
    (only,) = set_condition((), "Ready", True, "Good", "all is well", T0, generation=3)
    assert only.wire() == {
        "type": "Ready",
        "status": "True",
        "reason": "Good",
        "message": "all is well",
        "lastTransitionTime": "2026-03-01T12:00:00.000000Z",
        "observedGeneration": 3,
    }


@given(st.lists(st.tuples(STATUSES, st.sampled_from(["A", "B"])), min_size=1, max_size=12))
def test_the_transition_time_moves_only_with_the_status(history):
    conditions, moved, last = (), None, None
    for i, (status, reason) in enumerate(history):
        conditions = set_condition(conditions, "Ready", status, reason, f"look {i}", at(i))
        if status != last:
            moved, last = at(i), status
        (only,) = conditions
        assert (only.last_transition_time, only.reason, only.message) == (moved, reason, f"look {i}")


def test_other_conditions_keep_their_place_and_content():
    first = set_condition((), "Ready", True, "Good", "", T0)
    both = set_condition(first, "Healthy", False, "Bad", "", T0)
    after = set_condition(both, "Ready", False, "Bad", "", at(5))
    assert [c.type for c in after] == ["Ready", "Healthy"]
    assert after[1] == both[1]


def test_a_long_message_is_cut_to_what_the_schema_takes():
    (only,) = set_condition((), "Ready", True, "Good", "x" * 5000, T0)
    assert len(only.message) == 2048


def test_unknown_is_neither_true_nor_false():
    conditions = set_condition((), "Ready", "Unknown", "NotYet", "", T0)
    assert not is_true(conditions, "Ready")
    assert not is_false(conditions, "Ready")
    assert find(conditions, "Other") is None
    assert not is_false(conditions, "Other")


@pytest.mark.parametrize(
    "thing",
    [
        incident(signals=(signal(),)),
        remediation(),
        runbook(),
        policy(blastRadius={"maxCallers": 3}),
        approval(),
        watch(signals=[{"name": "errors", "metric": {"query": "up", "below": "1"}}]),
    ],
    ids=lambda thing: type(thing).__name__,
)
def test_what_is_written_is_read_back_equal(thing):
    wire = thing.wire()
    assert type(thing).model_validate(wire) == thing
    assert None not in wire["spec"].values()
    assert not any("_" in key for key in wire["spec"])


def test_unknown_fields_of_a_newer_crd_are_ignored():
    raw = runbook().wire()
    raw["spec"]["fromTheFuture"] = {"a": 1}
    assert type(runbook()).model_validate(raw) == runbook()


def test_the_list_of_resources_is_complete_and_unambiguous():
    assert len({r.plural for r in RESOURCES}) == len({r.short for r in RESOURCES}) == len(RESOURCES) == 7
    incidents = next(r for r in RESOURCES if r.kind == "Incident")
    assert incidents.path("shop", "a", "status") == "/apis/hemostat.dev/v1alpha1/namespaces/shop/incidents/a/status"
    policies = next(r for r in RESOURCES if r.kind == "GatePolicy")
    assert policies.path("shop", "a") == "/apis/hemostat.dev/v1alpha1/gatepolicies/a"


@given(st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1)), st.integers(-14 * 60, 14 * 60))  # noqa: DTZ001
def test_times_survive_the_wire_in_any_zone(naive, minutes):
    moment = naive.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert parse_time(rfc3339(moment)) == moment


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("2026-03-01T12:00:00Z", 0),
        ("2026-03-01T12:00:00.5Z", 500_000),
        ("2026-03-01T12:00:00.123456789Z", 123_456),
        ("2026-03-01T14:00:00+02:00", 0),
    ],
)
def test_every_form_of_time_that_an_api_server_writes_is_read(text, micros):
    found = parse_time(text)
    assert found == T0 + timedelta(microseconds=micros)
    assert found.tzinfo is UTC


@pytest.mark.parametrize("text", ["2026-03-01T12:00:00", "yesterday", ""])
def test_a_time_without_zone_or_sense_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011 - the words are the library's
        parse_time(text)


def test_clocks_speak_utc():
    clock = FakeClock(T0)
    assert clock.step(-5) == at(-5) == clock.now()
    assert SystemClock().now().tzinfo is UTC


@pytest.mark.parametrize(
    "path",
    ["apps/v1/namespaces/other/deployments/secret?", "../api/v1", "apps/v1/..", "v1%2Fsecrets", "apps/v1#", "/v1", ""],
)
def test_an_api_version_cannot_lead_a_request_elsewhere(path):
    with pytest.raises(ValidationError):
        TargetRef(api_version=path, name="payment")


@pytest.mark.parametrize("version", ["v1", "apps/v1", "hemostat.dev/v1alpha1", "autoscaling/v2beta2"])
def test_ordinary_api_versions_are_taken(version):
    assert TargetRef(api_version=version, name="payment").api_version == version
