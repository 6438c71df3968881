"""What tells of agents is read, in whatever convention and from either of OTLP's signals; nothing else is decoded."""

import json
import threading

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from tests.unit.telemetry.requests import CLIENT, INTERNAL, request, span

from hemostat.errors import Refused, Retry
from hemostat.telemetry.backlog import Backlog
from hemostat.telemetry.kernel.scan import AGENTS_PREFIXES
from hemostat.telemetry.otlp import MAX_RECORDS, Kind, check_logs, from_json
from hemostat.telemetry.receiver import Receiver
from hemostat.telemetry.steps import Operation
from hemostat.telemetry.steps import vocabulary as v
from hemostat.telemetry.window import TraceWindows


class Taken:
    """Steps that came out of a receiver whose backlog is read at once."""

    def __init__(self, **how):
        self.steps = []
        self.backlog = Backlog(lambda steps, _spans, _arrived: self.steps.extend(steps), **how)
        self.receiver = Receiver(TraceWindows(), threading.Lock(), self.backlog, 1 << 20)

    def read(self):
        self.backlog.start()
        self.backlog.stop(10)
        return self.steps


def logs(*events, scope="hemostat.guard"):
    found = ExportLogsServiceRequest()
    resource = found.resource_logs.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "planner"
    records = resource.scope_logs.add()
    records.scope.name = scope
    for name in events:
        record = records.log_records.add(event_name=name, trace_id=b"t" * 16, span_id=b"s" * 8)
        for key, value in {
            "hemostat.span.name": "invoke_agent critic",
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": "critic",
        }.items():
            record.attributes.add(key=key).value.string_value = value
    return found


@pytest.mark.parametrize(
    "attributes",
    [
        {"gen_ai__operation__name": "execute_tool", "gen_ai__tool__name": "search"},
        {"openinference__span__kind": "TOOL", "tool__name": "search"},
        {"traceloop__span__kind": "tool", "traceloop__entity__name": "search"},
        {"mcp__method__name": "tools/call", "mcp__tool__name": "search"},
        {"a2a__method__name": "message/send", "a2a__agent__name": "critic"},
        {"agent_name": "critic"},
        {"message__source_id": "a", "message__target_id": "b"},
        {"executor__id": "writer"},
    ],
)
def test_spans_of_agents_become_steps_in_every_convention(attributes):
    taken = Taken()
    taken.receiver.take(request("planner", span(INTERNAL, "message.send", **attributes)))
    (step,) = taken.read()
    assert step.service == "planner"


def test_other_spans_are_counted_and_not_decoded():
    taken = Taken()
    folded = taken.receiver.take(
        request(
            "shop", span(CLIENT, peer__service="db", http__route="/", messaging__destination__name="q", thread__id=7)
        )
    )
    assert (folded.spans, folded.steps) == (1, 0)
    assert taken.read() == []


def test_every_convention_names_operations_in_attributes_that_are_noticed():
    """A convention that is read and whose spans are passed over would never be read."""
    names = [v.OPERATION, v.OPENINFERENCE, v.TRACELOOP, v.MCP_METHOD, v.A2A_METHOD, v.MESSAGE_FROM, v.PENDING]
    names += [v.DESTINATION, v.EXECUTOR, *v.TOOL, "agent_name", "llm.request.type"]
    assert [n for n in names if n.encode()[:4] not in AGENTS_PREFIXES] == []


@pytest.mark.parametrize("json_form", [False, True])
def test_what_the_guard_tells_is_an_open_step(json_form):
    from google.protobuf.json_format import MessageToDict

    sent = logs("hemostat.span.start", "something.else")
    body = sent.SerializeToString()
    if json_form:
        said = MessageToDict(sent)
        for record in said["resourceLogs"][0]["scopeLogs"][0]["logRecords"]:
            record |= {"traceId": (b"t" * 16).hex(), "spanId": (b"s" * 8).hex()}
        body = json.dumps(said).encode()
    taken = Taken()
    taken.receiver.take(body, Kind.LOGS, json=json_form)
    (step,) = taken.read()
    assert (step.operation, step.agent, step.ended, step.span) == (Operation.AGENT, "critic", None, b"s" * 8)


def test_logs_that_cannot_be_read_are_refused():
    good = logs("hemostat.span.start").SerializeToString()
    for body, reason in ((good[:-3], "BadOtlp"), (b"\x0a\x02\x12\x09", "BadOtlp"), (bytes(9), "BadOtlp")):
        with pytest.raises(Refused) as caught:
            Taken().receiver.take(body, Kind.LOGS)
        assert caught.value.reason == reason
    with pytest.raises(Refused, match="ExportLogsServiceRequest"):
        from_json(b"{", Kind.LOGS)


def test_log_records_are_counted_before_anything_is_made_of_them():
    scope = b"\x12" + _varint(2 * (MAX_RECORDS + 1)) + b"\x12\x00" * (MAX_RECORDS + 1)
    resource = b"\x0a" + _varint(len(scope)) + scope
    with pytest.raises(Refused) as caught:
        check_logs(resource)
    assert caught.value.reason == "TooLarge"


def test_when_too_much_waits_senders_shall_come_again():
    taken = Taken(max_bytes=10)
    taken.receiver.admit("a", 1)
    taken.receiver.take(logs("hemostat.span.start").SerializeToString(), Kind.LOGS)
    with pytest.raises(Retry):
        taken.receiver.admit("a", 1)
    taken.read()
    taken.receiver.admit("a", 1)


def test_a_request_whose_steps_cannot_be_taken_in_does_not_end_the_reading():
    told = []

    def sink(steps, _spans, _arrived):
        told.append(len(steps))
        if len(told) == 1:
            raise ValueError("once")

    backlog = Backlog(sink)
    for _ in range(2):
        backlog.put(Kind.LOGS, logs("hemostat.span.start").SerializeToString())
    backlog.start()
    backlog.stop(10)
    assert told == [1, 1]
    assert backlog.admits(0.0)


def _varint(n):
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])
