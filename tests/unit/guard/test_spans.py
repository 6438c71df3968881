"""What the span processor tells: open spans are visible, no end is made up, and nothing reaches the application."""

import gc
import os
import time

import pytest
from opentelemetry.trace import SpanKind, Status, StatusCode
from tests.unit.guard.support import WALL, Bench

from hemostat.guard import GuardSpanProcessor
from hemostat.guard.names import is_inference, is_watched, tokens
from hemostat.guard.report import MAX_ATTRIBUTES, MAX_VALUE
from hemostat.guard.tracked import OpenSpans

START, HEARTBEAT, END = "hemostat.span.start", "hemostat.span.heartbeat", "hemostat.span.end"
AGENT = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "planner"}


def test_a_span_is_told_when_it_starts_while_it_is_open_and_when_it_ends():
    bench = Bench()
    span = bench.tracer.start_span("invoke_agent planner", attributes=AGENT, kind=SpanKind.CLIENT)
    bench.later(4.75)
    assert bench.kept.names == [START]
    bench.later(0.25)
    bench.later(5)
    span.set_status(Status(StatusCode.ERROR))
    span.end()
    bench.later(60)
    assert bench.kept.names == [START, HEARTBEAT, HEARTBEAT, END]
    context = span.get_span_context()
    assert {(r.trace_id, r.span_id) for r in bench.kept.records} == {(context.trace_id, context.span_id)}
    assert [r.timestamp for r in bench.kept.records[:2]] == [WALL * 10**9, (WALL + 5) * 10**9]
    (end,) = bench.kept.named(END)
    assert end == AGENT | {
        "hemostat.span.name": "invoke_agent planner",
        "hemostat.span.kind": "client",
        "hemostat.span.start_time_unix_nano": span.start_time,
        "hemostat.span.end_time_unix_nano": span.end_time,
        "hemostat.span.status": "error",
    }
    assert bench.guard.processor.open_spans == 0


def test_an_open_span_has_no_end_and_no_status_and_a_child_names_its_parent():
    bench = Bench()
    with bench.tracer.start_as_current_span("invoke_agent planner", attributes=AGENT) as parent:
        bench.tracer.start_span("chat m", attributes={"gen_ai.operation.name": "chat"})
        child = bench.kept.named(START)[1]
    assert child["hemostat.span.parent_id"] == format(parent.get_span_context().span_id, "016x")
    assert not {"hemostat.span.end_time_unix_nano", "hemostat.span.status"} & child.keys()
    assert bench.kept.named(END)[0]["hemostat.span.status"] == "ok"


def test_the_end_of_a_failed_span_says_by_which_exception():
    """pydantic-ai says it in an event of the span only: without it a refusing provider looks like any failure."""
    bench = Bench()
    failing = {"gen_ai.operation.name": "chat"}
    for attributes in (failing, failing | {"error.type": "429"}, AGENT):
        with bench.tracer.start_as_current_span("chat m", attributes=attributes) as span:
            if attributes is not AGENT:
                span.record_exception(ValueError("first"))
                span.record_exception(TimeoutError("last"))
                span.set_status(Status(StatusCode.ERROR))
    assert [end.get("error.type") for end in bench.kept.named(END)] == ["TimeoutError", "429", None]


def test_attributes_set_after_the_start_are_in_the_heartbeat():
    bench = Bench()
    span = bench.tracer.start_span("execute_tool x", attributes={"gen_ai.operation.name": "execute_tool"})
    span.set_attribute("gen_ai.tool.name", "search")
    bench.later(5)
    assert bench.kept.named(HEARTBEAT)[0]["gen_ai.tool.name"] == "search"


def test_heartbeats_come_at_their_interval_however_often_the_clockwork_ticks():
    bench = Bench()
    span = bench.tracer.start_span("invoke_agent", attributes=AGENT)
    for _ in range(12):
        bench.later(1)
    assert len(bench.kept.named(HEARTBEAT)) == 2
    assert span.is_recording()


def test_a_span_that_ends_unrecognised_makes_room_for_the_next():
    bench = Bench(max_open=1)
    ended = bench.tracer.start_span("x")
    ended.end()
    span = bench.tracer.start_span("y")
    span.set_attributes(AGENT)
    bench.later(1)
    assert bench.kept.names == [START]
    assert not ended.is_recording()


def test_requests_of_a_server_take_no_room():
    bench = Bench(max_open=1)
    requests = [bench.tracer.start_span("POST /", kind=SpanKind.SERVER) for _ in range(9)]
    assert bench.guard.processor.untracked == 0
    assert len(requests) == 9


