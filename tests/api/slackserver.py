"""Slack on loopback: the methods of the Web API and the Socket Mode that `relay` uses, and misbehaviour as told.

    slack = SlackServer()
    with served(slack.application()) as url: ...   # HEMOSTAT_SLACK_API_URL is url + "/api/"
    slack.fail("chat.postMessage", Fault.LOST)     # the next such call is carried out, but its answer is lost

It refuses what Slack refuses: unknown tokens, blocks that are malformed, empty or too large, tickets that were used.
"""

import asyncio
import itertools
import json
import threading
import time
from collections import defaultdict, deque
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from aiohttp import WSMsgType, web

Json = dict[str, Any]
BOT_TOKEN, APP_TOKEN = "xoxb-1-canary-of-the-bot", "xapp-1-canary-of-the-app"
BOT, TEAM = "B0HEMOSTAT", "T0TEAM"
CHANNEL = "C0INCIDENTS"
ELEMENTS = {"rich_text_section", "rich_text_list", "rich_text_preformatted", "text", "link", "user", "broadcast"}


class Fault(Enum):
    """What happens to a call."""

    LIMITED = "429, and Retry-After: 1"
    BROKEN = "500 with a page of HTML, nothing done"
    LOST = "done, and the connection is closed without an answer"
    DROPPED = "not done, and the connection is closed without an answer"
    MUTE = "done, and no answer for a long time"
    INTERNAL = "not done: internal_error"
    FORBIDDEN = "not done: missing_scope"


class Refusal(Exception):
    """Slack's way to say no: an error with a name."""


@dataclass
class Call:
    """A call that was made."""

    method: str
    args: Json
    token: str


