"""Faults are reproducible and of the size that was set."""

import asyncio

import pytest

from hemostat_chaos.shop import faults
from hemostat_chaos.shop.faults import Faults
from hemostat_chaos.shop.settings import read


def made(pod="catalog-a", **env):
    return Faults(read("catalog", {"POD_NAME": pod, **env}))


def test_the_same_seed_gives_the_same_failures():
    first, second = (made(SHOP_FAIL_PERCENT="30") for _ in range(2))
    assert [first.fails() for _ in range(50)] == [second.fails() for _ in range(50)]


def test_another_seed_or_pod_gives_others():
    runs = [
        made(SHOP_FAIL_PERCENT="30"),
        made(SHOP_FAIL_PERCENT="30", SHOP_SEED="1"),
        made("catalog-b", SHOP_FAIL_PERCENT="30"),
    ]
    assert len({tuple(run.fails() for _ in range(50)) for run in runs}) == 3


@pytest.mark.parametrize(("percent", "low", "high"), [("0", 0, 0), ("30", 520, 680), ("100", 2000, 2000)])
def test_the_share_of_failures(percent, low, high):
    run = made(SHOP_FAIL_PERCENT=percent)
    assert low <= sum(run.fails() for _ in range(2000)) <= high


def test_work_varies_by_a_tenth_around_what_was_set_and_extra_comes_on_top():
    times = [made(SHOP_WORK_MS="200", SHOP_EXTRA_LATENCY_MS="1000").work_seconds() for _ in range(3)]
    assert times[0] == times[1]
    run = made(SHOP_WORK_MS="200", SHOP_EXTRA_LATENCY_MS="1000")
    drawn = [run.work_seconds() for _ in range(500)]
    assert min(drawn) >= 1.18
    assert max(drawn) <= 1.22
    assert sum(drawn) / 500 == pytest.approx(1.2, abs=0.003)


async def test_the_leak_loses_what_was_set_and_stops_at_the_ceiling(monkeypatch):
    naps = []

    async def nap(seconds):
        naps.append(seconds)

    monkeypatch.setattr(faults, "LEAK_CEILING_MB", 4)
    monkeypatch.setattr(faults.asyncio, "sleep", nap)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(faults.leak(2.0), 0.05)
    assert sum(naps) == 2.0  # 2 MiB a second reach the ceiling of 4 MiB in 2 s
