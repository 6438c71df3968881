"""What an Incident is about may go away: it must end, and what comes after it must not wait for it."""

import pytest
from tests.unit.observe.town import Town

from hemostat.api.meta import TargetRef, find


@pytest.fixture
def town():
    town = Town(["payment"], [], lag=2)
    town.run(15)
    town.faulty = {"payment"}
    town.run(20)
    assert set(town.open()) == {"payment"}
    return town


def ended(incident):
    found = find(incident.status.conditions, "Resolved")
    return found.status.value, found.reason


def test_a_target_that_was_made_anew_gets_an_incident_of_its_own(town):
    (old,) = town.api.items
    town.uids["payment"] = "uid-anew"
    town.run(10)
    assert ended(town.api.items[old]) == ("True", "TargetReplaced")
    (new,) = town.open().values()
    assert new.metadata.name != old
    assert new.spec.target_ref.uid == "uid-anew"
    said = [e.message for e in town.api.items[old].status.timeline if "created anew" in e.message]
    assert len(said) == 1
    assert len(town.events.of("TargetReplaced")) == 1


def test_a_target_that_was_deleted_needs_nobody_any_more(town):
    (old,) = town.api.items
    town.uids["payment"] = ""
    town.run(10)
    assert ended(town.api.items[old]) == ("True", "TargetDeleted")
    assert town.open() == {}
    town.uids.clear()  # it was not deleted after all, or made anew by something that gives the same uid
    town.run(10)
    assert town.api.items[old].status.reopened.count == 1
    assert find(town.api.items[old].status.conditions, "Watched") is None


def test_a_target_that_cannot_be_seen_is_not_deleted(town):
    town.unknown = "Deployments are still being read"
    town.uids["payment"] = ""
    town.run(30)
    assert set(town.open()) == {"payment"}


def test_after_a_restart_it_ends_too(town):
    town.uids["payment"] = "uid-anew"
    town.faulty = set()
    town.restart()
    town.run(10)
    assert {ended(i) for i in town.api.items.values()} == {("True", "TargetReplaced")}


def test_a_watch_that_looks_elsewhere_lets_go(town):
    spec = town.watches["payment"].spec.model_copy(update={"target": TargetRef(name="checkout")})
    town.watches["payment"] = town.watches["payment"].model_copy(update={"spec": spec})
    town.uids["payment"] = "uid-checkout"
    (old,) = town.api.items
    town.run(10)
    assert ended(town.api.items[old]) == ("True", "Retargeted")
