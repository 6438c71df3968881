"""A click is done once and answered, whatever fails on the way."""

from types import SimpleNamespace

import pytest
from tests.unit.relay.conftest import NOW

from hemostat.api.approval import Word
from hemostat.errors import Refused, Retry
from hemostat.kube import Conflict, NotFound
from hemostat.relay.clicks import Clicks
from hemostat.relay.cluster import Cluster
from hemostat.relay.payload import Click, Press
from hemostat.relay.people import Person
from hemostat.relay.slack import Unsure
from hemostat.relay.ticket import ticket
from hemostat.relay.verdict import Facts, judge


class World:
    """Cluster, Slack and threads in one: what is asked of them, and what goes wrong."""

    def __init__(self, incident, remediation):
        self.known, self.found = incident, remediation
        self.created, self.said, self.windows, self.snoozed, self.refreshed = [], [], [], [], []
        self.speaking: Exception | None = None
        self.opening: Exception | None = None
        self.telling: Exception | None = None
        self.arrived = False
        self.mapped = {"U1": Person("ann", ("sre",))}
        self.right: bool | None = True

    def people(self):
        if isinstance(self.mapped, Exception):
            raise self.mapped
        return self.mapped, []

    def incident(self, namespace, name):
        return self.known

    def remediation(self, namespace, name):
        return self.found

    def may(self, person, remediation):
        return self.right

    def approvals(self, remediation):
        return self.created

    def server_now(self):
        return NOW

    def speak(self, approval):
        if self.speaking is not None:
            raise self.speaking
        self.created.append(approval)

    def spoken(self, approval):
        return self.arrived

    def channel(self, namespace):
        return "C1"

    def snooze(self, key):
        self.snoozed.append(key)

    def window(self, trigger, view):
        if self.opening is not None:
            raise self.opening
        self.windows.append(view)

    def whisper(self, channel, user, text, blocks):
        if self.telling is not None:
            raise self.telling
        self.said.append(blocks[0]["elements"][0]["elements"][0]["text"])


@pytest.fixture
def world(incident, remediation):
    return World(incident, remediation)


@pytest.fixture
def clicks(world):
    return Clicks(world, world, world, world.refreshed.append, lambda: 1000.0)


@pytest.fixture
def click(incident, remediation):
    def made(press=Press.APPROVE, **changed):
        fields = {"user": "U1", "channel": "C1", "ts": "1.0", "at": 1000.0, "id": "a1", "trigger": "t"}
        return Click(press=press, ticket=ticket(incident, remediation), **(fields | changed))

    return made


def test_a_click_becomes_one_approval_however_often_it_is_told(world, clicks, click):
    for _ in range(3):
        clicks.handle(click())
    assert [a.spec.approver for a in world.created] == ["ann"]
    (said,) = world.said
    assert said.startswith("Approved by ann as Approval ")
    assert world.refreshed == [("shop", "payment-1a2b3c4d")]


def test_a_submission_that_is_told_again_later_is_the_same(world, clicks, click):
    """Slack does not say when a window was sent: the same one has another time of arrival."""
    for at in (1000.0, 1004.0):
        clicks.handle(click(Press.DENY, reason="no", id="V1", at=at))
    assert [a.spec.decision for a in world.created] == [Word.DENY]
    assert len(world.said) == 1


@pytest.mark.parametrize(("arrived", "words"), [(True, "Approved by ann"), (False, "it is taken once")])
def test_an_api_server_that_does_not_answer(world, clicks, click, arrived, words):
    world.speaking, world.arrived = Retry("POST: no answer"), arrived
    clicks.handle(click())
    assert words in world.said[0]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (Conflict("POST /x: exists"), "You have said so already"),
        (Refused("Forbidden", "POST /x: the user must hold the RBAC verb approve on this Remediation"), "rolebinding"),
        (Refused("Forbidden", "POST /x: spec.planHash must be the present status.planHash"), "the plan has changed"),
    ],
)
def test_what_the_api_server_says_is_passed_on(world, clicks, click, error, words):
    world.speaking = error
    clicks.handle(click())
    assert words in world.said[0]
    assert world.refreshed  # the message may be out of date


