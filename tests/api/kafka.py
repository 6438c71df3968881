"""A real Kafka on loopback: one node in KRaft mode, whose own tools produce and consume."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from struct import calcsize, pack, unpack

from tests.api.kafka_install import jars, java
from tests.api.programs import free_port, until

from hemostat_chaos.cluster import run, spawn

PARTITIONS = 2
Offsets = dict[tuple[str, int], int]
"""By topic and partition."""


class Kafka:
    """A broker, and what people do with it."""

    def __init__(self, folder: Path, port: int) -> None:
        self.port = port
        self._folder = folder

    def publish(self, topic: str, count: int) -> None:
        """Send messages; makes the topic if need be."""
        where = ["--bootstrap-server", f"127.0.0.1:{self.port}", "--topic", topic]
        run.output([*tool("org.apache.kafka.tools.ConsoleProducer"), *where], data=b"x\n" * count)

    @contextmanager
    def consuming(self, group: str, *topics: str) -> Iterator[None]:
        """Have a consumer of this group, from the first message on; it commits what it has read, also at its end."""
        argv = [
            *tool("org.apache.kafka.tools.consumer.ConsoleConsumer"),
            *("--bootstrap-server", f"127.0.0.1:{self.port}", "--include", "|".join(topics), "--group", group),
            *("--from-beginning", "--command-property", "auto.commit.interval.ms=100"),
        ]
        process = spawn.background(argv, self._folder / f"{group}.log")
        try:
            yield
        finally:
            spawn.end(process, grace=20)

    def committed(self, group: str) -> Offsets:
        """Return what a group has committed (OffsetFetch 2: of every topic)."""
        answer = self._ask(9, 2, _text(group) + pack(">i", -1))
        found = {}
        for topic, partition in _partitions(answer):
            offset, length = _read(answer, ">qh")
            answer.read(max(0, length))  # metadata
            _read(answer, ">h")  # error
            found[topic, partition] = offset
        return {place: offset for place, offset in found.items() if offset >= 0}

    def ends(self, *topics: str) -> Offsets:
        """Return how far partitions reach (ListOffsets 1: the latest)."""
        wanted = pack(">i", PARTITIONS) + b"".join(pack(">iq", p, -1) for p in range(PARTITIONS))
        answer = self._ask(2, 1, pack(">ii", -1, len(topics)) + b"".join(_text(t) + wanted for t in topics))
        found = {}
        for topic, partition in _partitions(answer):
            error, _, offset = _read(answer, ">hqq")
            if error == 0:
                found[topic, partition] = offset
        return found

    def _ask(self, key: int, version: int, body: bytes) -> BytesIO:
        """Send one request (https://kafka.apache.org/protocol) and return the body of its answer."""
        message = pack(">hhi", key, version, 0) + _text("test") + body
        with socket.create_connection(("127.0.0.1", self.port), 5) as connection, connection.makefile("rb") as answer:
            connection.sendall(pack(">i", len(message)) + message)
            length, _correlation = _read(answer, ">ii")
            return BytesIO(answer.read(length - 4))


def _text(text: str) -> bytes:
    return pack(">h", len(text)) + text.encode()


def _read(data, form: str) -> tuple:
    return unpack(form, data.read(calcsize(form)))


def _partitions(data: BytesIO) -> Iterator[tuple[str, int]]:
    """Walk an answer's topics and their partitions; the caller reads what follows each."""
    for _ in range(_read(data, ">i")[0]):
        topic = data.read(_read(data, ">h")[0]).decode()
        for _ in range(_read(data, ">i")[0]):
            yield topic, _read(data, ">i")[0]


def tool(main: str) -> list[object]:
    """Return the command of one of Kafka's programs; small, and quick to start."""
    quick = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-Xmx256m"]
    return [java(), *quick, "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{jars()}/*", main]


@contextmanager
def kafka(folder: Path) -> Iterator[Kafka]:
    """Run a Kafka that makes topics when they are first written to, with two partitions each."""
    port, controller = free_port(), free_port()
    settings = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
        "log.dirs": folder / "data",
        "num.partitions": PARTITIONS,
        "offsets.topic.num.partitions": 1,
        "offsets.topic.replication.factor": 1,
        "group.initial.rebalance.delay.ms": 0,
    }
    file = folder / "server.properties"
    file.write_text("".join(f"{k}={v}\n" for k, v in settings.items()))
    run.output([*tool("kafka.tools.StorageTool"), "format", "--cluster-id", "MkU3OEVBNTcwNTJENDM2Qk", "--config", file])
    process = spawn.background([*tool("kafka.Kafka"), file], folder / "kafka.log")
    found = Kafka(folder, port)

    def ready() -> bool:
        try:
            return found.ends() == {}
        except OSError:
            return False

    try:
        until(ready, 60, "Kafka is ready")
        yield found
    finally:
        spawn.end(process, grace=20)
