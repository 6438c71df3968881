"""One pass over an ExportTraceServiceRequest: a row of numbers per span, nothing copied (compiled).

A row says where in the request the span's texts are. Attributes are passed over by the length of their key; only those
that name the service or the peer are looked at, and compared byte by byte. What protobuf allows is understood as the
oracle (telemetry/oracle.py) understands it: any order of fields, the last of several, unknown fields.
"""

import numpy as np

from hemostat.compiled import part
from hemostat.telemetry.kernel.memory import byte, put, word
from hemostat.telemetry.kernel.tables import MAX_NANOSECONDS
from hemostat.telemetry.kernel.wire import BAD, cut, length, skip, tag, valid_text, varint

SERVICE, NAME, PEER, SPAN = 0, 1, 2, 3
"""Columns that are slices of the request: `offset << 32 | length`; 0 when there is none."""
KIND, FAILED, GENAI, NANOSECONDS, TRACE_HIGH, TRACE_LOW, ID, PARENT, LINKS = 4, 5, 6, 7, 8, 9, 10, 11, 12
"""Columns that are numbers; LINKS is a slice of the links' rows. An id that has not the length it must have is 0."""
LINKS_LEFT = 15
"""Column: links of the span that were passed over."""
COLUMNS = 24
MAX_SPANS = 32_768
"""Spans taken of one request; what is beyond is told the sender as rejected."""
MAX_LINKS = 65_536
MAX_LINKS_OF_SPAN = 32
"""Links looked at, of one request and of one span."""

_OK, _MALFORMED, _TEXT = 0, 1, 2
PEER_KEYS = (
    b"peer.service",
    b"messaging.destination.name",
    b"server.address",
    b"net.peer.name",
    b"rpc.service",
    b"db.system.name",
    b"db.system",
    b"messaging.system",
)
"""Attributes that name the callee; the first that is there counts."""
_FIRST = tuple(int.from_bytes(key[:8], "little") for key in (*PEER_KEYS, b"service.name"))
_LAST = tuple(int.from_bytes(key[-8:], "little") for key in (*PEER_KEYS, b"service.name"))
_DESTINATION = tuple(int.from_bytes(PEER_KEYS[1][i : i + 8], "little") for i in (8, 16))
_LENGTHS = sum(1 << n for n in {len(key) for key in (*PEER_KEYS, b"service.name")})
"""A bit for each length that a key we know has."""
_GENAI = int.from_bytes(b"gen_ai.", "little")
_SERVICE_KEY = 8
_PEERS = 16
"""From this column on: what each of the peer keys says, while a span is read."""
_NO_KEY = -1
_GENAI_KEY = -2
_AGENTS_KEY = -3
AGENTS_PREFIXES = (
    b"gen_", b"open", b"trac", b"mcp.", b"a2a.", b"mess", b"logf", b"agen", b"exec", b"llm.", b"lang", b"tool", b"hemo",
)  # fmt: skip
"""How attributes begin that say what an AI agent does, in any convention (`telemetry.steps.vocabulary`)."""
_SPREAD, _SLOTS_BITS = 65_210_917, 15
"""With this factor each prefix has a slot of its own."""


def _slots() -> tuple[int, ...]:
    slots = [0] * (_SLOTS_BITS + 1)
    for prefix in AGENTS_PREFIXES:
        first = int.from_bytes(prefix, "little")
        slots[first * _SPREAD >> 20 & _SLOTS_BITS] = first
    return tuple(slots)


_SLOTS = _slots()
GENAI_SPAN, AGENTS_SPAN = 1, 2
"""What the column GENAI says: the span is counted for agents' service levels; it may be a step of an agent."""


@part
def key_of(b: int, p: int, n: int) -> int:
    """Return the number of a key, `_GENAI_KEY` for any that begins with `gen_ai.`, `_AGENTS_KEY` for others that the
    conventions of agents use, else `_NO_KEY`.

    A key is compared in whole: its first and last eight bytes overlap, and the longest has two words in between.
    """
    if n < 8:
        return _NO_KEY
    first = word(b + p)
    if first & 0xFFFFFFFFFFFFFF == _GENAI:
        return _GENAI_KEY
    key = _known(b, p, n, first)
    if key == _NO_KEY and _SLOTS[(first & 0xFFFFFFFF) * _SPREAD >> 20 & _SLOTS_BITS] == first & 0xFFFFFFFF:
        return _AGENTS_KEY
    return key


