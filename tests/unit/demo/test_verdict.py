import pytest

from hemostat.api.chaosexperiment import Expectation
from hemostat_chaos.experiment.verdict import Mark, Seen, judge, time_to_detect, time_to_recover

EXPECT = Expectation.model_validate(
    {
        "signal": "ErrorRate",
        "signalDeadlineSeconds": 60,
        "runbook": "bad-rollout",
        "action": "rollback",
        "resolvedDeadlineSeconds": 180,
    }
)


@pytest.fixture
def healed(make):
    incident = make.incident(
        signals=[make.signal("Latency", fired=5), make.signal("ErrorRate", fired=9)],
        runbook="bad-rollout",
        conditions=[make.condition("Resolved", "True", "Healed", 41)],
    )
    return incident, (make.remediation(make.condition("Applied", "True", "Applied", 20)),)


def seen(make, incident, remediations=(), now=42.0):
    return Seen(make.start, incident, make.moment(9.3), tuple(remediations), make.moment(now))


def marks(verdict):
    return [f.mark for f in verdict.findings]


def test_all_as_expected(make, healed):
    found = seen(make, *healed)
    verdict = judge(EXPECT, found)
    assert verdict.passed
    assert verdict.over
    assert verdict.message == (
        "ErrorRate fired after 9.0 s; Runbook bad-rollout chosen; rollback applied once; resolved after 41.0 s"
    )
    assert time_to_detect(found) == 9
    assert time_to_recover(found) == 41


def test_at_first_everything_is_waited_for(make):
    found = seen(make, None, now=30)
    verdict = judge(EXPECT, found)
    assert set(marks(verdict)) == {Mark.WAITING}
    assert not verdict.over
    assert time_to_detect(found) is None
    assert time_to_recover(found) is None


def test_no_signal_in_time_ends_it_early(make):
    verdict = judge(EXPECT, seen(make, None, now=61))
    assert verdict.over
    assert not verdict.passed
    assert "no signal ErrorRate yet, after 60 s" in verdict.message


def _missed(make, incident, remediations=(), now=42.0):
    verdict = judge(EXPECT, seen(make, incident, remediations, now))
    assert verdict.over
    assert not verdict.passed
    return verdict.message


def test_late_signal(make):
    late = make.incident(signals=[make.signal("ErrorRate", fired=70)])
    assert "fired after 70.0 s, later than 60 s" in _missed(make, late, now=71)


def test_wrong_runbook(make):
    wrong = make.incident(signals=[make.signal("ErrorRate")], runbook="saturation")
    assert "saturation chosen instead of bad-rollout" in _missed(make, wrong)


def test_wrong_action(make, healed):
    other = make.remediation(make.condition("Applied", "True", "Applied"), action="scale")
    assert "scale was applied, not rollback" in _missed(make, healed[0], [other])


def test_an_action_applied_twice(make, healed):
    twice = [make.remediation(make.condition("Applied", "True", "Applied"), attempt=n) for n in (1, 2)]
    assert "applied 2 times" in _missed(make, healed[0], twice)


def test_an_action_that_ended_without_effect(make):
    open_ = make.incident(signals=[make.signal("ErrorRate")], runbook="bad-rollout")
    denied = make.remediation(make.condition("Finished", "True", "Denied", message="by sre"))
    assert "ended as Denied: by sre" in _missed(make, open_, [denied])


def test_a_drifted_plan_is_proposed_again_and_is_no_failure(make):
    open_ = make.incident(signals=[make.signal("ErrorRate")], runbook="bad-rollout")
    drifted = make.remediation(make.condition("Finished", "True", "Drifted"))
    assert not judge(EXPECT, seen(make, open_, [drifted])).over


def test_cleared_by_itself_is_not_healed(make, healed):
    by_itself = make.incident(
        signals=[make.signal("ErrorRate")],
        runbook="bad-rollout",
        conditions=[make.condition("Resolved", "True", "ClearedByItself", 41)],
    )
    assert "resolved as ClearedByItself, not Healed" in _missed(make, by_itself, healed[1])


def test_healed_too_late(make, healed):
    late = make.incident(
        signals=[make.signal("ErrorRate")],
        runbook="bad-rollout",
        conditions=[make.condition("Resolved", "True", "Healed", 200)],
    )
    assert "resolved after 200.0 s, later than 180 s" in _missed(make, late, healed[1], now=201)


def test_never_resolved_says_what_the_incident_says(make, healed):
    stuck = make.incident(
        signals=[make.signal("ErrorRate")],
        runbook="bad-rollout",
        conditions=[make.condition("Resolved", "False", "InProgress", message="at work")],
    )
    assert "not resolved yet (InProgress: at work), after 180 s" in _missed(make, stuck, healed[1], now=181)


def test_an_action_that_made_it_worse_ends_it_at_once(make):
    open_ = make.incident(signals=[make.signal("ErrorRate")], runbook="bad-rollout")
    worse = make.remediation(
        make.condition("Applied", "True", "Applied", 20), make.condition("Finished", "True", "Worse", 40, "and undone")
    )
    assert "ended as Worse: and undone" in _missed(make, open_, [worse])
