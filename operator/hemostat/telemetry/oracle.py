"""The same counting as `telemetry/kernel`, written to be read: plain messages, dictionaries, no bounds.

What the fast one counts must be exactly this; tests and the benchmark compare them. It is no part of the running
process.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from hemostat.errors import Refused
from hemostat.telemetry.graph import AgentStats
from hemostat.telemetry.kernel import genai
from hemostat.telemetry.kernel.scan import PEER_KEYS
from hemostat.telemetry.kernel.tables import MAX_NANOSECONDS
from hemostat.telemetry.kernel.wire import MAX_NAME
from hemostat.telemetry.names import callee_name, printable

CALLING = (Span.SPAN_KIND_CLIENT, Span.SPAN_KIND_PRODUCER)
CALLED = (Span.SPAN_KIND_SERVER, Span.SPAN_KIND_CONSUMER)
Total = tuple[int, int, int]
"""Calls, failures, nanoseconds."""


@dataclass(frozen=True)
class _End:
    """One end of a call that may have two."""

    service: str
    peer: str
    nanoseconds: int
    failed: bool


@dataclass(frozen=True)
class _Call:
    """A call and who was found at its other end."""

    caller: _End
    callees: list[_End]


@dataclass
class Oracle:
    """Counts requests.

    A span id belongs to one span. Where senders repeat themselves all the same, each end is counted as often as it
    came and joined once: a callee with the newest caller of that id, or with the first to come.
    """

    named: dict[tuple[str, str], list[_End]] = field(default_factory=dict)
    agents: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)
    _spans: dict[tuple[str, str, int], list[_End]] = field(default_factory=dict)
    _calls: list[_Call] = field(default_factory=list)
    _newest: dict[tuple[bytes, bytes], _Call] = field(default_factory=dict)
    _waiting: dict[tuple[bytes, bytes], list[_End]] = field(default_factory=dict)

    def take(self, body: bytes) -> int:
        """Count a request; return its spans. Raises `Refused` (BadOtlp)."""
        request = ExportTraceServiceRequest()
        try:
            request.ParseFromString(body)
        except DecodeError as error:
            raise Refused("BadOtlp", str(error)) from error
        n = 0
        for resource in request.resource_spans:
            service = _name(_texts(resource.resource.attributes).get("service.name", ""))
            for scope in resource.scope_spans:
                for span in scope.spans:
                    n += 1
                    if service:
                        self._span(service, span)
        return n

    def _span(self, service: str, span: Span) -> None:
        kind = span.kind if 0 <= span.kind <= 5 else 0
        texts = _texts(span.attributes)
        peer = next((texts[key.decode()] for key in PEER_KEYS if texts.get(key.decode())), "")
        taken = max(0, span.end_time_unix_nano - span.start_time_unix_nano)
        end = _End(service, _name(peer), min(taken, MAX_NANOSECONDS), span.status.code == Status.STATUS_CODE_ERROR)
        self._spans.setdefault((service, _name(span.name), kind), []).append(end)
        if kind in CALLING:
            if len(span.span_id) == 8 and any(span.span_id):
                self._calling(_pair(span.trace_id, span.span_id), end)
            elif end.peer:
                self.named.setdefault((service, end.peer), []).append(end)
        if kind in CALLED:
            for pair in _parents(span, kind):
                self._called(pair, end)
        if any(a.key.startswith("gen_ai.") for a in span.attributes):
            self._agent(service, span, end)

    def _calling(self, pair: tuple[bytes, bytes], caller: _End) -> None:
        self._newest[pair] = _Call(caller, self._waiting.pop(pair, []))
        self._calls.append(self._newest[pair])

    def _called(self, pair: tuple[bytes, bytes], callee: _End) -> None:
        call = self._newest.get(pair)
        (call.callees if call else self._waiting.setdefault(pair, [])).append(callee)

    def _agent(self, service: str, span: Span, end: _End) -> None:
        values = {a.key: a.value for a in span.attributes}
        texts = _texts(span.attributes)
        error = texts.get("error.type", "").lower()
        tokens = _tokens(values, "input_tokens", "prompt_tokens") + _tokens(
            values, "output_tokens", "completion_tokens"
        )
        operation = texts.get("gen_ai.operation.name", "") or (
            "execute_tool" if texts.get("gen_ai.tool.name") else "chat" if tokens else ""
        )
        known = ("invoke_agent", "execute_tool", "embeddings", "chat", "generate_content", "text_completion")
        if operation not in known:
            return
        found = self.agents.setdefault((service, _name(texts.get("gen_ai.agent.name", ""))), Counter())
        failed = end.failed or bool(error)
        if operation == "invoke_agent":
            found.update(tasks=1, tasks_failed=failed, tokens_of_successes=0 if failed else tokens)
        elif operation == "execute_tool":
            unknown = "tool" in error and _any_of(error, genai.UNKNOWN)
            found.update(tool_calls=1, tools_unknown=unknown)
        else:
            reasons = values.get("gen_ai.response.finish_reasons", AnyValue())
            told = [v.string_value for v in reasons.array_value.values] or [reasons.string_value]
            cut = operation != "embeddings" and any(_any_of(r.lower(), genai.TRUNCATING) for r in told)
            found.update(tokens=tokens, outputs=operation != "embeddings", outputs_truncated=cut)
        found.update(outputs_invalid=_any_of(error, genai.INVALIDATING))

    def counted(self) -> dict[str, list[list[object]]]:
        """Return operations and edges as the benchmark's receiver writes them."""
        named = {key: list(ends) for key, ends in self.named.items()}
        served: dict[tuple[str, str], list[_End]] = {}
        real: dict[tuple[str, str], set[str]] = {}
        for call in self._calls:
            caller, callees = call.caller, call.callees
            for callee in callees:
                served.setdefault((caller.service, callee.service), []).append(callee)
            peer = caller.peer or (callees[0].service if callees else "")
            if peer:
                named.setdefault((caller.service, peer), []).append(caller)
            if caller.peer:
                real.setdefault((caller.service, caller.peer), set()).update(c.service for c in callees)
        edges: dict[tuple[str, str], list[_End]] = {}
        for (caller_name, peer), ends in named.items():
            behind = real.get((caller_name, peer), set())
            callee_is = next(iter(behind)) if len(behind) == 1 else callee_name(peer)
            edges.setdefault((caller_name, callee_is), []).extend(ends)
        rows = [
            [a, b, *_total(edges.get((a, b)) or served[a, b]), *_total(served.get((a, b), []))[:2]]
            for a, b in {*edges, *served}
        ]
        return {"edges": rows, "operations": [[*key, *_total(ends)] for key, ends in self._spans.items()]}

    def agent_stats(self) -> list[AgentStats]:
        """Return what is known of agents."""
        return [AgentStats(*key, **dict[str, Any](counts)) for key, counts in sorted(self.agents.items())]


