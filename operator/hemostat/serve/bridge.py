"""Hands one HTTP request to an ASGI application and returns its answer: bodies are whole, and bounded (asyncio)."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from aiohttp import web

from hemostat.errors import Retry

Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Application = Callable[[Scope, Callable[[], Awaitable[Event]], Callable[[Event], Awaitable[None]]], Awaitable[None]]
MAX_ANSWER = 1024 * 1024
_HELD_BACK = frozenset({b"authorization", b"cookie", b"content-length", b"transfer-encoding", b"connection"})
"""What the application need not know: who asks is known already."""


async def ask(application: Application, request: web.Request, body: bytes, more: Mapping[str, Any]) -> web.Response:
    """Return the application's answer.

    :param more: what else the application finds in its scope.
    Raises `Retry` where it gives none, or one that is too long.
    """
    status, headers, parts = 0, {}, bytearray()
    asked = False

    async def receive() -> Event:
        nonlocal asked
        if asked:
            await asyncio.Event().wait()  # nobody goes away before it has answered
        asked = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(event: Event) -> None:
        nonlocal status, headers
        if event["type"] == "http.response.start":
            status = event["status"]
            headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in event.get("headers", ())}
        elif event["type"] == "http.response.body":
            parts.extend(event.get("body", b""))
            if len(parts) > MAX_ANSWER:
                raise Retry(f"the answer is longer than {MAX_ANSWER} bytes")

    await application(_scope(request) | dict(more), receive, send)
    if not status:
        raise Retry("no answer was given")
    kept = {k: v for k, v in headers.items() if k.lower() not in ("content-length", "connection", "transfer-encoding")}
    return web.Response(status=status, body=bytes(parts), headers=kept)


def _scope(request: web.Request) -> dict[str, Any]:
    headers = [(k.lower(), v) for k, v in request.raw_headers if k.lower() not in _HELD_BACK]
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": request.path,
        "raw_path": request.path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": headers,
        "client": None,
        "server": None,
    }
