"""A Watch over a real Prometheus, as the operator sees it."""

import threading
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hemostat.api.watch import Watch
from hemostat.observe.gather import questions
from hemostat.observe.poll import Poller
from hemostat.signals.evaluate import Inputs, WatchState, look
from hemostat.signals.presets import Target, rules_of
from hemostat.telemetry.prometheus import Prometheus

Json = dict[str, Any]


def a_watch(*signals, **spec) -> Watch:
    """Return a Watch of `payment` in `shop`, polled every second."""
    made = {"target": {"name": "payment"}, "intervalSeconds": 1, "signals": list(signals)} | spec
    return Watch.model_validate({"metadata": {"name": "payment", "namespace": "shop"}, "spec": made})


def scrape(name: str, address: str) -> Json:
    """Return a scrape job of Prometheus for one address."""
    return {"job_name": name, "static_configs": [{"targets": [address]}]}


class Live:
    """A Watch that is polled and looked at as in the operator, by a thread of its own.

    `held`: seconds for which rules must hold, instead of their own, and all of them are asked every second then.
    """

    def __init__(self, url: str, watch: Watch, *, held: float | None = None) -> None:
        self.watch = watch
        self.rules = rules_of(watch.spec, Target("shop", watch.spec.target))
        if held is not None:
            quick = {"every_seconds": 1.0, "for_seconds": held, "clear_seconds": held}
            self.rules = tuple(replace(rule, **quick) for rule in self.rules)
        self.poller = Poller(Prometheus(url))
        self.poller.want("it", questions(watch, self.rules))
        self.state = WatchState()
        self.seen = None

    @contextmanager
    def polling(self):
        queues = (self.poller.quick, self.poller.slow)
        threads = [threading.Thread(target=queue.run, daemon=True) for queue in queues for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            for queue in queues:
                queue.stop()
            for thread in threads:
                thread.join(10)

    def firing(self):
        vectors, self.problems = self.poller.read("it")
        self.seen = look(self.watch.spec, Inputs(vectors=vectors, rules=self.rules), self.state, datetime.now(UTC))
        self.state = self.seen.state
        return {s.key.split("{")[0] for s in self.seen.firing}
