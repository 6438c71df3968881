"""What the views are made of (shell, composition root)."""

import time

from aiohttp import web

from hemostat.clock import SystemClock
from hemostat.kube import Kube
from hemostat.observe.permits import Permits
from hemostat.observe.process import Observe
from hemostat.serve.assistant import Assistant
from hemostat.serve.door import Door
from hemostat.serve.stream import Stream
from hemostat.serve.tools import Sources, Toolbox
from hemostat.settings import Settings


class Views:
    """The stream and MCP, behind one door."""

    def __init__(self, kube: Kube, settings: Settings, process: Observe) -> None:
        store, clock = process.store, SystemClock()
        permits = Permits(store.annotations, time.monotonic)
        self._door = Door(kube, settings.token_audiences)
        self._stream = Stream(self._door, process.bulletin.journal, store.incident)
        sources = Sources(
            incidents=store.each_incident,
            incident=store.incident,
            runbooks=store.runbooks,
            watches=store.watches,
            watch=store.watch,
            permits=permits.of,
            graph=lambda: process.desk.drawing(clock.now()),
            recorded=process.prometheus,
            now=clock.now,
        )
        self._assistant = Assistant(self._door, Toolbox(self._door, sources))

    def serve(self, app: web.Application) -> None:
        """Add the endpoints."""
        self._stream.serve(app)
        self._assistant.serve(app)
        app.on_cleanup.append(self._stop)

    async def _stop(self, _: web.Application) -> None:
        self._door.stop()
