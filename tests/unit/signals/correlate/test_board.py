"""What each Watch of a namespace is told, one look at a time."""

import pytest
from tests.unit.builders import at
from tests.unit.signals.correlate.world import CLEAR, call, incident_of, report

from hemostat.signals.correlate import Board, reported
from hemostat.signals.correlate.board import GROUP_WAIT, OUTLIVES, SETTLES, STORM_LIMIT
from hemostat.signals.correlate.report import MAX_REPORTED
from hemostat.telemetry.graph import CallGraph, EdgeStats

WAIT, SETTLED = GROUP_WAIT.total_seconds(), SETTLES.total_seconds()
LONG = OUTLIVES.total_seconds()


def graph(*pairs, failures=0):
    return CallGraph(60, tuple(EdgeStats(a, b, 100, failures, 0.1, ()) for a, b in pairs))


CHAIN = graph(("frontend", "checkout"), ("checkout", "payment"))


def sick(name, when):
    return report(name, call("x", name, when=when))


def well(name, when):
    return report(name, call("x", name, state=CLEAR, state_time=at(when), observed_time=at(when)))


@pytest.fixture
def board():
    """All are well, and have been heard for long."""
    board = Board()
    for name in ("frontend", "checkout", "payment"):
        board.report(report(name), at(0))
    return board


def test_after_a_start_nobody_is_blamed_before_all_were_heard():
    board = Board()
    board.report(sick("frontend", 0), at(0))
    assert board.word("frontend", CHAIN, at(0)).again is not None
    assert not board.word("frontend", CHAIN, at(SETTLED - 0.1)).opens
    assert board.word("frontend", CHAIN, at(SETTLED)).opens


def test_nor_one_whose_callee_was_heard_and_is_well():
    board = Board()
    board.report(report("payment"), at(0))
    board.report(sick("checkout", 0), at(0))
    assert not board.word("checkout", CHAIN, at(WAIT + 1)).opens
    assert board.word("checkout", CHAIN, at(SETTLED)).opens


def test_a_caller_waits_as_long_as_a_callee_may_still_turn_out_to_be_the_cause(board):
    board.report(sick("checkout", 20), at(20))
    assert not board.word("checkout", CHAIN, at(20)).opens
    assert not board.word("checkout", CHAIN, at(20 + WAIT - 0.1)).opens
    assert board.word("checkout", CHAIN, at(20 + WAIT)).opens


def test_who_calls_nobody_that_is_watched_does_not_wait(board):
    board.report(sick("payment", 20), at(20))
    assert board.word("payment", CHAIN, at(20)).opens
    board.report(sick("frontend", 30), at(30))
    assert board.word("frontend", CallGraph(60), at(30)).opens  # no call graph is known


def test_the_wait_goes_through_services_nobody_watches(board):
    board.report(sick("frontend", 20), at(20))
    through = graph(("frontend", "proxy"), ("proxy", "payment"))
    assert not board.word("frontend", through, at(20)).opens


def test_a_watch_without_data_is_not_taken_for_well():
    board = Board()
    board.report(report("payment", fresh=False), at(0))
    board.report(sick("checkout", 20), at(20))
    assert board.word("checkout", CHAIN, at(20)).opens


def test_a_quiet_watch_is_told_nothing(board):
    assert board.word("payment", CHAIN, at(20)).again is None
    assert not board.word("unheard", CHAIN, at(20)).opens


def test_blame_only_goes_from_one_that_is_part_of_nothing_to_another():
    board = Board()
    for name in "abc":
        board.report(sick(name, 0), at(20))
    board.listed([incident_of("a"), incident_of("b", part_of="c-1"), incident_of("c")], at(20))
    assert board.word("a", graph(("a", "b")), at(20)).part_of == ""  # b leads, and is part of c itself
    assert board.word("b", graph(("a", "b")), at(20)).part_of == "c-1"


def test_a_list_from_before_it_was_written_does_not_undo_a_shift():
    board = Board()
    for name in ("checkout", "payment"):
        board.report(sick(name, 0), at(20))
    before = [incident_of("checkout"), incident_of("payment")]
    board.listed(before, at(20))
    assert board.word("checkout", CHAIN, at(20)).part_of == "payment-1"
    board.listed(before, at(21))
    turned = graph(("payment", "checkout"))
    assert board.word("payment", turned, at(22)).part_of == ""  # or the two would be part of each other
    assert board.word("checkout", turned, at(22)).part_of == "payment-1"


def test_a_list_from_before_it_was_opened_does_not_open_it_again(board):
    board.report(sick("payment", 20), at(20))
    assert board.word("payment", CHAIN, at(20)).opens
    board.opened("payment", "payment-1", at(20.5))
    board.listed([], at(20.2))
    assert not board.word("payment", CHAIN, at(21)).opens
    board.listed([], at(22))  # it was deleted
    assert board.word("payment", CHAIN, at(22)).opens


