"""Whatever Slack answers, or does not, is told apart: surely not done, perhaps done, never to be. No token is told."""

import logging
import threading
from http.client import RemoteDisconnected
from urllib.error import URLError

import pytest
from slack_sdk.errors import SlackApiError, SlackRequestError
from slack_sdk.web import SlackResponse

from hemostat.errors import Refused, Retry
from hemostat.relay.slack import MAX_PAUSE, Slack, Unsure, discreet, quiet_logger, token_in

TOKEN = "xoxb-12-34-secret"


def answer(status=200, data=None, headers=None):
    return SlackResponse(
        client=None, http_verb="POST", api_url="", req_args={}, data=data, headers=headers or {}, status_code=status
    )


def refused(status, data, headers=None):
    return SlackApiError("no", answer(status, data, headers))


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def slack(clock):
    return Slack("http://127.0.0.1:9/api/", lambda: TOKEN, clock)


def failing(error):
    def send():
        raise error

    return send


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (refused(200, {"ok": False, "error": "channel_not_found"}), Refused),
        (refused(200, {"ok": False, "error": "msg_blocks_too_long"}), Refused),
        (refused(200, {"ok": False, "error": "internal_error"}), Unsure),
        (refused(503, {"ok": False, "error": "service_unavailable"}), Unsure),
        (refused(500, "<html>"), Unsure),
        (SlackApiError("not JSON", {"status": 500, "body": "<html>"}), Unsure),
        (SlackApiError("not JSON", {"status": 200, "body": ""}), Unsure),
        (SlackRequestError("Failed to upload a file"), Unsure),
        (URLError("timed out"), Unsure),
        (TimeoutError(), Unsure),
        (ConnectionResetError(), Unsure),
        (RemoteDisconnected(), Unsure),
        (ValueError("half an answer"), Unsure),
    ],
)
def test_what_an_answer_means(slack, error, kind):
    with pytest.raises(kind) as raised:
        slack.call("chat.postMessage", failing(error))
    assert type(raised.value) is kind


def test_what_was_limited_was_not_done_and_is_not_asked_for_until_then(slack, clock):
    limited = refused(429, {"ok": False, "error": "ratelimited"}, {"Retry-After": "7"})
    with pytest.raises(Retry) as raised:
        slack.call("chat.update", failing(limited))
    assert (type(raised.value), raised.value.delay_seconds) == (Retry, 7.0)
    clock.now = 6.5
    with pytest.raises(Retry):  # Slack is not called at all
        slack.call("chat.update", failing(AssertionError()))
    assert slack.call("chat.postMessage", lambda: answer(data={"ok": True})) == {"ok": True}
    clock.now = 7.5
    assert slack.call("chat.update", lambda: answer(data={"ok": True})) == {"ok": True}


@pytest.mark.parametrize("given", ["", "soon", "-5", "1e9", "nan", None])
def test_however_long_slack_asks_for_it_is_bounded(slack, given):
    headers = {} if given is None else {"retry-after": given}
    with pytest.raises(Retry) as raised:
        slack.call("x", failing(refused(429, {}, headers)))
    assert 1 <= raised.value.delay_seconds <= MAX_PAUSE


def test_an_answer_that_trickles_for_ever_is_not_waited_for(slack):
    never = threading.Event()
    with pytest.raises(Unsure, match="did not answer"):
        slack.call("x", lambda: never.wait(30), seconds=0.05)
    never.set()


@pytest.mark.parametrize("data", [b"", None, []])
def test_an_answer_that_is_no_object_is_none(slack, data):
    with pytest.raises(Unsure):
        slack.call("x", lambda: answer(data=data))


def test_tokens_are_not_told(slack, caplog):
    logger = quiet_logger("hemostat.relay.test")
    with caplog.at_level(logging.DEBUG):
        logger.warning("sent %s to wss://x/link?ticket=abc-1&app=1", TOKEN)
        logger.debug("never at all")
    assert caplog.messages == ["sent *** to wss://x/link?ticket=***&app=1"]
    assert discreet(f"xapp-1-A-2 {TOKEN} xoxe.xoxp-1-a") == "*** *** ***"
    with pytest.raises(Unsure) as raised:
        slack.call("x", failing(URLError(f"Bearer {TOKEN}")))
    assert TOKEN not in str(raised.value)


def test_a_token_that_is_not_there_is_told_by_its_path(tmp_path):
    with pytest.raises(Refused, match="nowhere cannot be read"):
        token_in(str(tmp_path / "nowhere"))
    (tmp_path / "token").write_text(f" {TOKEN}\n")
    assert token_in(str(tmp_path / "token")) == TOKEN