@pytest.mark.parametrize("press", [Press.APPROVE, Press.DENY, Press.SNOOZE])
@pytest.mark.parametrize(
    "wrong",
    [
        {"mapped": {}},
        {"mapped": Refused("NoPeople", "the people cannot be read")},
        {"mapped": {"U1": Person("system:serviceaccount:hemostat-system:hemostat-observe")}},
        {"found": None},
        {"right": False},
        {"right": None},
    ],
)
def test_whatever_is_wrong_nothing_is_done_and_it_is_said(world, clicks, click, press, wrong):
    for name, value in wrong.items():
        setattr(world, name, value)
    clicks.handle(click(press))
    assert (world.created, world.snoozed, len(world.said)) == ([], [], 1)


def test_windows_are_opened_and_those_that_come_too_late_are_said_to(world, clicks, click):
    clicks.handle(click(Press.EXPLAIN, id="1"))
    clicks.handle(click(Press.ASK_REASON, id="2"))
    assert [view["title"]["text"] for view in world.windows] == ["Explain", "Deny"]
    assert world.said == []
    world.opening = Refused("expired_trigger_id", "no")
    clicks.handle(click(Press.EXPLAIN, id="3"))
    assert "click again" in world.said[0]


def test_a_stranger_opens_no_window(world, clicks, click):
    clicks.handle(click(Press.EXPLAIN, user="U2"))
    assert (world.windows, len(world.said)) == ([], 1)


def test_an_answer_that_cannot_be_given_is_not_a_failure(world, clicks, click):
    world.telling = Unsure("?")
    clicks.handle(click())
    assert len(world.created) == 1


# --- How the Approval reaches the API server


class Kube:
    def __init__(self, impersonation, own="", who=""):
        self.impersonation, self.own, self.who, self.made = impersonation, own, who, []

    def acting_as(self, user, groups):
        other = Kube(self.impersonation, self.impersonation, f"{user}/{','.join(groups)}")
        other.made = self.made
        return other

    def create(self, path, body, manager):
        if self.own:
            raise Refused("Forbidden", self.own)
        self.made.append((self.who, body["spec"]["via"], body["metadata"].get("labels")))


@pytest.fixture
def approval(incident, remediation):
    facts = Facts(Person("ann", ("sre",)), remediation, may=True, approvals=(), now=NOW)
    return judge(Word.APPROVE, "", ticket(incident, remediation), facts)


LABELS = {"hemostat.dev/via": "Slack"}


def test_as_the_person_where_it_is_let(approval, tmp_path):
    kube = Kube("")
    Cluster(SimpleNamespace(server_now=None, acting_as=kube.acting_as, create=kube.create), str(tmp_path)).speak(
        approval
    )
    assert kube.made == [("ann/sre", "Slack", LABELS)]


def test_in_its_own_name_where_it_is_not(approval, tmp_path):
    kube = Kube('users "ann" is forbidden: cannot impersonate resource "users"')
    Cluster(SimpleNamespace(server_now=None, acting_as=kube.acting_as, create=kube.create), str(tmp_path)).speak(
        approval
    )
    assert kube.made == [("", "Slack", LABELS)]


def test_what_the_person_may_not_do_is_not_tried_in_our_own_name(approval, tmp_path):
    """Else a person without the right would be passed on to a weaker check."""
    kube = Kube("the user must hold the RBAC verb approve on this Remediation")
    cluster = Cluster(SimpleNamespace(server_now=None, acting_as=kube.acting_as, create=kube.create), str(tmp_path))
    with pytest.raises(Refused, match="verb approve"):
        cluster.speak(approval)
    assert kube.made == []


def test_people_are_read_from_a_mounted_map(tmp_path):
    (tmp_path / "U1").write_text("ann\nsre\n")
    (tmp_path / "..data").write_text("x")
    (tmp_path / "U2").write_text("y" * 100_000)
    found, wrong = Cluster(SimpleNamespace(server_now=None), str(tmp_path)).people()
    assert (found, len(wrong)) == ({"U1": Person("ann", ("sre",))}, 1)
    with pytest.raises(Refused, match="hemostat-people"):
        Cluster(SimpleNamespace(server_now=None), str(tmp_path / "nowhere")).people()


def test_a_right_that_cannot_be_asked_about_is_unknown(remediation, tmp_path):
    def create(*_):
        raise NotFound("no")

    cluster = Cluster(SimpleNamespace(server_now=None, create=create), str(tmp_path))
    assert cluster.may(Person("ann"), remediation) is None
    for status, allowed in (({"allowed": True}, True), ({"allowed": True, "denied": True}, False), ({}, False)):
        answered = SimpleNamespace(server_now=None, create=lambda *_, s=status: {"status": s})
        assert Cluster(answered, str(tmp_path)).may(Person("ann"), remediation) is allowed
