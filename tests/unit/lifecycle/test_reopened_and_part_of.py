"""Trouble that comes back, and trouble whose cause is elsewhere."""

import pytest
from tests.unit.builders import at, condition, incident, remediation, signal

from hemostat.api.incident import SignalSource, SignalState
from hemostat.api.meta import find
from hemostat.clock import rfc3339
from hemostat.lifecycle import SELF_HEALED_AFTER, incident_conditions
from hemostat.signals.correlate import MAX_RETURNS

LATER = SELF_HEALED_AFTER.total_seconds()
RESOLVED = (condition("Resolved", True, "Healed", when=100), condition("Remediated", True, "Applied", when=50))
HEALED = [condition("Applied", True, "Applied"), condition("Finished", True, "Healed", when=100)]


def back(count, when, *signals, conditions=RESOLVED, **status):
    reopened = {"reopened": {"count": count, "time": rfc3339(at(when))}}
    return incident(signals=signals or (signal(),), conditions=conditions, **reopened, **status)


def said(found, kind="Resolved"):
    condition_ = find(found, kind)
    return condition_.status.value, condition_.reason


def test_trouble_that_comes_back_opens_the_incident_again():
    found = incident_conditions(back(1, 160), [remediation(status={"conditions": HEALED})], at(161))
    assert said(found) == ("False", "Reopened")
    assert said(found, "Remediated") == ("Unknown", "Reopened")
    assert find(found, "Resolved").last_transition_time == at(161)


def test_what_healed_it_the_last_time_does_not_resolve_it_this_time():
    again = back(1, 160, conditions=(condition("Resolved", False, "Reopened", when=161),))
    healed = remediation(status={"conditions": HEALED})
    assert said(incident_conditions(again, [healed], at(170))) == ("False", "Reopened")
    this_time = remediation("r-o1", status={"conditions": HEALED}, opening=1)
    assert said(incident_conditions(again, [healed, this_time], at(170))) == ("True", "Healed")


def test_a_reopening_that_was_resolved_since_is_over():
    over = back(1, 99)
    assert said(incident_conditions(over, [], at(500))) == ("True", "Healed")


def test_a_reopened_incident_still_clears_by_itself():
    clear = signal(state=SignalState.CLEAR, state_time=at(165))
    again = back(1, 160, clear, conditions=(condition("Resolved", False, "Reopened", when=161),))
    assert said(incident_conditions(again, [], at(166))) == ("False", "Reopened")
    assert said(incident_conditions(again, [], at(165 + LATER))) == ("True", "ClearedByItself")


def test_flapping_asks_a_person():
    open_ = (condition("Resolved", False, "Reopened", when=161),)
    assert said(incident_conditions(back(MAX_RETURNS, 160, conditions=open_), [], at(170))) == ("False", "Reopened")
    found = incident_conditions(back(MAX_RETURNS + 1, 160, conditions=open_), [], at(170))
    assert said(found) == ("False", "Flapping")
    assert "a person must" in find(found, "Resolved").message


PARENT_OPEN = incident("frontend-1")
PARENT_OVER = incident("frontend-1", conditions=(condition("Resolved", True, "Healed", when=200),))
PART = {"partOf": {"name": "frontend-1"}}


@pytest.mark.parametrize(
    ("state", "parent", "wanted"),
    [
        (SignalState.FIRING, PARENT_OPEN, ("False", "PartOf")),
        (SignalState.CLEAR, PARENT_OPEN, ("False", "PartOf")),
        (SignalState.FIRING, PARENT_OVER, ("False", "Open")),
        (SignalState.CLEAR, PARENT_OVER, ("True", "CauseResolved")),
        (SignalState.NO_DATA, PARENT_OVER, ("True", "CauseResolved")),
        (SignalState.NO_DATA, None, ("False", "NoData")),
    ],
)
def test_an_incident_is_resolved_with_its_cause_unless_it_still_fires(state, parent, wanted):
    part = incident(signals=(signal(state=state, state_time=at(199)),), **PART)
    assert said(incident_conditions(part, [], at(201), parent)) == wanted


def calls(caller, state, since, **more):
    fields = {"subject": f"{caller} -> payment", "state": state, "state_time": at(since), "observed_time": at(100)}
    return signal(f"calls/errors/{caller}", **(fields | more))


@pytest.mark.parametrize(
    ("others", "resolved"),
    [
        ([calls("frontend", SignalState.CLEAR, 10)], True),
        ([calls("frontend", SignalState.CLEAR, 10, source=SignalSource.PROMETHEUS)], True),
        # nobody else says that the target is well: silence is no health
        ([], False),
        ([calls("frontend", SignalState.CLEAR, 10, samples=0)], False),
        ([calls("frontend", SignalState.CLEAR, 10, observed_time=at(60))], False),
        ([calls("pods", SignalState.CLEAR, 10, source=SignalSource.WORKLOAD)], False),
        ([calls("frontend", SignalState.NO_DATA, 10)], False),
        # or somebody says that it is not
        ([calls("frontend", SignalState.CLEAR, 10), calls("batch", SignalState.FIRING, 10)], False),
        ([calls("frontend", SignalState.CLEAR, 10), calls("batch", SignalState.NO_DATA, 99)], False),
        ([calls("frontend", SignalState.CLEAR, 10), calls("cpu", SignalState.NO_DATA, 9, source="Prometheus")], False),
    ],
)
def test_a_caller_that_is_gone_holds_nothing_up_if_fresh_samples_say_that_the_target_is_well(others, resolved):
    gone = calls("checkout", SignalState.NO_DATA, 10)
    found = incident_conditions(incident(signals=(gone, *others)), [], at(100))
    assert said(found)[0] == str(resolved)


def elsewhere(state, key="checkout:calls"):
    more = {"watch_ref": {"name": "checkout"}, "target_ref": {"name": "checkout"}}
    return signal(key, state=state, state_time=at(10), observed_time=at(100), **more)


@pytest.mark.parametrize(
    ("state", "resolved"), [(SignalState.FIRING, False), (SignalState.NO_DATA, True), (SignalState.CLEAR, True)]
)
def test_a_symptom_elsewhere_holds_only_while_it_fires(state, resolved):
    own = calls("frontend", SignalState.CLEAR, 10)
    found = incident_conditions(incident(signals=(own, elsewhere(state))), [], at(100))
    assert said(found)[0] == str(resolved)


def test_symptoms_alone_never_resolve_anything():
    found = incident_conditions(incident(signals=(elsewhere(SignalState.CLEAR),)), [], at(900))
    assert said(found) == ("False", "Open")