def test_a_span_that_ends_while_it_is_being_recognised_is_not_told():
    bench = Bench()
    table = OpenSpans(5, 10)
    span = bench.tracer.start_span("x")
    table.begin(1, span, 0, told=False)
    ((key, found),) = table.candidates()
    table.end(1)
    assert not table.recognise(key, found, 0)
    assert len(table) == 0


class Collector:
    """A span whose weak reference, when it is asked for, has other spans end: as a collection may at any allocation."""

    def __init__(self, table, *keys):
        self.table, self.keys = table, keys

    def __call__(self):
        for key in self.keys:
            self.table.end(key)
        return self


@pytest.mark.timeout(10)
def test_spans_that_the_collector_ends_while_the_table_is_held_neither_block_nor_break_it():
    """A generator that is dropped half-way closes its span in whatever thread allocates, and may hold the table."""
    tracer = Bench().tracer
    for told, ask in ((False, OpenSpans.candidates), (True, lambda table: table.due(100.0))):
        table = OpenSpans(5, 10)
        for key in range(4):
            table.begin(key, tracer.start_span(str(key)), 0.0, told=told)
        rows = table._told if told else table._candidates
        rows[0].span = Collector(table, 0, 1, 2)
        ask(table)
        assert len(table._told) + len(table._candidates) <= 4
        table.end(3)


def test_a_span_recognised_late_is_told_late_with_its_true_start():
    bench = Bench()
    span = bench.tracer.start_span("RunnableSequence")
    assert bench.kept.names == []
    span.set_attribute("openinference.span.kind", "AGENT")
    bench.later(1)
    (start,) = bench.kept.named(START)
    assert start["hemostat.span.start_time_unix_nano"] == span.start_time
    span.end()
    assert bench.kept.names == [START, END]


@pytest.mark.parametrize("attributes", [{}, {"http.request.method": "GET"}, {"gen_ai.operation.name": "embeddings"}])
def test_other_spans_are_not_told(attributes):
    bench = Bench()
    span = bench.tracer.start_span("GET", attributes=attributes)
    bench.later(30)
    span.end()
    assert bench.kept.names == []


def test_an_end_without_a_start_is_not_told():
    """The finished span says it all; there is nothing open to close."""
    bench = Bench()
    span = bench.tracer.start_span("x")
    span.set_attributes(AGENT)
    span.end()
    bench.later(9)
    assert bench.kept.names == []


def test_a_forgotten_span_does_not_look_open_for_ever():
    bench = Bench()
    span = bench.tracer.start_span("invoke_agent planner", attributes=AGENT)
    bench.later(5)
    del span
    gc.collect()
    bench.later(5)
    assert bench.kept.names == [START, HEARTBEAT]
    assert bench.guard.processor.open_spans == 0


def test_what_is_beyond_the_bound_is_counted_and_told():
    bench = Bench(max_open=2)
    spans = [bench.tracer.start_span("invoke_agent", attributes=AGENT) for _ in range(5)]
    assert len(bench.kept.named(START)) == 2
    assert bench.guard.processor.untracked == 3
    bench.later(5)
    assert [e["hemostat.guard.untracked_spans"] for e in bench.kept.named(HEARTBEAT)] == [3, 3]
    for span in spans:
        span.end()
    assert len(bench.kept.named(END)) == 2


def test_other_spans_take_no_room_from_those_that_are_told():
    bench = Bench(max_open=2)
    others = [bench.tracer.start_span("x") for _ in range(9)]
    span = bench.tracer.start_span("invoke_agent", attributes=AGENT)
    assert bench.kept.names == [START]
    assert len(others) == 9
    assert span.is_recording()


def test_what_is_too_large_for_an_event_is_left_out_whole_and_counted():
    bench = Bench()
    large = {"gen_ai.input.messages": "x" * (MAX_VALUE + 1), "list": ("y" * 5000, "z" * 5000), "n": 1}
    many = {f"a{i}": i for i in range(MAX_ATTRIBUTES - len(AGENT) - 1)}
    span = bench.tracer.start_span("invoke_agent", attributes=AGENT | many | large)
    (start,) = bench.kept.named(START)
    assert start["hemostat.span.omitted_attributes"] == 3
    assert not {"gen_ai.input.messages", "list"} & start.keys()
    assert start["hemostat.span.start_time_unix_nano"] == span.start_time


