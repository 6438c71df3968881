"""What is missing is said: head sampling from the ids that arrive, truncated traces, metrics that count more."""

import random
import uuid

import pytest
from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased
from tests.unit.signals.loops.talks import tool

from hemostat.signals import covered
from hemostat.signals.loops import coverage
from hemostat.signals.loops.coverage import LAST_TRACES, Coverage, Coverages, sampled
from hemostat.signals.loops.verdict import Visibility
from hemostat.telemetry.steps import Identity

INTERNAL, SERVER = 1, 2
SEEN = Coverage(opened=True, content=True)


def ids(n, seed=1, keep=lambda _: True):
    rng, found = random.Random(seed), []
    while len(found) < n:
        trace = rng.getrandbits(128)
        if keep(trace):
            found.append(trace.to_bytes(16, "big"))
    return found


def python(ratio):
    sampler = TraceIdRatioBased(ratio)
    return lambda trace: sampler.should_sample(None, trace, "x").decision is Decision.RECORD_AND_SAMPLE


def java(ratio):
    def keep(trace):
        low = trace & (2**64 - 1)
        return abs(low - 2**64 if low >= 2**63 else low) < ratio * 2**63

    return keep


def consistent(ratio):
    return lambda trace: (trace & (2**56 - 1)) >= (1 - ratio) * 2**56


@pytest.mark.parametrize("sampler", [python, java, consistent])
@pytest.mark.parametrize(("ratio", "traces"), [(0.01, 40), (0.1, 40), (0.5, 60), (0.8, 250)])
def test_the_share_that_a_head_sampler_kept_is_read_from_the_ids(sampler, ratio, traces):
    assert sampled(ids(traces, keep=sampler(ratio))) == pytest.approx(ratio, rel=0.15)


def test_ids_of_all_traces_show_no_sampler():
    assert [sampled(ids(n, seed)) for seed in range(40) for n in (20, 60, 256)] == [None] * 120


@pytest.mark.parametrize(
    "made",
    [
        [uuid.UUID(int=random.Random(i).getrandbits(128), version=4).bytes for i in range(250)],
        [i.to_bytes(16, "big") for i in range(250)][200:],
        [bytes(16)] * 250,
        ids(10, keep=python(0.1)),
    ],
    ids=["UUIDs", "a counter", "one id", "too few"],
)
def test_ids_that_are_no_random_numbers_and_few_ids_show_none(made):
    assert sampled(made) is None


def test_it_is_over_with_the_first_traces_that_the_sampler_would_not_have_kept():
    seen = Coverages()
    for trace in [*ids(100, keep=python(0.1)), *ids(8, seed=2)]:
        seen.spans([Identity("planner", trace, b"s", b"", INTERNAL)], 0.0)
    assert seen.of("planner", 0.0).share is None


def traces(n, lose=0.0, seed=1, service="planner"):
    """Return spans of traces: a root, an agent in it, five tools in that; and calls of others into it."""
    rng, found = random.Random(seed), []
    for trace in ids(n, seed):
        root, agent = rng.randbytes(8), rng.randbytes(8)
        spans = [Identity(service, trace, rng.randbytes(8), agent, INTERNAL) for _ in range(5)]
        spans += [Identity(service, trace, rng.randbytes(8), rng.randbytes(8), SERVER)]
        spans += [Identity("other", trace, rng.randbytes(8), rng.randbytes(8), INTERNAL)]
        spans += [Identity(service, trace, agent, root, INTERNAL)]
        found += [s for s in spans if rng.random() >= lose]
        found.append(Identity(service, trace, root, b"", INTERNAL))
    return found


def after(spans, later=60.0):
    seen = Coverages()
    seen.spans(spans, 0.0)
    seen.spans([], later)
    return seen.of("planner", later)


def test_spans_whose_parent_never_came_though_their_trace_is_over_are_told():
    assert after(traces(100)).missing == 0.0
    assert after(traces(200, lose=0.3)).missing == pytest.approx(0.25, abs=0.1)
    assert "25% of spans lack their parent" in covered.words(Coverage(missing=0.25))


def test_a_trace_that_is_not_over_and_few_spans_tell_nothing():
    ended = [s for s in traces(200) if s.parent]  # no root: the agents are still at work
    assert after([s for s in ended if s.kind == INTERNAL][::2]).missing == 0.0
    assert after(traces(200, lose=0.3), later=5.0).missing == 0.0
    assert after(traces(5, lose=0.5)).missing == 0.0


def test_what_is_known_is_bounded(monkeypatch):
    monkeypatch.setattr(coverage, "MOST_SERVICES", 3)
    monkeypatch.setattr(coverage, "MOST_TRACES", 7)
    monkeypatch.setattr(coverage, "MOST_SPANS", 5)
    seen, rng = Coverages(), random.Random(1)
    for i in range(1000):
        seen.spans([Identity(f"s{i % 9}", rng.randbytes(16), rng.randbytes(8), rng.randbytes(8), INTERNAL)], 0.0)
    for _ in range(1000):
        seen.spans([Identity("s", b"one trace", rng.randbytes(8), rng.randbytes(8), INTERNAL)], 0.0)
    assert len(seen._services) <= 3
    assert len(seen._traces) <= 7
    assert max(len(t.spans) for t in seen._traces.values()) <= 5
    assert max(len(s.ids) for s in seen._services.values()) <= LAST_TRACES


def test_open_spans_and_content_are_what_makes_visibility():
    seen = Coverages()
    assert covered.visibility(seen.of("team", 0.0)) is Visibility.NONE
    seen.step(tool(), 0.0)
    assert covered.visibility(seen.of("team", 0.0)) is Visibility.PARTIAL
    assert "nothing tells of open spans" in covered.words(seen.of("team", 0.0))
    seen.step(tool(ended=None, asked=None), 0.0)
    assert covered.words(seen.of("team", 0.0)) == "visibility: full"
    assert covered.visibility(seen.of("team", 3600.0)) is Visibility.NONE, "that was an hour ago"


def test_more_open_spans_than_can_be_kept_are_said_for_deadlocks_may_be_among_them():
    seen = Coverage(opened=True, content=True, displaced=True)
    assert covered.visibility(seen) is Visibility.PARTIAL
    assert "more spans are open than can be kept, so deadlocks may not be seen" in covered.words(seen)


def test_sampling_is_said_with_what_it_means_and_nothing_is_seen_in_full():
    line = covered.words(Coverage(share=0.1, opened=True, content=True))
    assert line == "visibility: partial: about 1 of 10 traces arrives, so counts and budgets are lower bounds"
    assert "about 8 of 10 traces arrive," in covered.words(Coverage(share=0.8))


@pytest.mark.parametrize(
    ("spans", "metered", "less"),
    [(12, 120.0, True), (90, 100.0, False), (0, 15.0, False), (120, 12.0, False), (5, None, False)],
)
def test_metrics_that_count_more_inferences_than_spans_tell_of_mean_that_spans_are_missing(spans, metered, less):
    seen = Coverage(opened=True, content=True, inferences=spans, metered=metered)
    assert covered.lacking(seen) is less
    assert ("spans tell of 12 of 120 inferences" in covered.words(seen)) is less


def test_the_query_names_the_service_whatever_is_in_it():
    text = covered.query('a".*b')
    assert r'service_name="a\".*b"' in text
    assert r'job=~"(.+/)?a\"\\.\\*b"' in text
