"""A click is heard, or who clicked is told; whether any can be heard is measured."""

import asyncio

import pytest
from slack_sdk import WebClient

from hemostat.errors import Retry
from hemostat.metrics import REGISTRY
from hemostat.relay.connection import Connection


class Slack:
    """Answers with these, one after the other; then the connection is stopped."""

    def __init__(self, *answers):
        self.client, self.answers, self.connection = WebClient(), list(answers), None

    def bot(self):
        raise Retry("auth.test failed")

    def call(self, method, send):
        answer = self.answers.pop(0)
        if not self.answers:
            self.connection._stopped.set()  # a wait ends at once
        return answer


def connect(*answers):
    slack = Slack(*answers)
    slack.connection = made = Connection(slack, lambda: "xapp-1-A-2", lambda click: None)
    try:
        made._connect()
    finally:
        asyncio.run(made.stop())
    return made


@pytest.mark.parametrize("answer", [{"ok": True}, {"url": ""}, {"url": 1}])
def test_an_answer_without_an_address_does_not_end_the_attempts(answer, caplog):
    """The process would be ready, and hear of no click any more."""
    connect(answer)
    assert "no connection to Slack: apps.connections.open: the answer has no url" in caplog.text


def test_whether_it_is_connected_is_measured():
    made = connect({"ok": True})
    assert _measured() == 0
    made._client.current_session = type("Session", (), {"is_active": lambda _: True})()
    assert _measured() == 1


def _measured():
    return REGISTRY.get_sample_value("hemostat_connected", {"to": "Slack"})


def test_a_click_that_cannot_be_read_now_is_not_acknowledged():
    """Slack tells who clicked that it failed. An acknowledged one would be lost, and nobody told."""
    acknowledged, taken = [], []
    connection = Connection(Slack(), lambda: "", taken.append)
    with pytest.raises(Retry):
        connection._pressed(lambda: acknowledged.append(1), {})
    assert (acknowledged, taken) == ([], [])
