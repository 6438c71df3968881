"""Numbers hold though spans come late, twice, and before it is known to which conversation they belong."""

from hemostat.replay.numbering import Numbering
from hemostat.telemetry.steps import Basis, Operation, Source, Step

TRACE, OTHER = b"\x01" * 16, b"\x02" * 16


def step(span, started, conversation="", trace=TRACE, links=()):
    named = bool(conversation)
    return Step(
        conversation=conversation or trace.hex(),
        basis=Basis.SESSION if named else Basis.TRACE,
        service="s",
        agent="a",
        operation=Operation.TOOL,
        peer="t",
        source=Source.GENAI,
        trace=trace,
        span=bytes([span]) * 8,
        started=started,
        ended=started + 1.0,
        links=links,
    )


def filled(*steps, **bounds):
    numbering = Numbering(**bounds)
    for one in steps:
        numbering.take(one)
    return numbering


def test_steps_are_numbered_by_their_beginning_and_counted_once():
    found = filled(step(1, 10.0, "c"), step(2, 30.0, "c"), step(3, 20.0, "c"), step(3, 20.0, "c"))
    assert (found.steps, found.count(("", "c")), found.conversations) == (3, 3, 1)
    assert [found.number(("", "c"), at) for at in (10.0, 20.004, 29.0)] == [1, 2, 3]
    assert (found.count(("", "d")), found.number(("", "d"), 1.0)) == (0, 0)


def test_what_came_before_the_conversation_was_named_belongs_to_it():
    found = filled(step(1, 10.0), step(2, 20.0), step(3, 5.0, "c"))
    assert (found.count(("", "c")), found.number(("", "c"), 20.0)) == (3, 3)
    assert found.conversations == 1
    assert found.count(("", TRACE.hex())) == 0


def test_turns_in_traces_of_their_own_are_one_conversation_by_their_links():
    found = filled(step(1, 10.0), step(2, 20.0, trace=OTHER), step(3, 19.0, trace=OTHER, links=(TRACE,)))
    assert (found.count(("", TRACE.hex())), found.number(("", TRACE.hex()), 20.0)) == (3, 3)
    assert found.conversations == 1


def test_a_link_that_is_learned_late_takes_the_turns_after_it_along():
    third = b"\x03" * 16
    turns = (step(1, 10.0), step(2, 20.0, trace=OTHER), step(3, 30.0, trace=third, links=(OTHER,)))
    found = filled(*turns, step(4, 19.0, trace=OTHER, links=(TRACE,)))
    assert (found.count(("", TRACE.hex())), found.conversations) == (4, 1)


def test_two_sessions_in_one_trace_stay_two():
    found = filled(step(1, 10.0, "c"), step(2, 20.0, "d"), step(3, 30.0, "c"))
    assert (found.count(("", "c")), found.count(("", "d"))) == (2, 1)


def test_what_is_held_is_bounded_and_what_gave_way_still_counts_as_a_conversation():
    found = filled(*(step(i, float(i), f"c{i}", bytes([i]) * 16) for i in range(1, 101)), parts=10)
    assert (found.conversations, found.steps) == (100, 100)
    assert (found.count(("", "c100")), found.count(("", "c90"))) == (1, 0)
    found = filled(*(step(i, float(i), f"c{i // 50}") for i in range(100)), steps=60)
    assert (found.count(("", "c0")), found.count(("", "c1"))) == (0, 50)
