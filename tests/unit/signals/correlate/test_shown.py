"""What an Incident shows of others, and of itself while somebody is silent."""

from tests.unit.action.test_orders import trouble
from tests.unit.builders import at
from tests.unit.signals.correlate.world import CLEAR, FIRING, NO_DATA, POD, call, incident_of, sick

from hemostat.api.watch import SignalKind
from hemostat.signals.correlate import merge, returned, shown_of

SILENT = call("checkout", "payment", state=NO_DATA)
WELL = call("frontend", "payment", state=CLEAR)


def states(found):
    return {s.key.rpartition("/")[2]: s.state for s in found}


def test_while_a_caller_is_silent_others_that_are_well_are_shown_as_witnesses():
    found = merge([SILENT], [SILENT, WELL, call("pods", "x", **(POD | {"state": CLEAR}))], now=at(5))
    assert states(found) == {"checkout->payment": NO_DATA, "frontend->payment": CLEAR}
    assert merge(found, [SILENT, WELL], now=at(6)) == found  # and they are not shown twice
    assert len(merge([WELL], [WELL, call("batch", "payment", state=CLEAR)], now=at(5))) == 1


def test_a_symptom_nobody_reports_any_more_is_silent_after_a_while():
    suspect = sick("checkout", call("frontend", "checkout"))
    shown = merge([WELL], [WELL], [suspect], at(0))
    gone = sick("checkout", call("other", "checkout", state=CLEAR))
    assert states(merge(shown, [WELL], [gone], at(19)))["frontend->checkout"] is FIRING
    assert states(merge(shown, [WELL], [gone], at(20)))["frontend->checkout"] is NO_DATA


def test_a_symptom_that_fires_and_no_longer_belongs_is_no_longer_shown():
    shown = merge([WELL], [WELL], [sick("checkout", call("frontend", "checkout"))], at(0))
    assert states(merge(shown, [WELL], [], at(1))) == {"frontend->payment": CLEAR}
    cleared = merge(shown, [WELL], [sick("checkout", call("frontend", "checkout", state=CLEAR))], at(1))
    assert states(merge(cleared, [WELL], [], at(2)))["frontend->checkout"] is CLEAR


def test_each_watch_finds_its_own_signals_again_under_the_keys_it_knows():
    suspect = sick("checkout", call("frontend", "checkout"))
    found = incident_of("payment")
    shown = merge([], [call("checkout", "payment")], [suspect], at(0))
    found = found.model_copy(update={"status": found.status.model_copy(update={"signals": shown})})
    assert shown_of(found, "checkout") == suspect.signals
    assert [s.key for s in shown_of(found, "payment")] == ["calls/errors/checkout->payment"]
    assert shown_of(found, "frontend") == ()


def test_trouble_of_another_kind_is_not_the_same_trouble_come_back():
    before = incident_of("payment", resolved=10)
    before = before.model_copy(update={"status": before.status.model_copy(update={"signals": (WELL,)})})
    print_ = before.spec.fingerprint
    again, other = call("frontend", "payment"), call("frontend", "payment", kind=SignalKind.LATENCY)
    assert returned([before], "payment", print_, [again], None, at(60)) is before
    assert returned([before], "payment", print_, [other], None, at(60)) is None
    assert returned([before], "another", print_, [again], None, at(60)) is None


def test_a_loop_of_another_conversation_is_not_the_same_trouble_come_back():
    """Seen: a new loop of the same two agents was told as one that came back, and was halted for longer."""

    def loop(*conversations, **changed):
        return call("planner", "payment", conversation=trouble(*conversations), **changed)

    before = incident_of("payment", resolved=10)
    before = before.model_copy(
        update={"status": before.status.model_copy(update={"signals": (loop("c1", state=CLEAR),)})}
    )
    print_ = before.spec.fingerprint
    assert returned([before], "payment", print_, [loop("c2")], None, at(60)) is None
    assert returned([before], "payment", print_, [loop("c2"), loop("c1")], None, at(60)) is before
    assert returned([before], "payment", print_, [loop()], None, at(60)) is before, "whose it is, is not told"
