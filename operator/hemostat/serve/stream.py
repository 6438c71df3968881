"""GET /incidents/NAMESPACE/NAME/stream and /incidents/UID/stream: an Incident's steps as Server-Sent Events (shell).

Who reads slowly is dropped, and comes back with Last-Event-ID; nothing is kept for him but a number.
"""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from aiohttp import web

from hemostat.api.incident import Incident
from hemostat.errors import HemostatError, Refused
from hemostat.metrics import STREAMS, VIEW_REQUESTS
from hemostat.pages import HELD
from hemostat.progress.journal import Journal
from hemostat.serve import sse
from hemostat.serve.answers import refusal
from hemostat.serve.crew import tell
from hemostat.serve.door import Door
from hemostat.serve.identity import NOT_FOUND, Caller, Wish, checked_name, checked_namespace
from hemostat.serve.slots import Slots

MAX_STREAMS = 64
MAX_OF_ONE = 8
"""Streams of one user at once."""
STREAM_SECONDS = 1800.0
HEARTBEAT_SECONDS = 15.0
CHECK_SECONDS = 30.0
"""How often it is asked again whether he still may: a right that is taken away ends his stream."""
WRITE_SECONDS = 10.0
"""How long somebody may read nothing while there is something to read."""
BUFFER_BYTES = 64 * 1024
TICK_SECONDS = 1.0
HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
}


class Stream:
    """Streams the steps of Incidents.

    :param find: the Incident of a namespace and a name as it is now, or None; it may take its time.
    """

    def __init__(self, door: Door, journal: Journal, find: Callable[[str, str], Incident | None]) -> None:
        self._door, self._journal, self._find = door, journal, find
        said = f"at most {MAX_STREAMS} streams are served at once, {MAX_OF_ONE} of them to one user"
        self._slots = Slots(MAX_STREAMS, MAX_OF_ONE, said)
        self._visits: set[Visit] = set()

    def serve(self, app: web.Application) -> None:
        """Add the endpoints."""
        app.router.add_get("/incidents/{namespace}/{name}/stream", self.take, allow_head=False)
        app.router.add_get("/incidents/{uid}/stream", self.take, allow_head=False)
        app.on_shutdown.append(self._stop)

    async def _stop(self, _: web.Application) -> None:
        for visit in self._visits:
            visit.stop()

    async def take(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        try:
            response = await self._answer(request)
        except HemostatError as error:
            response = refusal(error)
        VIEW_REQUESTS.labels("stream", str(response.status)).inc()
        return response

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        authorization = request.headers.get("Authorization", "")
        caller = await self._door.who(authorization)
        with self._slots.of(caller), STREAMS.track_inprogress():
            place = await self._place(caller, request)
            uid = (await self._read(place)).metadata.uid
            epoch, number = sse.resumed(request.headers.get("Last-Event-ID", ""))
            page = self._journal.after(uid, epoch, number)
            if page.over and not page.told and not page.lost:
                return web.Response(status=204)  # by the standard: do not come back
            visit = Visit(request, self._journal, uid, epoch, number)
            self._visits.add(visit)
            request.app[HELD].add(request.protocol)
            try:
                return await visit.run(lambda: self._still(authorization, place, uid))
            finally:
                self._visits.discard(visit)
                request.app[HELD].discard(request.protocol)

    async def _place(self, caller: Caller, request: web.Request) -> tuple[str, str]:
        """Return namespace and name of what he may read. Of a uid nothing is said to who may not."""
        named = request.match_info
        if "uid" not in named:
            place = checked_namespace(named["namespace"]), checked_name(named["name"])
            await self._door.admit(caller, Wish("get", "incidents", *place))
            return place
        known = self._journal.place(named["uid"])
        if known is None or not await self._door.may(caller, Wish("get", "incidents", *known)):
            said = "no Incident of this uid that you may read; `kubectl get incidents -A` lists them, and"
            raise Refused(NOT_FOUND, f"{said} /incidents/NAMESPACE/NAME/stream works too")
        return known

    async def _read(self, place: tuple[str, str]) -> Incident:
        incident = await self._door.read(lambda: self._find(*place))
        if incident is None:
            said = f"there is no Incident {place[1]} in namespace {place[0]}; `kubectl get incidents -n {place[0]}`"
            raise Refused(NOT_FOUND, f"{said} lists those that there are")
        self._journal.heard(incident, wanted=True)
        return incident

    async def _still(self, authorization: str, place: tuple[str, str], uid: str) -> str:
        """Return why he may not go on reading, or nothing."""
        try:
            caller = await self._door.who(authorization)
            await self._door.admit(caller, Wish("get", "incidents", *place))
            incident = await self._read(place)
        except HemostatError as error:
            return str(error)
        return "" if incident.metadata.uid == uid else f"Incident {place[1]} is another one by now"


class Visit:
    """One stream: a connection, and the number of the last step that was written to it."""

    def __init__(self, request: web.Request, journal: Journal, uid: str, epoch: str, number: int) -> None:
        self._request, self._journal, self._uid = request, journal, uid
        self._epoch, self._number = epoch, number
        self._response = web.StreamResponse(headers=HEADERS)
        self._woken = asyncio.Event()
        self._stopped = False

    def stop(self) -> None:
        """End it soon: the process ends."""
        self._stopped = True
        self._woken.set()

    async def run(self, still: Callable[[], Awaitable[str]]) -> web.StreamResponse:
        """Write until there is nothing more, he may no more, or does not read.

        :param still: says why he may not go on reading, or nothing.
        """
        self._response.force_close()
        await self._response.prepare(self._request)
        transport, loop = self._request.transport, asyncio.get_running_loop()
        if transport is None:
            return self._response
        transport.set_write_buffer_limits(high=BUFFER_BYTES)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
        leave = self._journal.follow(self._uid, lambda: tell(loop, self._woken.set))
        try:
            await self._write(sse.OPENING)
            await self._follow(still, transport)
        except (TimeoutError, ConnectionError):
            transport.abort()  # what he did not read is not kept for him
        finally:
            leave()
        return self._response

    async def _follow(self, still: Callable[[], Awaitable[str]], transport: asyncio.BaseTransport) -> None:
        until = time.monotonic() + STREAM_SECONDS
        beat, check = time.monotonic() + HEARTBEAT_SECONDS, time.monotonic() + CHECK_SECONDS
        over = await self._catch_up(first=True)
        while not over and not self._stopped and not transport.is_closing() and (now := time.monotonic()) < until:
            if now >= check:
                check = now + CHECK_SECONDS
                if why := await still():
                    await self._write(sse.end(why))
                    return
            if now >= beat:
                beat = now + HEARTBEAT_SECONDS
                await self._write(sse.HEARTBEAT)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), TICK_SECONDS)
            over = await self._catch_up(first=False)

    async def _catch_up(self, *, first: bool) -> bool:
        """Write what is new; return whether nothing more will come. Raises `TimeoutError` for who is too far behind."""
        self._woken.clear()
        page = self._journal.after(self._uid, self._epoch, self._number)
        if page.lost and not first:
            raise TimeoutError
        if page.lost:
            self._number = 0
            await self._write(sse.reset(page.told[0].number if page.told else 1))
        self._epoch = page.epoch
        if page.told:
            await self._write(sse.steps(page, page.told))
            self._number = page.told[-1].number
        if page.over:
            await self._write(sse.end("the Incident is over"))
        return page.over

    async def _write(self, text: str) -> None:
        await asyncio.wait_for(self._response.write(text.encode()), WRITE_SECONDS)