def test_a_broken_exporter_does_not_reach_the_application(caplog):
    bench = Bench()
    bench.kept.broken = True
    for _ in range(3):
        bench.tracer.start_span("invoke_agent", attributes=AGENT).end()
    bench.later(9)
    assert bench.guard.processor.failures == 6
    assert len([r for r in caplog.records if r.name == "hemostat.guard.report"]) == 1


def test_strange_attributes_do_not_reach_the_application():
    bench = Bench()
    bench.tracer.start_span("x", attributes={"gen_ai.operation.name": {"a": 1}}).end()
    bench.tracer.start_span("x", attributes={"gen_ai.operation.name": ["chat"]}).end()
    assert bench.kept.names == []


def test_shutdown_makes_up_no_end():
    bench = Bench()
    span = bench.tracer.start_span("invoke_agent", attributes=AGENT)
    bench.guard.processor.shutdown()
    span.end()
    bench.tracer.start_span("invoke_agent", attributes=AGENT)
    assert bench.kept.names == [START]


def test_flush_tells_what_is_due():
    bench = Bench()
    span = bench.tracer.start_span("x")
    span.set_attributes(AGENT)
    assert bench.guard.processor.force_flush(1000)
    assert bench.kept.names == [START]


def test_the_thread_ends_in_time_and_is_not_begun_again():
    bench = Bench()
    processor = GuardSpanProcessor()
    processor.on_start(bench.tracer.start_span("invoke_agent", attributes=AGENT))
    thread = processor._ticker._thread
    assert thread is not None
    assert thread.daemon
    began = time.monotonic()
    processor.shutdown()
    assert not thread.is_alive()
    assert time.monotonic() - began < 8
    processor._ticker.start()
    assert processor._ticker._thread is thread


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_process_tells_only_of_its_own_spans_and_has_its_own_thread():
    bench = Bench()
    processor = GuardSpanProcessor()
    parents = bench.tracer.start_span("invoke_agent", attributes=AGENT)
    processor.on_start(parents)
    processor._open._lock.acquire()  # as another thread may hold it at the moment of the fork
    child = os.fork()
    if child == 0:
        fresh = processor.open_spans == 0 and bench.guard.processor.open_spans == 0
        processor.on_start(bench.tracer.start_span("invoke_agent", attributes=AGENT))
        alive = processor._ticker._thread is not None and processor._ticker._thread.is_alive()
        os._exit(0 if fresh and alive and processor.open_spans == 1 else 1)
    processor._open._lock.release()
    _, status = os.waitpid(child, 0)
    processor.shutdown()
    assert os.waitstatus_to_exitcode(status) == 0


@pytest.mark.parametrize(
    "attributes",
    [
        {"gen_ai.operation.name": "chat"},
        {"gen_ai.operation.name": "agent_handoff"},
        {"gen_ai.operation.name": "handoff", "gen_ai.handoff.to_agent": "b"},
        {"openinference.span.kind": "TOOL", "tool.name": "search"},
        {"openinference.span.kind": "CHAIN", "graph.node.id": "critic"},
        {"traceloop.span.kind": "agent", "traceloop.entity.name": "critic"},
        {"llm.request.type": "chat", "gen_ai.usage.prompt_tokens": 7},
        {"agent_name": "critic", "model_name": "m"},
        {"message.source_id": "a", "message.target_id": "b"},
        {"event_loop.cycle_id": "1"},
        {"mcp.method.name": "tools/call"},
        {"a2a.method.name": "SendMessage"},
        {"hemostat.wait.for": "lock:orders"},
    ],
)
def test_each_convention_is_recognised(attributes):
    assert is_watched(attributes)


@pytest.mark.parametrize(
    "attributes",
    [
        {"gen_ai.operation.name": "create_agent", "gen_ai.agent.name": "x"},
        {"openinference.span.kind": "EMBEDDING"},
        {"traceloop.span.kind": "task"},
        {"db.system": "postgresql"},
    ],
)
def test_what_cannot_loop_or_wait_is_not(attributes):
    assert not is_watched(attributes)


def test_tokens_are_those_of_inference_whatever_the_names():
    assert tokens({"gen_ai.usage.input_tokens": 5, "gen_ai.usage.output_tokens": 2}) == 7
    assert tokens({"gen_ai.usage.prompt_tokens": 5, "gen_ai.usage.input_tokens": 5}) == 5
    assert tokens({"llm.token_count.prompt": 3, "llm.token_count.completion": 4, "llm.token_count.total": 7}) == 7
    assert tokens({"gen_ai.usage.input_tokens": "5", "gen_ai.usage.output_tokens": -1}) == 0
    assert is_inference({"openinference.span.kind": "LLM"})
    assert not is_inference({"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 5})
