"""Debouncing: what fires, what clears, and what silence means."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.builders import T0, at, signal

from hemostat.api.incident import SignalSource, SignalState
from hemostat.api.watch import SignalKind
from hemostat.signals.base import STALE_SECONDS, Debounced, Observation, Timing, decimal, publish, resumed, step

FIRING, CLEAR, NO_DATA = SignalState.FIRING, SignalState.CLEAR, SignalState.NO_DATA
TIMING = Timing(for_seconds=4, clear_seconds=8)
WRONG, RIGHT, SILENT = True, False, None


def seen(wrong):
    return Observation("k", "calls", SignalKind.ERROR_RATE, SignalSource.TRACES, "a -> b", wrong, value=1.0)


def run(looks, old=None, every=1.0, start=0.0, timing=TIMING):
    """Return the state after every look."""
    out, state = [], old or Debounced()
    for i, wrong in enumerate(looks):
        state = step(timing, state, seen(wrong), at(start + i * every))
        out.append(state)
    return out


def states(looks, **more):
    return [s.state for s in run(looks, **more)]


def test_it_fires_after_the_time_and_not_before():
    assert states([WRONG] * 6) == [CLEAR] * 4 + [FIRING] * 2


def test_it_clears_after_the_time_and_not_before():
    firing = run([WRONG] * 5)[-1]
    assert states([RIGHT] * 10, old=firing, start=5) == [FIRING] * 8 + [CLEAR] * 2


def test_one_right_look_starts_the_time_over():
    assert FIRING not in states([WRONG, WRONG, WRONG, RIGHT] * 5)


def test_one_wrong_look_keeps_it_firing():
    firing = run([WRONG] * 5)[-1]
    assert set(states(([RIGHT] * 7 + [WRONG]) * 3, old=firing, start=5)) == {FIRING}


def test_no_time_at_all_decides_at_the_first_look():
    assert states([WRONG, RIGHT], timing=Timing(0, 0)) == [FIRING, CLEAR]


def test_short_silence_changes_nothing_and_long_silence_is_no_data():
    firing = run([WRONG] * 5)[-1]
    silent = int(STALE_SECONDS)
    assert states([SILENT] * (silent + 2), old=firing, start=5) == [FIRING] * silent + [NO_DATA] * 2
    assert states([SILENT] * (silent + 2)) == [CLEAR] * silent + [NO_DATA] * 2


def test_trouble_survives_a_short_silence_and_health_does_not():
    firing = run([WRONG] * 5)[-1]
    assert FIRING in states([WRONG, SILENT, WRONG, SILENT, WRONG])
    assert FIRING not in states([WRONG, WRONG, *[SILENT] * (int(STALE_SECONDS) + 1), WRONG, WRONG])
    assert CLEAR not in states([RIGHT] * 7 + [SILENT] + [RIGHT] * 7, old=firing, start=5)


@given(st.lists(st.sampled_from([WRONG, RIGHT, SILENT]), max_size=80), st.sampled_from([0.5, 1.0, 3.0]))
def test_clear_is_reached_by_right_looks_alone(looks, every):
    """No run of looks makes a signal Clear that was not, unless the last looks were right for the whole time."""
    state = Debounced()
    right_for = 0.0
    for i, wrong in enumerate(looks):
        before, state = state, step(TIMING, state, seen(wrong), at(i * every))
        right_for = right_for + every if wrong is RIGHT and i and looks[i - 1] is RIGHT else 0.0
        if state.state is CLEAR and before.state is not CLEAR:
            assert wrong is RIGHT
            assert right_for >= TIMING.clear_seconds
        if state.state is not before.state and before.state_time is not None:
            assert state.state_time == at(i * every)


def test_after_silence_the_whole_time_must_pass_again():
    silent = run([SILENT] * 25)[-1]
    assert silent.state is NO_DATA
    assert states([RIGHT] * 10, old=silent, start=30) == [NO_DATA] * 8 + [CLEAR] * 2
    assert states([WRONG] * 6, old=silent, start=30) == [NO_DATA] * 4 + [FIRING] * 2


def test_a_signal_that_clears_and_fires_again_began_again():
    looks = [WRONG] * 5 + [RIGHT] * 9 + [WRONG] * 5
    history = run(looks)
    assert history[4].first_fired == at(4)
    assert history[13].state is CLEAR
    assert history[-1].first_fired == at(18)


def test_a_signal_that_clears_falls_silent_and_fires_again_began_again():
    """Else the new trouble would bear the name of the old, resolved Incident."""
    silence = int(STALE_SECONDS) + 1
    history = run([WRONG] * 5 + [RIGHT] * 9 + [SILENT] * silence + [WRONG] * 5)
    assert history[13 + silence].state is NO_DATA
    assert history[-1].state is FIRING
    assert history[-1].first_fired == at(13 + silence + 5)


def test_a_signal_that_falls_silent_while_it_fires_and_fires_on_is_the_same_one():
    silence = int(STALE_SECONDS) + 1
    history = run([WRONG] * 5 + [SILENT] * silence + [WRONG] * 5)
    assert [s.state for s in (history[4], history[4 + silence], history[-1])] == [FIRING, NO_DATA, FIRING]
    assert history[-1].first_fired == at(4)


@given(st.lists(st.tuples(st.sampled_from([WRONG, RIGHT, SILENT]), st.integers(-3600, 3600)), max_size=40))
def test_a_clock_that_steps_anywhere_breaks_nothing(looks):
    state, now = Debounced(), T0
    for wrong, jump in looks:
        now += timedelta(seconds=jump)
        state = step(TIMING, state, seen(wrong), now)
        status = publish(seen(wrong), state, now)
        assert status.state is state.state
        assert state.state is not FIRING or state.first_fired is not None


def test_a_clock_that_is_set_back_fires_and_clears_neither_early_nor_an_hour_late():
    state = Debounced()
    for seconds in (3600, 0, 3):
        state = step(TIMING, state, seen(WRONG), at(seconds))
        assert state.state is CLEAR
    state = step(TIMING, state, seen(WRONG), at(4))
    assert state.state is FIRING
    for seconds in (4, -3600):
        state = step(TIMING, state, seen(RIGHT), at(seconds))
        assert state.state is FIRING
    assert step(TIMING, state, seen(RIGHT), at(-3600 + TIMING.clear_seconds)).state is CLEAR


def test_a_signal_is_taken_up_where_the_last_process_left_it():
    status = signal(state=FIRING, first_fired_time=at(-60), state_time=at(-60), value="40", threshold="5")
    state, observation = resumed(status)
    assert (state.state, state.first_fired, state.state_time) == (FIRING, at(-60), at(-60))
    assert (observation.key, observation.wrong, observation.threshold) == (status.key, None, 5.0)
    after = step(TIMING, state, observation, at(1))
    assert publish(observation, after, at(1)).first_fired_time == at(-60)
    assert step(TIMING, after, replace(observation, wrong=RIGHT), at(2)).state is FIRING


@pytest.mark.parametrize("state", [FIRING, NO_DATA])
def test_a_resumed_signal_that_fires_on_is_the_same_one(state):
    before, observation = resumed(signal(state=state, first_fired_time=at(-60), state_time=at(-60)))
    now = before
    for seconds in range(6):
        now = step(TIMING, now, replace(observation, wrong=WRONG), at(seconds))
    assert (now.state, now.first_fired) == (FIRING, at(-60))


def test_a_resumed_signal_that_had_cleared_begins_again():
    state, observation = resumed(signal(state=CLEAR, first_fired_time=at(-600), state_time=at(-60)))
    wrong = replace(observation, wrong=WRONG)
    fired = step(TIMING, step(TIMING, state, wrong, at(0)), wrong, at(4))
    assert (fired.state, fired.first_fired) == (FIRING, at(4))


def test_what_is_published_fits_the_schema():
    observation = replace(seen(WRONG), key="k" * 600, subject="s" * 300, value=1e300, threshold=-1e-12)
    status = publish(observation, Debounced(), T0)
    assert (len(status.key), len(status.subject)) == (512, 256)
    assert (status.first_fired_time, status.state_time, status.observed_time) == (T0, T0, T0)
    assert float(status.value) == 1e14
    assert float(status.threshold) == 0


@given(st.none() | st.floats(allow_nan=False))
def test_every_number_is_a_decimal_near_enough(value):
    text = decimal(value)
    if value is None:
        assert text is None
    else:
        assert signal(value=text).value == text  # the pattern of the schema holds
        assert float(text) == pytest.approx(max(-1e14, min(1e14, value)), rel=1e-3, abs=1e-6)


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (-0.0, "0"), (100.0, "100"), (0.25, "0.25"), (1000.0, "1000"), (10.0, "10")]
)
def test_numbers_are_written_as_people_write_them(value, text):
    assert decimal(value) in (text, f"-{text}" if value == 0 else text)


def test_while_it_fires_it_says_what_was_wrong_last_and_not_how_it_looks_meanwhile():
    """A person reads it while it clears: `0% of 34 calls fail` is no reason for an Incident."""
    bad, good = replace(seen(WRONG), value=60.0, note="60% fail"), replace(seen(RIGHT), value=0.0, note="0% fail")
    state = step(Timing(0, 8), Debounced(), bad, at(0))
    for second, look in ((1, good), (2, replace(good, wrong=SILENT, note="no calls")), (3, good)):
        state = step(TIMING, state, look, at(second))
        assert (state.state, state.shown(look)) == (FIRING, bad)
    state = step(TIMING, state, good, at(11))
    assert (state.state, state.shown(good)) == (CLEAR, good)


def test_a_new_process_still_says_what_was_wrong():
    state, observation = resumed(signal(state=FIRING, value="60", message="60% fail", samples=50, severity="Major"))
    state = step(TIMING, state, replace(observation, wrong=RIGHT, value=0.0, note="0% fail"), at(1))
    shown = state.shown(observation)
    assert (shown.note, shown.value, shown.samples, shown.stated) == ("60% fail", 60.0, 50, "Major")
    silent, _ = resumed(signal(state=NO_DATA, message="no calls"))
    assert silent.trouble is None
