"""The series a Prometheus rule can rely on."""

from prometheus_client.parser import text_string_to_metric_families

from hemostat_chaos.shop.metrics import Metrics
from hemostat_chaos.shop.roles import ROLES
from hemostat_chaos.shop.workers import WorkerPool


def samples(metrics):
    return {
        (s.name, tuple(sorted(s.labels.items()))): s.value
        for family in text_string_to_metric_families(metrics.text().decode())
        for s in family.samples
    }


def key(name, **labels):
    return name, tuple(sorted(labels.items()))


def test_series_of_failures_exist_before_the_first_failure():
    seen = samples(Metrics(ROLES["checkout"]))
    assert seen[key("shop_requests_total", service="checkout", route="/orders", code="500")] == 0
    assert seen[key("shop_calls_total", service="checkout", peer="payment", code="timeout")] == 0
    assert seen[key("shop_call_duration_seconds_count", service="checkout", peer="inventory")] == 0


def test_requests_and_calls_are_counted_and_timed():
    metrics = Metrics(ROLES["frontend"])
    metrics.answered("/browse", 503, 0.3)
    metrics.called("catalog", "503", 0.26)
    seen = samples(metrics)
    assert seen[key("shop_requests_total", service="frontend", route="/browse", code="503")] == 1
    assert seen[key("shop_request_duration_seconds_sum", service="frontend", route="/browse")] == 0.3
    assert seen[key("shop_calls_total", service="frontend", peer="catalog", code="503")] == 1
    bucket = key("shop_call_duration_seconds_bucket", service="frontend", peer="catalog", le="0.3")
    assert seen[bucket] == 1


async def test_the_pool_is_read_at_the_scrape():
    now = [0.0]
    pool = WorkerPool(4, 8, 1.0, lambda: now[0])
    metrics = Metrics(ROLES["catalog"], pool)
    async with pool.worker():
        now[0] = 7.0
        seen = samples(metrics)
    assert seen[key("shop_workers", service="catalog")] == 4
    assert seen[key("shop_queue_length", service="catalog")] == 0
    assert seen[key("shop_worker_busy_seconds_total", service="catalog")] == 7


def test_load_has_drops_and_no_workers():
    metrics = Metrics(ROLES["load"])
    metrics.dropped(3)
    seen = samples(metrics)
    assert seen[key("shop_load_dropped_total", service="load")] == 3
    assert not any(name.startswith("shop_worker") for name, _ in seen)
