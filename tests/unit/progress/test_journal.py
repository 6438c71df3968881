"""Steps are numbered once, kept within bounds, and whoever is too far behind is told so."""

import pytest
from tests.unit.builders import T0, at, condition, incident

from hemostat.clock import rfc3339
from hemostat.progress import journal as module
from hemostat.progress.journal import Journal
from hemostat.progress.step import Stage, Step


def asked(message="turn 1"):
    return Step(Stage.DIAGNOSIS, "Asked", message, "logs")


def trouble(*ids, conditions=(), name="payment-1"):
    timeline = [{"id": i, "time": rfc3339(at(n)), "by": i.split("/")[0], "message": ""} for n, i in enumerate(ids)]
    return incident(name, timeline=timeline, conditions=conditions)


OVER = condition("Resolved", True, "Healed", when=50)


@pytest.fixture
def journal():
    return Journal(lambda: T0)


def test_steps_have_numbers_without_gaps_and_a_time(journal):
    journal("u", asked())
    journal("u", asked("turn 2"))
    page = journal.after("u", "", 0)
    assert [(t.number, t.time, t.step.message) for t in page.told] == [(1, T0, "turn 1"), (2, T0, "turn 2")]
    assert not page.lost


def test_who_comes_back_gets_what_he_missed_and_nothing_twice(journal):
    for n in range(5):
        journal("u", asked(str(n)))
    epoch = journal.after("u", "", 0).epoch
    page = journal.after("u", epoch, 3)
    assert ([t.number for t in page.told], page.lost) == ([4, 5], False)
    assert journal.after("u", epoch, 5).told == ()


@pytest.mark.parametrize(("epoch", "number"), [("another", 3), (None, 99)])
def test_a_number_of_another_telling_gets_all_that_is_kept_and_hears_that_it_is_not_his(journal, epoch, number):
    journal("u", asked())
    mine = journal.after("u", "", 0).epoch
    page = journal.after("u", epoch or mine, number)
    assert ([t.number for t in page.told], page.lost) == ([1], True)


def test_who_is_too_far_behind_is_told_that_something_is_missing(journal):
    for n in range(module.MAX_STEPS + 10):
        journal("u", asked(str(n)))
    page = journal.after("u", journal.after("u", "", 0).epoch, 3)
    assert page.lost
    assert [page.told[0].number, len(page.told)] == [11, module.MAX_STEPS]


def test_an_incident_that_is_read_again_tells_nothing_twice(journal):
    journal.heard(trouble("observe/detected"))
    journal.heard(trouble("observe/detected", "observe/diagnosed"))
    journal.heard(trouble("observe/detected", "observe/diagnosed"))
    assert [t.step.what for t in journal.after("uid-payment-1", "", 0).told] == ["Opened", "Diagnosed"]


def test_of_incidents_long_over_only_the_place_is_kept(journal):
    journal.heard(trouble("observe/detected", conditions=[OVER]))
    assert journal.after("uid-payment-1", "", 0).told == ()
    assert journal.place("uid-payment-1") == ("shop", "payment-1")


def test_one_that_was_followed_tells_how_it_ended(journal):
    journal.heard(trouble("observe/detected"))
    journal.heard(trouble("observe/detected", conditions=[OVER]))
    page = journal.after("uid-payment-1", "", 0)
    assert (page.told[-1].step.what, page.over) == ("Resolved", True)
    journal.heard(trouble("observe/detected", "observe/reopened/1"))
    assert not journal.after("uid-payment-1", "", 0).over


def test_who_follows_is_woken_by_each_step_until_he_leaves(journal):
    woken = []
    leave = journal.follow("u", lambda: woken.append(1))
    journal("u", asked())
    journal("other", asked())
    leave()
    journal("u", asked())
    assert woken == [1]


def test_that_nothing_is_new_wakes_nobody_and_writes_nothing():
    changed = []
    journal = Journal(lambda: T0, changed.append)
    journal.heard(trouble("observe/detected"))
    woken = []
    journal.follow("uid-payment-1", lambda: woken.append(1))
    journal.heard(trouble("observe/detected"))
    assert (woken, changed) == ([], ["uid-payment-1"])


def test_the_incident_that_was_silent_for_longest_gives_way_but_not_one_that_is_followed(journal):
    journal("followed", asked())
    journal.follow("followed", lambda: None)
    for n in range(module.MAX_INCIDENTS):
        journal(f"u{n}", asked())
    assert [len(journal.after(u, "", 0).told) for u in ("followed", "u0", "u1")] == [1, 0, 1]


def test_everything_that_grows_has_a_bound(journal, monkeypatch):
    monkeypatch.setattr(module, "MAX_PLACES", 3)
    monkeypatch.setattr(module, "MAX_KEYS", 3)
    for n in range(10):
        journal.heard(trouble("observe/detected", f"observe/signal/{n}", name=f"i{n}"))
        journal("u", Step(Stage.DIAGNOSIS, "Asked", "x" * 1000, "y" * 1000, key=str(n)))
    assert sum(journal.place(f"uid-i{n}") is not None for n in range(10)) == 3
    assert {(len(t.step.message), len(t.step.by)) for t in journal.after("u", "", 0).told} == {(256, 63)}


def test_the_present_step_is_what_people_see(journal):
    assert journal.present("u") is None
    journal("u", asked())
    journal("u", Step(Stage.DETECTION, "SymptomSeen", ""))
    assert journal.present("u").step.what == "Asked"
