"""Slack's history is the record of which message is about which Incident."""

import pytest

from hemostat.errors import Retry
from hemostat.relay.history import MAX_PAGES, PAGES_AT_ONCE, History
from hemostat.relay.mark import Mark, Root


class Channel:
    """Pages of two messages each, newest first."""

    def __init__(self, *messages):
        self.messages, self.asked, self.fails = list(messages), [], 0

    def bot(self):
        return "B1"

    def history(self, channel, oldest, latest, cursor):
        self.asked.append((oldest, latest, cursor))
        if self.fails and len(self.asked) == self.fails:
            raise Retry("not now")
        found = [m for m in self.messages if oldest <= float(m["ts"]) <= float(latest or 1e12)]
        found.sort(key=lambda m: -float(m["ts"]))
        begin = int(cursor or 0)
        return found[begin : begin + 2], str(begin + 2) if begin + 2 < len(found) else ""


def find(history, incident, since):
    """Look as often as the queue would."""
    for _ in range(100):
        try:
            return history.find("C1", incident, since)
        except Retry:
            continue
    raise AssertionError("it never ends")


def mark(incident="i1"):
    return Mark(incident=incident, namespace="shop", name=incident)


def message(ts, incident="i1", **changed):
    return {"ts": str(ts), "bot_id": "B1", "metadata": mark(incident).metadata()} | changed


def test_a_message_is_found_behind_others_and_read_once():
    channel = Channel(message(100), *({"ts": str(200 + i), "text": "hm"} for i in range(7)))
    history = History(channel)
    assert history.find("C1", "i1", 50).ts == "100"
    pages = len(channel.asked)
    assert history.find("C1", "i1", 50).ts == "100"
    assert history.find("C1", "i2", 60) is None
    assert len(channel.asked) == pages


def test_further_back_only_what_is_missing_is_read():
    channel = Channel(message(100, "old"), message(300, "new"))
    history = History(channel)
    assert history.find("C1", "old", 200) is None
    assert history.find("C1", "old", 50).ts == "100"
    assert channel.asked[-1][1] == "300"  # from where it had come to


def test_what_was_begun_is_gone_on_with_after_a_fault():
    channel = Channel(*(message(100 + i, f"i{i}") for i in range(6)))
    channel.fails = 3
    history = History(channel)
    with pytest.raises(Retry):
        history.find("C1", "i0", 50)
    assert history.find("C1", "i0", 50).ts == "100"
    assert history.find("C1", "i5", 50).ts == "105"


def test_of_two_about_one_incident_the_older_counts_and_the_other_is_spare_once():
    history = History(Channel(message(100), message(101), message(102)))
    assert history.find("C1", "i1", 50).ts == "100"
    assert {history.spare("C1"), history.spare("C1")} == {"101", "102"}
    assert history.spare("C1") is None


def test_after_forgetting_it_is_read_again():
    """A post whose answer was lost may be there by now."""
    channel = Channel()
    history = History(channel)
    assert history.find("C1", "i1", 50) is None
    channel.messages.append(message(100))
    assert history.find("C1", "i1", 50) is None
    history.forget("C1")
    assert history.find("C1", "i1", 50).ts == "100"


def test_others_messages_with_our_mark_are_not_ours():
    assert History(Channel(message(100, bot_id="B2"))).find("C1", "i1", 50) is None


def test_reading_is_bounded():
    channel = Channel(*({"ts": str(100 + i)} for i in range(MAX_PAGES * 2 + 50)))
    assert find(History(channel), "i1", 50) is None
    assert len(channel.asked) == MAX_PAGES


def test_a_long_history_is_read_in_parts_and_nothing_is_posted_meanwhile():
    channel = Channel(message(100), *({"ts": str(200 + i)} for i in range(30)))
    history = History(channel)
    with pytest.raises(Retry):
        history.find("C1", "i1", 50)
    assert len(channel.asked) == PAGES_AT_ONCE
    assert find(history, "i1", 50).ts == "100"


def test_what_was_posted_is_known():
    history = History(Channel())
    history.put("C1", Root("100", mark()))
    assert history.find("C1", "i1", 50).ts == "100"
