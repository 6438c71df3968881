"""Slack's Web API by slack-sdk: every call ends in time, and says whether it may have been carried out (shell)."""

import logging
import re
import threading
import time
from collections.abc import Callable, Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any

from slack_sdk.errors import SlackApiError, SlackRequestError
from slack_sdk.web import SlackResponse, WebClient

from hemostat.deadline import Busy, InTime, Late
from hemostat.errors import Refused, Retry

Json = dict[str, Any]
SOCKET_SECONDS, CALL_SECONDS, UPLOAD_SECONDS = 5, 12.0, 30.0
"""For one read or write; for a whole call, however slowly it is answered; for the three requests of an upload."""
MOST_CALLS = 8
MAX_PAUSE = 300.0
"""However long Slack asks to be left alone, it is asked again after this."""
_LIMITED = frozenset({"ratelimited", "rate_limited"})
_UNSURE = frozenset({"internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org"})
_TODO = {
    "invalid_auth": "the token is not valid: see HEMOSTAT_SLACK_BOT_TOKEN_FILE and HEMOSTAT_SLACK_APP_TOKEN_FILE",
    "not_authed": "the token file is empty",
    "token_revoked": "the token was revoked: install the app anew",
    "account_inactive": "the app was removed from the workspace: install it anew",
    "missing_scope": "the app lacks a scope: see operator/deploy/slack/app-manifest.yaml",
    "channel_not_found": "invite the app to the channel of HEMOSTAT_SLACK_CHANNELS, which must be its id",
    "not_in_channel": "invite the app to the channel of HEMOSTAT_SLACK_CHANNELS",
    "is_archived": "the channel of HEMOSTAT_SLACK_CHANNELS is archived",
}
_SECRET = re.compile(r"\b(?:xox[a-z]|xapp|xwfp)[-.][\w.-]+|(?<=ticket=)[^&\s\"']+")


class Unsure(Retry):
    """Slack did not answer, or not clearly: what was asked may have been done."""


class Discreet(logging.Filter):
    """Takes tokens and the tickets of connections out of what is logged."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let it pass, without them."""
        record.msg, record.args = discreet(record.getMessage()), None
        if record.exc_info is not None:
            record.exc_info = None  # its text may quote a request
        return True


def discreet(text: str) -> str:
    """Return the text without tokens."""
    return _SECRET.sub("***", text)


def quiet_logger(name: str) -> logging.Logger:
    """Return a logger for the libraries: warnings and errors, whatever else is set, and nothing that is secret."""
    logger = logging.getLogger(name)
    logger.setLevel(logging.WARNING)
    if not any(isinstance(f, Discreet) for f in logger.filters):
        logger.addFilter(Discreet())
    return logger


def token_in(path: str) -> str:
    """Read a token; anew for every call, for it may rotate. Raises `Refused`."""
    try:
        return Path(path).read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise Refused("NoToken", f"the Slack token in {path} cannot be read: {type(error).__name__}") from None


