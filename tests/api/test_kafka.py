"""A queue of a real Kafka, through a real Collector and a real Prometheus, judged as in the operator."""

import re
import urllib.request
from contextlib import ExitStack

import pytest
from tests.api.kafka import kafka
from tests.api.kafka_metrics import collected
from tests.api.live import Live, a_watch, scrape
from tests.api.programs import prometheus, until

ORDERS = {"system": "Kafka", "name": "billing", "deadLetter": "dead", "maxLag": 20}
ARCHIVE = {"system": "Kafka", "name": "archive", "maxLag": 20}


# The first time, the Collector is built and Kafka fetched: that takes minutes.
@pytest.mark.timeout(2400)
def test_a_group_of_kafka_in_all_its_troubles_beside_one_that_is_well(tmp_path):
    """Two groups read one topic; either spelling of the Collector's exporter has a Prometheus of its own."""
    with kafka(tmp_path) as broker, ExitStack() as rest:
        broker.publish("orders", 5)
        broker.publish("dead", 2)
        rest.enter_context(broker.consuming("archive", "orders", "dead"))
        with broker.consuming("billing", "orders"):
            until(lambda: sum(broker.committed("billing").values()) == 5, 60, "all is consumed")
        pages = rest.enter_context(collected(broker, ["billing", "archive"], ["orders", "dead"], tmp_path))
        lives = []
        for suffix, page in pages.items():
            url = rest.enter_context(prometheus(tmp_path / f"prometheus{suffix}", [scrape("kafka", page)]))
            watch = a_watch({"name": "orders", "queue": ORDERS}, {"name": "archive", "queue": ARCHIVE})
            lives.append(rest.enter_context(Live(url, watch, held=1).polling()))

        def firing(*wanted: str) -> bool:
            return [it.firing() for it in lives] == [set(wanted)] * len(lives)

        def seen() -> bool:
            quiet = firing()
            return quiet and all(signal.samples for it in lives for signal in it.seen.signals)

        until(seen, 30, "both groups are seen, and well")
        for suffix, page in pages.items():
            assert names(page) == {f"kafka_{of}{suffix}" for of in NAMES}
        broker.publish("orders", 40)
        until(lambda: firing("orders/Backlog", "orders/Stalled"), 40, "it is too long, grows, and nobody consumes")
        with broker.consuming("billing", "orders"):
            until(firing, 40, "it is consumed, and all is well again")
            broker.publish("dead", 1)
            until(lambda: firing("orders/DeadLetters"), 40, "a dead letter")


NAMES = ("consumer_group_lag", "consumer_group_offset", "partition_current_offset")


def names(page: str) -> set[str]:
    """Return the names of Kafka's metrics on a page."""
    with urllib.request.urlopen(f"http://{page}/metrics", timeout=5) as response:
        return set(re.findall(r"^(kafka_\w+)\{", response.read().decode(), re.MULTILINE))
