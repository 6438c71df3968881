"""The protobuf wire format, compiled: varints, fields, text (https://protobuf.dev/programming-guides/encoding/).

`b` is the address of the request and positions count from there. Every function gets the end of what it may read and
returns the position after what it read, or BAD; nothing is read beyond the end.
"""

from hemostat.compiled import part
from hemostat.telemetry.kernel.memory import byte, word

BAD = -1
_HIGH_BITS = -0x7F7F7F7F7F7F7F80
"""The highest bit of each byte of a word: 0 in ASCII."""
MAX_NAME = 253
"""Bytes of a name that are kept: hostile labels must not move memory."""


@part
def varint(b: int, p: int, end: int) -> tuple[int, int]:
    """Read a varint of up to 64 bits, as a signed number of the same bits."""
    value, shift = 0, 0
    while p < end:
        seven = byte(b + p)
        p += 1
        value |= (seven & 0x7F) << shift
        if seven < 0x80:
            return value, (p if shift < 63 or seven < 2 else BAD)
        shift += 7
        if shift > 63:
            break
    return 0, BAD


@part
def length(b: int, p: int, end: int) -> tuple[int, int]:
    """Read the length of a field and make sure that the field ends within bounds."""
    if p < end and byte(b + p) < 0x80:
        n, p = byte(b + p), p + 1
    else:
        n, p = varint(b, p, end)
        if p == BAD:
            return 0, BAD
    if n < 0 or n > end - p:
        return 0, BAD
    return n, p


@part
def tag(b: int, p: int, end: int) -> tuple[int, int]:
    """Read a field's number and wire type; the number is not zero."""
    if p < end and byte(b + p) < 0x80:
        t, p = byte(b + p), p + 1
    else:
        t, p = varint(b, p, min(end, p + 5))
    if p == BAD or t < 8 or t > 0xFFFFFFFF:
        return 0, BAD
    return t, p


@part
def skip(b: int, t: int, p: int, end: int) -> int:
    """Pass over the value of a field with tag `t`. Groups (never in OTLP, given up by protobuf) are refused."""
    kind = t & 7
    if kind == 0:
        return varint(b, p, end)[1]
    if kind == 1:
        return p + 8 if end - p >= 8 else BAD
    if kind == 2:
        n, p = length(b, p, end)
        return p + n if p != BAD else BAD
    if kind == 5:
        return p + 4 if end - p >= 4 else BAD
    return BAD


@part
def same(p: int, q: int, n: int) -> bool:
    """Compare `n` bytes at two addresses: by eights, the last eight overlapping."""
    if n < 8:
        return start(p, n) == start(q, n)
    for i in range(0, n - 8, 8):
        if word(p + i) != word(q + i):
            return False
    return word(p + n - 8) == word(q + n - 8)


@part
def mix(h: int) -> int:
    """Spread every bit of a word over all of it (multiply and fold, as MurmurHash3 ends)."""
    h = (h ^ ((h >> 32) & 0xFFFFFFFF)) * 0x2545F4914F6CDD1D
    h = (h ^ ((h >> 29) & 0x7FFFFFFFF)) * 0x1E3779B97F4A7C15
    return h ^ ((h >> 32) & 0xFFFFFFFF)


@part
def start(p: int, n: int) -> int:
    """Read fewer than eight bytes, filled up with zeros."""
    value = 0
    for i in range(n):
        value |= byte(p + i) << (8 * i)
    return value


@part
def valid_text(b: int, p: int, n: int) -> bool:
    """Tell whether `n` bytes are UTF-8 (RFC 3629: shortest form, no surrogates, up to U+10FFFF)."""
    high = start(b + p, n) if n < 8 else word(b + p + n - 8)
    for i in range(0, n - 8, 8):
        high |= word(b + p + i)
    return high & _HIGH_BITS == 0 or _valid_utf8(b, p, p + n)


@part
def _valid_utf8(b: int, p: int, end: int) -> bool:
    while p < end:
        c = byte(b + p)
        p += 1
        if c < 0x80:
            continue
        low, high, more = 0x80, 0xBF, 0
        if 0xC2 <= c <= 0xDF:
            more = 1
        elif 0xE0 <= c <= 0xEF:
            more = 2
            low = 0xA0 if c == 0xE0 else 0x80
            high = 0x9F if c == 0xED else 0xBF
        elif 0xF0 <= c <= 0xF4:
            more = 3
            low = 0x90 if c == 0xF0 else 0x80
            high = 0x8F if c == 0xF4 else 0xBF
        if more == 0 or end - p < more or not low <= byte(b + p) <= high:
            return False
        for i in range(1, more):
            if byte(b + p + i) & 0xC0 != 0x80:
                return False
        p += more
    return True


@part
def cut(b: int, p: int, n: int) -> int:
    """Return how many of `n` bytes of text are kept: at most MAX_NAME, and no part of a character."""
    if n <= MAX_NAME:
        return n
    n = MAX_NAME
    while n > 0 and byte(b + p + n) & 0xC0 == 0x80:
        n -= 1
    return n
