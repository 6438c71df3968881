"""Where calls are counted: names, series and their counters of the present second (compiled).

A name is kept once and found by hash, but it is the bytes that are compared: no collision can mix up two names. A
series is a kind, a service and a name: an operation, an edge seen by its caller or by its callee, an agent. Its
counters are one row of columns: logarithmic buckets of the duration for calls, plain counters for agents.

All tables have a fixed size. A service may take a new series only while it has fewer than a quarter of what is still
free (the dynamic threshold of Choudhury and Hahne, 1998): a noisy one cannot crowd out the others; what it has too many
of is counted under its own `(other)`.
"""

import math

import numpy as np

from hemostat.compiled import part
from hemostat.telemetry.kernel.memory import as_double, byte, prefetch, put, word
from hemostat.telemetry.kernel.wire import mix, same, start

MAX_NAMES, MAX_SERIES, MAX_SERVICES = 32_768, 16_384, 2_048
NAME_BYTES = 256
"""Room for one name, a little more than a name may have."""
PROBES = 64
"""Places looked at for one entry: names that are made to collide cost no more than that."""
FAILED_KEPT = 5
"""Exemplars of failed calls that a series keeps."""
KINDS, NAMED, SERVED, AGENT = 6, 6, 7, 8
"""Kinds of series: 0 to 5 are operations (the OTLP span kinds), then edges as caller and callee see them, agents."""
OTHER = 0
"""The name under which a service's calls are counted that would have been one series too many."""

COLUMNS = 256
"""Counters of a series: buckets of the duration, or those of agents."""
BUCKETS = 251
GROWTH = 1.1
SMALLEST = 10_000
UPPER = np.array([math.floor(SMALLEST * GROWTH**i) for i in range(BUCKETS - 1)] + [1 << 62], np.int64)
"""Upper bounds of the buckets in nanoseconds, 10 us to two and a half days (DDSketch, Masson et al., VLDB 2019)."""
MAX_NANOSECONDS = 1 << 50
"""Thirteen days: longer spans count as that long."""
_CELL_BITS = 5
_FIRST_CELL = int(np.float64(SMALLEST).view(np.int64)) >> (52 - _CELL_BITS)
_LAST_CELL = int(np.float64(MAX_NANOSECONDS).view(np.int64)) >> (52 - _CELL_BITS)
_CELL_STARTS = (np.arange(_FIRST_CELL, _LAST_CELL + 1) << (52 - _CELL_BITS)).view(np.float64)
BUCKET_OF = np.searchsorted(UPPER, _CELL_STARTS).astype(np.uint8)
"""Bucket of the least duration with the same exponent and the same first bits of the mantissa when it is written as a
double. These cells are at most a 32nd wide, buckets a tenth: any other in there has that bucket or the next.
"""

(
    ROWS, LINKS_, STATE, NAME_TEXT, NAME, NAME_SLOTS, FREE_NAMES, SERIES, HITS, FAILED_CALLS, SERIES_SLOTS, FREE_SERIES,
    TOUCHED, JOIN, BOUNDS, CELLS, COUNT, MEMO,
) = range(18)  # fmt: skip
"""Places of the tables' addresses in the directory."""
N_HASH, N_LENGTH, N_SEEN, N_SERIES, N_SERVICE, NAME_COLUMNS = 0, 1, 2, 3, 4, 8
S_KEY, S_FAILED, S_NANOSECONDS, S_ERRORS, S_SLOW, S_SLOW_HIGH, S_SLOW_LOW, S_TOUCHED, S_SEEN, S_REAL = range(10)
"""Columns of a series: S_REAL is the service that its peer turned out to be, plus one, or -1 for several."""
SERIES_COLUMNS = 16
M_OWNER, M_NAME, M_SERIES = 1, 2, 3
MEMOS = 16_384
"""Entries of the memo of recent look-ups: hash of owner and name, owner, `length << 32 | name`, series. The bytes are
compared too.
"""
C_FREE_NAMES, C_FREE_SERIES, C_TOUCHED, C_SERVICES, C_SEED = range(5)
DROPPED = 8
"""From this counter on: what was not counted as it came, by reason."""
REASONS = ("no_service", "services", "operations", "edges", "agents", "series", "unmatched", "request_spans", "links")
NO_SERVICE, SERVICES, OPERATIONS, EDGES, AGENTS, NO_ROOM, UNMATCHED, REQUEST_SPANS, LINKS_LEFT = range(9)


