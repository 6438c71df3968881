"""The verdict on an action."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.action.test_orders import trouble
from tests.unit.builders import T0, at, signal

from hemostat.api.incident import SignalState
from hemostat.api.meta import LocalRef, TargetRef
from hemostat.api.runbook import Verify
from hemostat.signals.workload import WorkloadState
from hemostat.verify import FRESH, WORSE_AFTER, Verdict, VerifyInput, concerning, verdict

FIRING, CLEAR, NO_DATA = SignalState.FIRING, SignalState.CLEAR, SignalState.NO_DATA
WANTED = Verify(timeout_seconds=180, stable_seconds=10, settle_seconds=30)
READY = WorkloadState(desired=3, ready=3, updated=3, total=3, complete=True, stuck=False)
ROLLING = WorkloadState(desired=3, ready=2, updated=3, total=4, complete=False, stuck=False)


def shown(state=CLEAR, since=5.0, seen=None, first=-60.0, now=60.0, key="a"):
    observed = now if seen is None else seen
    return signal(key, state=state, state_time=at(since), observed_time=at(observed), first_fired_time=at(first))


def said(*signals, now=60.0, workload=READY):
    return verdict(VerifyInput(T0, WANTED, signals, workload, at(now)))[0]


TABLE = [
    # all is well
    ((shown(),), {}, Verdict.HEALED),
    ((shown(), shown(key="b")), {}, Verdict.HEALED),
    ((shown(since=-30),), {}, Verdict.HEALED),
    # not yet
    ((shown(FIRING),), {}, Verdict.WAIT),
    ((shown(), shown(FIRING, key="b")), {}, Verdict.WAIT),
    ((shown(NO_DATA),), {}, Verdict.WAIT),
    ((shown(since=51),), {}, Verdict.WAIT),
    ((shown(since=-30, seen=-1),), {}, Verdict.WAIT),
    ((shown(since=-30, seen=-1),), {"now": 15}, Verdict.WAIT),
    ((shown(since=-30, seen=1),), {"now": 15}, Verdict.HEALED),
    ((shown(seen=39),), {}, Verdict.WAIT),
    ((shown(now=9),), {"now": 9}, Verdict.WAIT),
    ((shown(),), {"workload": ROLLING}, Verdict.WAIT),
    ((shown(),), {"workload": None}, Verdict.WAIT),
    ((), {}, Verdict.WAIT),
    # time is up
    ((shown(FIRING, now=180),), {"now": 180}, Verdict.INEFFECTIVE),
    ((shown(now=180),), {"now": 180, "workload": ROLLING}, Verdict.INEFFECTIVE),
    ((shown(now=180),), {"now": 180}, Verdict.HEALED),
    ((shown(NO_DATA, now=180),), {"now": 180}, Verdict.UNKNOWN),
    ((shown(FIRING, now=180), shown(NO_DATA, now=180, key="b")), {"now": 180}, Verdict.UNKNOWN),
    ((shown(FIRING, seen=160),), {"now": 180}, Verdict.UNKNOWN),
    ((shown(now=180),), {"now": 180, "workload": None}, Verdict.UNKNOWN),
    ((), {"now": 180}, Verdict.UNKNOWN),
    # worse
    ((shown(), shown(FIRING, since=40, first=40, key="new")), {}, Verdict.WORSE),
    ((shown(), shown(FIRING, since=46, first=46, key="new")), {}, Verdict.WAIT),
    ((shown(), shown(FIRING, since=25, first=25, key="lagging")), {}, Verdict.WAIT),
    ((shown(), shown(FIRING, since=-5, first=-5, key="before")), {}, Verdict.WAIT),
    ((shown(), shown(NO_DATA, since=40, first=35, key="new")), {}, Verdict.WAIT),
    ((shown(now=300), shown(FIRING, since=200, first=200, now=300, key="new")), {"now": 300}, Verdict.WORSE),
    ((shown(), shown(FIRING, since=40, first=40, key="new")), {"workload": ROLLING}, Verdict.WORSE),
]


@pytest.mark.parametrize(("signals", "more", "wanted"), TABLE)
def test_verdict(signals, more, wanted):
    assert said(*signals, **more) is wanted


def test_what_fired_once_and_was_not_seen_since_proves_no_harm():
    """`observe` died: no data is for a person, and undoes nothing."""
    gone = shown(FIRING, since=40, first=40, seen=40, key="new")
    assert said(shown(now=70), gone, now=70) is Verdict.WAIT
    assert said(shown(now=180), gone, now=180) is Verdict.UNKNOWN


def test_the_reason_names_the_signal():
    _, why = verdict(VerifyInput(T0, WANTED, (shown(FIRING),), READY, at(60)))
    assert why == "ErrorRate of checkout -> payment still fires"


SIGNALS = st.builds(
    shown,
    st.sampled_from(SignalState),
    since=st.floats(-100, 400),
    seen=st.floats(-100, 400),
    first=st.floats(-100, 400),
)


@given(st.lists(SIGNALS, max_size=3), st.sampled_from([READY, ROLLING, None]), st.floats(0, 400))
def test_healed_is_never_said_without_fresh_clear_signals_and_ready_pods(signals, workload, now):
    if said(*signals, now=now, workload=workload) is Verdict.HEALED:
        assert workload is READY
        assert signals
        for s in signals:
            assert s.state is CLEAR
            assert s.observed_time > T0
            assert at(now) - s.observed_time < FRESH
            assert at(now) - s.state_time >= timedelta(seconds=10)


@given(st.lists(SIGNALS, max_size=3), st.sampled_from([READY, ROLLING, None]), st.floats(0, 400))
def test_worse_is_never_said_without_a_fresh_new_signal_that_keeps_firing(signals, workload, now):
    if said(*signals, now=now, workload=workload) is Verdict.WORSE:
        assert any(
            s.state is FIRING
            and s.first_fired_time > at(30)
            and at(now) - s.state_time >= WORSE_AFTER
            and at(now) - s.observed_time < FRESH
            for s in signals
        )


@given(st.lists(SIGNALS, max_size=3), st.sampled_from([READY, ROLLING, None]), st.floats(180, 400))
def test_when_time_is_up_something_is_said(signals, workload, now):
    assert said(*signals, now=now, workload=workload) is not Verdict.WAIT


@pytest.mark.parametrize("state", [CLEAR, FIRING])
def test_a_clock_that_is_behind_undoes_nothing(state):
    """`observe` is five minutes ahead of us: what it says is neither a verdict against the action nor for it."""
    ahead = shown(state, since=310, seen=480, first=310, now=180)
    assert said(ahead, now=180) is Verdict.UNKNOWN


def elsewhere(state, **more):
    return shown(state, key="checkout:a", **more).model_copy(
        update={"watch_ref": LocalRef(name="checkout"), "target_ref": TargetRef(name="checkout")}
    )


@pytest.mark.parametrize(
    ("signals", "now", "wanted"),
    [
        ((shown(), elsewhere(CLEAR)), 60, Verdict.HEALED),
        ((shown(), elsewhere(FIRING)), 60, Verdict.WAIT),
        # a symptom that nobody sees any more does not block for ever, nor does a stale look at it
        ((shown(), elsewhere(NO_DATA)), 60, Verdict.HEALED),
        ((shown(), elsewhere(CLEAR, seen=-9)), 60, Verdict.HEALED),
        # what still fires elsewhere while the target is well must not undo what helped the target
        ((shown(now=180), elsewhere(FIRING, now=180)), 180, Verdict.UNDECIDED),
        ((shown(FIRING, now=180), elsewhere(FIRING, now=180)), 180, Verdict.INEFFECTIVE),
        ((elsewhere(CLEAR, now=180),), 180, Verdict.UNKNOWN),
        # an action that hurts those who depend on its target made it worse
        ((shown(), elsewhere(FIRING, since=40, first=40)), 60, Verdict.WORSE),
    ],
)
def test_symptoms_elsewhere_count_while_they_fire(signals, now, wanted):
    assert said(*signals, now=now) is wanted


def test_the_message_says_where_the_symptom_is():
    facts = VerifyInput(T0, WANTED, (shown(), elsewhere(FIRING)), READY, at(60))
    assert verdict(facts)[1].startswith("ErrorRate of checkout -> payment at Deployment checkout still fires")


def reason(*signals, now=180.0, workload=READY):
    return verdict(VerifyInput(T0, WANTED, signals, workload, at(now)))


def test_a_target_that_is_well_among_others_that_are_not_is_told_with_what_was_measured_and_who_they_are():
    """ "others are not" named nobody, and NoData was not true."""
    found, why = reason(shown(now=180), elsewhere(FIRING, now=180))
    assert found is Verdict.UNDECIDED
    assert why == (
        "180 s after the action the target is well (ErrorRate of checkout -> payment: clear; 3 of 3 pods ready), "
        "but ErrorRate of checkout -> payment at Deployment checkout still fires. "
        "Nothing is taken back for it; look there for another cause"
    )


def test_what_clears_just_before_the_end_is_said_to_come_and_go():
    """Nobody else is in trouble: it was called "others are not" too."""
    found, why = reason(shown(now=180, since=175))
    assert found is Verdict.UNDECIDED
    assert "but not yet for 10 s: it comes and goes" in why


def test_without_data_it_is_named_what_is_not_seen_and_where_to_look():
    found, why = reason(shown(NO_DATA, now=180))
    assert found is Verdict.UNKNOWN
    assert "nobody can tell whether it helped: no fresh data of ErrorRate of checkout -> payment; see why" in why
    assert "the target cannot be read; see why" in reason(shown(now=180), workload=None)[1]
    assert "the Incident shows no signals" in reason()[1]


def test_what_did_not_help_and_what_harmed_is_told_with_its_numbers():
    assert reason(shown(FIRING, now=180))[1] == (
        "it did not help within 180 s: ErrorRate of checkout -> payment still fires "
        "(checkout -> payment is 40%, limit 5%)"
    )
    assert reason(shown(now=300), shown(FIRING, since=200, first=200, now=300, key="new"), now=300)[1].startswith(
        "ErrorRate of checkout -> payment began 200 s after the action and keeps firing: "
    )


def talks(*conversations, affected=None, **changed):
    return shown(FIRING, **changed).model_copy(update={"conversation": trouble(*conversations, affected=affected)})


def about(*signals):
    return said(*concerning(signals, {"c1"}))


def test_what_goes_on_in_other_conversations_says_nothing_of_the_one_it_was_about():
    """Two loops of one target: the second would make the first one's cut look useless, or worse."""
    assert about(talks("c2")) is Verdict.HEALED
    assert about(talks("c2", since=40, first=40, key="new"), shown()) is Verdict.HEALED
    assert about(talks("c1", "c2")) is Verdict.WAIT
    assert said(talks("c2")) is Verdict.WAIT


def test_what_may_be_about_it_counts():
    assert about(talks("c2", affected=17)) is Verdict.WAIT, "of 17 only some are named"
    assert about(talks("c2"), shown(FIRING, key="pods")) is Verdict.WAIT
    assert about(talks()) is Verdict.WAIT
    assert said(*concerning([talks("c2")], ())) is Verdict.WAIT
