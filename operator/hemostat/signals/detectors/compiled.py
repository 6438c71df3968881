"""numba behind one typed decorator."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

_P = ParamSpec("_P")
_R = TypeVar("_R")


def compiled(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Compile a function of numbers and arrays at its first call; the result is cached on disk where one can write.

    Division by zero yields inf or NaN as in numpy. The GIL is kept: state is shared between calls.
    """
    try:
        return cast("Callable[_P, _R]", numba.njit(cache=True, error_model="numpy")(function))
    except RuntimeError:  # a read-only file system, as in a pod: numba finds no place for its cache
        return cast("Callable[_P, _R]", numba.njit(error_model="numpy")(function))
