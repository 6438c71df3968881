"""A call that never ends must cost its caller a deadline, and everybody else nothing; a breaker is told in no time."""

import threading

import pybreaker
import pytest

from hemostat.breaking import tell
from hemostat.deadline import Busy, InTime, Late


def test_it_returns_and_raises_what_the_call_does():
    calls = InTime("test", 1)
    assert calls.call(lambda: 42, 5) == 42
    with pytest.raises(ZeroDivisionError):
        calls.call(lambda: 1 // 0, 5)
    assert calls.call(lambda: None, 5, wait=5) is None


def test_what_is_late_keeps_its_place_until_it_ends():
    calls, go = InTime("test", 1), threading.Event()
    with pytest.raises(Late):
        calls.call(go.wait, 0.02)
    for wait in (None, 0.01):
        with pytest.raises(Busy):
            calls.call(lambda: 1, 0.01, wait)
    go.set()
    assert calls.call(lambda: 1, 5) == 1


def test_without_time_nothing_is_begun():
    began = []
    with pytest.raises(Busy):
        InTime("test", 1).call(lambda: began.append(1), 0)
    assert began == []


def test_a_breaker_that_is_told_counts_as_if_it_had_called():
    machine = pybreaker.CircuitBreaker(fail_max=2, reset_timeout=10**9, throw_new_error_on_trip=False)
    assert tell(machine, ValueError("a"))
    assert tell(machine, None), "a success forgives"
    assert tell(machine, ValueError("b"))
    assert machine.current_state == pybreaker.STATE_CLOSED
    assert tell(machine, ValueError("c"))
    assert machine.current_state == pybreaker.STATE_OPEN
    assert not tell(machine, None), "nobody is heard while it is open"
    assert machine.current_state == pybreaker.STATE_OPEN