@part
def _known(b: int, p: int, n: int, first: int) -> int:  # noqa: C901 - one comparison each
    if n > 26 or (1 << n) & _LENGTHS == 0:
        return _NO_KEY
    last = word(b + p + n - 8)
    if n == 12:
        if first == _FIRST[0] and last == _LAST[0]:
            return 0
        return _SERVICE_KEY if first == _FIRST[8] and last == _LAST[8] else _NO_KEY
    if n == 14:
        if first == _FIRST[2] and last == _LAST[2]:
            return 2
        return 5 if first == _FIRST[5] and last == _LAST[5] else _NO_KEY
    if n == 26:
        inner = word(b + p + 8) == _DESTINATION[0] and word(b + p + 16) == _DESTINATION[1]
        return 1 if inner and first == _FIRST[1] and last == _LAST[1] else _NO_KEY
    if n == 13:
        return 3 if first == _FIRST[3] and last == _LAST[3] else _NO_KEY
    if n == 11:
        return 4 if first == _FIRST[4] and last == _LAST[4] else _NO_KEY
    if n == 9:
        return 6 if first == _FIRST[6] and last == _LAST[6] else _NO_KEY
    if n == 16:
        return 7 if first == _FIRST[7] and last == _LAST[7] else _NO_KEY
    return _NO_KEY


@part
def text_of(b: int, p: int, end: int, text: int) -> int:
    """Read an AnyValue that may go on an earlier one; return its string as a slice, 0 for another type, or BAD."""
    while p < end:
        t, p = tag(b, p, end)
        if p == BAD:
            return BAD
        if t == 0x0A:
            n, p = length(b, p, end)
            if p == BAD:
                return BAD
            text = p << 32 | n
            p += n
            continue
        if t == 0x10 or t == 0x18 or t == 0x21 or t == 0x2A or t == 0x32 or t == 0x3A or t == 0x40:
            text = 0
        p = skip(b, t, p, end)
        if p == BAD:
            return BAD
    return text


@part
def attribute(b: int, p: int, end: int) -> tuple[int, int]:
    """Read a KeyValue in whatever order; return its key as a slice and its string value, or BAD."""
    key, text = 0, 0
    while p < end:
        t, p = tag(b, p, end)
        if p == BAD:
            return 0, BAD
        if t == 0x0A or t == 0x12:
            n, p = length(b, p, end)
            if p == BAD:
                return 0, BAD
            if t == 0x0A:
                key = p << 32 | n
            else:
                text = text_of(b, p, p + n, text)
                if text == BAD:
                    return 0, BAD
            p += n
        else:
            p = skip(b, t, p, end)
            if p == BAD:
                return 0, BAD
    return key, text


@part
def _known_attribute(b: int, p: int, end: int) -> tuple[int, int]:
    """Return the number of an attribute's key and its string value, or BAD.

    Nearly all are a key and then one value to the end: that is checked, and one with an unknown key passed over.
    """
    if end - p > 2 and byte(b + p) == 0x0A and byte(b + p + 1) < 0x80:
        n = byte(b + p + 1)
        v = p + 2 + n
        if end - v >= 2 and byte(b + v) == 0x12:
            size, v = length(b, v + 1, end)
            if v != BAD and v + size == end:
                key = key_of(b, p + 2, n)
                return (key, text_of(b, v, end, 0)) if key >= 0 else (key, 0)
    key, text = attribute(b, p, end)
    if text == BAD:
        return 0, BAD
    return key_of(b, key >> 32, key & 0xFFFFFFFF), text


@part
def name_of(b: int, text: int) -> int:
    """Cut a text to what is kept of a name; BAD when it is not UTF-8."""
    p, n = text >> 32, text & 0xFFFFFFFF
    if not valid_text(b, p, n):
        return BAD
    return p << 32 | cut(b, p, n)


@part
def _identifier(b: int, p: int, n: int) -> int:
    return word(b + p) if n == 8 else 0


