"""One message for each Incident, whatever happens; nobody is told twice; what hardly matters waits."""

from contextlib import suppress

import pytest
from tests.unit.relay.conftest import changed

from hemostat.api.incident import Severity
from hemostat.api.meta import LocalRef, set_condition
from hemostat.errors import Refused, Retry
from hemostat.relay.slack import Unsure
from hemostat.relay.threads import CALM, OVER_SECONDS, SETTLE, Threads
from hemostat.workqueue import WorkQueue

KEY = ("shop", "payment-1a2b3c4d")


class Slack:
    """A channel that keeps what it is told, and fails as told."""

    def __init__(self):
        self.messages, self.updates, self.removed, self.uploads, self.fails = [], [], [], [], []
        self.lost = []
        self.arrives = True

    def bot(self):
        return "B1"

    def _fault(self):
        if self.fails:
            raise self.fails.pop(0)

    def post(self, channel, text, blocks, **more):
        ts = f"{1000 + len(self.messages)}.0"
        message = {"ts": ts, "bot_id": "B1", "text": text, "blocks": blocks, **more}
        (self.messages if self.arrives or not self.fails else self.lost).append(message)
        self._fault()
        return ts

    def update(self, channel, ts, text, blocks, metadata):
        self._fault()
        (message,) = (m for m in self.messages if m["ts"] == ts)
        message.update(text=text, blocks=blocks, metadata=metadata)
        self.updates.append(text)

    def remove(self, channel, ts):
        self.removed.append(ts)

    def history(self, channel, oldest, latest, cursor):
        return sorted(self.messages, key=lambda m: -float(m["ts"])), ""

    def replies(self, channel, ts):
        return self.uploads

    def upload(self, channel, ts, name, title, data):
        self.uploads.append({"files": [{"name": name}]})
        self._fault()

    @property
    def roots(self):
        return [m for m in self.messages if "thread_ts" not in m]


class Cluster:
    def __init__(self, incident, remediation):
        self.known, self.proposed, self.asked = incident, remediation, 0

    def incident(self, namespace, name):
        return self.known

    def remediation(self, namespace, name):
        return self.proposed

    def risk(self, remediation):
        return "Low"

    def heard(self, remediation):
        return ""

    def deciders(self, remediation):
        self.asked += 1
        return ("ann",)


@pytest.fixture
def slack():
    return Slack()


@pytest.fixture
def cluster(incident, remediation):
    return Cluster(incident, remediation)


@pytest.fixture
def clock(remediation):
    class Clock:
        now = remediation.status.decision.time.timestamp()

        def __call__(self):
            return self.now

    return Clock()


@pytest.fixture
def threads(slack, cluster, clock):
    return Threads(slack, cluster, {"*": "C1"}, 900, clock)


def again(slack, cluster, clock):
    return Threads(slack, cluster, {"*": "C1"}, 900, clock)


def test_it_is_posted_once_and_written_over(threads, slack, cluster):
    threads.look(KEY)
    threads.look(KEY)
    assert (len(slack.roots), slack.updates) == (1, [])
    cluster.known = changed(cluster.known, severity=Severity.MAJOR)
    threads.look(KEY)
    assert len(slack.roots) == len(slack.updates) == 1


def test_after_a_restart_the_message_is_found(threads, slack, cluster, clock):
    threads.look(KEY)
    again(slack, cluster, clock).look(KEY)
    assert len(slack.roots) == 1


def test_what_only_numbers_change_waits(threads, slack, cluster, clock):
    threads.look(KEY)
    cluster.known = changed(cluster.known, summary="59 % fail")
    assert threads.look(KEY) <= CALM
    assert slack.updates == []
    clock.now += CALM + 1
    threads.look(KEY)
    assert len(slack.updates) == 1


@pytest.mark.parametrize("arrives", ["at once", "after the first look", "never"])
def test_a_post_without_an_answer_is_looked_for_before_it_is_repeated(threads, slack, clock, arrives):
    """Also one that comes after the first look, whose history stays known: it is read again when nothing may come."""
    slack.arrives, slack.fails = False, [Unsure("?")]
    with pytest.raises(Unsure):
        threads.look(KEY)
    slack.arrives = True
    if arrives == "at once":
        slack.messages += slack.lost
    else:
        with pytest.raises(Retry):  # it may still arrive
            threads.look(KEY)
    if arrives == "after the first look":
        slack.messages += slack.lost
    for _ in range(3):
        clock.now += SETTLE + 1
        with suppress(Retry):
            threads.look(KEY)
    assert len(slack.roots) == 1


