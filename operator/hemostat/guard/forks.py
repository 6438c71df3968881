"""After a fork the child has none of the parent's threads, and locks may be held by threads that are gone."""

import os
import weakref
from collections.abc import Callable
from types import MethodType
from typing import cast


def in_child(renew: Callable[[], None]) -> None:
    """Call the bound method in every child process, for as long as its object lives."""
    weak = weakref.WeakMethod(cast("MethodType", renew))

    def run() -> None:
        if method := weak():
            method()

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=run)
