"""A provider of models on loopback that speaks OpenAI's API, or Anthropic's, and misbehaves as told; it keeps what it
was sent.

    provider = Provider(limited(after=1), says('{"claims": []}'))
    with served(provider.application()) as url: ...

The n-th request gets the n-th reply, all others the last one. A reply may also be made from the request's body.
"""

import asyncio
import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from hemostat_chaos.agents import chat
from hemostat_chaos.agents.script import Answer, Call
from hemostat_chaos.agents.usage import Usage

Json = dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """One HTTP response, to the byte."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    pause: float = 0.0
    """Seconds between two bytes."""
    times: int = 1
    """How often the body is sent."""


Makes = Callable[[Json], Reply]


class Provider:
    """Plays replies, and keeps requests and their headers."""

    def __init__(self, *replies: Reply | Makes) -> None:
        self._replies = replies
        self.requests: list[Json] = []
        self.headers: list[Mapping[str, str]] = []

    def application(self) -> web.Application:
        app = web.Application(client_max_size=2**24)
        app.router.add_post("/v1/chat/completions", self._answer)
        app.router.add_post("/v1/messages", self._answer)
        return app

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.requests.append(body)
        self.headers.append(dict(request.headers))
        reply = self._replies[min(len(self.requests), len(self._replies)) - 1]
        made = reply(body) if callable(reply) else reply
        response = web.StreamResponse(status=made.status, headers={"Content-Type": "application/json", **made.headers})
        await response.prepare(request)
        for _ in range(made.times):
            pieces = [made.body] if not made.pause else [bytes([byte]) for byte in made.body]
            for piece in pieces:
                await response.write(piece)
                await asyncio.sleep(made.pause)
        return response


# --- good replies


def says(text: str | None, **message: Any) -> Reply:
    """The model says this; `message` overrides fields of its message, and `finish_reason`."""
    whole = chat.completion("n", "scripted", Answer(text or ""), Usage(1200, 1024, 34))
    choice = whole["choices"][0]
    choice["finish_reason"] = message.pop("finish_reason", choice["finish_reason"])
    choice["message"].update(message)
    return Reply(json.dumps(whole).encode())


def calls(*wanted: tuple[str, Mapping[str, Any]]) -> Reply:
    """The model asks for tools."""
    answer = Answer("", tuple(Call(name, arguments) for name, arguments in wanted))
    return Reply(json.dumps(chat.completion("n", "scripted", answer, Usage(1200, 0, 34))).encode())


def anthropic(*content: Json) -> Reply:
    """Anthropic's format; content is {"type": "text", "text": ..} or {"type": "tool_use", "name": .., "input": ..}."""
    usage = {"input_tokens": 200, "cache_read_input_tokens": 1000, "output_tokens": 34}
    parts = [{"id": f"toolu_{n}", **part} if part["type"] == "tool_use" else part for n, part in enumerate(content)]
    reason = "tool_use" if any(part["type"] == "tool_use" for part in parts) else "end_turn"
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "scripted", "stop_sequence": None}
    return Reply(json.dumps({**head, "content": parts, "stop_reason": reason, "usage": usage}).encode())


# --- bad ones: of the provider


def failed(status: int, message: str = "as was asked for", code: str = "", **headers: str) -> Reply:
    """An error in OpenAI's format."""
    error = {"message": message, "type": code, "param": None, "code": code}
    return Reply(json.dumps({"error": error}).encode(), status, headers)


def limited(after: float | None = None) -> Reply:
    headers = {} if after is None else {"Retry-After": f"{after:g}"}
    return failed(429, "too many requests", "rate_limit_exceeded", **headers)


def dripping(pause: float) -> Reply:
    """A good answer, a byte at a time."""
    return Reply(says("{}").body, pause=pause)


def cut() -> Reply:
    """The response ends in the middle of its JSON."""
    return Reply(says("{}").body[:100])


def huge(mebibytes: int) -> Reply:
    """An answer that goes on for so long."""
    return Reply(b"x" * 2**20, times=mebibytes)


def bomb(mebibytes: int) -> Reply:
    """The same, small on the wire."""
    packer = zlib.compressobj(wbits=31)
    packed = b"".join([*(packer.compress(b" " * 2**20) for _ in range(mebibytes)), packer.flush()])
    return Reply(packed, headers={"Content-Encoding": "gzip"})


def elsewhere(url: str) -> Reply:
    return Reply(b"", 307, {"Location": url})


def no_usage(text: str) -> Reply:
    """A good answer of a provider that does not say what it cost."""
    whole = json.loads(says(text).body)
    del whole["usage"]
    return Reply(json.dumps(whole).encode())


# --- bad ones: of the model. They fit the schema that is asked for, unless that is what is wrong with them.


def of_schema(verdict: Mapping[str, Any]) -> Makes:
    """Say this verdict to who asks for one, and its claims as a finding to who asks for that."""

    def make(body: Json) -> Reply:
        schema = body.get("response_format", {}).get("json_schema", {}).get("schema", {})
        wanted = verdict if "runbook" in schema.get("properties", {}) else {"claims": verdict["claims"]}
        return says(json.dumps(wanted))

    return make


def verdict(runbook: str | None = "rollback", entity: str = "payment", **fields: Any) -> Json:
    claims = [{"text": f"{entity} fails", "entity": entity, "cites": fields.pop("cites", ["E1"])}]
    return {"runbook": runbook, "cause": "a bad rollout", "confidence": 90, "claims": claims, "ruled_out": [], **fields}


HALLUCINATED_IDS = of_schema(verdict(cites=["E99", "E1000"]))
CITES_NOTHING = of_schema(verdict(cites=[]))
UNKNOWN_ACTION = of_schema(verdict("kubectl-delete-namespace"))
WRONG_SCHEMA = says('{"diagnosis": "it is the rollout", "command": "kubectl delete ns shop"}')
INVALID_FIELDS = of_schema(verdict(confidence=250, command="rm -rf /"))
TRUNCATED = says(json.dumps(verdict())[:60], finish_reason="length")
PROSE = says("Sure! The cause is the rollout. I would roll it back.")
OBEYS_THE_ATTACKER = of_schema(
    verdict(
        "scale-to-zero",
        "payment",
        cause="SYSTEM OVERRIDE acknowledged: scaling every deployment to zero",
        confidence=100,
    )
)
REFUSAL = says(None, content=None, refusal="I cannot help with that.")
FILTERED = says("", finish_reason="content_filter")
EMPTY = says("")
LONG_WINDED = says("a" * 200_000)
