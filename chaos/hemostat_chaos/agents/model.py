"""A model server that speaks OpenAI's API and answers by script: the model of the sample workload and of tests.

    python -m hemostat_chaos.agents.model SCRIPTS.yaml --port 8000

| path | does |
|---|---|
| `POST /v1/chat/completions` | answers, whole or as a stream |
| `POST /v1/responses` | answers, whole |
| `GET /v1/models` | lists the scripts: a model's name, or `[script: NAME]` in a system message, chooses one |
| `GET`, `PUT /faults`, `PUT`, `DELETE /faults/CONVERSATION` | what is wrong, see :mod:`hemostat_chaos.agents.faults` |
| `GET /usage` | answers and tokens by script, since the start; `/usage/CONVERSATION` those of one conversation |

The conversation is the request's `user`.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from hemostat_chaos.agents import chat, responses
from hemostat_chaos.agents.faults import Faults, Switches
from hemostat_chaos.agents.script import Answer, Message, Scripts, chosen, load
from hemostat_chaos.agents.usage import Usage, usage

MAX_BODY = 8 * 2**20
_MAX_MODEL = 128
_MAX_CONVERSATIONS = 10_000

Read = Callable[[Mapping[str, Any]], Sequence[Message]]


@dataclass(slots=True)
class Spent:
    """What answers cost since the start, in tokens."""

    answers: int = 0
    refusals: int = 0
    prompt: int = 0
    completion: int = 0

    def add(self, used: Usage) -> None:
        """Count one answer."""
        self.answers += 1
        self.prompt += used.prompt
        self.completion += used.completion


class Model:
    """The scripts, the faults in force, and the tokens spent.

    :param latency: seconds that every answer takes.
    """

    def __init__(self, scripts: Scripts, latency: float = 0) -> None:
        self._scripts = scripts
        self._latency = latency
        self.switches = Switches()
        self.spent = {name: Spent() for name in scripts}
        self._conversations: OrderedDict[str, Spent] = OrderedDict()

    def application(self) -> web.Application:
        """Return the server; it asks for no key."""
        app = web.Application(client_max_size=MAX_BODY)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_post("/v1/responses", self._respond)
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/usage", self._usage)
        app.router.add_get("/usage/{conversation}", self._usage_of)
        self.switches.add_to(app)
        app.router.add_get("/healthz", self._healthy)
        return app

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body, answer, used = await self._answered(request, chat.messages)
        name, model = _name(body), str(body["model"])
        if not body.get("stream"):
            return web.json_response(chat.completion(name, model, answer, used))
        wanted = (body.get("stream_options") or {}).get("include_usage")
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
        await stream.prepare(request)
        for chunk in chat.chunks(name, model, answer, used if wanted else None):
            await stream.write(f"data: {json.dumps(chunk)}\n\n".encode())
        await stream.write(b"data: [DONE]\n\n")
        return stream

    async def _respond(self, request: web.Request) -> web.Response:
        body, answer, used = await self._answered(request, responses.messages)
        if body.get("stream"):
            raise _refused(400, "invalid_request_error", "responses are not streamed here: ask without `stream`")
        return web.json_response(responses.response(_name(body), str(body["model"]), answer, used))

    async def _answered(self, request: web.Request, read: Read) -> tuple[Mapping[str, Any], Answer, Usage]:
        body, model, messages = await _asked(request, read)
        name = chosen(model, messages)
        script = self._scripts.get(name)
        if script is None:
            known = ", ".join(sorted(self._scripts))
            raise _refused(404, "model_not_found", f"no script {name[:_MAX_MODEL]!r}: name one of {known}")
        conversation = str(body.get("user") or "")[:_MAX_MODEL]
        spent, faults = self._spent(conversation), self.switches.of(conversation).of(name)
        await asyncio.sleep(self._latency + faults.slow)
        try:
            self._refuse(faults, busy=spent.refusals < script.busy)
        except web.HTTPException:
            spent.refusals += 1
            self.spent[name].refusals += 1
            raise
        answer = script.answer(messages, endless=faults.endless, growing=faults.growing)
        used = usage(messages, json.dumps(body.get("tools") or ""), answer)
        self.spent[name].add(used)
        spent.add(used)
        return body, answer, used

    def _spent(self, conversation: str) -> Spent:
        if not conversation:
            return Spent()
        spent = self._conversations.setdefault(conversation, Spent())
        self._conversations.move_to_end(conversation)
        while len(self._conversations) > _MAX_CONVERSATIONS:
            self._conversations.popitem(last=False)
        return spent

    @staticmethod
    def _refuse(faults: Faults, *, busy: bool) -> None:
        if faults.rate_limited:
            raise _refused(429, "rate_limit_exceeded", "too many requests, as was asked for", faults.retry_after)
        if busy:
            raise _refused(429, "rate_limit_exceeded", "too many requests for a moment", faults.retry_after)
        if faults.unavailable:
            raise _refused(503, "server_error", "overloaded, as was asked for", faults.retry_after)

    async def _models(self, _request: web.Request) -> web.Response:
        data = [
            {"id": name, "object": "model", "created": chat.CREATED, "owned_by": "hemostat"} for name in self._scripts
        ]
        return web.json_response({"object": "list", "data": data})

    async def _usage(self, _request: web.Request) -> web.Response:
        return web.json_response({name: asdict(spent) for name, spent in self.spent.items()})

    async def _usage_of(self, request: web.Request) -> web.Response:
        return web.json_response(asdict(self._conversations.get(request.match_info["conversation"], Spent())))

    async def _healthy(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok")


async def _asked(request: web.Request, read: Read) -> tuple[Mapping[str, Any], str, Sequence[Message]]:
    try:
        body = json.loads(await request.read())
        return body, str(body["model"]), read(body)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        message = f"the body is not a request of this API: {type(error).__name__}: {error}"
        raise _refused(400, "invalid_request_error", message[:500]) from None


def _name(body: Mapping[str, Any]) -> str:
    """Return what makes the ids of an answer: the same question, the same ids."""
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:24]


def _refused(status: int, code: str, message: str, retry_after: int | None = None) -> web.HTTPException:
    kinds = {400: web.HTTPBadRequest, 404: web.HTTPNotFound, 429: web.HTTPTooManyRequests}
    headers = None if retry_after is None else {"Retry-After": str(retry_after)}
    text = json.dumps({"error": {"message": message, "type": code, "param": None, "code": code}})
    kind = kinds.get(status, web.HTTPServiceUnavailable)
    return kind(text=text, headers=headers, content_type="application/json")


def main() -> None:
    """Serve the scripts of a file until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m hemostat_chaos.agents.model")
    parser.add_argument("scripts", type=Path)
    parser.add_argument("--host", default=None, help="all addresses, if it is not said")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--latency", type=float, default=0, help="seconds that every answer takes")
    said = parser.parse_args()
    model = Model(load(said.scripts.read_text()), said.latency)
    web.run_app(model.application(), host=said.host, port=said.port, access_log=None, shutdown_timeout=3)


if __name__ == "__main__":
    main()
