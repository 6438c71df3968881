"""What can be wrong, switched while it runs: with the model's provider, with a tool, with an agent's policy or locks.

All processes of the sample workload take the same document, and each minds what is its own.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Annotated

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

MAX_CONVERSATIONS = 1000


class Faults(BaseModel):
    """Faults in force; several may be. Without `scripts` those of the provider hold for all."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rate_limited: bool = False
    """Provider: answer 429 with Retry-After."""
    unavailable: bool = False
    """Provider: answer 503."""
    retry_after: Annotated[int, Field(ge=0, le=3600)] = 1
    """Seconds."""
    slow: Annotated[float, Field(ge=0, le=300)] = 0
    """Provider: seconds before the first byte."""
    endless: bool = False
    """Model: scripts never stop calling their tools."""
    growing: Annotated[int, Field(ge=0, le=500)] = 0
    """Model: words that every answer is longer than the one before, so that the context grows by more each turn."""
    scripts: Annotated[frozenset[str], Field(max_length=100)] = frozenset()
    stuck: bool = False
    """Tools: no job gets any further."""
    verbose: Annotated[int, Field(ge=0, le=20_000)] = 0
    """Tools: words of a document more than usual."""
    crossed_locks: bool = False
    """Critic: takes its locks in the other order."""
    impatient: bool = False
    """Agents: try again at once when the provider refuses, in place of waiting longer each time."""

    def of(self, script: str) -> Faults:
        """Return what of it holds for one script."""
        return self if not self.scripts or script in self.scripts else _NONE


_NONE = Faults()


class Switches:
    """Which faults are in force here: `everywhere`, or in one conversation. Of too many conversations the oldest go."""

    def __init__(self) -> None:
        self.everywhere = Faults()
        self._here: OrderedDict[str, Faults] = OrderedDict()

    def of(self, conversation: str) -> Faults:
        """Return the faults of a conversation: its own if it has any, else those of all."""
        return self._here.get(conversation, self.everywhere)

    def add_to(self, app: web.Application) -> None:
        """Add `GET`, `PUT /faults` for all conversations, and `PUT`, `DELETE /faults/CONVERSATION` for one."""
        app.router.add_get("/faults", self._show)
        app.router.add_put("/faults", self._put)
        app.router.add_put("/faults/{conversation}", self._put_here)
        app.router.add_delete("/faults/{conversation}", self._delete_here)

    async def _show(self, _request: web.Request) -> web.Response:
        here = {name: faults.model_dump(mode="json") for name, faults in self._here.items()}
        return web.json_response(self.everywhere.model_dump(mode="json") | {"conversations": here})

    async def _put(self, request: web.Request) -> web.Response:
        self.everywhere = await _read(request)
        return await self._show(request)

    async def _put_here(self, request: web.Request) -> web.Response:
        self._here[request.match_info["conversation"]] = await _read(request)
        while len(self._here) > MAX_CONVERSATIONS:
            self._here.popitem(last=False)
        return await self._show(request)

    async def _delete_here(self, request: web.Request) -> web.Response:
        self._here.pop(request.match_info["conversation"], None)
        return await self._show(request)


async def _read(request: web.Request) -> Faults:
    try:
        return Faults.model_validate_json(await request.read())
    except ValidationError as error:
        raise web.HTTPBadRequest(text=str(error)) from None
