"""The product's own trace ingest as a process: `python ingest_receiver.py HTTP_PORT GRPC_PORT`, until SIGTERM.

Windows, lock, receiver and servers are those that `hemostat observe` makes; only the API server is not there, and
nobody reads what agents do (one span in eight): that costs `steps_per_second_otlp` of agents.json on top. At the end
it writes what was counted as JSON to stdout.
"""

import asyncio
import json
import signal
import sys
import threading
import time

from hemostat.settings import Settings
from hemostat.telemetry.backlog import Backlog
from hemostat.telemetry.ingest import Ingest
from hemostat.telemetry.otlp import Kind
from hemostat.telemetry.receiver import Receiver
from hemostat.telemetry.window import KEEP_SECONDS, TraceWindows


class Unread(Backlog):
    """Agents' steps are found and not read: the Collector does nothing like it."""

    def put(self, kind: Kind, body: bytes) -> None:
        """Leave it."""


async def serve(http_port: int, grpc_port: int) -> None:
    """Serve until SIGTERM, then say what was counted."""
    windows, lock = TraceWindows(), threading.Lock()
    ingest = Ingest(
        Receiver(windows, lock, Unread(lambda *_: None), Settings.read().otlp_max_bytes),
        http_port,
        grpc_port,
        "127.0.0.1",
    )
    await ingest.start()
    print("ready", flush=True)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await ingest.stop()
    print(json.dumps(counted(windows)), flush=True)


def counted(windows: TraceWindows) -> dict[str, object]:
    """Return all that was counted: edges, operations and what was dropped."""
    reading = windows.read(time.monotonic())
    graph = reading.graph(KEEP_SECONDS)
    return {
        "edges": [
            [e.caller, e.callee, e.calls, e.failures, round(e.total_seconds * 1e9), e.served.calls, e.served.failures]
            for e in graph.edges
        ],
        "operations": [
            [o.service, o.name, o.kind, o.stats.calls, o.stats.failures, round(o.stats.total_seconds * 1e9)]
            for service in sorted(graph.nodes())
            for o in reading.operations(service, KEEP_SECONDS)
        ],
        "dropped": windows.dropped(),
    }


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2])))
