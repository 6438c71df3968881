"""Carries calls out: one Service, no redirect, no proxy, a deadline, a bounded answer (shell).

The admin's key is read anew for each call, and is in nothing that is logged, written or raised.
"""

import asyncio
import base64
import binascii
import json
import time
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver

from hemostat.action.calls.base import Answer, Dialect, Request, Seen, service_of, within
from hemostat.action.calls.dialects import DIALECTS
from hemostat.api.remediation import Call, Effect
from hemostat.errors import Refused, Retry
from hemostat.kube import Kube, NotFound, path_of

DEADLINE_SECONDS = 5.0
"""Of one request, from the name to the last byte."""
MAX_BYTES = 1 << 20
"""Largest answer."""
_LONGEST_KEY = 512


class Caller:
    """Looks and demands, one request at a time.

    :param resolver: how names become addresses; the system's own unless given.
    """

    def __init__(
        self, kube: Kube, resolver: AbstractResolver | None = None, deadline: float = DEADLINE_SECONDS
    ) -> None:
        self._kube = kube
        self._resolver = resolver
        self._deadline = deadline

    def look(self, effect: Effect, namespace: str) -> Seen:
        """Return what the service shows. Raises `Refused`: Unreachable, NoAdminKey, NoService and others."""
        call, dialect = _spoken(effect)
        name = service_of(call.url, namespace)
        try:
            within(self._kube.get(path_of("v1", "Service", namespace, name)))
        except NotFound as error:
            raise Refused("NoService", f"there is no Service {name} in namespace {namespace} any more") from error
        key = self._key(dialect, namespace)
        answers: list[Answer] = []
        for question in dialect.questions(call):
            answers.append(self._ask(question, key))
            seen = dialect.seen(call, answers)
            if seen is not None:
                return seen
        raise Refused("CallRefused", f"{call.url} does not tell what there is")

    def demand(self, effect: Effect, namespace: str, wanted: Seen, before: Seen) -> None:
        """Bring it about, if it still is as it was seen. Raises `Refused` only when it was surely not done."""
        call, dialect = _spoken(effect)
        begun = time.monotonic()
        try:
            key, seen = self._key(dialect, namespace), self.look(effect, namespace)
        except Refused as error:
            raise Retry(str(error)) from error
        if seen != before or time.monotonic() - begun > self._deadline:
            raise Retry(f"what {call.url} shows has changed meanwhile, or took too long to tell")
        try:
            answer = self._ask(dialect.demand(call, wanted, seen), key)
        except Refused as error:
            raise Retry(f"{error}; it may have been done") from error
        if answer.passing:
            raise Retry(f"{call.url} answered {answer.status}; it may have been done")
        dialect.judge(call, answer)

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

    def _ask(self, request: Request, key: str) -> Answer:
        try:
            return asyncio.run(self._fetched(request, key))
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Refused("Unreachable", f"{request.url} does not answer ({type(error).__name__})") from error

    async def _fetched(self, request: Request, key: str) -> Answer:
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", **(request.headers or {})}
        headers |= {"Authorization": f"Bearer {key}"} if key else {}
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=self._resolver, force_close=True),
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
