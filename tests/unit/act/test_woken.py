"""What `act` looks at when an Incident changes: a thousand that wait for a person are looked at seldom otherwise."""

from datetime import timedelta
from types import SimpleNamespace

import pytest
from tests.unit.builders import incident, signal

from hemostat.act.pace import patience
from hemostat.act.process import Act


def woken(**status):
    """Return the Incidents and Remediations that are looked at once this Incident changed."""
    looked: dict[str, list[tuple[str, str]]] = {"incidents": [], "remediations": []}
    act = SimpleNamespace(**{name: SimpleNamespace(add=keys.append) for name, keys in looked.items()})
    body = incident(**status)
    Act._incident(act, {"metadata": body.metadata.wire(), "status": body.status.wire()})
    return looked


NAMED = {"remediationRef": {"name": "payment-1-rollback-0-1"}}


def test_what_is_proposed_is_looked_at_once_nothing_fires_any_more():
    (place,) = woken()["incidents"]
    assert woken(**NAMED, signals=(signal(state="Clear"),)) == {
        "incidents": [place],
        "remediations": [(place[0], "payment-1-rollback-0-1")],
    }


def test_what_still_fires_changes_nothing_for_who_waits():
    assert woken(**NAMED, signals=(signal(state="Clear"), signal(state="Firing")))["remediations"] == []
    assert woken(signals=(signal(state="Clear"),))["remediations"] == []


@pytest.mark.parametrize(
    ("minutes", "crowd", "seconds"),
    [(0, 1, 5), (2, 1, 12), (600, 1, 300), (0, 1000, 300), (600, 1000, 300), (0, 5000, 1500), (0, 10**6, 3600)],
)
def test_who_waits_is_looked_at_the_later_the_longer_and_the_more_there_are(minutes, crowd, seconds):
    assert patience(timedelta(minutes=minutes), 5, 300, crowd) == seconds
