"""numba behind one decorator: machine code that is kept between runs, also where the file system is read-only.

numba's own caching refuses a folder that it cannot write to, and notices a change of the decorated function's file
only, not of the modules that it calls. Here the cache is valid for one state of all files of a folder. It is in
NUMBA_CACHE_DIR (the image fills that when it is built) or in the user's cache folder.
"""

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numba
from numba.core import caching

_P = ParamSpec("_P")
_R = TypeVar("_R")


def part(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Make a function a part of those compiled ones that call it; Python itself cannot call it then."""
    return _jit(function, no_cpython_wrapper=True, no_cfunc_wrapper=True)  # type: ignore[no-any-return]


def compiled(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Compile a function of numbers and arrays, with its parts, at its first call, or take it from the cache.

    Division by zero yields inf or NaN as in numpy. The GIL is released: callers lock what they share.
    """
    dispatcher = _jit(function)
    dispatcher._cache = _Cache(function)  # type: ignore[no-untyped-call]  # noqa: SLF001 - no other way in
    return dispatcher  # type: ignore[no-any-return]


def _jit(function: Callable[..., Any], **options: Any) -> Any:
    return numba.njit(nogil=True, error_model="numpy", **options)(function)


def cache_folder() -> Path:
    """Return where machine code is kept."""
    named = os.environ.get("NUMBA_CACHE_DIR")
    base = os.environ.get("XDG_CACHE_HOME", "")
    return Path(named) if named else (Path(base) if base.startswith("/") else Path.home() / ".cache") / "hemostat/numba"


@lru_cache
def _stamp(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*.py")):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


class _Locator(caching._CacheLocator):  # noqa: SLF001 - the class to derive from
    def __init__(self, file: str) -> None:
        self._folder = Path(file).parent

    def get_cache_path(self) -> str:
        return str(cache_folder() / hashlib.sha256(str(self._folder).encode()).hexdigest()[:16])

    def get_source_stamp(self) -> str:
        return _stamp(self._folder)

    def get_disambiguator(self) -> str:
        return "0"  # names are unique within a module

    @classmethod
    def from_function(cls, py_func: Callable[..., Any], py_file: str) -> "_Locator":  # noqa: ARG003 - numba's form
        return cls(py_file)


class _Implementation(caching.CompileResultCacheImpl):
    _locator_classes = [_Locator]  # type: ignore[list-item]


class _Cache(caching.FunctionCache):
    _impl_class = _Implementation

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep what was compiled; where nothing can be written it is compiled at every start."""
        with suppress(OSError):
            Path(self.cache_path).mkdir(parents=True, exist_ok=True)
            super().save_overload(sig, data)  # type: ignore[no-untyped-call]
