"""Requests into counters: `Fold.take(body, second)` scans a request and then counts its spans, all or nothing.

A request that cannot be read changes nothing. Not for several threads at once: whoever shares it holds a lock, and the
GIL is free meanwhile.
"""

import secrets
from dataclasses import dataclass
from typing import Any

import numpy as np

from hemostat.compiled import compiled, part
from hemostat.errors import Refused
from hemostat.telemetry.kernel import genai, join, scan, tables
from hemostat.telemetry.kernel.addition import add_up
from hemostat.telemetry.kernel.memory import put, word
from hemostat.telemetry.kernel.scan import (
    FAILED,
    GENAI,
    GENAI_SPAN,
    ID,
    KIND,
    LINKS,
    LINKS_LEFT,
    NAME,
    NANOSECONDS,
    PARENT,
    PEER,
    SERVICE,
    SPAN,
    TRACE_HIGH,
    TRACE_LOW,
)
from hemostat.telemetry.kernel.tables import NAMED, OPERATIONS, REQUEST_SPANS
from hemostat.telemetry.kernel.wire import MAX_NAME

Ints = np.ndarray[Any, np.dtype[np.int64]]
CLIENT, SERVER, PRODUCER, CONSUMER = 3, 2, 4, 5
_FAR, _NEAR = 12, 6
"""A span is counted so many spans after `_expect`, and after `_expect_more` it is the difference."""
_NAME_HASH, _PEER_HASH = 13, 14
"""Columns of a span's row that the scan leaves free."""


@dataclass(frozen=True, slots=True)
class Folded:
    """What became of a request."""

    spans: int
    """Spans in the request."""
    rejected: int
    """Spans that were not counted: no service name, too many services, too many in one request."""
    steps: int
    """Spans that may be steps of AI agents: those of which only the numbers are counted here."""


@part
def _expect(t: int, b: int, row: int, service: int) -> None:
    """Have the memory fetched meanwhile that a span will be counted in: waiting for it took half of the time."""
    kind, low = word(row + 8 * KIND), word(row + 8 * TRACE_LOW)
    name, peer = word(row + 8 * NAME), word(row + 8 * PEER)
    h = tables.hash_named(t, kind, service, b + (name >> 32), name & 0xFFFFFFFF)
    put(row, _NAME_HASH, h)
    tables.expect(t, h)
    if kind in (CLIENT, PRODUCER):
        h = tables.hash_named(t, NAMED, service, b + (peer >> 32), peer & 0xFFFFFFFF)
        put(row, _PEER_HASH, h)
        tables.expect(t, h)
    if kind >= SERVER:
        join.expect(t, low, word(row + 8 * (ID if kind in (CLIENT, PRODUCER) else PARENT)))


@part
def _expect_more(t: int, row: int) -> None:
    """The same, from what is there by now."""
    kind, low, taken = word(row + 8 * KIND), word(row + 8 * TRACE_LOW), word(row + 8 * NANOSECONDS)
    tables.expect_call(t, word(row + 8 * _NAME_HASH), taken)
    if kind in (CLIENT, PRODUCER):
        tables.expect_call(t, word(row + 8 * _PEER_HASH), taken)
    if kind >= SERVER:
        join.expect_entry(t, low, word(row + 8 * (ID if kind in (CLIENT, PRODUCER) else PARENT)))


@part
def _span(t: int, b: int, row: int, links: int, now: int) -> None:
    service, kind = word(row + 8 * SERVICE), word(row + 8 * KIND)
    taken, failed = word(row + 8 * NANOSECONDS), word(row + 8 * FAILED)
    high, low = word(row + 8 * TRACE_HIGH), word(row + 8 * TRACE_LOW)
    name, peer = word(row + 8 * NAME), word(row + 8 * PEER)
    at, size, h = b + (name >> 32), name & 0xFFFFFFFF, word(row + 8 * _NAME_HASH)
    tables.call(t, tables.series_named(t, kind, service, at, size, h, OPERATIONS, now), taken, failed, high, low, now)
    if kind in (CLIENT, PRODUCER):
        series = -1
        if peer & 0xFFFFFFFF:
            at, size, h = b + (peer >> 32), peer & 0xFFFFFFFF, word(row + 8 * _PEER_HASH)
            series = tables.series_named(t, NAMED, service, at, size, h, tables.EDGES, now)
            tables.call(t, series, taken, failed, high, low, now)
        span = word(row + 8 * ID)
        if span:
            join.calling(t, (series + 1) << 32 | service, span, taken, failed, high, low, now)
    elif kind in (SERVER, CONSUMER):
        parent = word(row + 8 * PARENT)
        if parent:
            join.called(t, service, parent, taken, failed, high, low, now)
        if kind == CONSUMER:
            tables.drop(t, tables.LINKS_LEFT, word(row + 8 * LINKS_LEFT))
            first, n = word(row + 8 * LINKS) >> 32, word(row + 8 * LINKS) & 0xFFFFFFFF
            for i in range(first, first + n):
                linked, span = word(links + 16 * i), word(links + 16 * i + 8)
                if span and span != parent:
                    join.called(t, service, span, taken, failed, high, linked, now)
    if word(row + 8 * GENAI) & GENAI_SPAN:
        genai.agent(t, b, word(row + 8 * SPAN), service, failed, now)


