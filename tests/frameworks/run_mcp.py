"""The MCP Python SDK with its own instrumentation: a client and a server in one process, JSON-RPC between them."""

from typing import Any

import lab
from mcp.client.client import Client
from mcp.server.mcpserver import MCPServer

lab.begin()
SERVER = MCPServer("shop")
for tool in (lab.search, lab.price, lab.status, lab.lookup):
    SERVER.add_tool(tool)


async def call(*calls: tuple[str, dict[str, Any]]) -> None:
    # The older handshake, which goes over a stream: the newer calls the server as a function and has no client span.
    async with Client(SERVER, mode="legacy") as client:
        for name, arguments in calls:
            await client.call_tool(name, arguments)


lab.run(
    tools=lambda: call(("search", {"query": "clamps", "limit": 3}), ("price", {"item": "clamp", "currency": "EUR"})),
    repeat=lambda: call(*[("status", {"job": "42"})] * 3),
    pages=lambda: call(*[("status", {"job": str(n)}) for n in (1, 2, 3)]),
    failing=lambda: call(*[("lookup", {"key": "a"})] * 2),
    unknown=lambda: call(("nothing", {})),
)
