"""An agent's HTTP side."""

from __future__ import annotations

import asyncio
import json
from typing import TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from hemostat.guard import PROBLEM_HEADERS, PROBLEM_STATUS, Refusal, from_problem
from hemostat_chaos.agents import kinds
from hemostat_chaos.agents.board import AlreadyRunning
from hemostat_chaos.agents.faults import Switches
from hemostat_chaos.agents.letter import Conversation, Kind, Letter, Report
from hemostat_chaos.agents.planner import Planner, TooManyRunning
from hemostat_chaos.agents.worker import Worker
from hemostat_chaos.shop.roles import Route
from hemostat_chaos.shop.tracing import Tracing, answered

MAX_BODY = 2**20
MAX_OPEN = 64
_Body = TypeVar("_Body", bound=BaseModel)


class _Begin(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    conversation: Conversation
    kind: Kind


class Serving:
    """The routes; they answer 503 until `start`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.switches = Switches()
        self._parts: tuple[Worker, Planner | None, Tracing] | None = None
        self._open: set[asyncio.Task[None]] = set()

    def application(self) -> web.Application:
        """Return the server."""
        app = web.Application(client_max_size=MAX_BODY)
        app.router.add_post("/ask", self._ask)
        app.router.add_post("/messages", self._message)
        app.router.add_get("/readyz", self._ready)
        if self._name == kinds.PLANNER:
            app.router.add_post("/conversations", self._begin)
            app.router.add_get("/conversations", self._show)
            app.router.add_post("/reports", self._report)
        self.switches.add_to(app)
        return app

    def start(self, worker: Worker, planner: Planner | None, tracing: Tracing) -> None:
        """Begin to take work."""
        self._parts = worker, planner, tracing

    def stop(self) -> None:
        """Let go of what was taken over."""
        self._parts = None
        for task in self._open:
            task.cancel()

    @property
    def _worker(self) -> Worker:
        return self._get()[0]

    @property
    def _planner(self) -> Planner:
        planner = self._get()[1]
        assert planner is not None
        return planner

    def _get(self) -> tuple[Worker, Planner | None, Tracing]:
        if self._parts is None:
            raise web.HTTPServiceUnavailable(text="not ready")
        return self._parts

    async def _ask(self, request: web.Request) -> web.Response:
        letter = await _read(request, Letter)
        with self._get()[2].server_span(Route("POST", "/ask"), request.headers) as span:
            try:
                text = await self._worker.work(letter)
            except Refusal as refusal:
                answered(span, PROBLEM_STATUS, error_from=400)
                body = json.dumps(refusal.as_problem())
                return web.Response(text=body, status=PROBLEM_STATUS, headers=PROBLEM_HEADERS)
            except Exception as error:  # noqa: BLE001 - whoever asked is told
                answered(span, 502, error_from=400)
                return web.Response(status=502, text=repr(error))
            answered(span, 200, error_from=400)
            return web.json_response({"text": text or ""})

    async def _message(self, request: web.Request) -> web.Response:
        letter = await _read(request, Letter)
        with self._get()[2].server_span(Route("POST", "/messages"), request.headers) as span:
            if len(self._open) >= MAX_OPEN:
                answered(span, 503, error_from=400)
                raise web.HTTPServiceUnavailable(text=f"{MAX_OPEN} conversations are open")
            # Begun inside the span, so that the turn is a part of the sender's trace.
            task = asyncio.create_task(self._go_on(letter))
            self._open.add(task)
            task.add_done_callback(self._open.discard)
            answered(span, 202, error_from=400)
            return web.json_response({}, status=202)

    async def _go_on(self, letter: Letter) -> None:
        try:
            text = await self._worker.work(letter)
        except Refusal as refusal:
            report = Report(conversation=letter.conversation, problem=refusal.as_problem())
        except Exception as error:  # noqa: BLE001 - the owner is told
            report = Report(conversation=letter.conversation, error=repr(error))
        else:
            if text is None:
                return
            report = Report(conversation=letter.conversation, text=text)
        if self._name == kinds.PLANNER:
            self._tell(report)
            return
        try:
            await self._worker.peers.report(report)
        except Exception as error:  # noqa: BLE001 - the planner may have been replaced: it is in the log at least
            print(f"{report.conversation} ended, and the planner cannot be told: {error!r}", flush=True)

    async def _begin(self, request: web.Request) -> web.Response:
        begin = await _read(request, _Begin)
        try:
            self._planner.begin(begin.conversation, begin.kind)
        except AlreadyRunning as error:
            raise web.HTTPConflict(text=str(error)) from None
        except TooManyRunning as error:
            raise web.HTTPServiceUnavailable(text=str(error)) from None
        return web.json_response({"conversation": begin.conversation}, status=201)

    async def _report(self, request: web.Request) -> web.Response:
        self._tell(await _read(request, Report))
        return web.json_response({})

    def _tell(self, report: Report) -> None:
        self._planner.told(report, from_problem(report.problem) if report.problem else None)

    async def _show(self, _request: web.Request) -> web.Response:
        return web.json_response(self._planner.board.as_json())

    async def _ready(self, _request: web.Request) -> web.Response:
        self._get()
        return web.Response(text="ok")


async def _read(request: web.Request, kind: type[_Body]) -> _Body:
    try:
        return kind.model_validate(json.loads(await request.read()))
    except (ValueError, ValidationError) as error:
        raise web.HTTPBadRequest(text=str(error)[:1000]) from None