def test_whom_it_stood_for_its_cause_stands_for_now(board):
    for name in ("frontend", "checkout"):
        board.report(sick(name, 20), at(20))
    board.listed([incident_of("checkout", symptoms=("frontend",))], at(20))
    board.report(sick("payment", 40), at(40))
    board.listed([incident_of("checkout", symptoms=("frontend",)), incident_of("payment")], at(40))
    assert board.word("checkout", CHAIN, at(40)).part_of == "payment-1"
    assert [s.name for s in board.word("payment", CHAIN, at(40)).symptoms] == ["checkout", "frontend"]
    assert board.word("checkout", CHAIN, at(40)).symptoms == ()


def test_a_new_process_knows_from_the_incidents_whose_symptoms_they_show():
    board = Board()
    board.listed([incident_of("payment", symptoms=("checkout",))], at(0))
    for name in ("payment", "checkout"):
        board.report(sick(name, 0), at(20))
    nobody_calls = CallGraph(60)  # everything fails: nothing is called any more
    assert not board.word("checkout", nobody_calls, at(20)).opens
    assert [s.name for s in board.word("payment", nobody_calls, at(20)).symptoms] == ["checkout"]


def test_what_outlives_its_cause_is_released(board):
    for name in ("payment", "checkout"):
        board.report(sick(name, 20), at(20))
    board.listed([incident_of("payment", symptoms=("checkout",))], at(20))
    board.report(well("payment", 30), at(30))
    for when in (40, 30 + LONG - 1):
        board.report(sick("checkout", 20), at(when))
        board.report(well("payment", 30), at(when))
        assert not board.word("checkout", CHAIN, at(when)).opens
        assert len(board.word("payment", CHAIN, at(when)).symptoms) == 1
    board.report(sick("checkout", 20), at(30 + LONG))
    board.report(well("payment", 30), at(30 + LONG))
    assert board.word("payment", CHAIN, at(30 + LONG)).symptoms == ()
    assert board.word("checkout", CHAIN, at(30 + LONG)).opens


def test_an_incident_whose_parent_is_over_stands_alone_after_a_while():
    board = Board()
    board.report(sick("checkout", 0), at(20))
    board.listed([incident_of("checkout", part_of="payment-1")], at(20))
    board.listed([incident_of("checkout", part_of="payment-1")], at(30))
    board.report(sick("checkout", 0), at(19 + LONG))
    assert board.word("checkout", CHAIN, at(19 + LONG)).part_of == "payment-1"
    assert board.word("checkout", CHAIN, at(20 + LONG)).part_of == ""


def test_the_cause_of_open_incidents_is_opened_in_a_storm_too():
    board = Board()
    names = [f"c{i}" for i in range(STORM_LIMIT)]
    for name in (*names, "other", "root"):
        board.report(sick(name, 20), at(20))
    board.report(report("root"), at(0))
    for name in names:
        assert board.word(name, CallGraph(60), at(40)).opens
    board.listed([incident_of(name) for name in names], at(40))
    assert not board.word("other", CallGraph(60), at(41)).opens
    board.report(sick("root", 41), at(41))
    assert board.word("root", graph(*((n, "root") for n in names)), at(42)).opens
    assert board.word("c0", CallGraph(60), at(41)).storm is None


def test_what_stopped_firing_is_reported_after_what_fires_and_all_within_bounds():
    calm = [call(f"a{i}", "x", state=CLEAR, observed_time=at(9)) for i in range(30)]
    never = call("never", "x", when=9, state=CLEAR, observed_time=at(9))
    found = reported([*calm, never, call("b", "x", observed_time=at(9))])
    assert len(found) == MAX_REPORTED
    assert found[0].key.endswith("b->x")
    assert never not in found


def test_a_clock_that_is_set_back_keeps_nobody_waiting_until_it_catches_up(board):
    """NTP corrects an hour: what lies in the future by then would be waited for."""
    board.report(sick("checkout", 20), at(20))
    board.report(sick("checkout", -3600), at(-3600))
    board.report(well("payment", -3600), at(-3600))
    opens = [s for s in range(60) if board.word("checkout", CHAIN, at(-3600 + s)).opens]
    assert opens
    assert opens[0] <= SETTLED


def test_strangers_who_fail_are_nobody_s_cause():
    """Anybody can send spans of services that nobody watches and that no target calls."""
    strangers = [EdgeStats(f"x{i}", f"y{i}", 50, 9, 0.1, ()) for i in range(3000)]
    board = Board()
    board.report(sick("checkout", 0), at(0))
    known = [EdgeStats("checkout", "bank", 50, 9, 0.1, ())]
    word = board.word("checkout", CallGraph(60, tuple(known + strangers)), at(SETTLED))
    assert word.opens
    assert {c.service for c in word.causes} == {"checkout", "bank"}
