"""The tool server: `python -m hemostat_chaos.agents.toolserver`.

| path | does |
|---|---|
| `POST /tools/NAME` `{conversation, arguments}` | uses a tool |
| `PUT /locks/NAME` `{who}` | takes a lock or renews it; answers who holds it |
| `DELETE /locks/NAME` `{who}`, `GET /locks` | gives it back; lists all |
| `GET`, `PUT /faults`, `PUT`, `DELETE /faults/CONVERSATION` | what is wrong, see :mod:`hemostat_chaos.agents.faults` |
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from typing import Any

from aiohttp import web

from hemostat_chaos.agents import telemetry
from hemostat_chaos.agents.faults import Switches
from hemostat_chaos.agents.locks import LockTable, TooManyLocks
from hemostat_chaos.agents.settings import Settings, read
from hemostat_chaos.agents.toolbox import Toolbox
from hemostat_chaos.shop.roles import Route
from hemostat_chaos.shop.tracing import Tracing, answered

NAME = "tools"
MAX_BODY = 2**20


class ToolServer:
    """Tools, locks and the faults of both."""

    def __init__(self, settings: Settings, tracing: Tracing) -> None:
        self._settings = settings
        self._tracing = tracing
        self._toolbox = Toolbox()
        self._locks = LockTable()
        self.switches = Switches()

    def application(self) -> web.Application:
        """Return the server."""
        app = web.Application(client_max_size=MAX_BODY)
        app.router.add_post("/tools/{tool}", self._use)
        app.router.add_put("/locks/{lock}", self._take)
        app.router.add_delete("/locks/{lock}", self._release)
        app.router.add_get("/locks", self._show)
        app.router.add_get("/healthz", self._healthy)
        self.switches.add_to(app)
        return app

    async def _use(self, request: web.Request) -> web.Response:
        tool, said = request.match_info["tool"], await _object(request)
        with self._tracing.server_span(Route("POST", f"/tools/{tool}"), request.headers) as span:
            conversation = str(said.get("conversation", ""))
            if tool == "build":
                await asyncio.sleep(self._settings.build_seconds)
            try:
                faults = self.switches.of(conversation)
                text = self._toolbox.use(tool, conversation, said["arguments"], faults)
            except (KeyError, TypeError, ValueError) as error:
                answered(span, 400, error_from=400)
                raise web.HTTPBadRequest(text=f"{tool}: {error!r}") from None
            answered(span, 200, error_from=400)
            return web.json_response({"text": text})

    async def _take(self, request: web.Request) -> web.Response:
        who = str((await _object(request))["who"])
        try:
            holder = self._locks.take(request.match_info["lock"], who, time.monotonic())
        except TooManyLocks as error:
            raise web.HTTPServiceUnavailable(text=str(error)) from None
        return web.json_response({"holder": holder})

    async def _release(self, request: web.Request) -> web.Response:
        self._locks.release(request.match_info["lock"], str((await _object(request))["who"]))
        return web.json_response({})

    async def _show(self, _request: web.Request) -> web.Response:
        return web.json_response(self._locks.held(time.monotonic()))

    async def _healthy(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok")


async def _object(request: web.Request) -> dict[str, Any]:
    try:
        said = json.loads(await request.read())
    except ValueError as error:
        raise web.HTTPBadRequest(text=str(error)) from None
    if not isinstance(said, dict):
        raise web.HTTPBadRequest(text="must be an object")
    return said


def main() -> None:
    """Serve until SIGTERM."""
    settings = read(os.environ)
    provider, _ = telemetry.providers(NAME, settings)
    server = ToolServer(settings, Tracing(provider))
    web.run_app(
        server.application(), host=settings.host, port=settings.port, access_log=None, shutdown_timeout=1,
        handler_cancellation=True,
    )  # fmt: skip
    provider.shutdown()


if __name__ == "__main__":
    main()
