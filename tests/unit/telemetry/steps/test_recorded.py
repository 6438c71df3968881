"""Spans of frameworks that no test runs, as their source writes them, are read like those of the others."""

import pytest
from tests.unit.telemetry.requests import TRACE, message, put, span
from tests.unit.telemetry.steps.recorded import ARGUMENTS, PENDING, RESULT, SPANS

from hemostat.telemetry.steps import of_traces
from hemostat.telemetry.steps.digest import digest


def read(recorded, **more):
    made = span(recorded.kind, recorded.name, **more)
    for key, value in recorded.attributes.items():
        put(made, key, value)
    return list(of_traces(message("team", made)))


@pytest.mark.parametrize("recorded", SPANS, ids=lambda r: f"{r.package.split()[0]}-{r.name}")
def test_what_the_source_writes_is_read(recorded):
    found = read(recorded)
    if recorded.operation is None:
        assert found == []
        return
    (step,) = found
    assert (step.operation, step.agent, step.peer) == (recorded.operation, recorded.agent, recorded.peer)
    assert (step.tokens_in, step.tokens_out, step.tokens_cached) == recorded.tokens
    assert step.conversation == (recorded.conversation or TRACE.hex())
    assert step.failed is recorded.failed
    content = (digest(ARGUMENTS), digest(RESULT)) if recorded.has_content else (None, None)
    assert (step.arguments, step.result) == content


def test_a_pending_span_of_a_root_is_an_open_step_without_a_parent():
    (step,) = read(PENDING, own=b"pending!", parent=b"the span")
    assert (step.operation, step.peer) == (PENDING.operation, PENDING.peer)
    assert (step.span, step.parent, step.ended) == (b"the span", b"", None)