@part
def _number_services(t: int, b: int, rows: int, filled: int, now: int) -> int:
    """Put the services' numbers where their names are; return how many spans are of none, whose number is -1."""
    text, service, none = -1, -1, 0
    for i in range(filled):
        row = rows + 8 * scan.COLUMNS * i
        if word(row + 8 * SERVICE) != text:
            text = word(row + 8 * SERVICE)
            at, size = b + (text >> 32), text & 0xFFFFFFFF
            service = tables.find_service(t, at, size, now, tables.MAX_SERVICES) if size else -1
        if service < 0:
            tables.drop(t, tables.SERVICES if text & 0xFFFFFFFF else tables.NO_SERVICE, 1)
            none += 1
        put(row, SERVICE, service)
    return none


@part
def _take(b: int, end: int, t: int, now: int) -> int:
    """Scan and count a request at address `b`; return what is wrong with it. The state is then as `scan` leaves it,
    fourth the number of spans that were not counted, and fifth that of possible steps of agents.
    """
    rows, links, state = word(t), word(t + 8 * tables.LINKS_), word(t + 8 * tables.STATE)
    wrong = scan.scan(b, end, rows, links, state)
    if wrong:
        return wrong
    spans, filled = word(state), word(state + 8)
    tables.drop(t, REQUEST_SPANS, spans - filled)
    put(state, 3, spans - filled + _number_services(t, b, rows, filled, now))
    steps = 0
    for i in range(filled + _FAR):
        row = rows + 8 * scan.COLUMNS * i
        if i < filled and word(row + 8 * SERVICE) >= 0:
            _expect(t, b, row, word(row + 8 * SERVICE))
            steps += word(row + 8 * GENAI) >> 1 & 1
        row -= 8 * scan.COLUMNS * _NEAR
        if _NEAR <= i < filled + _NEAR and word(row + 8 * SERVICE) >= 0:
            _expect_more(t, row)
        row -= 8 * scan.COLUMNS * (_FAR - _NEAR)
        if i >= _FAR and word(row + 8 * SERVICE) >= 0:
            _span(t, b, row, links, now)
    put(state, 4, steps)
    return 0


@compiled
def take(body: np.ndarray, t: int, now: int) -> int:
    """Scan and count a request."""
    return _take(int(body.ctypes.data), body.shape[0], t, now)


@compiled
def keep(name: np.ndarray, t: int, now: int, most: int) -> int:
    """See `tables.find_service`."""
    return tables.find_service(t, int(name.ctypes.data), name.shape[0], now, most)


@compiled
def drain(t: int, keys: Ints, counts: Ints, clear: int) -> int:
    """See `tables.drain`."""
    return tables.drain(t, int(keys.ctypes.data), int(counts.ctypes.data), clear)


@compiled
def rebuild(t: int) -> None:
    """See `tables.rebuild`."""
    tables.rebuild(t)


def _in_lines(rows: int, words: int) -> Ints:
    """Return zeros that begin where a cache line begins."""
    found = np.zeros(rows * words + 8, np.int64)
    first = -found.ctypes.data % 64 // 8
    return found[first : first + rows * words].reshape(rows, words)


