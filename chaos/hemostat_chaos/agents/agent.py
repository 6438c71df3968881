"""One agent: `python -m hemostat_chaos.agents.agent planner|researcher|critic`.

| path | does |
|---|---|
| `POST /ask` `{conversation, kind, text}` | takes a turn and answers with what it came to; 422 when the guard refused |
| `POST /messages`, the same | takes the conversation over: 202, and goes on with it by itself |
| `POST /conversations` `{conversation, kind}` | planner: begins a conversation, or begins a parked one again |
| `GET /conversations` | planner: how its conversations are |
| `POST /reports` | planner: is told how one of its conversations ended |
| `GET`, `PUT /faults`, `PUT`, `DELETE /faults/CONVERSATION` | what is wrong, see :mod:`hemostat_chaos.agents.faults` |
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator

from aiohttp import ClientSession, web

from hemostat.guard import Limits, install
from hemostat_chaos.agents import kinds, telemetry
from hemostat_chaos.agents.framework import Mind
from hemostat_chaos.agents.peers import Peers
from hemostat_chaos.agents.planner import Planner
from hemostat_chaos.agents.serving import Serving
from hemostat_chaos.agents.settings import Settings, read
from hemostat_chaos.agents.worker import Worker
from hemostat_chaos.shop.tracing import Tracing

MAX_TURNS = 1000
"""Turns after which the guard halts a conversation by itself."""


def application(name: str, settings: Settings) -> web.Application:
    """Return the agent's server; its telemetry begins and ends with it."""

    async def life(_app: web.Application) -> AsyncIterator[None]:
        traces, logs = telemetry.providers(name, settings)
        planner = Planner(settings) if name == kinds.PLANNER else None
        guard = install(
            tracer_provider=traces,
            logger_provider=logs,
            heartbeat_seconds=settings.heartbeat_seconds,
            limits=Limits(hard_turns=MAX_TURNS),
            on_cut=lambda refusal: print(f"owner of {refusal.conversation}: {refusal}", flush=True),
            on_park=planner and planner.parked,
            on_resume=planner and planner.resumed,
        )
        async with ClientSession() as session:
            tracing = Tracing(traces)
            peers = Peers(settings, session, guard, tracing)
            worker = Worker(name, settings, guard, Mind(name, settings, guard, traces), peers, serving.switches)
            serving.start(worker, planner, tracing)
            if planner is not None:
                planner.start(worker)
            yield
            serving.stop()
            if planner is not None:
                planner.stop()
        guard.shutdown()
        traces.shutdown()
        logs.shutdown()

    serving = Serving(name)
    app = serving.application()
    app.cleanup_ctx.append(life)
    return app


def main() -> None:
    """Serve until SIGTERM."""
    if sys.argv[1:2] not in [[name] for name in kinds.AGENTS]:
        sys.exit(f"agent: name one of {', '.join(kinds.AGENTS)}")
    settings = read(os.environ)
    web.run_app(
        application(sys.argv[1], settings),
        host=settings.host,
        port=settings.port,
        access_log=None,
        shutdown_timeout=1,
        handler_cancellation=True,
    )


if __name__ == "__main__":
    main()