@part
def _link(b: int, p: int, end: int, link: int) -> int:
    put(link, 0, 0)
    put(link, 1, 0)
    while p < end:
        t, p = tag(b, p, end)
        if p == BAD:
            return BAD
        if t == 0x0A or t == 0x12:
            n, p = length(b, p, end)
            if p == BAD:
                return BAD
            if t == 0x0A:
                put(link, 0, word(b + p + 8) if n == 16 else 0)
            else:
                put(link, 1, _identifier(b, p, n))
            p += n
        else:
            p = skip(b, t, p, end)
            if p == BAD:
                return BAD
    return p


@part
def _status(b: int, p: int, end: int, code: int) -> int:
    """Read a Status that may go on an earlier one; return its code or BAD."""
    while p < end:
        t, p = tag(b, p, end)
        if p == BAD:
            return BAD
        if t == 0x18:
            code, p = varint(b, p, end)
            code &= 0xFFFFFFFF
        else:
            p = skip(b, t, p, end)
        if p == BAD:
            return BAD
    return code


@part
def _span(b: int, p: int, end: int, row: int, links: int, linked: int) -> tuple[int, int]:  # noqa: C901
    """Fill the row of one span; return what is wrong with it and how many links there are now."""
    begin, finish, code, kind, name, peer, first_link, left = 0, 0, 0, 0, 0, 0, linked, 0
    for column in range(GENAI, LINKS):
        put(row, column, 0)
    for column in range(_PEERS, COLUMNS):
        put(row, column, 0)
    put(row, SPAN, p << 32 | (end - p))
    while p < end:
        t, p = tag(b, p, end)
        if p == BAD:
            return _MALFORMED, linked
        if t == 0x4A:  # attributes
            n, p = length(b, p, end)
            if p == BAD:
                return _MALFORMED, linked
            key, text = _known_attribute(b, p, p + n)
            if text == BAD:
                return _MALFORMED, linked
            if 0 <= key < _SERVICE_KEY:
                put(row, _PEERS + key, text)
            elif key == _GENAI_KEY:
                put(row, GENAI, GENAI_SPAN | AGENTS_SPAN)
            elif key == _AGENTS_KEY:
                put(row, GENAI, word(row + 8 * GENAI) | AGENTS_SPAN)
            p += n
        elif t == 0x0A or t == 0x12 or t == 0x22 or t == 0x2A or t == 0x6A or t == 0x7A:
            n, p = length(b, p, end)
            if p == BAD:
                return _MALFORMED, linked
            if t == 0x0A:  # trace_id
                put(row, TRACE_HIGH, word(b + p) if n == 16 else 0)
                put(row, TRACE_LOW, word(b + p + 8) if n == 16 else 0)
            elif t == 0x12:  # span_id
                put(row, ID, _identifier(b, p, n))
            elif t == 0x22:  # parent_span_id
                put(row, PARENT, _identifier(b, p, n))
            elif t == 0x2A:  # name
                name = p << 32 | n
            elif t == 0x7A:  # status
                code = _status(b, p, p + n, code)
                if code == BAD:
                    return _MALFORMED, linked
            elif linked < MAX_LINKS and linked - first_link < MAX_LINKS_OF_SPAN:
                if _link(b, p, p + n, links + 16 * linked) == BAD:
                    return _MALFORMED, linked
                linked += 1
            else:
                left += 1
            p += n
        elif t == 0x30:  # kind
            kind, p = varint(b, p, end)
            if p == BAD:
                return _MALFORMED, linked
        elif t == 0x39 or t == 0x41:  # start, end
            if end - p < 8:
                return _MALFORMED, linked
            if t == 0x39:
                begin = word(b + p)
            else:
                finish = word(b + p)
            p += 8
        else:
            p = skip(b, t, p, end)
            if p == BAD:
                return _MALFORMED, linked
    kind &= 0xFFFFFFFF
    put(row, KIND, kind if kind <= 5 else 0)
    put(row, FAILED, code == 2)
    put(row, NANOSECONDS, _taken(begin, finish))
    put(row, LINKS, first_link << 32 | (linked - first_link))
    put(row, LINKS_LEFT, left)
    name = name_of(b, name)
    put(row, NAME, name)
    for i in range(_SERVICE_KEY):
        peer = word(row + 8 * (_PEERS + i))
        if peer & 0xFFFFFFFF:
            peer = name_of(b, peer)
            break
    put(row, PEER, peer)
    return (_TEXT if name == BAD or peer == BAD else _OK), linked


