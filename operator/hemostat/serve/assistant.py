"""POST /mcp: the tools, by the official SDK of the Model Context Protocol, stateless (shell).

The SDK is imported when somebody who was let in asks first: it costs memory that most processes never need.
"""

import asyncio
import json
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from aiohttp import web
from pydantic import ValidationError

from hemostat import __version__
from hemostat.errors import HemostatError, Refused, Retry
from hemostat.metrics import VIEW_REQUESTS
from hemostat.serve import bridge, views
from hemostat.serve.answers import refusal
from hemostat.serve.door import Door
from hemostat.serve.identity import BAD, Caller
from hemostat.serve.slots import Slots
from hemostat.serve.tools import Toolbox

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

LOG = logging.getLogger(__name__)
PATH = "/mcp"
MAX_BODY = 64 * 1024
BODY_SECONDS = 5.0
ANSWER_SECONDS = 40.0
AT_ONCE, OF_ONE = 16, 4
"""Requests that are answered at once, and of one user."""
CALLER = "hemostat.caller"
INSTRUCTIONS = (
    "Hemostat heals workloads on Kubernetes. Read what is wrong (Incidents), why (evidence, call graph), what may be"
    f" done (Runbooks), and what a Watch would have noticed. Nothing can be changed here. {views.MARK}"
)


class Assistant:
    """Answers MCP clients."""

    def __init__(self, door: Door, toolbox: Toolbox) -> None:
        self._door, self._toolbox = door, toolbox
        said = f"at most {AT_ONCE} requests are answered at once, {OF_ONE} of them of one user"
        self._slots = Slots(AT_ONCE, OF_ONE, said)
        self._ready = asyncio.Lock()
        self._manager: StreamableHTTPSessionManager | None = None
        self._running: asyncio.Task[None] | None = None

    def serve(self, app: web.Application) -> None:
        """Add the endpoint. Without sessions there is nothing to GET or DELETE: 405, as the protocol has it."""
        app.router.add_post(PATH, self.take)
        app.on_cleanup.append(self._stop)

    async def take(self, request: web.Request) -> web.Response:
        """Answer one request."""
        try:
            response = await self._answer(request)
        except HemostatError as error:
            response = refusal(error)
        VIEW_REQUESTS.labels("mcp", str(response.status)).inc()
        return response

    async def _answer(self, request: web.Request) -> web.Response:
        caller = await self._door.who(request.headers.get("Authorization", ""))
        if request.headers.get("Origin"):
            raise Refused(BAD, "no web page may ask here: send no Origin")
        with self._slots.of(caller):
            body = await _body(request)
            manager = await self._started()
            try:
                answer = bridge.ask(manager.handle_request, request, body, {CALLER: caller})
                return await asyncio.wait_for(answer, ANSWER_SECONDS)
            except TimeoutError:
                raise Retry(f"no answer within {ANSWER_SECONDS:.0f} s") from None

    async def _started(self) -> "StreamableHTTPSessionManager":
        async with self._ready:
            if self._manager is None:
                manager = await asyncio.to_thread(_manager, self._toolbox)
                up = asyncio.Event()
                self._running = asyncio.create_task(_run(manager, up))
                await up.wait()
                self._manager = manager
            return self._manager

    async def _stop(self, _: web.Application) -> None:
        if self._running is not None:
            self._running.cancel()
            with suppress(asyncio.CancelledError):
                await self._running


async def _run(manager: "StreamableHTTPSessionManager", up: asyncio.Event) -> None:
    """Hold the manager's tasks: one task must begin and end them."""
    async with manager.run():
        up.set()
        await asyncio.Event().wait()


async def _body(request: web.Request) -> bytes:
    if (request.content_length or 0) > MAX_BODY:
        raise Refused(BAD, f"a request has at most {MAX_BODY} bytes")
    found = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.content.iter_chunked(16384):
                found += chunk
                if len(found) > MAX_BODY:
                    raise Refused(BAD, f"a request has at most {MAX_BODY} bytes")
    except TimeoutError:
        raise Refused(BAD, f"the request did not arrive within {BODY_SECONDS:.0f} s") from None
    return bytes(found)


def _manager(toolbox: Toolbox) -> "StreamableHTTPSessionManager":
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

    return StreamableHTTPSessionManager(
        _server(toolbox), json_response=True, stateless=True, max_request_body_size=MAX_BODY
    )


def _server(toolbox: Toolbox) -> "Server[Any]":
    import mcp_types as types
    from mcp.server.lowlevel import Server

    offered = [
        types.Tool(
            name=tool.name,
            description=tool.description,
            input_schema=tool.arguments.model_json_schema(),
            annotations=types.ToolAnnotations(read_only_hint=True, destructive_hint=False, open_world_hint=False),
        )
        for tool in toolbox.tools.values()
    ]

    async def list_tools(_context: Any, _params: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=offered)

    async def call_tool(context: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        text, wrong = await use(toolbox, context.request.scope[CALLER], params.name, params.arguments or {})
        return types.CallToolResult(content=[types.TextContent(type="text", text=text)], is_error=wrong)

    return Server(
        "hemostat", version=__version__, instructions=INSTRUCTIONS, on_list_tools=list_tools, on_call_tool=call_tool
    )


async def use(toolbox: Toolbox, caller: Caller, name: str, arguments: dict[str, Any]) -> tuple[str, bool]:
    """Use a tool as somebody; return the answer as text, and whether it says what is wrong."""
    tool = toolbox.tools.get(name)
    if tool is None:
        return f"there is no tool {name[:64]!r}; there are {', '.join(toolbox.tools)}", True
    try:
        asked = tool.arguments.model_validate_json(json.dumps(arguments), strict=True)
        return views.answer(await tool.run(caller, asked)), False
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        return f"wrong arguments: {'.'.join(map(str, first['loc']))[:128]}: {first['msg']}", True
    except HemostatError as error:
        return str(error), True
