"""How much there is in an export request, before anything is made of it (compiled)."""

import numpy as np

from hemostat.compiled import compiled, part
from hemostat.telemetry.kernel.wire import BAD, length, skip, tag

_ITEMS, _SCOPES, _RESOURCES = 0x12, 0x12, 0x0A
"""Tags of log records (or spans) in a scope, of scopes in a resource, of resources in the request."""


@part
def _in_scope(b: int, p: int, end: int, n: int) -> int:
    while p < end:
        t, p = tag(b, p, end)
        if p == BAD:
            return BAD
        n += t == _ITEMS
        p = skip(b, t, p, end)
        if p == BAD:
            return BAD
    return n


@part
def _in_resource(b: int, p: int, end: int, n: int) -> int:
    while p < end:
        t, p = tag(b, p, end)
        if p == BAD:
            return BAD
        size, inner = length(b, p, end) if t == _SCOPES else (0, p)
        if inner == BAD:
            return BAD
        if t == _SCOPES:
            n = _in_scope(b, inner, inner + size, n)
            if n == BAD:
                return BAD
        p = skip(b, t, p, end)
        if p == BAD:
            return BAD
    return n


@compiled
def records(body: np.ndarray) -> int:
    """Return how many log records or spans a request holds; -1 for what is no such request."""
    b, p, end, n = int(body.ctypes.data), 0, body.shape[0], 0
    while p < end:
        t, p = tag(b, p, end)
        if p == BAD:
            return BAD
        size, inner = length(b, p, end) if t == _RESOURCES else (0, p)
        if inner == BAD:
            return BAD
        if t == _RESOURCES:
            n = _in_resource(b, inner, inner + size, n)
            if n == BAD:
                return BAD
        p = skip(b, t, p, end)
        if p == BAD:
            return BAD
    return n
