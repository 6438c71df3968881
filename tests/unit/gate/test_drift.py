"""What differs is shown, so that who approved can see what he would approve now."""

from tests.unit.gate.test_checks import PLAN

from hemostat.action.contract import once
from hemostat.gate.drift import MAX_TOLD, drifted


def plan(**changed):
    return PLAN.model_copy(update=changed)


def test_what_would_be_done_now_stands_beside_what_was_to_be():
    old = plan(summary="scale from 3 to 6", replicas_after=6, diff='-"replicas": 3\n+"replicas": 6')
    new = plan(summary="scale from 4 to 8", replicas_after=8, diff='-"replicas": 4\n+"replicas": 8')
    told = drifted(old, new).splitlines()
    assert "- scale from 3 to 6" in told
    assert "+ scale from 4 to 8" in told
    assert '- writes: "replicas": 6' in told, "a difference of differences nobody can read"
    assert '+ takes away: "replicas": 4' in told
    assert all(line[0] in "-+" for line in told)


def test_a_change_that_cannot_be_seen_in_the_plan_is_said_too():
    assert "the same would be written" in drifted(PLAN, plan(reads_digest="sha256:" + "b" * 64))


def test_it_fits_into_a_condition():
    told = drifted(plan(diff="+a\n" * 4000), plan(diff="+" + "b" * 16000))
    assert len(told) <= MAX_TOLD
    assert told.endswith("...")


def test_an_undo_that_is_gone_is_a_difference():
    assert "nothing undoes it" in drifted(PLAN, plan(steps=once(PLAN.steps[0].forward)))