class Slack:
    """Calls as our bot. Thread-safe."""

    def __init__(self, url: str, token: Callable[[], str], clock: Callable[[], float] = time.monotonic) -> None:
        self._token, self._clock = token, clock
        self.client = WebClient(
            base_url=url,
            timeout=SOCKET_SECONDS,
            logger=quiet_logger("hemostat.relay.slack-sdk"),
            retry_handlers=[],  # the queues try again, and know what may be done twice
        )
        self._calls = InTime("slack", MOST_CALLS)
        self._open_at: dict[str, float] = {}
        self._lock = threading.Lock()
        self._bot = ""

    def bot(self) -> str:
        """Return the id of our bot, by which its messages are known."""
        if not self._bot:
            self._bot = str(self.call("auth.test", self.client.auth_test)["bot_id"])
        return self._bot

    def post(self, channel: str, text: str, blocks: tuple[Json, ...], **more: Any) -> str:
        """Post a message and return its ts."""
        asked = {"channel": channel, "text": text, "blocks": list(blocks), **_AS_IT_IS, **more}
        return str(self.call("chat.postMessage", lambda: self.client.chat_postMessage(**asked))["ts"])

    def update(self, channel: str, ts: str, text: str, blocks: tuple[Json, ...], metadata: Json) -> None:
        """Write a message over."""
        asked: Json = {"channel": channel, "ts": ts, "text": text, "blocks": list(blocks), "metadata": metadata}
        self.call("chat.update", lambda: self.client.chat_update(parse="none", link_names=False, **asked))

    def whisper(self, channel: str, user: str, text: str, blocks: tuple[Json, ...]) -> None:
        """Say something that only one person sees."""
        asked: Json = {"channel": channel, "user": user, "text": text, "blocks": list(blocks)}
        self.call("chat.postEphemeral", lambda: self.client.chat_postEphemeral(parse="none", link_names=False, **asked))

    def remove(self, channel: str, ts: str) -> None:
        """Remove a message of ours."""
        self.call("chat.delete", lambda: self.client.chat_delete(channel=channel, ts=ts))

    def window(self, trigger: str, view: Json) -> None:
        """Open a window for whoever just clicked."""
        self.call("views.open", lambda: self.client.views_open(trigger_id=trigger, view=view))

    def upload(self, channel: str, ts: str, name: str, title: str, data: bytes) -> None:
        """Put a picture into a thread."""

        def send() -> SlackResponse:
            return self.client.files_upload_v2(
                filename=name, title=title, alt_txt=title, content=data, channel=channel, thread_ts=ts
            )

        self.call("files.upload", send, UPLOAD_SECONDS)

    def history(self, channel: str, oldest: float, latest: str, cursor: str) -> tuple[list[Json], str]:
        """Return a page of a channel's messages, newest first, and the cursor of the next page or an empty text."""
        asked: Json = {
            "channel": channel,
            "oldest": f"{oldest:.6f}",
            "latest": latest or None,
            "cursor": cursor or None,
        }

        def send() -> SlackResponse:
            return self.client.conversations_history(include_all_metadata=True, limit=200, inclusive=True, **asked)

        return _page(self.call("conversations.history", send))

    def replies(self, channel: str, ts: str) -> list[Json]:
        """Return the first messages of a thread."""
        asked = self.call(
            "conversations.replies", lambda: self.client.conversations_replies(channel=channel, ts=ts, limit=200)
        )
        return _page(asked)[0]

    def call(self, method: str, send: Callable[[], SlackResponse], seconds: float = CALL_SECONDS) -> Mapping[str, Any]:
        """Carry out a call. Raises `Retry` if it surely was not, `Unsure` if it may have been, `Refused` if it never
        will be.
        """
        with self._lock:
            left = self._open_at.get(method, 0.0) - self._clock()
        if left > 0:
            raise Retry(f"Slack asked to be left alone with {method}", left)
        self.client.token = self._token()
        try:
            answer = self._calls.call(send, seconds)
        except Busy:
            raise Retry("too many calls to Slack are under way") from None
        except Late:
            raise Unsure(f"Slack did not answer {method} within {seconds:g} s") from None
        except SlackApiError as error:
            raise self._said(method, error) from None
        except (SlackRequestError, OSError, HTTPException, ValueError) as error:
            raise Unsure(f"{method}: {type(error).__name__}: {discreet(str(error))[:300]}") from None
        data: Any = answer.data
        if not isinstance(data, dict):
            raise Unsure(f"{method}: the answer is no JSON object")
        return data

    def _said(self, method: str, error: SlackApiError) -> Retry | Refused:
        answer: Any = error.response
        status = int(getattr(answer, "status_code", 0) or (answer.get("status", 0) if isinstance(answer, dict) else 0))
        data = getattr(answer, "data", answer)
        word = str(data.get("error", "")) if isinstance(data, dict) else ""
        if status == 429 or word in _LIMITED:
            pause = _pause(getattr(answer, "headers", None))
            with self._lock:
                self._open_at[method] = self._clock() + pause
            return Retry(f"Slack asked to be left alone with {method}", pause)
        if status >= 500 or word in _UNSURE or not word:
            return Unsure(f"{method}: Slack answered {status} {word}".rstrip())
        return Refused(
            word, f"Slack refuses {method}: {word}; {_TODO.get(word, 'see docs.slack.dev/reference/methods')}"
        )


_AS_IT_IS: Json = {"mrkdwn": False, "parse": "none", "link_names": False, "unfurl_links": False, "unfurl_media": False}
"""Nothing in a text is to be taken for more than text."""


def _page(answer: Mapping[str, Any]) -> tuple[list[Json], str]:
    messages, more = answer.get("messages"), answer.get("response_metadata")
    cursor = more.get("next_cursor") if isinstance(more, dict) else ""
    found = [m for m in messages if isinstance(m, dict)] if isinstance(messages, list) else []
    return found, cursor if isinstance(cursor, str) else ""


def _pause(headers: Any) -> float:
    given = next((v for k, v in dict(headers or {}).items() if str(k).lower() == "retry-after"), "")
    text: Any = given[0] if isinstance(given, list) and given else given
    try:
        return min(max(1.0, float(text)), MAX_PAUSE)  # in this order "nan" is 1
    except (TypeError, ValueError):
        return 30.0
