"""Counts what GenAI spans say about agents (compiled): tasks, tokens, outputs, tools.

Only spans with `gen_ai.*` attributes come here. The semantic conventions are still in development, so names are
compared as they are written by the libraries of today, and the two older names of the token counts are understood.
https://github.com/open-telemetry/semantic-conventions-genai
"""

from hemostat.compiled import part
from hemostat.telemetry.kernel.memory import byte, word
from hemostat.telemetry.kernel.tables import AGENT, AGENTS, count, hash_named, series_named, touch
from hemostat.telemetry.kernel.wire import BAD, MAX_NAME, cut, length, skip, tag, valid_text, varint

TASKS, TASKS_FAILED, TOKENS, TOKENS_OF_SUCCESSES, OUTPUTS, TRUNCATED, INVALID, TOOL_CALLS, TOOLS_UNKNOWN = range(9)
"""Counters of an agent's series."""
MAX_TOKENS = 1 << 24
"""Tokens that one span may claim."""
TRUNCATING = (b"length", b"max_token", b"max_output")
"""A finish reason with one of these in it means that the output was cut off."""
INVALIDATING = (b"json", b"parse", b"parsing", b"decode", b"validation", b"schema")
"""An `error.type` with one of these in it means that an output could not be understood."""
UNKNOWN = (b"unknown", b"notfound", b"not_found", b"nosuch", b"no_such")
"""An `error.type` with `tool` and one of these in it means that there is no such tool."""


def _words(text: bytes) -> tuple[int, ...]:
    """Return a text of at least eight bytes as its length and its words, the last one overlapping."""
    starts = [*range(0, len(text) - 8, 8), len(text) - 8]
    return (len(text), *(int.from_bytes(text[i : i + 8], "little") for i in starts))


def _parts(texts: tuple[bytes, ...]) -> tuple[tuple[int, int, int], ...]:
    """Return texts of at most sixteen bytes as length and two words each."""
    return tuple((len(t), int.from_bytes(t[:8], "little"), int.from_bytes(t[8:], "little")) for t in texts)


_OPERATION, _AGENT, _TOOL = map(_words, (b"gen_ai.operation.name", b"gen_ai.agent.name", b"gen_ai.tool.name"))
_REASONS, _ERROR = map(_words, (b"gen_ai.response.finish_reasons", b"error.type"))
_INPUT, _OUTPUT = map(_words, (b"gen_ai.usage.input_tokens", b"gen_ai.usage.output_tokens"))
_PROMPT, _COMPLETION = map(_words, (b"gen_ai.usage.prompt_tokens", b"gen_ai.usage.completion_tokens"))
_INVOKE, _EXECUTE = map(_words, (b"invoke_agent", b"execute_tool"))
_GENERATE, _COMPLETE, _EMBED = map(_words, (b"generate_content", b"text_completion", b"embeddings"))
_CHAT = int.from_bytes(b"chat", "little")
_TRUNCATING, _INVALIDATING, _UNKNOWN, _TOOLS = map(_parts, (TRUNCATING, INVALIDATING, UNKNOWN, (b"tool",)))
_NONE, _TEXT, _NUMBER, _ARRAY, _OTHER = range(5)
_TASK, _INFERENCE, _EMBEDDING, _TOOL_CALL, _NO_KIND = range(5)


@part
def _is(b: int, p: int, n: int, words: tuple[int, ...]) -> bool:
    if n != words[0]:
        return False
    last = len(words) - 1
    for i in range(1, last):
        if word(b + p + 8 * (i - 1)) != words[i]:
            return False
    return word(b + p + n - 8) == words[last]


@part
def _has_any(b: int, text: int, parts: tuple[tuple[int, int, int], ...]) -> bool:
    """Tell whether a text has one of the parts in it, letters of ASCII compared without case."""
    p, n = b + (text >> 32), min(text & 0xFFFFFFFF, MAX_NAME)
    for size, first, second in parts:
        for i in range(n - size + 1):
            j = 0
            while j < size:
                c = byte(p + i + j)
                if 0x41 <= c <= 0x5A:
                    c |= 0x20
                if c != (first if j < 8 else second) >> (8 * (j & 7)) & 0xFF:
                    break
                j += 1
            if j == size:
                return True
    return False


@part
def _array(b: int, p: int, end: int) -> int:
    """Tell whether one of an ArrayValue's texts is a truncating reason; BAD when it cannot be read."""
    found = 0
    while p < end:
        t, p = tag(b, p, end)
        if p == BAD:
            return BAD
        if t == 0x0A:
            n, p = length(b, p, end)
            if p == BAD:
                return BAD
            kind, value = _any(b, p, p + n, _NONE, 0)
            if kind == BAD:
                return BAD
            if kind == _TEXT and _has_any(b, value, _TRUNCATING):
                found = 1
            p += n
        else:
            p = skip(b, t, p, end)
            if p == BAD:
                return BAD
    return found


@part
def _any(b: int, p: int, end: int, kind: int, value: int) -> tuple[int, int]:
    """Read an AnyValue that may go on an earlier one; return its kind, or BAD, and value."""
    while p < end:
        t, p = tag(b, p, end)
        if p == BAD:
            return BAD, 0
        if t == 0x0A or t == 0x2A:
            n, p = length(b, p, end)
            if p == BAD:
                return BAD, 0
            kind, value = (_TEXT if t == 0x0A else _ARRAY), p << 32 | n
            p += n
        elif t == 0x18:
            kind = _NUMBER
            value, p = varint(b, p, end)
        else:
            if t == 0x10 or t == 0x21 or t == 0x32 or t == 0x3A or t == 0x40:
                kind, value = _OTHER, 0
            p = skip(b, t, p, end)
        if p == BAD:
            return BAD, 0
    return kind, value


