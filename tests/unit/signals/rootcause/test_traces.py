"""Spans must become the same series that a mesh would have exported, and show when calls unfold differently."""

import collections

import pytest

from hemostat.errors import Refused
from hemostat.signals.rootcause import Sign, rank
from hemostat.signals.rootcause.series import recording
from hemostat.signals.rootcause.shift import troubles
from hemostat.signals.rootcause.traces import Fold, Span, own_seconds

AT = 1_500.0 * 15


def checkout(trace, start, *, network=0.001, charge=0.010, pays=True):
    """frontend -> checkout -> payment, the last call optional. Times in seconds."""
    inner = charge if pays else 0.0
    around = (2 * network + inner) if pays else 0.0

    def span(name, parent, service, what, begin, seconds, calling=None):
        return Span(trace, name, parent, service, what, start + begin, start + begin + seconds, False, calling)

    yield span("a", "", "frontend", "GET /", 0, 0.030 + around)
    yield span("b", "a", "frontend", "PlaceOrder", 0.001, 0.025 + around)
    yield span("c", "b", "checkout", "PlaceOrder", 0.002, 0.020 + around)
    if pays:
        yield span("d", "c", "checkout", "Charge", 0.010, 2 * network + charge)
        yield span("e", "d", "payment", "Charge", 0.010 + network, charge)


def ranked(after):
    fold = Fold()
    for i in range(1200):
        start = AT - 90 + i * 0.15
        for span in checkout(f"{i}", start, **(after if start >= AT else {})):
            fold.add(span)
    record = recording(fold.series())
    return rank(troubles(record, AT), record.edges, record.services)


@pytest.mark.parametrize(
    ("after", "service", "sign"),
    [
        ({"charge": 0.4}, "payment", Sign.LATENCY),
        ({"network": 0.2}, "payment", Sign.NETWORK),
        ({"pays": False}, "checkout", Sign.COURSE),
    ],
)
def test_a_fault_is_found_from_spans_alone(after, service, sign):
    first = ranked(after)[0]
    assert (first.service, first.troubles[0].sign) == (service, sign)


def test_own_time_leaves_out_children_once_even_where_they_overlap():
    def span(begin, end):
        return Span("t", f"{begin}", "", "s", "op", begin, end, failed=False)

    assert own_seconds(span(0, 10), [span(1, 4), span(3, 6), span(9, 12)]) == pytest.approx(4.0)
    assert own_seconds(span(5, 5), [span(1, 9)]) == 0.0


def test_an_edge_without_a_span_at_its_callee_is_known_from_the_peer():
    fold = Fold()
    fold.add(Span("t", "a", "", "cart", "GET", 0.0, 0.5, failed=False, calling=True, peer="redis"))
    assert recording(fold.series()).edges == {("cart", "redis")}


def test_spans_of_one_trace_need_not_be_together():
    spans = [s for i in range(40) for s in checkout(f"{i}", i * 1.0)]
    together, apart = Fold(), Fold()
    for span in spans:
        together.add(span)
    for span in sorted(spans, key=lambda s: s.span_id, reverse=True):
        apart.add(span)
    one, other = together.series(), apart.series()
    assert [(s.metric, s.service, s.peer) for s in one] == [(s.metric, s.service, s.peer) for s in other]
    assert all((a.values == pytest.approx(b.values)) for a, b in zip(one, other, strict=True))


def test_memory_is_bounded_in_open_traces_and_in_names():
    fold = Fold(max_open=100, max_cells=1_000)
    for i in range(150):
        fold.add(Span(f"{i}", "a", "", "s", "op", 0.0, 1.0, failed=False))
    assert fold.held == 100
    many = [Span(f"x{i}", "a", "", "s", f"GET /user/{i}", 0.0, 1.0, failed=False) for i in range(2_000)]
    with pytest.raises(Refused, match="without ids"):
        collections.deque(map(fold.add, many), maxlen=0)


def test_a_span_that_is_its_own_parent_ends():
    fold = Fold()
    fold.add(Span("t", "a", "a", "s", "op", 0.0, 1.0, failed=False))
    assert [s.metric for s in fold.series()] == ["calls", "errors_per_call", "own_latency_seconds"]
