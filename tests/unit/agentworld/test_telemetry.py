"""What leaves the pods is valid OTLP, says no more than an SDK knows, and nothing of the truth."""

import json
import re
from dataclasses import replace

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.bench.agentworld.case import deploy, simulate
from tests.bench.agentworld.conventions import CONTENT, CONVENTIONS, HANDOFF, TOKENS
from tests.bench.agentworld.dice import seed_of
from tests.bench.agentworld.encode import exports
from tests.bench.agentworld.scenarios import FAMILIES
from tests.bench.agentworld.sets import ALONE, SETS, Group, groups
from tests.bench.agentworld.truth import KINDS


@pytest.fixture(scope="module")
def some():
    """Return every fourth conversation of the tiny set."""
    return Group(tuple(next(groups(SETS["tiny"])).cases[::4]))


def told(family, flipped, convention, **setting):
    seed = seed_of("telemetry", family)
    given = deploy(seed, seed_of(seed, flipped), 1.0, (convention,))
    return simulate(family, seed, flipped=flipped, start=1e9, setting=replace(given, **setting))


def test_requests_are_otlp_and_the_json_lines_say_the_same(some):
    seen = set()
    for export in exports(some.records()):
        line = json.loads(export.line())
        if export.signal == "traces":
            request = ExportTraceServiceRequest.FromString(export.body())
            spans = [s for r in request.resource_spans for scope in r.scope_spans for s in scope.spans]
            lines = [s for r in line["resourceSpans"] for scope in r["scopeSpans"] for s in scope["spans"]]
            assert [(s.trace_id.hex(), s.span_id.hex(), s.parent_span_id.hex(), s.name, s.kind) for s in spans] == [
                (s["traceId"], s["spanId"], s["parentSpanId"], s["name"], s["kind"]) for s in lines
            ]
            for span in spans:
                assert len(span.trace_id) == 16
                assert len(span.span_id) == 8
                assert 0 < span.start_time_unix_nano <= span.end_time_unix_nano <= export.arrival * 1e9
                seen.add(span.span_id)
        else:
            logs = ExportLogsServiceRequest.FromString(export.body())
            events = [e for r in logs.resource_logs for scope in r.scope_logs for e in scope.log_records]
            assert {e.event_name for e in events} <= {f"hemostat.span.{w}" for w in ("start", "heartbeat", "end")}
            assert all(e.time_unix_nano <= export.arrival * 1e9 for e in events)
            assert len(events) == sum(len(s["logRecords"]) for r in line["resourceLogs"] for s in r["scopeLogs"])
    assert len(seen) > 100


def test_requests_arrive_in_order_and_conversations_overlap(some):
    arrivals = [export.arrival for export in exports(some.records())]
    assert arrivals == sorted(arrivals)
    truths = [case.truth for case in some.cases]
    assert any(a.began < b.began < a.observed for a in truths for b in truths)


def test_a_span_that_never_ends_is_never_exported_and_only_the_guard_tells_of_it():
    case = told("reentrant", True, "otel", identity="session")
    assert case.truth.kind == "Deadlock"
    records = case.records()
    started = {record.span for record in records if record.event.endswith("start")}
    ended = {record.span for record in records if record.event.endswith("end")}
    exported = {record.span for record in records if not record.event}
    assert ended == exported & started
    assert started - ended
    waits = [dict(r.attributes) for r in records if r.event and "hemostat.wait.for" in dict(r.attributes)]
    assert {one["hemostat.wait.kind"] for one in waits} == {"lock", "agent"}
    assert {one["hemostat.wait.holder"] for one in waits if one["hemostat.wait.kind"] == "lock"} <= set(
        case.truth.agents
    )
    blind = told("reentrant", True, "otel", identity="session", guard=False).records()
    assert [record for record in blind if record.event or record.name.startswith("wait")] == []


def test_parents_of_exported_spans_are_spans_of_the_same_trace_or_not_yet_ended():
    for convention in CONVENTIONS:
        records = told("asking", False, convention).records()
        spans = {record.span: record for record in records if not record.event}
        for record in spans.values():
            assert not record.parent or spans[record.parent].trace == record.trace


