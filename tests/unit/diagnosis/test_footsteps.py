"""What agents did last, as evidence: the order, what repeats, what is open; nothing of what they said."""

from tests.unit.signals.loops.talks import tool

from hemostat.api.incident import EvidenceKind
from hemostat.diagnosis.footsteps import footsteps
from hemostat.signals.loops.detect import Detector
from hemostat.signals.loops.trail import Trail
from hemostat.telemetry.steps import Failure, Operation


def trails_of(*steps, asked=("c",), service="team", look=(30.0,)):
    """Return what a detector remembers of these conversations once all steps have come."""
    detector = Detector()
    for step in steps:
        detector.take([step], step.started + 1.0)
    for now in look:
        detector.look(now)
    return list(detector.trails(service, set(asked), look[-1]))


def rounds(n, begin=0.0):
    """Two agents that answer each other, each time the same."""
    pairs = [("planner", "critic"), ("critic", "planner")] * n
    return [
        tool(agent=a, peer=b, operation=Operation.AGENT, start=begin + 2.0 * i, took=1.5, tokens=100, asked=7, result=9)
        for i, (a, b) in enumerate(pairs)
    ]


def test_the_order_of_the_last_steps_and_what_each_of_them_repeats():
    (trail,) = trails_of(*rounds(6))
    found = footsteps(trail, 30.0)
    assert {i.kind for i in found} == {EvidenceKind.STEP}
    assert [i.subject for i in found] == ["c", "planner -> critic", "critic -> planner"]
    assert found[0].summary == (
        "conversation c: its last 12 steps, of 2 kinds, in their order: A B A B A B A B A B A B; 1,200 tokens"
    )
    assert found[1].summary == (
        "conversation c, A: planner -> critic (Agent), 6 of 12 steps, the same arguments each time, "
        "the same result each time, 600 tokens, 1500 ms each, last 8 s ago"
    )


def test_what_differs_fails_or_is_not_sent_is_told():
    steps = rounds(6)
    steps += [tool(agent="planner", start=25.0 + i, asked=i, about=0, result=i, failed=Failure.TIMEOUT) for i in (1, 2)]
    steps += [tool(agent="planner", peer="wait", start=28.0 + i, asked=None, about=None, result=None) for i in (1, 2)]
    (trail,) = trails_of(*steps, look=(60.0,))
    said = {i.subject: i.summary for i in footsteps(trail, 60.0)}
    assert "(Tool), 2 of 16 steps, 2 different arguments, 2 different results, 2 failed" in said["planner -> search"]
    assert "2 of 16 steps, arguments not told, result not told" in said["planner -> wait"]


def test_a_long_conversation_is_told_in_a_few_bounded_items():
    noise = [tool(agent=f"a{i}", peer=f"p{i}", start=0.1 * i, took=0.05, asked=i + 1) for i in range(35)]
    (trail,) = trails_of(*noise, *rounds(6, begin=10.0), look=(40.0,))
    found = footsteps(trail, 40.0)
    assert len(trail.done) == 40
    assert len(found) <= 8
    assert len({i.key for i in found}) == len(found)


def test_what_stands_still_is_told_with_who_holds_what():
    steps = []
    for n, (who, other, lock) in enumerate((("planner", "critic", "budget"), ("critic", "planner", "plan"))):
        call = (n + 1).to_bytes(8, "big")
        steps += [
            tool(agent=who, peer=who, operation=Operation.AGENT, start=1.0, ended=None, span=call),
            tool(
                agent=who, peer=lock, operation=Operation.WAIT, start=2.0, ended=None, parent=call, awaited="lock",
                holder=other,
            ),
        ]  # fmt: skip
    (trail,) = trails_of(*steps, look=(3.0, 10.0, 20.0, 40.0))
    said = [i.summary for i in footsteps(Trail(trail.conversation, (), trail.open[2:]), 62.0)]
    assert said == [
        "conversation c: planner -> budget (Wait) is open for 1 min, held by critic",
        "conversation c: critic -> plan (Wait) is open for 1 min, held by planner",
    ]


def test_nobody_sees_conversations_in_which_he_is_in_no_trouble():
    assert trails_of(*rounds(6), service="billing") == []
    assert trails_of(*rounds(6), asked=("other",)) == []
    assert trails_of(*rounds(1)) == [], "nothing is wrong with it"
    assert footsteps(Trail("c"), 1.0) == []
