"""The connection by which Slack tells of clicks: Socket Mode, by slack-bolt (shell).

It goes outwards: no port is open to the world. What is not acknowledged, because we were away, Slack sends again.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from slack_bolt import Ack, App
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.socket_mode import SocketModeClient

from hemostat.errors import HemostatError, Retry
from hemostat.metrics import CONNECTED
from hemostat.relay.message import Button
from hemostat.relay.modals import DENIAL
from hemostat.relay.payload import Click, pressed, submitted
from hemostat.relay.slack import Slack, quiet_logger

LOG = logging.getLogger(__name__)
MAX_WAITING, MAX_MESSAGE = 256, 256 * 1024
"""Of envelopes, and characters of one: a click is a few thousand. What is dropped is not acknowledged."""
PING_SECONDS = 5.0
"""A connection that is silent for four times as long is given up."""
FIRST, LONGEST = 1.0, 60.0
"""Seconds between attempts to connect."""
CLOSE_SECONDS = 5.0


class _Client(SocketModeClient):
    """slack-sdk's, with bounds."""

    def __init__(self, slack: Slack, token: Callable[[], str], ping: float) -> None:
        self._slack, self._fresh_token = slack, token
        super().__init__(
            app_token="",
            logger=quiet_logger("hemostat.relay.socket-mode"),
            web_client=slack.client,
            ping_interval=ping,
            concurrency=4,
        )

    def issue_new_wss_url(self) -> str:
        """Ask for the address of a connection: good once. Raises as `Slack.call` does."""
        token = self._fresh_token()
        opened = self._slack.call(
            "apps.connections.open", lambda: self.web_client.apps_connections_open(app_token=token)
        )
        url = opened.get("url")
        if not isinstance(url, str) or not url:
            raise Retry("apps.connections.open: the answer has no url")
        return url

    def enqueue_message(self, message: str) -> None:
        """Take an envelope, unless there are too many or it is too large."""
        if self.message_queue.qsize() >= MAX_WAITING or len(message) > MAX_MESSAGE:
            LOG.warning("a message of %d characters from Slack was passed over", len(message))
            return
        super().enqueue_message(message)


class _Handler(SocketModeHandler):
    """slack-bolt's, with our client."""

    def __init__(self, app: App, client: SocketModeClient) -> None:
        self.app, self.app_token, self.client = app, "", client
        client.socket_mode_request_listeners.append(self.handle)  # type: ignore[arg-type]


class Connection:
    """Keeps connected, and hands on clicks.

    :param take: is given each click, which is acknowledged then.
    """

    def __init__(
        self,
        slack: Slack,
        token: Callable[[], str],
        take: Callable[[Click], None],
        ping: float = PING_SECONDS,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._slack, self._token, self._take, self._ping, self._now = slack, token, take, ping, now
        self._stopped = threading.Event()
        self._client: _Client | None = None

    async def start(self) -> None:
        """Begin to connect. Slack may be away: nothing waits for it."""
        threading.Thread(target=self._connect, name="slack-connect", daemon=True).start()

    async def stop(self) -> None:
        """Close, in bounded time."""
        self._stopped.set()
        client = self._client
        if client is not None:
            closer = threading.Thread(target=client.close, name="slack-close", daemon=True)
            closer.start()
            await asyncio.to_thread(closer.join, CLOSE_SECONDS)

    def _connect(self) -> None:
        """Connect for the first time; from then on the library connects anew whenever it has to."""
        self._client = client = _Client(self._slack, self._token, self._ping)
        CONNECTED.labels(to="Slack").set_function(client.is_connected)
        _Handler(self._app(), client)
        wait = FIRST
        while not self._stopped.is_set():
            try:
                client.connect()
            except HemostatError as error:
                LOG.warning("no connection to Slack: %s", error)
            else:
                LOG.info("connecting to Slack")
                return
            self._stopped.wait(wait)
            wait = min(2 * wait, LONGEST)

    def _app(self) -> App:
        app = App(
            name="hemostat",
            logger=quiet_logger("hemostat.relay.bolt"),
            client=self._slack.client,
            authorize=_ourselves,
            request_verification_enabled=False,  # of HTTP; here the connection itself is Slack's
            listener_executor=ThreadPoolExecutor(4, "slack-listener"),
        )
        for button in Button:
            app.action(button.value)(self._pressed)
        app.view(DENIAL)(self._submitted)
        return app

    def _pressed(self, ack: Ack, body: dict[str, Any]) -> None:
        bot = self._slack.bot()  # first: where it fails, Slack tells who clicked that it failed
        ack()
        self._hand_on(pressed(body, bot))

    def _submitted(self, ack: Ack, body: dict[str, Any]) -> None:
        ack()
        self._hand_on(submitted(body, self._now()))

    def _hand_on(self, click: Click | None) -> None:
        if click is None:
            LOG.warning("a click that cannot be read was passed over")
        else:
            self._take(click)


def _ourselves(**_: Any) -> AuthorizeResult:
    """Bolt is not to call Slack by itself: it only sorts what arrives."""
    return AuthorizeResult(enterprise_id=None, team_id=None, bot_token="-")  # noqa: S106 - it stands for none