@part
def drop(t: int, reason: int, n: int) -> None:
    """Count what is not counted as it came."""
    place = word(t + 8 * COUNT) + 8 * (DROPPED + reason)
    put(place, 0, word(place) + n)


@part
def _hash(p: int, n: int, seed: int) -> int:
    h = seed ^ (n * 0x1E3779B97F4A7C15)
    for i in range(0, n - 8, 8):
        h = (h ^ word(p + i)) * 0x2545F4914F6CDD1D
        h ^= (h >> 32) & 0xFFFFFFFF
    return mix(h ^ (start(p, n) if n < 8 else word(p + n - 8)))


@part
def find_name(t: int, p: int, n: int, now: int, enter: int) -> int:
    """Return the number of a name at address `p`, -1 when it is unknown and may not be entered or finds no place."""
    counters, slots = word(t + 8 * COUNT), word(t + 8 * NAME_SLOTS)
    names, texts = word(t + 8 * NAME), word(t + 8 * NAME_TEXT)
    h = _hash(p, n, word(counters + 8 * C_SEED))
    for i in range(PROBES):
        place = slots + 8 * ((h + i) & (4 * MAX_NAMES - 1))
        found = word(place) - 1
        if found >= 0:
            row = names + 8 * NAME_COLUMNS * found
            if word(row) == h and word(row + 8 * N_LENGTH) == n and same(p, texts + NAME_BYTES * found, n):
                put(row, N_SEEN, now)
                return found
            continue
        free = word(counters + 8 * C_FREE_NAMES)
        if not enter or free == 0:
            return -1
        free -= 1
        put(counters, C_FREE_NAMES, free)
        found = word(word(t + 8 * FREE_NAMES) + 8 * free)
        put(place, 0, found + 1)
        _keep(texts + NAME_BYTES * found, p, n)
        row = names + 8 * NAME_COLUMNS * found
        put(row, N_HASH, h)
        put(row, N_LENGTH, n)
        put(row, N_SEEN, now)
        put(row, N_SERIES, 0)
        put(row, N_SERVICE, 0)
        return found
    return -1


@part
def _keep(text: int, p: int, n: int) -> None:
    """Copy `n` bytes, the last word filled up with zeros."""
    for i in range(0, n, 8):
        put(text + i, 0, word(p + i) if n - i >= 8 else start(p + i, n - i))


@part
def find_service(t: int, p: int, n: int, now: int, most: int) -> int:
    """Return the number of a service's name, or -1 when it would be one more than so many services."""
    found = find_name(t, p, n, now, 0)
    counters = word(t + 8 * COUNT)
    if found < 0:
        if word(counters + 8 * C_SERVICES) >= most:
            return -1
        found = find_name(t, p, n, now, 1)
        if found < 0:
            return -1
    row = word(t + 8 * NAME) + 8 * NAME_COLUMNS * found
    if word(row + 8 * N_SERVICE) == 0:
        if word(counters + 8 * C_SERVICES) >= most:
            return -1
        put(row, N_SERVICE, 1)
        put(counters, C_SERVICES, word(counters + 8 * C_SERVICES) + 1)
    return found


@part
def _room(t: int, service: int) -> bool:
    """Tell whether a service may take one more series."""
    free = word(word(t + 8 * COUNT) + 8 * C_FREE_SERIES)
    taken = word(word(t + 8 * NAME) + 8 * (NAME_COLUMNS * service + N_SERIES))
    return free > 0 and taken <= free >> 2


