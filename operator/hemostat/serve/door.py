"""Knows who asks and what he may read: TokenReview and SubjectAccessReview, remembered for seconds (shell).

Without a clear yes of the API server nobody is anybody and may do nothing.
"""

import asyncio
import hashlib
import secrets
import time
from collections.abc import Callable
from typing import TypeVar

from hemostat.errors import HemostatError, Refused, Retry
from hemostat.kube import Json, Kube
from hemostat.serve.crew import Crew
from hemostat.serve.identity import (
    FORBIDDEN,
    HOW,
    UNAUTHENTICATED,
    Caller,
    Wish,
    access_review,
    allowed,
    caller_of,
    token_of,
    token_review,
)
from hemostat.serve.remembered import Remembered

T = TypeVar("T")
KNOWN_SECONDS = 30.0
"""How long a token is good after it was found so: one that is withdrawn works for so long."""
UNKNOWN_SECONDS = 10.0
MAY_SECONDS = 10.0
MAX_KNOWN = 1024
MANAGER = "hemostat-observe"


class Door:
    """Lets callers in. Used from one event loop.

    :param audiences: whom tokens must be meant for; empty: the API server itself.
    """

    def __init__(
        self, kube: Kube, audiences: tuple[str, ...] = (), clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._kube, self._audiences = kube, audiences
        self._salt = secrets.token_bytes(16)
        self._callers: Remembered[bytes, Caller | None] = Remembered(MAX_KNOWN, clock)
        self._rights: Remembered[tuple[Caller, Wish], bool] = Remembered(MAX_KNOWN, clock)
        self._porters = Crew("porter", threads=2, most=32, seconds=5.0)
        """Who asks about tokens: a flood of wrong ones keeps out newcomers, and nobody who is inside."""
        self._alone = asyncio.Lock()
        self._crew = Crew("reader", threads=4, most=64, seconds=30.0)

    async def who(self, header: str) -> Caller:
        """Return who asks, by the Authorization header. Raises `Refused`, or `Retry` where that cannot be known."""
        token = token_of(header)
        key = hashlib.blake2b(token.encode(), key=self._salt).digest()

        async def ask() -> tuple[Caller | None, float]:
            body = token_review(token, self._audiences)
            review = await self._porters.do(lambda: self._create("authentication.k8s.io", "tokenreviews", body))
            found = caller_of(review, self._audiences)
            return found, KNOWN_SECONDS if found is not None else UNKNOWN_SECONDS

        caller = await self._callers.get(key, ask)
        if caller is None:
            raise Refused(UNAUTHENTICATED, f"the API server does not accept this token; {HOW}")
        return caller

    async def may(self, caller: Caller, wish: Wish) -> bool:
        """Tell whether he may. Raises `Retry` where that cannot be known."""

        async def ask() -> tuple[bool, float]:
            body = access_review(caller, wish)
            review = await self._crew.do(lambda: self._create("authorization.k8s.io", "subjectaccessreviews", body))
            return allowed(review), MAY_SECONDS

        return await self._rights.get((caller, wish), ask)

    async def admit(self, caller: Caller, wish: Wish) -> None:
        """Raise `Refused` (Forbidden) unless he may, saying which right he lacks."""
        if not await self.may(caller, wish):
            said = f"{caller.user} may not {wish} (group hemostat.dev); ClusterRole hemostat-viewer allows it"
            raise Refused(FORBIDDEN, said)

    async def read(self, work: Callable[[], T]) -> T:
        """Carry out blocking work for a caller who was let in."""
        return await self._crew.do(work)

    async def read_alone(self, work: Callable[[], T]) -> T:
        """Carry out work that takes a processor for long: one at a time. Raises `Retry` while another is under way."""
        if self._alone.locked():
            raise Retry("another replay is under way: try again in half a minute")
        async with self._alone:
            return await self._crew.do(work)

    def stop(self) -> None:
        """Begin nothing any more."""
        self._porters.stop()
        self._crew.stop()

    def _create(self, group: str, plural: str, body: Json) -> Json:
        try:
            return self._kube.create(f"/apis/{group}/v1/{plural}", body, MANAGER)
        except HemostatError as error:
            raise Retry(f"the API server cannot be asked: {type(error).__name__}") from error
