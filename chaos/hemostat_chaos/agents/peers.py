"""Calls to other agents and tools: over HTTP, with W3C trace context, through the guard, with a deadline."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import ClientSession, ClientTimeout

from hemostat.guard import PROBLEM_STATUS, Guard, from_problem
from hemostat_chaos.agents import kinds
from hemostat_chaos.agents.held import Locks
from hemostat_chaos.agents.letter import Letter, Report
from hemostat_chaos.agents.settings import Settings
from hemostat_chaos.shop.roles import Call
from hemostat_chaos.shop.tracing import Tracing, answered, failed

ASK_SECONDS = 1800.0
SEND_SECONDS = 10.0


class PeerFailed(Exception):
    """Another agent or a tool could not do what it was asked."""


class Peers:
    """The other processes."""

    def __init__(self, settings: Settings, session: ClientSession, guard: Guard, tracing: Tracing) -> None:
        self._settings = settings
        self._session = session
        self._guard = guard
        self._tracing = tracing
        self.locks = Locks(settings, session, guard)

    async def ask(self, agent: str, letter: Letter) -> str:
        """Ask an agent and wait for the answer."""
        async with self._guard.call(agent):
            answer = await self._post(agent, "/ask", letter.model_dump(), ASK_SECONDS)
        return str(answer["text"])

    async def send(self, agent: str, letter: Letter) -> None:
        """Hand a conversation over."""
        async with self._guard.call(agent):
            await self._post(agent, "/messages", letter.model_dump(), SEND_SECONDS)

    async def use(self, tool: str, conversation: str, arguments: Mapping[str, str]) -> str:
        """Use a tool."""
        body = {"conversation": conversation, "arguments": dict(arguments)}
        async with self._guard.call(tool):
            answer = await self._post("tools", f"/tools/{tool}", body, ASK_SECONDS)
        return str(answer["text"])

    async def report(self, report: Report) -> None:
        """Tell the planner how its conversation ended: no work, so no order stops it."""
        await self._post(kinds.PLANNER, "/reports", report.model_dump(), SEND_SECONDS)

    async def _post(self, peer: str, path: str, body: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        base = self._settings.tools_url.rstrip("/") if peer == "tools" else self._settings.peer(peer)
        headers: dict[str, str] = {}
        with self._tracing.client_span(Call(peer, "POST", path), base, headers) as span:
            async with self._session.post(
                base + path, json=body, headers=headers, timeout=ClientTimeout(total=seconds)
            ) as response:
                text = await response.text()
                answered(span, response.status, error_from=400)
                if response.status == PROBLEM_STATUS and (refusal := from_problem(json.loads(text))) is not None:
                    failed(span, type(refusal).__name__)
                    raise refusal
                if response.status >= 400:
                    raise PeerFailed(f"{peer}{path}: {response.status}: {text[:300]}")
                found: dict[str, Any] = json.loads(text)
                return found
