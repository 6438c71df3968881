"""What the tests of the guard share: a clock that moves when told, and a logger provider that keeps all."""

from collections.abc import Mapping
from typing import Any

from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor, ReadWriteLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from hemostat.guard import Guard
from hemostat.guard.orders import AnyOrder, render

WALL = 1_795_200_000


class FakeTime:
    """Stands in for the module `time`."""

    def __init__(self) -> None:
        self.passed = 0.0
        self.set_back = 0.0

    def time_ns(self) -> int:
        return int((WALL + self.passed - self.set_back) * 1e9)

    def monotonic(self) -> float:
        return 1000.0 + self.passed


class Kept(LogRecordProcessor):
    """Keeps every record, or raises."""

    def __init__(self) -> None:
        self.records: list[Any] = []
        self.broken = False

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        if self.broken:
            raise RuntimeError("the exporter is broken")
        self.records.append(log_record.log_record)

    def shutdown(self) -> None: ...

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True

    def named(self, name: str) -> list[Mapping[str, Any]]:
        return [dict(record.attributes) for record in self.records if record.event_name == name]

    @property
    def names(self) -> list[str]:
        return [record.event_name for record in self.records]


class Bench:
    """A guard in a process of its own kind: its threads are not started, `tick` is called by hand."""

    def __init__(self, service: str = "crew", **options: Any) -> None:
        self.time = FakeTime()
        self.kept = Kept()
        resource = Resource({"service.name": service})
        logs = LoggerProvider(resource, shutdown_on_exit=False)
        logs.add_log_record_processor(self.kept)
        provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self.tracer = provider.get_tracer("test")
        self.guard = Guard(service, logs, tracer=self.tracer, clock=self.time, **options)
        self.guard.ticker.start = lambda: None
        provider.add_span_processor(self.guard.processor)

    def later(self, seconds: float) -> None:
        self.time.passed += seconds
        self.guard.ticker.tick()
        assert self.guard.ticker.failures == 0

    def order(self, *orders: AnyOrder) -> None:
        self.guard.desk.deliver({order.id: render(order) for order in orders})

    @property
    def states(self) -> list[str]:
        return [event["hemostat.guard.order.state"] for event in self.kept.named("hemostat.guard.order")]