def test_one_that_arrived_very_late_is_removed(threads, slack, cluster, clock):
    threads.look(KEY)
    slack.messages.append({**slack.messages[0], "ts": "2000.0"})
    again(slack, cluster, clock).look(KEY)
    other = again(slack, cluster, clock)
    other.look(KEY)
    other.look(KEY)
    assert slack.removed
    assert set(slack.removed) == {"2000.0"}


def test_slacks_word_to_wait_is_the_queues(threads, slack, monkeypatch):
    slack.arrives, slack.fails = False, [Retry("limited", 7)]
    queue = WorkQueue("threads", threads.look)
    assert queue._work(KEY) == 7
    assert slack.roots == []


def resolved(incident, when):
    return changed(incident, conditions=set_condition(incident.status.conditions, "Resolved", True, "Healed", "", when))


def test_what_is_over_and_was_never_told_is_not_told(threads, slack, cluster, remediation):
    cluster.known = resolved(cluster.known, remediation.status.decision.time)
    assert threads.look(KEY) is None
    assert slack.messages == []


def test_what_ended_while_we_were_away_is_said_to_be_over(threads, slack, cluster, clock, remediation):
    threads.look(KEY)
    cluster.known = resolved(cluster.known, remediation.status.decision.time)
    again(slack, cluster, clock).look(KEY)
    assert "resolved" in slack.roots[0]["text"]
    clock.now += OVER_SECONDS + 60
    slack.updates.clear()
    again(slack, cluster, clock).look(KEY)
    assert slack.updates == []  # nor is a channel's whole past read for what was over long ago


def test_what_belongs_to_another_incident_has_no_thread_of_its_own(threads, slack, cluster):
    cluster.known = changed(cluster.known, part_of=LocalRef(name="other"))
    assert threads.look(KEY) is None
    assert slack.messages == []


def test_who_may_decide_is_asked_once_a_minute(threads, cluster, clock):
    """It takes a review for each person, and an Incident changes many times a second."""
    for _ in range(10):
        threads.look(KEY)
    assert cluster.asked == 1
    clock.now += CALM + 1
    threads.look(KEY)
    assert cluster.asked == 2


def test_a_namespace_without_a_channel_is_not_told(slack, cluster, clock):
    assert Threads(slack, cluster, {"bank": "C1"}, 900, clock).look(KEY) is None
    assert slack.messages == []


def test_people_are_reminded_once_and_rarer_each_time_also_after_a_restart(threads, slack, cluster, clock):
    threads.look(KEY)
    start, reminded = clock.now, []
    for minute in range(1, 121):
        clock.now = start + 60 * minute
        again(slack, cluster, clock).look(KEY)
        replies = len(slack.messages) - 1
        if replies > len(reminded):
            reminded.append(minute)
    assert reminded == [15, 30, 60, 120]


def test_snoozing_puts_it_off_for_an_hour(threads, slack, cluster, clock):
    threads.look(KEY)
    threads.snooze(KEY)
    threads.look(KEY)
    assert "Nobody is reminded until" in str(slack.roots[0]["blocks"])
    clock.now += 3500
    again(slack, cluster, clock).look(KEY)
    assert len(slack.messages) == 1
    clock.now += 200
    again(slack, cluster, clock).look(KEY)
    assert len(slack.messages) == 2


def test_a_snooze_that_slack_did_not_take_is_not_lost(threads, slack, clock):
    threads.look(KEY)
    threads.snooze(KEY)
    slack.fails = [Unsure("?")]
    with pytest.raises(Unsure):
        threads.look(KEY)
    threads.look(KEY)
    assert "Nobody is reminded until" in str(slack.roots[0]["blocks"])


@pytest.fixture
def pictured(cluster, plot):
    first = cluster.known.status.evidence[0].model_copy(update={"plot": plot})
    cluster.known = changed(cluster.known, evidence=(first, *cluster.known.status.evidence[1:]))


def test_the_picture_is_there_once(threads, slack, cluster, clock, pictured):
    threads.look(KEY)
    threads.look(KEY)
    again(slack, cluster, clock).look(KEY)
    assert len(slack.uploads) == 1


def test_a_picture_that_may_be_there_is_looked_for(threads, slack, cluster, pictured):
    threads.look(KEY)
    slack.uploads.clear()
    other = threads
    other._pictures.clear()
    slack.fails = [Unsure("?")]
    other.look(KEY)  # it arrived, but the answer was lost
    other.look(KEY)
    assert len(slack.uploads) == 1


def test_a_picture_that_is_refused_hinders_nothing(threads, slack, clock, pictured):
    slack.post("C1", "x", ())  # the first call succeeds, the upload is refused
    slack.messages.clear()

    def refuse(*_):
        raise Refused("missing_scope", "no")

    slack.upload = refuse
    threads.look(KEY)
    assert len(slack.roots) == 1
    assert threads.look(KEY) is not None