@pytest.mark.parametrize(("identity", "traces", "sessions"), [("session", 1, 1), ("turns", 9, 1), ("trace", 1, 0)])
def test_a_conversation_is_known_by_its_session_or_by_its_trace(identity, traces, sessions):
    case = told("quarrel", False, "otel", identity=identity)
    spans = [record for record in case.records() if not record.event]
    assert min(len({record.trace for record in spans}), 9) == traces
    assert {record.trace.hex() for record in spans} == set(case.truth.traces)
    ids = {dict(record.attributes).get("gen_ai.conversation.id") for record in spans} - {None}
    assert len(ids) == sessions
    assert ids <= {case.truth.session}


def test_turns_without_a_session_are_linked_each_to_the_one_before():
    spans = [record for record in told("quarrel", False, "otel", identity="links").records() if not record.event]
    turns = [record for record in sorted(spans, key=lambda record: record.start) if "agent" in record.name]
    first = next(record for record in spans if "workflow" in record.name)
    before = [first, *turns[:-1]]
    assert [record.links for record in turns] == [((record.trace, record.span),) for record in before]
    assert len({record.trace for record in turns}) == len(turns) > 2
    line = "".join(export.line() for export in exports(told("quarrel", False, "otel", identity="links").records()))
    assert line.count('"links": [{"traceId"') == len(turns)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_a_convention_says_what_it_can_and_no_more(convention):
    rich = told("quarrel", True, convention, content=convention in CONTENT)
    text = json.dumps([export.line() for export in exports(rich.records())])
    assert ("check_facts" in text) is True
    assert ("claim" in text) is (convention in CONTENT)
    assert bool(re.search(r"token|usage", text)) is (convention in TOKENS)
    poor = told("quarrel", True, convention, content=False)
    assert "claim" not in json.dumps([export.line() for export in exports(poor.records())])
    one, other = poor.truth.agents
    pairs = [dict(record.attributes) for record in poor.records() if not record.event]
    both = [values for values in pairs if {one, other} <= {str(value) for value in values.values()}]
    named = [r for r in poor.records() if not r.event and (r.name.startswith(("handoff to", "autogen create")))]
    assert bool(both or named) is (convention in HANDOFF)


def vocabulary(case):
    """Return what could be a marker: keys, and values that are neither free text nor numbers."""
    keys, values = set(), set()
    for record in case.records():
        for key, value in (*record.attributes, *record.resource):
            keys.add(key)
            if isinstance(value, str) and not re.search(r"[0-9{ =]", value):
                values.add((key, value))
    return keys, values


@pytest.mark.parametrize("family", sorted(set(FAMILIES) - set(ALONE)))
def test_the_troubled_one_has_no_attribute_that_its_twin_has_not(family):
    """Except for errors, and for whom it went on to call: trouble is in what happens, not in what is written."""
    healthy, troubled = (told(family, flipped, "otel", content=False) for flipped in (False, True))
    keys, values = vocabulary(healthy)
    more_keys, more_values = vocabulary(troubled)
    assert more_keys - keys <= {"error.type"} | {f"hemostat.wait.holder{tail}" for tail in ("", "_conversation")}
    names = {"gen_ai.tool.name", "gen_ai.agent.name", "service.name", "k8s.pod.name", "hemostat.span.name"}
    allowed = names | {"error.type", "hemostat.span.status"}
    assert {key for key, _ in more_values - values if not key.startswith("hemostat.wait.")} <= allowed


def test_no_word_of_the_truth_is_in_the_telemetry(some):
    words = {kind.lower() for kind in KINDS} | {"flipped", "faulty", "healthy", "oracle", "livelock", "deadlock"}
    words |= {case.truth.family for case in some.cases if "_" in case.truth.family}
    said = "\n".join(export.line() for export in exports(some.records())).lower()
    assert [word for word in words if word in said] == []