@part
def find_series(t: int, kind: int, service: int, name: int, now: int) -> int:
    """Return the series of a kind, a service and a name by their numbers, -1 when there is no room for it."""
    key = kind << 48 | service << 24 | name
    counters, slots, table = word(t + 8 * COUNT), word(t + 8 * SERIES_SLOTS), word(t + 8 * SERIES)
    h = mix(key)
    for i in range(PROBES):
        place = slots + 8 * ((h + i) & (4 * MAX_SERIES - 1))
        found = word(place) - 1
        if found >= 0:
            row = table + 8 * SERIES_COLUMNS * found
            if word(row) == key:
                return found
            continue
        if (name != OTHER and not _room(t, service)) or word(counters + 8 * C_FREE_SERIES) == 0:
            return -1
        free = word(counters + 8 * C_FREE_SERIES) - 1
        put(counters, C_FREE_SERIES, free)
        found = word(word(t + 8 * FREE_SERIES) + 8 * free)
        put(place, 0, found + 1)
        row = table + 8 * SERIES_COLUMNS * found
        for column in range(SERIES_COLUMNS):
            put(row, column, 0)
        put(row, S_KEY, key)
        put(row, S_SEEN, now)
        owner = word(t + 8 * NAME) + 8 * (NAME_COLUMNS * service + N_SERIES)
        put(owner, 0, word(owner) + 1)
        return found
    return -1


@part
def series_of(t: int, kind: int, service: int, name: int, reason: int, now: int) -> int:
    """Return the series of a name, else that of the service's others, else -1; count what was dropped."""
    found = find_series(t, kind, service, name, now) if name >= 0 else -1
    if found < 0:
        drop(t, reason, 1)
        found = find_series(t, kind, service, OTHER, now)
        if found < 0:
            drop(t, NO_ROOM, 1)
    return found


@part
def hash_named(t: int, kind: int, service: int, p: int, n: int) -> int:
    """Return the hash by which `series_named` finds a name at address `p`."""
    return _hash(p, n, word(word(t + 8 * COUNT) + 8 * C_SEED) ^ ((kind << 24 | service) * 0x1E3779B97F4A7C15))


@part
def _memo(t: int, h: int) -> int:
    return word(t + 8 * MEMO) + 32 * (h & (MEMOS - 1))


@part
def expect(t: int, h: int) -> None:
    """Have the memory fetched in which `series_named` will look."""
    prefetch(_memo(t, h))


@part
def expect_call(t: int, h: int, taken: int) -> None:
    """The same a little later: what was found there, and the counters of such a call."""
    memo = _memo(t, h)
    if word(memo) == h:
        series = word(memo + 8 * M_SERIES)
        prefetch(word(t + 8 * NAME_TEXT) + NAME_BYTES * (word(memo + 8 * M_NAME) & 0xFFFFFFFF))
        prefetch(word(t + 8 * SERIES) + 8 * SERIES_COLUMNS * series)
        prefetch(word(t + 8 * SERIES) + 8 * SERIES_COLUMNS * series + 64)
        prefetch(word(t + 8 * HITS) + 8 * (COLUMNS * series + bucket(t, taken)))


@part
def series_named(t: int, kind: int, service: int, p: int, n: int, h: int, reason: int, now: int) -> int:
    """Return the series of a name at address `p` with the hash `h`; a new name is kept only if its service may have
    the series.
    """
    owner, memo = kind << 24 | service, _memo(t, h)
    found = word(memo + 8 * M_NAME)
    if word(memo) == h and word(memo + 8 * M_OWNER) == owner and found >> 32 == n:
        found = word(t + 8 * NAME_TEXT) + NAME_BYTES * (found & 0xFFFFFFFF)
        if same(p, found, n):
            return word(memo + 8 * M_SERIES)
    name = find_name(t, p, n, now, 1 if _room(t, service) else 0)
    series = series_of(t, kind, service, name, reason, now)
    if name > OTHER and series >= 0 and word(word(t + 8 * SERIES) + 8 * SERIES_COLUMNS * series) & 0xFFFFFF == name:
        put(memo, 0, h)
        put(memo, M_OWNER, owner)
        put(memo, M_NAME, n << 32 | name)
        put(memo, M_SERIES, series)
    return series


