"""Distortions do to records what they say and nothing else; the metamorphic tests of the detectors stand on them."""

import pytest
from tests.bench.agentworld import distort
from tests.bench.agentworld.case import deploy, simulate
from tests.bench.agentworld.conventions import CONVENTIONS


@pytest.fixture(scope="module")
def case():
    return simulate("ring", 11, flipped=True, start=1e9, setting=deploy(11, 12, 1.0, ("openinference",)))


@pytest.fixture(scope="module")
def records(case):
    return case.records()


def arrivals(records):
    return [record.arrival for record in records]


def test_a_share_of_the_spans_is_lost_and_a_greater_share_contains_a_smaller_one(records):
    spans = [record for record in records if not record.event]
    some, more = (distort.lose_spans(records, share, 1) for share in (0.2, 0.5))
    assert 0.05 < 1 - len([r for r in some if not r.event]) / len(spans) < 0.4
    assert set(more) < set(some) < set(records)
    assert [r for r in more if r.event] == [r for r in records if r.event]
    assert distort.lose_spans(records, 0.0, 1) == records
    assert [r for r in distort.lose_events(records, 1.0, 1) if r.event] == []


def test_traces_are_kept_whole_or_not_at_all():
    for seed in range(30):
        setting = deploy(seed, seed + 1, 1.0, ("openinference",))
        records = simulate("ring", seed, flipped=False, start=1e9, setting=setting).records()
        kept = {record.trace for record in distort.sample_traces(records, 0.5, 1)}
        assert [r for r in records if r.trace in kept] == distort.sample_traces(records, 0.5, 1)


def test_duplicates_are_the_same_spans_later(records):
    doubled = distort.duplicate(records, 0.3, 1)
    assert arrivals(doubled) == sorted(arrivals(doubled))
    assert {(r.span, r.event, r.start) for r in doubled} == {(r.span, r.event, r.start) for r in records}
    assert 1.1 < len(doubled) / len(records) < 1.5


def test_reordering_stays_within_the_delay_and_loses_nothing(records):
    late = distort.reorder(records, 8.0, 1)
    assert arrivals(late) == sorted(arrivals(late))
    came = {(r.span, r.event, r.start): r.arrival for r in records}
    assert all(0 <= r.arrival - came[r.span, r.event, r.start] <= 8.0 for r in late)
    assert [r.span for r in late] != [r.span for r in records]
    assert len(late) == len(records)


def test_renaming_leaves_no_old_name_anywhere_and_renames_the_truth_alike(case, records):
    names = {name: f"zz{at}" for at, name in enumerate(case.truth.agents)}
    said = repr(distort.rename(records, names))
    assert [name for name in names if name in said] == []
    renamed = case.truth.renamed(names)
    assert set(renamed.agents) == set(names.values())
    assert {one for cut in renamed.cuts for edge in cut for one in edge} <= set(names.values())


def test_interleaving_merges_by_arrival_and_a_shift_moves_everything(records):
    later = distort.shift(records, 30.0)
    assert [b.start - a.start for a, b in zip(records, later, strict=True)] == [30_000_000_000] * len(records)
    merged = distort.interleave(records, later)
    assert arrivals(merged) == sorted(arrivals(merged))
    assert len(merged) == 2 * len(records)


def test_another_convention_tells_the_same_conversation(case):
    for name in CONVENTIONS:
        other = case.told_as(name)
        assert (other.truth.kind, other.truth.started, other.truth.agents) == (
            case.truth.kind,
            case.truth.started,
            case.truth.agents,
        )
        assert other.truth.convention == name
        assert {record.trace.hex() for record in other.records()} <= set(other.truth.traces)
