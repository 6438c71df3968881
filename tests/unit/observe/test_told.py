"""What `observe` tells of an Incident."""

from tests.unit.builders import at

from hemostat.api.incident import MAX_TIMELINE, MAX_TOLD, TimelineEntry
from hemostat.observe.telling import told


def test_a_thing_is_told_once():
    once = told((), "detected", at(0), "it fails")
    assert [(e.id, e.time, e.by, e.message) for e in once] == [("observe/detected", at(0), "observe", "it fails")]
    assert told(once, "detected", at(9), "in other words") is once


def test_new_things_come_last():
    both = told(told((), "b", at(5), ""), "a", at(1), "")
    assert [e.id for e in both] == ["observe/b", "observe/a"]


def test_long_texts_are_cut_and_still_told_once():
    once = told((), "x" * 500, at(0), "m" * 5000)
    assert (len(once[0].id), len(once[0].message)) == (253, 1024)
    assert told(once, "x" * 500, at(0), "") is once


def test_both_processes_together_stay_within_what_the_schema_takes():
    timeline = tuple(TimelineEntry(id=f"act/{i}", time=at(i), by="act", message="") for i in range(MAX_TOLD))
    for i in range(200):
        timeline = told(timeline, f"thing/{i}", at(i), "")
    assert len(timeline) == 2 * MAX_TOLD <= MAX_TIMELINE