def _texts(attributes: Sequence[KeyValue]) -> dict[str, str]:
    return {a.key: a.value.string_value for a in attributes}


def _tokens(values: dict[str, AnyValue], *names: str) -> int:
    given = [v.int_value for key, v in values.items() if key.removeprefix("gen_ai.usage.") in names]
    return min(max(given[-1], 0), genai.MAX_TOKENS) if given else 0


def _any_of(text: str, parts: Sequence[bytes]) -> bool:
    return any(part.decode() in text for part in parts)


def _name(text: str) -> str:
    return printable(text.encode()[:MAX_NAME].decode(errors="ignore"))


def _pair(trace: bytes, span: bytes) -> tuple[bytes, bytes]:
    return (trace[8:] if len(trace) == 16 else bytes(8)), span


def _parents(span: Span, kind: int) -> Iterator[tuple[bytes, bytes]]:
    if len(span.parent_span_id) == 8 and any(span.parent_span_id):
        yield _pair(span.trace_id, span.parent_span_id)
    if kind == Span.SPAN_KIND_CONSUMER:
        for link in span.links:
            if len(link.span_id) == 8 and any(link.span_id) and link.span_id != span.parent_span_id:
                yield _pair(link.trace_id, link.span_id)


def _total(ends: Sequence[_End]) -> Total:
    return len(ends), sum(e.failed for e in ends), sum(e.nanoseconds for e in ends)
