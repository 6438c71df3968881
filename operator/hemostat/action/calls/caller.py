"""Carries calls out: one Service, no DNS, no redirect, no proxy, a deadline, a bounded answer (shell).

The admin's key is read anew for each call, and is in nothing that is logged, written or raised.
"""

import asyncio
import base64
import binascii
import json
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from hemostat.action.calls.base import Answer, Dialect, Request, Seen, address_of, service_of
from hemostat.action.calls.dialects import DIALECTS
from hemostat.api.remediation import Call, Effect
from hemostat.errors import Refused, Retry
from hemostat.kube import Kube, NotFound, path_of

DEADLINE_SECONDS = 5.0
"""Of one request, from the name to the last byte."""
MAX_BYTES = 1 << 20
"""Largest answer."""
_LONGEST_KEY = 512


@dataclass(frozen=True, slots=True)
class Way:
    """How one Service is reached."""

    address: str
    """Its cluster IP."""
    key: str = field(repr=False)
    """Sent along as bearer token; empty: none is."""


class Caller:
    """Looks and demands, one request at a time.

    :param deadline: of one request, in seconds.
    :param permit: asked before every demand; raises where another process acts.
    """

    def __init__(
        self, kube: Kube, deadline: float = DEADLINE_SECONDS, permit: Callable[[], None] = lambda: None
    ) -> None:
        self._kube = kube
        self._deadline = deadline
        self._permit = permit

    def look(self, effect: Effect, namespace: str) -> Seen:
        """Return what the service shows. Raises `Refused`: Unreachable, NoAdminKey, NoService and others."""
        call, dialect = _spoken(effect)
        return self._look(call, dialect, self._way(call, dialect, namespace))

    def _look(self, call: Call, dialect: Dialect, way: Way) -> Seen:
        answers: list[Answer] = []
        for question in dialect.questions(call):
            answers.append(self._ask(question, way))
            seen = dialect.seen(call, answers)
            if seen is not None:
                return seen
        raise Refused("CallRefused", f"{call.url} does not tell what there is")

    def demand(self, effect: Effect, namespace: str, wanted: Seen, before: Seen) -> None:
        """Bring it about, if it still is as it was seen. Raises `Refused` only when it was surely not done."""
        call, dialect = _spoken(effect)
        begun = time.monotonic()
        try:
            way = self._way(call, dialect, namespace)
            seen = self._look(call, dialect, way)
        except Refused as error:
            raise Retry(str(error)) from error
        if seen != before or time.monotonic() - begun > self._deadline:
            raise Retry(f"what {call.url} shows has changed meanwhile, or took too long to tell")
        self._permit()
        try:
            answer = self._ask(dialect.demand(call, wanted, seen), way)
        except Refused as error:
            raise Retry(f"{error}; it may have been done") from error
        if answer.passing:
            raise Retry(f"{call.url} answered {answer.status}; it may have been done")
        dialect.judge(call, answer)

    def _way(self, call: Call, dialect: Dialect, namespace: str) -> Way:
        name = service_of(call.url, namespace)
        try:
            service = self._kube.get(path_of("v1", "Service", namespace, name))
        except NotFound as error:
            raise Refused("NoService", f"there is no Service {name} in namespace {namespace} any more") from error
        return Way(address_of(service), self._key(dialect, namespace))

    def _key(self, dialect: Dialect, namespace: str) -> str:
        if dialect.secret is None:
            return ""
        name, field = dialect.secret
        wrong = Refused(
            "NoAdminKey",
            f"namespace {namespace} has no Secret {name} with a key in {field}: kubectl create secret generic {name} "
            f"-n {namespace} --from-literal={field}=sk-...",
        )
        try:
            held = self._kube.get(path_of("v1", "Secret", namespace, name)).get("data") or {}
            key = base64.b64decode(held.get(field, ""), validate=True).decode("ascii").strip()
        except (NotFound, binascii.Error, UnicodeDecodeError):
            raise wrong from None
        if not key or len(key) > _LONGEST_KEY or not key.isprintable() or " " in key:
            raise wrong
        return key

    def _ask(self, request: Request, way: Way) -> Answer:
        try:
            return asyncio.run(self._fetched(request, way))
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Refused("Unreachable", f"{request.url} does not answer ({type(error).__name__})") from error

    async def _fetched(self, request: Request, way: Way) -> Answer:
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", **(request.headers or {})}
        headers |= {"Authorization": f"Bearer {way.key}"} if way.key else {}
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=_At(way.address), force_close=True),
            timeout=aiohttp.ClientTimeout(total=self._deadline),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
        )
        async with (
            session,
            session.request(
                request.method, request.url, json=request.body, headers=headers, allow_redirects=False
            ) as response,
        ):
            return Answer(response.status, await _body(response.content))


class _At(AbstractResolver):
    """Finds every name at one address."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        family = socket.AF_INET6 if ":" in self._address else socket.AF_INET
        numeric = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        return [ResolveResult(hostname=host, host=self._address, port=port, family=family, proto=0, flags=numeric)]

    async def close(self) -> None:
        return


async def _body(content: aiohttp.StreamReader) -> Any:
    """Return the JSON value; None if it is none, or too long."""
    text = bytearray()
    async for chunk in content.iter_chunked(65536):
        text += chunk
        if len(text) > MAX_BYTES:
            return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _spoken(effect: Effect) -> tuple[Call, Dialect]:
    assert effect.call is not None  # as the schema demands of the verb
    return effect.call, DIALECTS[effect.call.protocol]
