"""Takes export requests, from whichever transport, into the windows: bounded, off the event loop (shell)."""

import threading
import time

from isal import isal_zlib

from hemostat.errors import Refused, Retry
from hemostat.metrics import OTLP_DROPPED, SPANS
from hemostat.telemetry.backlog import Backlog
from hemostat.telemetry.kernel.fold import Folded
from hemostat.telemetry.kernel.scan import MAX_SPANS
from hemostat.telemetry.otlp import RETRY_SECONDS, Kind, check_logs, from_json
from hemostat.telemetry.shares import Shares
from hemostat.telemetry.window import TraceWindows

STOP_SECONDS = 2.0
"""How long requests that have arrived may take when the process ends."""
MAX_MEMBERS = 64
"""Members of one gzip body: what follows each is copied, so their number is bounded as their size is."""
MAX_CONNECTIONS = 1024
"""Senders that may be connected to a port."""
READ_SECONDS = 10.0
"""A request must have arrived by then."""
IDLE_SECONDS = 120.0
"""How long a connection without requests is kept."""


class Receiver:
    """Counts export requests into the windows, and hands on what may tell of AI agents.

    :param max_bytes: largest request, after decompression.
    :param max_waiting_bytes: how much may have arrived and not been counted yet, in all.
    """

    def __init__(
        self,
        windows: TraceWindows,
        lock: threading.Lock,
        backlog: Backlog,
        max_bytes: int,
        max_waiting_bytes: int = 64 << 20,
    ) -> None:
        self.max_bytes = max_bytes
        self.backlog = backlog
        self._windows = windows
        self._lock = lock
        self._room = Shares(max_waiting_bytes)
        self._admission = threading.Lock()

    def warm(self) -> None:
        """Have everything compiled: before the ports are opened, so that no request waits for it."""
        for kind in Kind:
            from_json(b"{}", kind)
        check_logs(b"")
        with self._lock:
            self._windows.warm()

    def admit(self, who: str, size: int) -> None:
        """Set room aside for a sender's request before it is read. Raises `Retry` without room; else `leave` must
        follow.
        """
        with self._admission:
            if not self.backlog.admits(time.monotonic()) or not self._room.take(who, size):
                raise Retry("too many requests are waiting to be counted", RETRY_SECONDS)

    def leave(self, who: str, size: int) -> None:
        """Give back what `admit` set aside."""
        with self._admission:
            self._room.give(who, size)

    def take(self, body: bytes, kind: Kind = Kind.TRACES, *, json: bool = False, gzip: bool = False) -> Folded:
        """Count a request. Raises `Refused` (BadOtlp, BadGzip, TooLarge); then nothing was counted."""
        if gzip:
            body = inflate(body, self.max_bytes)
        if json:
            body = from_json(body, kind)
        if kind is Kind.TRACES:
            return self._count(body)
        check_logs(body)
        self.backlog.put(kind, body)
        return Folded(0, 0, 0)

    def _count(self, body: bytes) -> Folded:
        with self._lock:
            folded = self._windows.take(body, time.monotonic())
        SPANS.inc(folded.spans - folded.rejected)
        if folded.steps and folded.spans <= MAX_SPANS:
            self.backlog.put(Kind.TRACES, body)
        return folded

    def publish_dropped(self) -> None:
        """Show what was not counted as it came."""
        with self._lock:
            dropped = self._windows.dropped()
        for reason, n in dropped.items():
            OTLP_DROPPED.labels(reason).set(n)
        OTLP_DROPPED.labels("steps").set(self.backlog.unreadable)


def inflate(body: bytes, limit: int) -> bytes:
    """Decompress gzip, one member or several after each other (RFC 1952), up to `limit` bytes in all.

    A bomb is refused (TooLarge) before it grows, garbage, and more than `MAX_MEMBERS`, as BadGzip.
    """
    parts: list[bytes] = []
    room = limit
    while body or not parts:
        if len(parts) == MAX_MEMBERS:
            raise Refused("BadGzip", f"gzip of more than {MAX_MEMBERS} members; send one")
        out, body = _member(body, room, limit)
        room -= len(out)
        parts.append(out)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _member(body: bytes, room: int, limit: int) -> tuple[bytes, bytes]:
    """Decompress a member of at most `room` bytes; return it and what follows it."""
    decompressor = isal_zlib.decompressobj(wbits=31)
    try:
        out: bytes = decompressor.decompress(body, room + 1)
    except isal_zlib.error as error:  # type: ignore[misc]
        raise Refused("BadGzip", f"not gzip: {error}") from error
    if len(out) > room:
        raise Refused("TooLarge", f"decompresses to more than {limit} bytes; send smaller batches")
    if not decompressor.eof:
        raise Refused("BadGzip", "the gzip stream is truncated")
    return out, decompressor.unused_data