@part
def _taken(begin: int, end: int) -> int:
    """Return the nanoseconds between two unsigned numbers, 0 for a span that ends before it starts."""
    low = np.int64(-0x8000000000000000)
    if end ^ low <= begin ^ low:
        return 0
    taken = end - begin
    return taken if 0 <= taken < MAX_NANOSECONDS else MAX_NANOSECONDS


@part
def _service(b: int, p: int, end: int, service: int) -> int:
    """Read a Resource that may go on an earlier one; return `service.name` or BAD."""
    while p < end:
        t, p = tag(b, p, end)
        if p == BAD:
            return BAD
        if t == 0x0A:
            n, p = length(b, p, end)
            if p == BAD:
                return BAD
            key, text = _known_attribute(b, p, p + n)
            if text == BAD:
                return BAD
            if key == _SERVICE_KEY:
                service = text
            p += n
        else:
            p = skip(b, t, p, end)
            if p == BAD:
                return BAD
    return service


@part
def _find_service(b: int, p: int, end: int) -> int:
    """Return `service.name` of ResourceSpans: the resource may come after its spans."""
    service = 0
    while p < end:
        t, p = tag(b, p, end)
        if p == BAD:
            return BAD
        if t == 0x0A:
            n, p = length(b, p, end)
            if p == BAD:
                return BAD
            service = _service(b, p, p + n, service)
            if service == BAD:
                return BAD
            p += n
        else:
            p = skip(b, t, p, end)
            if p == BAD:
                return BAD
    return service


@part
def _scope_spans(b: int, p: int, end: int, service: int, rows: int, links: int, state: int) -> int:
    """Fill rows of the spans of one ScopeSpans; return what is wrong. `state` counts spans, rows and links."""
    while p < end:
        t, p = tag(b, p, end)
        if p == BAD:
            return _MALFORMED
        if t == 0x12:
            n, p = length(b, p, end)
            if p == BAD:
                return _MALFORMED
            filled = word(state + 8)
            if filled < MAX_SPANS:
                row = rows + 8 * COLUMNS * filled
                wrong, linked = _span(b, p, p + n, row, links, word(state + 16))
                if wrong:
                    return wrong
                put(row, SERVICE, service)
                put(state, 1, filled + 1)
                put(state, 2, linked)
            put(state, 0, word(state) + 1)
            p += n
        else:
            p = skip(b, t, p, end)
            if p == BAD:
                return _MALFORMED
    return _OK


@part
def _resource_spans(b: int, p: int, end: int, rows: int, links: int, state: int) -> int:
    service = _find_service(b, p, end)
    if service == BAD:
        return _MALFORMED
    service = name_of(b, service)
    if service == BAD:
        return _TEXT
    while p < end:
        t, p = tag(b, p, end)  # sound: the whole was passed over when the service was looked for
        if t == 0x12:
            n, p = length(b, p, end)
            wrong = _scope_spans(b, p, p + n, service, rows, links, state)
            if wrong:
                return wrong
            p += n
        else:
            p = skip(b, t, p, end)
    return _OK


@part
def scan(b: int, end: int, rows: int, links: int, state: int) -> int:
    """Fill a row per span. Returns 0, 1 (malformed) or 2 (a name is not UTF-8).

    `state` is then: spans in the request, rows filled, links filled.
    """
    for i in range(3):
        put(state, i, 0)
    p = 0
    while p < end:
        t, p = tag(b, p, end)
        if p == BAD:
            return _MALFORMED
        if t == 0x0A:
            n, p = length(b, p, end)
            if p == BAD:
                return _MALFORMED
            wrong = _resource_spans(b, p, p + n, rows, links, state)
            if wrong:
                return wrong
            p += n
        else:
            p = skip(b, t, p, end)
            if p == BAD:
                return _MALFORMED
    return _OK