class Fold:
    """The tables of a process, and the one way into them."""

    def __init__(self) -> None:
        self.names = np.zeros((tables.MAX_NAMES, tables.NAME_COLUMNS), np.int64)
        self.texts = np.zeros((tables.MAX_NAMES, tables.NAME_BYTES), np.uint8)
        self.series = np.zeros((tables.MAX_SERIES, tables.SERIES_COLUMNS), np.int64)
        self.hits = np.zeros((tables.MAX_SERIES, tables.COLUMNS), np.int64)
        self.failed = np.zeros((tables.MAX_SERIES, tables.FAILED_KEPT, 3), np.int64)
        self.touched = np.zeros(tables.MAX_SERIES, np.int64)
        self.counters = np.zeros(tables.DROPPED + len(tables.REASONS), np.int64)
        self._state = np.zeros(5, np.int64)
        self._free_names = np.arange(tables.MAX_NAMES - 1, -1, -1, dtype=np.int64)
        self._free_series = np.arange(tables.MAX_SERIES - 1, -1, -1, dtype=np.int64)
        self._tables = (
            np.zeros((scan.MAX_SPANS, scan.COLUMNS), np.int64),
            np.zeros((scan.MAX_LINKS, 2), np.int64),
            self._state,
            self.texts,
            self.names,
            np.zeros(4 * tables.MAX_NAMES, np.int64),
            self._free_names,
            self.series,
            self.hits,
            self.failed,
            np.zeros(4 * tables.MAX_SERIES, np.int64),
            self._free_series,
            self.touched,
            _in_lines(join.SETS, join.SET_WORDS),
            tables.UPPER,
            tables.BUCKET_OF,
            self.counters,
            np.zeros((tables.MEMOS, 4), np.int64),
        )
        self._directory = np.array([table.ctypes.data for table in self._tables], np.int64)
        self._at = self._directory.ctypes.data
        self.names[:, tables.N_LENGTH] = self.series[:, tables.S_KEY] = -1
        self.counters[tables.C_FREE_NAMES], self.counters[tables.C_FREE_SERIES] = tables.MAX_NAMES, tables.MAX_SERIES
        self.counters[tables.C_SEED] = secrets.randbits(62)
        self._reserve_other()

    def _reserve_other(self) -> None:
        self.texts[tables.OTHER, :7] = np.frombuffer(b"(other)", np.uint8)
        self.names[tables.OTHER, tables.N_LENGTH] = 7
        self.names[tables.OTHER, tables.N_HASH] = self.counters[tables.C_SEED]  # found by number only
        self.counters[tables.C_FREE_NAMES] -= 1

    def warm(self) -> None:
        """Have everything compiled, or fetched from the cache."""
        rebuild(self._at)
        self.drain(clear=False)
        take(np.frombuffer(b"", np.uint8), self._at, 0)
        keep(np.frombuffer(b"nobody", np.uint8), self._at, 0, 0)
        none = np.empty(0, np.int32)
        add_up(none, none, np.empty(0, np.int64), np.empty((0, tables.COLUMNS), np.int64))

    def take(self, body: bytes, second: int) -> Folded:
        """Count a request that arrived in a second. Raises `Refused` (BadOtlp); then nothing was counted."""
        wrong = take(np.frombuffer(body, np.uint8), self._at, second)
        if wrong:
            words = "a name in it is not UTF-8" if wrong == 2 else "it is damaged or cut off"
            raise Refused("BadOtlp", f"not an OTLP ExportTraceServiceRequest: {words}")
        return Folded(int(self._state[0]), int(self._state[3]), int(self._state[4]))

    def keep(self, service: str, second: int) -> None:
        """Have room for a service, however many there are, until `release` is told of a later second."""
        keep(np.frombuffer(service.encode()[:MAX_NAME], np.uint8), self._at, second, tables.MAX_NAMES)

    def drain(self, *, clear: bool) -> tuple[Ints, Ints]:
        """Return place and value of every counter of the present second that is not zero; `clear` sets them to zero."""
        room = int(self.counters[tables.C_TOUCHED]) * tables.COLUMNS
        keys, counts = np.empty(room, np.int64), np.empty(room, np.int64)
        n = drain(self._at, keys, counts, int(clear))
        return keys[:n].astype(np.int32), counts[:n].astype(np.int32)

    def release(self, before: int) -> None:
        """Free every series and name that no call has come for since the second `before`."""
        keys = self.series[:, tables.S_KEY]
        series = (keys >= 0) & (self.series[:, tables.S_SEEN] < before)
        names = (self.names[:, tables.N_LENGTH] >= 0) & (self.names[:, tables.N_SEEN] < before)
        kept = (keys >= 0) & ~series
        names[keys[kept] & 0xFFFFFF] = names[(keys[kept] >> 24) & 0xFFFFFF] = names[tables.OTHER] = False
        if not series.any() and not names.any():
            return
        self.names[:, tables.N_SERIES] -= np.bincount((keys[series] >> 24) & 0xFFFFFF, minlength=tables.MAX_NAMES)
        real = self.series[:, tables.S_REAL]
        real[(real > 0) & names[np.maximum(real - 1, 0)]] = 0
        self.counters[tables.C_SERVICES] -= self.names[names, tables.N_SERVICE].sum()
        self._free(self._free_series, tables.C_FREE_SERIES, np.flatnonzero(series))
        self._free(self._free_names, tables.C_FREE_NAMES, np.flatnonzero(names))
        self.series[series, tables.S_KEY] = -1
        self.names[names, tables.N_LENGTH] = -1
        rebuild(self._at)

    def _free(
        self,
        stack: "np.ndarray[tuple[int], np.dtype[np.int64]]",
        counter: int,
        found: "np.ndarray[tuple[int], np.dtype[np.intp]]",
    ) -> None:
        n = self.counters[counter]
        stack[n : n + len(found)] = found
        self.counters[counter] = n + len(found)

    def dropped(self) -> dict[str, int]:
        """Return how much was not counted as it came, by reason, since the start."""
        return dict(zip(tables.REASONS, self.counters[tables.DROPPED :].tolist(), strict=True))