@part
def bucket(t: int, taken: int) -> int:
    """Return the bucket of a duration in nanoseconds: the first whose upper bound is not below it."""
    taken = min(max(taken, SMALLEST), MAX_NANOSECONDS)
    cell = (as_double(taken) >> (52 - _CELL_BITS)) - _FIRST_CELL
    guess = byte(word(t + 8 * CELLS) + cell)
    return guess + (word(word(t + 8 * BOUNDS) + 8 * guess) < taken)


@part
def touch(t: int, series: int, now: int) -> int:
    """Return the address of a series' row, which from now on is one of those with calls in this second."""
    row = word(t + 8 * SERIES) + 8 * SERIES_COLUMNS * series
    if word(row + 8 * S_TOUCHED) == 0:
        put(row, S_TOUCHED, 1)
        put(row, S_SEEN, now)
        counter = word(t + 8 * COUNT) + 8 * C_TOUCHED
        n = word(counter)
        put(word(t + 8 * TOUCHED), n, series)
        put(counter, 0, n + 1)
    return row


@part
def count(t: int, series: int, column: int, n: int) -> None:
    """Add to one of a series' counters."""
    place = word(t + 8 * HITS) + 8 * (COLUMNS * series + column)
    put(place, 0, word(place) + n)


@part
def call(t: int, series: int, taken: int, failed: int, high: int, low: int, now: int) -> None:
    """Count one call: duration, outcome, and its trace if it is among the failed or the slowest."""
    if series < 0:
        return
    row = touch(t, series, now)
    count(t, series, bucket(t, taken), 1)
    put(row, S_NANOSECONDS, word(row + 8 * S_NANOSECONDS) + taken)
    if taken > word(row + 8 * S_SLOW) and high | low:
        put(row, S_SLOW, taken)
        put(row, S_SLOW_HIGH, high)
        put(row, S_SLOW_LOW, low)
    if failed:
        put(row, S_ERRORS, word(row + 8 * S_ERRORS) + 1)
        if high | low:
            n = word(row + 8 * S_FAILED)
            put(row, S_FAILED, n + 1)
            place = word(t + 8 * FAILED_CALLS) + 24 * (FAILED_KEPT * series + n % FAILED_KEPT)
            put(place, 0, now)
            put(place, 1, high)
            put(place, 2, low)


@part
def drain(t: int, keys: int, counts: int, clear: int) -> int:
    """Write the counters of this second that are not zero, with their places, and clear them; return how many."""
    touched, hits, n = word(t + 8 * TOUCHED), word(t + 8 * HITS), 0
    for i in range(word(word(t + 8 * COUNT) + 8 * C_TOUCHED)):
        series = word(touched + 8 * i)
        for column in range(BUCKETS):
            place = hits + 8 * (COLUMNS * series + column)
            if word(place) != 0:
                put(keys, n, COLUMNS * series + column)
                put(counts, n, word(place))
                n += 1
                if clear:
                    put(place, 0, 0)
    return n


@part
def rebuild(t: int) -> None:
    """Fill the slots again from the entries in use; those not in use have the key or the length -1."""
    for i in range(4 * MEMOS):
        put(word(t + 8 * MEMO), i, 0)
    slots, names = word(t + 8 * NAME_SLOTS), word(t + 8 * NAME)
    for i in range(4 * MAX_NAMES):
        put(slots, i, 0)
    for found in range(MAX_NAMES):
        row = names + 8 * NAME_COLUMNS * found
        if word(row + 8 * N_LENGTH) >= 0:
            _place(slots, 4 * MAX_NAMES - 1, word(row), found)
    slots, series = word(t + 8 * SERIES_SLOTS), word(t + 8 * SERIES)
    for i in range(4 * MAX_SERIES):
        put(slots, i, 0)
    for found in range(MAX_SERIES):
        row = series + 8 * SERIES_COLUMNS * found
        if word(row) >= 0:
            _place(slots, 4 * MAX_SERIES - 1, mix(word(row)), found)


@part
def _place(slots: int, mask: int, h: int, found: int) -> None:
    i = h
    while word(slots + 8 * (i & mask)) != 0:
        i += 1
    put(slots + 8 * (i & mask), 0, found + 1)
