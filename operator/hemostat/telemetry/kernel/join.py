"""Joins the two ends of a call by span id, whichever comes first (compiled).

A client or producer span waits to be named as parent, or as a link, by a server or consumer span, and the other way
round. The table is a set-associative cache: a pair of ids has eight places, and the oldest entry there gives way. It is
bounded in size and in time, and what was put out before its other end came is counted.
"""

from hemostat.compiled import part
from hemostat.telemetry.kernel.memory import prefetch, put, word
from hemostat.telemetry.kernel.tables import (
    EDGES,
    JOIN,
    NAMED,
    S_REAL,
    SERIES,
    SERIES_COLUMNS,
    SERVED,
    UNMATCHED,
    call,
    drop,
    series_of,
)
from hemostat.telemetry.kernel.wire import mix

SETS, WAYS = 32_768, 8
SET_WORDS = 9 * 8
"""A set is nine cache lines: the state of its entries, `second << 24 | tag << 8 | flags`, then the entries. The tag is
a part of the hash, so that of the entries hardly any but the wanted one is looked at.
"""
KEEP_SECONDS = 60
"""How long one end waits for the other."""
_FAILED, _CLIENT, _SERVER = 1, 2, 4
_TAG = 0xFFFF00
_LOW, _SPAN, _SERVICE, _TAKEN, _HIGH = range(5)
"""Columns of an entry: second half of the trace id, span id, `series + 1 << 32 | flag | service`, nanoseconds, first
half of the trace id.
"""
_SERVICE_BITS, _UNNAMED = 0x7FFFFFFF, 0x80000000
"""The flag of a caller that did not name its peer: it is counted under its first callee's name, which says nothing
about the others.
"""


@part
def _hash_of(low: int, span: int) -> int:
    return mix(low ^ mix(span))


@part
def _set_of(t: int, h: int) -> int:
    return word(t + 8 * JOIN) + 8 * SET_WORDS * (h & (SETS - 1))


@part
def _tag_of(h: int) -> int:
    return (h >> 24) & _TAG


@part
def _entry(at: int, way: int) -> int:
    return at + 64 * (1 + way)


@part
def _alive(state: int, now: int) -> bool:
    return state != 0 and now - (state >> 24) <= KEEP_SECONDS


@part
def expect(t: int, low: int, span: int) -> None:
    """Have the memory fetched in which `calling` and `called` will look for a span."""
    h = _hash_of(low, span)
    prefetch(_set_of(t, h))


@part
def expect_entry(t: int, low: int, span: int) -> None:
    """The same a little later: of the set that is there by now the entries that may be the wanted one."""
    h = _hash_of(low, span)
    at = _set_of(t, h)
    for way in range(WAYS):
        state = word(at + 8 * way)
        if state & _TAG == _tag_of(h):
            prefetch(_entry(at, way))


@part
def _enter(t: int, at: int, way: int, low: int, span: int, state: int, service: int, taken: int, high: int) -> None:
    """Put an entry into a place, which may be somebody else's."""
    before = word(at + 8 * way)
    if before & _SERVER and _alive(before, state >> 24):
        drop(t, UNMATCHED, 1)
    put(at, way, state)
    entry = _entry(at, way)
    put(entry, _LOW, low)
    put(entry, _SPAN, span)
    put(entry, _SERVICE, service)
    put(entry, _TAKEN, taken)
    put(entry, _HIGH, high)


@part
def _real_name(t: int, series: int, callee: int) -> None:
    """Note which service stands behind the name that the caller of an edge uses."""
    place = word(t + 8 * SERIES) + 8 * (SERIES_COLUMNS * series + S_REAL)
    known = word(place)
    if known == 0:
        put(place, 0, callee + 1)
    elif known != callee + 1:
        put(place, 0, -1)


@part
def _meet(
    t: int, caller: int, taken: int, failed: int, callee: int, took: int, refused: int, high: int, low: int, now: int
) -> int:
    """Count a joined call; `caller` is as in an entry. Returns it with the series it was counted in."""
    service, series = caller & _SERVICE_BITS, (caller >> 32) - 1
    call(t, series_of(t, SERVED, service, callee, EDGES, now), took, refused, high, low, now)
    if series >= 0:
        if caller & _UNNAMED == 0:
            _real_name(t, series, callee)
        return caller
    series = series_of(t, NAMED, service, callee, EDGES, now)
    call(t, series, taken, failed, high, low, now)
    return (series + 1) << 32 | _UNNAMED | service


@part
def _is(at: int, way: int, low: int, span: int) -> bool:
    entry = _entry(at, way)
    return word(entry + 8 * _SPAN) == span and word(entry + 8 * _LOW) == low


@part
def calling(t: int, caller: int, span: int, taken: int, failed: int, high: int, low: int, now: int) -> None:
    """A client or producer span has ended; `caller` says in which series it has been counted, if any."""
    h = _hash_of(low, span)
    at, tag, place, oldest = _set_of(t, h), _tag_of(h), 0, 1 << 62
    for way in range(WAYS):
        state = word(at + 8 * way)
        if state & _TAG == tag and _alive(state, now) and _is(at, way, low, span):
            if state & _SERVER:
                entry = _entry(at, way)
                callee, took = word(entry + 8 * _SERVICE), word(entry + 8 * _TAKEN)
                caller = _meet(t, caller, taken, failed, callee, took, state & _FAILED, high, low, now)
            state = 0  # that end is joined, or it is an earlier span with this id, which gives way
            put(at, way, 0)
        if state < oldest:
            place, oldest = way, state
    _enter(t, at, place, low, span, now << 24 | tag | _CLIENT | failed, caller, taken, high)


@part
def called(t: int, service: int, span: int, taken: int, failed: int, high: int, low: int, now: int) -> None:
    """A server or consumer span has ended that names `span` as its parent or link."""
    h = _hash_of(low, span)
    at, tag, place, oldest = _set_of(t, h), _tag_of(h), 0, 1 << 62
    for way in range(WAYS):
        state = word(at + 8 * way)
        if state & (_TAG | _CLIENT) == tag | _CLIENT and _alive(state, now) and _is(at, way, low, span):
            entry = _entry(at, way)
            caller, took = word(entry + 8 * _SERVICE), word(entry + 8 * _TAKEN)
            put(entry, _SERVICE, _meet(t, caller, took, state & _FAILED, service, taken, failed, high, low, now))
            return
        if state < oldest:
            place, oldest = way, state
    _enter(t, at, place, low, span, now << 24 | tag | _SERVER | failed, service, taken, high)