@dataclass
class SlackServer:
    """One workspace with one channel. Its state may be read from any thread."""

    messages: list[Json] = field(default_factory=list)
    """Of the channel, oldest first; replies have another `thread_ts`."""
    whispers: list[Json] = field(default_factory=list)
    views: list[Json] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    acked: list[Json] = field(default_factory=list)
    connections: int = 0
    down: bool = False
    """Every call is answered with 500, and no connection is opened."""

    def __post_init__(self) -> None:
        self._faults: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self._numbers = itertools.count(1)
        self._sockets: list[web.WebSocketResponse] = []
        self._tickets: set[str] = set()
        self._triggers: dict[str, float] = {}
        self._files: dict[str, Json] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._last = 0.0
        self._lock = threading.Lock()

    # --- what tests do and ask

    def fail(self, method: str, *faults: Fault) -> None:
        """Have these things happen to the next calls of the method."""
        self._faults[method].extend(faults)

    def of(self, method: str) -> list[Json]:
        """Return the arguments of every call of the method so far."""
        return [c.args for c in list(self.calls) if c.method == method]

    def roots(self, incident: str = "") -> list[Json]:
        """Return the messages that begin threads, of one Incident by its uid or of all."""
        return [
            m
            for m in list(self.messages)
            if m.get("thread_ts", m["ts"]) == m["ts"]
            and (not incident or m.get("metadata", {}).get("event_payload", {}).get("incident") == incident)
        ]

    def replies(self, ts: str) -> list[Json]:
        return [m for m in list(self.messages) if m.get("thread_ts") == ts and m["ts"] != ts]

    def press(self, message: Json, action: str, user: str, **changed: Any) -> Json:
        """Return what Slack tells when somebody presses a button of the message, as it stands there now."""
        (button,) = (
            e for b in message["blocks"] if b["type"] == "actions" for e in b["elements"] if e["action_id"] == action
        )
        return self.pressed(message, action, button["value"], user, **changed)

    def pressed(self, message: Json, action: str, value: str, user: str, **changed: Any) -> Json:
        pressed = {
            "action_id": action,
            "block_id": "x",
            "type": "button",
            "value": value,
            "action_ts": f"{time.time():.6f}",
        }
        return {
            "type": "block_actions",
            "user": {"id": user, "username": "somebody", "team_id": TEAM},
            "api_app_id": "A0",
            "team": {"id": TEAM},
            "container": {"type": "message", "message_ts": message["ts"], "channel_id": CHANNEL},
            "channel": {"id": CHANNEL, "name": "incidents"},
            "message": message,
            "trigger_id": self._trigger(),
            "response_url": "http://127.0.0.1:9/never",
            "actions": [pressed],
        } | changed

    def submit(self, view: Json, user: str, values: Json) -> Json:
        """Return what Slack tells when somebody submits a window."""
        return {
            "type": "view_submission",
            "user": {"id": user, "team_id": TEAM},
            "team": {"id": TEAM},
            "api_app_id": "A0",
            "view": {**view, "state": {"values": values}},
        }

    def tell(self, payload: Json, envelope: str = "") -> str:
        """Send it to one of the connections. Slack does so again with the same envelope until it is acknowledged."""
        envelope = envelope or f"e{next(self._numbers)}"
        self.raw(json.dumps({"envelope_id": envelope, "type": "interactive", "payload": payload}))
        return envelope

    def raw(self, text: str) -> None:
        self._run(self._sockets[-1].send_str(text))

    def cut(self) -> None:
        """Break every connection without a word."""
        for socket in list(self._sockets):
            transport = socket._req.transport if socket._req is not None else None
            if transport is not None and self._loop is not None:
                self._loop.call_soon_threadsafe(transport.abort)

    def refresh(self) -> None:
        """Ask to connect anew, as Slack does every few hours."""
        self.raw(json.dumps({"type": "disconnect", "reason": "refresh_requested"}))

    @property
    def connected(self) -> int:
        return len(self._sockets)

    def _run(self, work: Any) -> Any:
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def _trigger(self) -> str:
        trigger = f"{next(self._numbers)}.trigger"
        self._triggers[trigger] = time.monotonic()
        return trigger

    # --- HTTP

    def application(self) -> web.Application:
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/api/{method}", self._api)
        app.router.add_post("/upload/{file}", self._upload)
        app.router.add_get("/link", self._link)
        return app

    async def _api(self, request: web.Request) -> web.StreamResponse:
        self._loop = asyncio.get_running_loop()
        method = request.match_info["method"]
        args = await _arguments(request)
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.calls.append(Call(method, args, token))
        fault = Fault.BROKEN if self.down else (self._faults[method].popleft() if self._faults[method] else None)
        if fault is Fault.LIMITED:
            return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers={"Retry-After": "1"})
        if fault is Fault.BROKEN:
            return web.Response(status=500, text="<html>oh no</html>", content_type="text/html")
        if fault in (Fault.INTERNAL, Fault.FORBIDDEN):
            word = "internal_error" if fault is Fault.INTERNAL else "missing_scope"
            return web.json_response({"ok": False, "error": word})
        if fault is Fault.DROPPED:
            return await _hang_up(request)
        try:
            if token != (APP_TOKEN if method == "apps.connections.open" else BOT_TOKEN):
                raise Refusal("invalid_auth")
            answer = {"ok": True, **self._methods(request)[method](args)}
        except Refusal as refused:
            answer = {"ok": False, "error": str(refused)}
        except KeyError as missing:
            answer = {"ok": False, "error": f"unknown_method {missing}"}
        if fault is Fault.LOST:
            return await _hang_up(request)
        if fault is Fault.MUTE:
            await asyncio.sleep(60)
        return web.json_response(answer)

    def _methods(self, request: web.Request) -> Json:
        here = f"http://{request.host}"
        return {
            "auth.test": lambda _: {"bot_id": BOT, "user_id": "U0BOT", "team_id": TEAM, "url": here},
            "apps.connections.open": lambda _: {"url": f"ws://{request.host}/link?ticket={self._ticket()}"},
            "chat.postMessage": self._post,
            "chat.update": self._update,
            "chat.delete": self._delete,
            "chat.postEphemeral": self._whisper,
            "conversations.history": self._history,
            "conversations.replies": self._replies_page,
            "views.open": self._open,
            "files.getUploadURLExternal": lambda args: self._upload_url(args, here),
            "files.completeUploadExternal": self._complete,
        }

    def _ticket(self) -> str:
        ticket = f"secret-{next(self._numbers)}"
        self._tickets.add(ticket)
        return ticket

    def _post(self, args: Json) -> Json:
        _in_channel(args)
        _check_blocks(args.get("blocks", []))
        if not args.get("text") and not args.get("blocks"):
            raise Refusal("no_text")
        thread = args.get("thread_ts")
        if thread and not any(m["ts"] == thread for m in self.messages):
            raise Refusal("thread_not_found")
        kept = ("text", "blocks", "metadata", "thread_ts")
        message = {k: args[k] for k in kept if k in args} | {"ts": self._ts(), "bot_id": BOT, "type": "message"}
        self.messages.append(message)
        return {"ts": message["ts"], "channel": CHANNEL, "message": message}

    def _ts(self) -> str:
        with self._lock:
            self._last = max(time.time(), self._last + 0.000002)
            return f"{self._last:.6f}"

    def _update(self, args: Json) -> Json:
        _in_channel(args)
        _check_blocks(args.get("blocks", []))
        for message in self.messages:
            if message["ts"] == args["ts"]:
                if message.get("bot_id") != BOT:
                    raise Refusal("cant_update_message")
                message.update({k: args[k] for k in ("text", "blocks", "metadata") if k in args})
                return {"ts": args["ts"], "channel": CHANNEL}
        raise Refusal("message_not_found")

    def _delete(self, args: Json) -> Json:
        found = [m for m in self.messages if m["ts"] == args["ts"] and m.get("bot_id") == BOT]
        if not found:
            raise Refusal("message_not_found")
        self.messages.remove(found[0])
        return {}

    def _whisper(self, args: Json) -> Json:
        _in_channel(args)
        _check_blocks(args.get("blocks", []))
        self.whispers.append(args)
        return {"message_ts": self._ts()}

    def _history(self, args: Json) -> Json:
        _in_channel(args)
        oldest, latest = float(args.get("oldest") or 0), float(args.get("latest") or 1e12)
        found = [m for m in reversed(self.roots()) if oldest <= float(m["ts"]) <= latest]
        return self._page(found, args)

    def _replies_page(self, args: Json) -> Json:
        return self._page([m for m in self.messages if args["ts"] in (m["ts"], m.get("thread_ts"))], args)

    def _page(self, found: list[Json], args: Json) -> Json:
        """Return as many messages as were asked for at most, and often fewer, as Slack does."""
        begin, limit = int(args.get("cursor") or 0), min(int(args.get("limit") or 100), 3)
        hide = str(args.get("include_all_metadata", "")).lower() not in ("true", "1")
        shown = [{k: v for k, v in m.items() if not (hide and k == "metadata")} for m in found[begin : begin + limit]]
        more = begin + limit < len(found)
        return {
            "messages": shown,
            "has_more": more,
            "response_metadata": {"next_cursor": str(begin + limit) if more else ""},
        }

    def _open(self, args: Json) -> Json:
        opened = self._triggers.pop(args["trigger_id"], None)
        if opened is None or time.monotonic() - opened > 3:
            raise Refusal("expired_trigger_id")
        view = json.loads(args["view"]) if isinstance(args["view"], str) else args["view"]
        _check_blocks(view["blocks"], 100)
        if len(view.get("private_metadata", "")) > 3000 or len(view["title"]["text"]) > 24:
            raise Refusal("invalid_arguments")
        view["id"] = f"V{next(self._numbers)}"
        self.views.append(view)
        return {"view": view}

    def _upload_url(self, args: Json, here: str) -> Json:
        file = f"F{next(self._numbers)}"
        self._files[file] = {"id": file, "name": args["filename"], "length": int(args["length"])}
        return {"upload_url": f"{here}/upload/{file}", "file_id": file}

    async def _upload(self, request: web.Request) -> web.Response:
        data = await request.read()
        found = self._files[request.match_info["file"]]
        assert len(data) == found["length"]
        found["data"] = data
        return web.Response(text="OK")

    def _complete(self, args: Json) -> Json:
        files = json.loads(args["files"]) if isinstance(args["files"], str) else args["files"]
        shared = [{**self._files[f["id"]], "title": f.get("title", "")} for f in files]
        message = {"ts": self._ts(), "bot_id": BOT, "thread_ts": args["thread_ts"], "files": shared, "text": ""}
        self.messages.append(message)
        return {"files": [{"id": f["id"], "title": f["title"]} for f in shared]}

    # --- Socket Mode

    async def _link(self, request: web.Request) -> web.StreamResponse:
        ticket = request.query.get("ticket", "")
        if self.down or ticket not in self._tickets:
            return web.Response(status=404)
        self._tickets.remove(ticket)
        socket = web.WebSocketResponse(autoping=True)
        await socket.prepare(request)
        await socket.send_str(json.dumps({"type": "hello", "num_connections": 1}))
        self._sockets.append(socket)
        self.connections += 1
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self.acked.append(json.loads(message.data))
        finally:
            self._sockets.remove(socket)
        return socket


