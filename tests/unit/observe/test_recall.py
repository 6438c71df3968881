"""A new process takes a Watch's signals up from the Incident that shows them, its own or that of its cause."""

from tests.unit.builders import at, watch
from tests.unit.signals.correlate.world import call, incident_of, sick

from hemostat.observe.memory import recall
from hemostat.signals.correlate import merge


def test_symptoms_are_recalled_from_the_incident_of_their_cause():
    found = incident_of("payment")
    shown = merge([], [call("checkout", "payment")], [sick("checkout", call("frontend", "checkout"))], at(0))
    found = found.model_copy(update={"status": found.status.model_copy(update={"signals": shown})})
    assert list(recall(watch("payment"), [found], at(9)).state.signals) == ["calls/errors/checkout->payment"]
    caller = recall(watch("checkout"), [found], at(9))
    assert list(caller.state.signals) == ["calls/errors/frontend->checkout"]
    assert caller.incident
    assert not recall(watch("ads"), [found], at(9)).incident