@part
def _attribute(b: int, p: int, end: int) -> tuple[int, int, int]:
    """Read a KeyValue; return its key as a slice, the kind of its value, or BAD, and the value."""
    key, kind, value = 0, _NONE, 0
    while p < end:
        t, p = tag(b, p, end)
        if p == BAD:
            return 0, BAD, 0
        if t == 0x0A or t == 0x12:
            n, p = length(b, p, end)
            if p == BAD:
                return 0, BAD, 0
            if t == 0x0A:
                key = p << 32 | n
            else:
                kind, value = _any(b, p, p + n, kind, value)
                if kind == BAD:
                    return 0, BAD, 0
            p += n
        else:
            p = skip(b, t, p, end)
            if p == BAD:
                return 0, BAD, 0
    return key, kind, value


@part
def _kind(b: int, operation: int, tool: int, tokens: int) -> int:
    """Tell what a span is from its operation, or, where a library leaves that out, from what it has."""
    p, n = operation >> 32, operation & 0xFFFFFFFF
    if n == 0:
        return _TOOL_CALL if tool else (_INFERENCE if tokens else _NO_KIND)
    if _is(b, p, n, _INVOKE):
        return _TASK
    if _is(b, p, n, _EXECUTE):
        return _TOOL_CALL
    if _is(b, p, n, _EMBED):
        return _EMBEDDING
    chat = n == 4 and byte(b + p) | byte(b + p + 1) << 8 | byte(b + p + 2) << 16 | byte(b + p + 3) << 24 == _CHAT
    return _INFERENCE if chat or _is(b, p, n, _GENERATE) or _is(b, p, n, _COMPLETE) else _NO_KIND


@part
def _tokens(kind: int, value: int) -> int:
    return min(max(value, 0), MAX_TOKENS) if kind == _NUMBER else 0


@part
def agent(t: int, b: int, span: int, service: int, failed: int, now: int) -> None:  # noqa: C901
    """Count one GenAI span, given as a slice of the request that has been scanned already."""
    p = span >> 32
    end = p + (span & 0xFFFFFFFF)
    operation, name, tool, error, reasons, taken, given = 0, 0, 0, 0, 0, 0, 0
    while p < end:
        t_, p = tag(b, p, end)
        if t_ != 0x4A:
            p = skip(b, t_, p, end)
            continue
        n, p = length(b, p, end)
        key, kind, value = _attribute(b, p, p + n)
        p += n
        q, m = key >> 32, key & 0xFFFFFFFF
        text = value if kind == _TEXT else 0
        if kind == BAD:  # not looked into when it was scanned
            continue
        if _is(b, q, m, _OPERATION):
            operation = text
        elif _is(b, q, m, _AGENT):
            name = text
        elif _is(b, q, m, _TOOL):
            tool = text
        elif _is(b, q, m, _ERROR):
            error = text
        elif _is(b, q, m, _INPUT) or _is(b, q, m, _PROMPT):
            taken = _tokens(kind, value)
        elif _is(b, q, m, _OUTPUT) or _is(b, q, m, _COMPLETION):
            given = _tokens(kind, value)
        elif _is(b, q, m, _REASONS):
            found = _array(b, value >> 32, (value >> 32) + (value & 0xFFFFFFFF)) if kind == _ARRAY else 0
            reasons = 1 if found == 1 or (kind == _TEXT and _has_any(b, text, _TRUNCATING)) else 0
    what = _kind(b, operation, tool & 0xFFFFFFFF, taken + given)
    if what != _NO_KIND:
        series = _series(t, b, service, name, now)
        if series >= 0:
            touch(t, series, now)
            bad = 1 if failed or error & 0xFFFFFFFF else 0
            _count(t, b, series, what, taken + given, bad, error, reasons)


@part
def _series(t: int, b: int, service: int, name: int, now: int) -> int:
    p, n = name >> 32, name & 0xFFFFFFFF
    n = cut(b, p, n) if valid_text(b, p, n) else 0
    return series_named(t, AGENT, service, b + p, n, hash_named(t, AGENT, service, b + p, n), AGENTS, now)


@part
def _count(t: int, b: int, series: int, what: int, tokens: int, failed: int, error: int, truncated: int) -> None:
    if what == _TASK:
        count(t, series, TASKS, 1)
        count(t, series, TASKS_FAILED, failed)
        if not failed:
            count(t, series, TOKENS_OF_SUCCESSES, tokens)
    elif what == _TOOL_CALL:
        count(t, series, TOOL_CALLS, 1)
        if _has_any(b, error, _TOOLS) and _has_any(b, error, _UNKNOWN):
            count(t, series, TOOLS_UNKNOWN, 1)
    else:
        count(t, series, TOKENS, tokens)
        if what == _INFERENCE:
            count(t, series, OUTPUTS, 1)
            count(t, series, TRUNCATED, truncated)
    if error & 0xFFFFFFFF and _has_any(b, error, _INVALIDATING):
        count(t, series, INVALID, 1)
