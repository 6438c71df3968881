"""Joins the two ends of a call by span id, whichever comes first (compiled).

A client or producer span waits to be named as parent, or as a link, by a server or consumer span, and the other way
round. The table is a set-associative cache: a pair of ids has eight places, and the oldest entry there gives way. It is
bounded in size and in time, and what was put out before its other end came is counted.
"""

from hemostat.compiled import part
from hemostat.telemetry.kernel.memory import put, word
from hemostat.telemetry.kernel.tables import (
    EDGES,
    JOIN_DATA,
    JOIN_KEYS,
    JOIN_STATE,
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
KEEP_SECONDS = 60
"""How long one end waits for the other."""
_FAILED, _CLIENT, _SERVER = 1, 2, 4
_SERVICE, _TAKEN, _HIGH, DATA_COLUMNS = 0, 1, 2, 4
"""Columns of an entry: `series + 1 << 32 | service`, nanoseconds, first half of the trace id. Its state, `second << 8 |
flags`, is kept apart, so that looking through a set touches few cache lines."""


@part
def _set_of(low: int, span: int) -> int:
    return (mix(low ^ mix(span)) & (SETS - 1)) * WAYS


@part
def _alive(state: int, now: int) -> bool:
    return state != 0 and now - (state >> 8) <= KEEP_SECONDS


@part
def _enter(t: int, place: int, low: int, span: int, state: int, service: int, taken: int, high: int, now: int) -> None:
    """Put an entry into a place, which may be somebody else's."""
    data, states = word(t + 8 * JOIN_DATA) + 8 * DATA_COLUMNS * place, word(t + 8 * JOIN_STATE)
    if word(states + 8 * place) & _SERVER and _alive(word(states + 8 * place), now):
        drop(t, UNMATCHED, 1)
    keys = word(t + 8 * JOIN_KEYS) + 16 * place
    put(keys, 0, low)
    put(keys, 1, span)
    put(states, place, now << 8 | state)
    put(data, _SERVICE, service)
    put(data, _TAKEN, taken)
    put(data, _HIGH, high)


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
    """Count a joined call; `caller` is `series + 1 << 32 | service`. Returns it with the series it was counted in."""
    service, series = caller & 0xFFFFFFFF, (caller >> 32) - 1
    call(t, series_of(t, SERVED, service, callee, EDGES, now), took, refused, high, low, now)
    if series >= 0:
        _real_name(t, series, callee)
        return caller
    series = series_of(t, NAMED, service, callee, EDGES, now)
    call(t, series, taken, failed, high, low, now)
    return (series + 1) << 32 | service


@part
def calling(t: int, caller: int, span: int, taken: int, failed: int, high: int, low: int, now: int) -> None:
    """A client or producer span has ended; `caller` says in which series it has been counted, if any."""
    base = _set_of(low, span)
    keys, states, table = word(t + 8 * JOIN_KEYS), word(t + 8 * JOIN_STATE), word(t + 8 * JOIN_DATA)
    place, oldest = base, 1 << 62
    for way in range(base, base + WAYS):
        state = word(states + 8 * way)
        if word(keys + 16 * way + 8) == span and word(keys + 16 * way) == low and _alive(state, now):
            if state & _SERVER:
                data = table + 8 * DATA_COLUMNS * way
                callee, took = word(data + 8 * _SERVICE), word(data + 8 * _TAKEN)
                caller = _meet(t, caller, taken, failed, callee, took, state & _FAILED, high, low, now)
            state = 0  # that end is joined, or it is an earlier span with this id, which gives way
            put(states, way, 0)
        if state < oldest:
            place, oldest = way, state
    _enter(t, place, low, span, _CLIENT | failed, caller, taken, high, now)


@part
def called(t: int, service: int, span: int, taken: int, failed: int, high: int, low: int, now: int) -> None:
    """A server or consumer span has ended that names `span` as its parent or link."""
    base = _set_of(low, span)
    keys, states, table = word(t + 8 * JOIN_KEYS), word(t + 8 * JOIN_STATE), word(t + 8 * JOIN_DATA)
    place, oldest = base, 1 << 62
    for way in range(base, base + WAYS):
        state = word(states + 8 * way)
        if (
            state & _CLIENT
            and word(keys + 16 * way + 8) == span
            and word(keys + 16 * way) == low
            and _alive(state, now)
        ):
            data = table + 8 * DATA_COLUMNS * way
            caller, took = word(data + 8 * _SERVICE), word(data + 8 * _TAKEN)
            put(data, _SERVICE, _meet(t, caller, took, state & _FAILED, service, taken, failed, high, low, now))
            return
        if state < oldest:
            place, oldest = way, state
    _enter(t, place, low, span, _SERVER | failed, service, taken, high, now)
