"""What `act` tells of itself: an alert that rests on it must not fire for what is well, nor miss that nothing is."""

from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from unittest.mock import Mock

import pytest

from hemostat.act.process import Act
from hemostat.act.pulse import EVERY_SECONDS, Pulse, room
from hemostat.clock import FakeClock
from hemostat.errors import Refused
from hemostat.gate.input import Go
from hemostat.metrics import AUDIT_REFUSED, REGISTRY
from hemostat.settings import Settings

T0 = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def told(name, **labels):
    return REGISTRY.get_sample_value(name, labels)


def answered():
    return told("hemostat_api_answered_timestamp_seconds", process="act")


@pytest.mark.parametrize(
    ("go", "level"),
    [(Go(begin=True, undo=True), 0), (Go(begin=False, undo=True), 1), (Go(begin=False, undo=False), 2)],
)
def test_the_stop_switch_is_told_by_its_level(go, level):
    assert Pulse(lambda: go, Event(), None, FakeClock(T0), Mock()).look() == EVERY_SECONDS
    assert told("hemostat_stopped") == level
    assert answered() == T0.timestamp()


def test_where_the_api_server_says_nothing_what_was_known_stays_and_grows_old():
    answers, clock = [Go(begin=False, undo=True), None], FakeClock(T0)
    pulse = Pulse(lambda: answers.pop(0), Event(), None, clock, Mock())
    pulse.look()
    clock.step(300)
    pulse.look()
    assert (told("hemostat_stopped"), answered()) == (1, T0.timestamp())


def test_a_log_that_is_not_the_one_that_was_published_is_told_until_it_is():
    compared = Event()
    pulse = Pulse(lambda: None, compared, None, FakeClock(T0), Mock())
    pulse.look()
    assert told("hemostat_audit_refused") == 1
    compared.set()
    pulse.look()
    assert told("hemostat_audit_refused") == 0


def test_a_log_that_cannot_be_opened_is_told_though_there_is_no_pulse_yet(tmp_path):
    AUDIT_REFUSED.set(0)
    kube = Mock()
    kube.permitted().server_now.return_value = T0
    with pytest.raises(Refused, match="cannot be opened"):
        Act(kube, Settings(audit=str(tmp_path)))
    assert told("hemostat_audit_refused") == 1


def test_a_volume_that_cannot_be_read_has_no_room():
    size, free = room(Path("/"))
    assert 0 <= free < size
    assert room(Path("/nowhere/at/all")) == (0, 0)


def test_it_has_the_clock_compared_with_the_api_servers():
    asked = Mock()
    Pulse(lambda: None, Event(), None, FakeClock(T0), asked).look()
    asked.assert_called_once_with()
