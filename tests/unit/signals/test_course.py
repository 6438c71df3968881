"""How a signal's value went: a plot that leaves out no peak and invents no point, in bounded memory."""

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.builders import at
from tests.unit.signals.test_evaluate import METRIC, answers, bad, inputs, looks

from hemostat.signals.course import MOST_COURSES, MOST_POINTS, SPAN_SECONDS, Courses, thinned
from hemostat.signals.evaluate import WatchState, look

VALUES = st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=400)


@given(VALUES, st.integers(2, 80))
def test_thinning_keeps_measured_points_in_order_and_both_extremes(values, most):
    points = [(float(n), v) for n, v in enumerate(values)]
    found = thinned(points, most)
    assert len(found) <= most
    assert set(found) <= set(points)
    assert found == sorted(found)
    assert found[-1] == points[-1]
    if most >= 4 and len(points) > 1:
        assert {min(v for _, v in found), max(v for _, v in found)} == {min(values), max(values)}


def test_a_peak_of_an_hour_of_looks_is_still_seen():
    courses = Courses()
    for n in range(1800):
        courses.note("a", 2.0 * n, 99.0 if n == 1100 else float(n % 7))
    found = courses.of("a", 3598.0)
    assert (2200.0, 99.0) in found
    assert len(found) <= MOST_POINTS
    assert 3598.0 - found[0][0] <= SPAN_SECONDS


def test_what_stays_as_it_is_takes_no_room_and_ends_when_it_was_seen_last():
    courses = Courses()
    for n in range(1000):
        courses.note("a", float(n), 5.0)
    assert courses.of("a", 1000.0) == ((0.0, 5.0), (999.0, 5.0))


def test_there_is_room_for_so_many_and_those_that_go_on_stay():
    courses = Courses()
    for time in (0.0, 1.0):
        for n in range(MOST_COURSES + 5):
            courses.note(f"s{n}", time, time)
    assert [len(courses.of(f"s{n}", 1.0)) for n in (0, MOST_COURSES - 1, MOST_COURSES)] == [2, 2, 0]
    courses.note("new", SPAN_SECONDS + 2.0, 1.0)
    assert courses.of("new", SPAN_SECONDS + 2.0), "one that ended long ago gives way"
    for odd in (float("nan"), float("inf")):
        courses.note("new", 9e9, odd)
    assert len(courses.of("new", SPAN_SECONDS + 2.0)) == 1


def test_a_call_that_begins_to_fail_has_its_course_from_before_and_its_limit():
    well = looks(inputs([bad(failures=0)]), 30)
    seen = looks(inputs([bad()]), 30, well.state, start=30)
    (firing,) = seen.firing
    course = seen.courses[firing.key]
    assert (min(course.points)[1], course.points[-1]) == (0.0, (at(59).timestamp(), 50.0))
    assert (course.low, course.high, course.unit) == (None, float(firing.threshold), "%")
    assert set(seen.courses) == {firing.key}, "of what is well there is nothing to be drawn"


def test_a_series_that_gets_a_key_of_its_own_when_it_is_wrong_has_its_course_from_before():
    state = WatchState()
    for second in range(20):
        given_ = answers(({"pod": "a"}, 1.0 + second / 10), ({"pod": "b"}, 2.0), spec=METRIC)
        state = look(METRIC, given_, state, at(second)).state
    seen = look(METRIC, answers(({"pod": "a"}, 9.0), ({"pod": "b"}, 2.0)), state, at(20))
    (course,) = seen.courses.values()
    assert [v for _, v in course.points][:3] == [1.0, 1.1, 1.2]
    assert (course.points[-1], course.high) == ((at(20).timestamp(), 9.0), 5.0)