async def _arguments(request: web.Request) -> Json:
    if request.content_type == "application/json":
        text = await request.text()
        return dict(request.query) | (json.loads(text) if text else {})
    form = dict(request.query) | {k: v for k, v in (await request.post()).items() if isinstance(v, str)}
    return {k: json.loads(v) if k in ("blocks", "metadata") else v for k, v in form.items()}


async def _hang_up(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _in_channel(args: Json) -> None:
    if args.get("channel") != CHANNEL:
        raise Refusal("channel_not_found")


def _check_blocks(blocks: Any, most: int = 50) -> None:
    if not isinstance(blocks, list) or len(blocks) > most:
        raise Refusal("invalid_blocks")
    if len(json.dumps(blocks, ensure_ascii=False)) > 13_000 and most == 50:
        raise Refusal("msg_blocks_too_long")
    for block in blocks:
        if block["type"] not in ("header", "rich_text", "actions", "context", "section", "input"):
            raise Refusal("invalid_blocks")
        if block["type"] == "rich_text":
            _check_rich(block["elements"])
        if block["type"] == "header" and not 0 < len(block["text"]["text"]) <= 150:
            raise Refusal("invalid_blocks")
        if block["type"] == "actions":
            _check_actions(block["elements"])


def _check_rich(elements: Any) -> None:
    for element in elements:
        if element["type"] not in ELEMENTS or (element["type"] == "text" and not element["text"]):
            raise Refusal("invalid_blocks")
        if element["type"] != "text" and not element.get("elements", True):
            raise Refusal("invalid_blocks")
        _check_rich(element.get("elements", []))


def _check_actions(elements: list[Json]) -> None:
    if not 0 < len(elements) <= 25 or len({e["action_id"] for e in elements}) < len(elements):
        raise Refusal("invalid_blocks")
    for element in elements:
        if len(element["value"]) > 2000 or not 0 < len(element["text"]["text"]) <= 75:
            raise Refusal("invalid_blocks")
