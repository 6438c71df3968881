"""Replicas on machines whose clocks differ agree on how long ago something was announced."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.builders import T0, at

from hemostat.act.servertime import ServerClock
from hemostat.clock import FakeClock
from hemostat.errors import Retry


class Machine:
    """One that runs `act`: its clock is wrong by so many seconds, and the API server needs so long to answer."""

    def __init__(self, wrong=0.0, slow=0.0):
        self.passed, self.slow, self.asked, self.frozen = 1000.25, slow, 0, 0.0
        self.local = FakeClock(at(1000.25 + wrong))
        self.clock = ServerClock(self.answer, self.local, lambda: self.passed)

    def answer(self):
        """The time when it was asked, in whole seconds."""
        self.asked += 1
        told = self.true().replace(microsecond=0)
        self.passed += self.slow
        return told

    def wait(self, seconds):
        self.passed += seconds

    def true(self):
        return at(self.passed + self.frozen)

    def off(self):
        """By how many seconds its idea of the time is wrong."""
        return (self.clock.now() - self.true()).total_seconds()


@given(st.floats(-1e6, 1e6), st.floats(0, 4), st.floats(0, 1e5))
def test_however_wrong_its_clock_is_two_seconds_and_the_answer_are_the_most_it_is_off(wrong, slow, later):
    machine = Machine(wrong, slow)
    machine.wait(later)
    machine.clock.set()
    assert abs(machine.off()) <= 2 + slow


@pytest.mark.parametrize("wrong", [0.0, 0.4, -0.4])
def test_a_clock_that_agrees_is_not_made_coarser(wrong):
    machine = Machine(wrong)
    for _ in range(5):
        machine.wait(30.3)
        machine.clock.set()
        assert machine.off() == pytest.approx(wrong, abs=1e-5)


def test_a_clock_that_is_set_while_it_runs_changes_nothing():
    machine = Machine()
    machine.local.step(3600)
    machine.wait(5)
    assert machine.off() == pytest.approx(0, abs=1e-5)


def test_a_machine_that_stood_still_learns_what_time_it_is():
    machine = Machine()
    machine.frozen = 600.0
    assert machine.off() == pytest.approx(-600)
    machine.clock.set()
    assert abs(machine.off()) < 1


def test_nothing_is_asked_for_the_time_itself():
    machine = Machine()
    asked = machine.asked
    for _ in range(10):
        machine.clock.now()
    assert machine.asked == asked == 1


def test_an_answer_that_took_long_says_nothing():
    """This process was stopped between, for example."""
    machine = Machine()
    machine.slow = 100.0
    machine.clock.set()
    assert machine.off() == pytest.approx(0, abs=1e-5)


def test_without_the_api_server_it_does_not_begin():
    def silent():
        raise Retry("no answer")

    with pytest.raises(Retry):
        ServerClock(silent, FakeClock(T0), lambda: 0.0)


def test_two_machines_agree_on_the_age_of_what_one_of_them_announced():
    ahead, behind = Machine(wrong=600.0), Machine(wrong=-600.0)
    announced = behind.clock.now()
    for machine in (ahead, behind):
        machine.wait(20)
    assert abs(ahead.clock.now() - announced - timedelta(seconds=20)) < timedelta(seconds=4)
