"""Times as recordings write them: seconds since the epoch, or text."""

from collections.abc import Callable
from datetime import datetime

MAX_SECONDS = 1e11
"""Larger numbers are milliseconds or finer."""


def since_epoch(text: str, parse: Callable[[str], datetime], wanted: str) -> float:
    """Return seconds since the epoch.

    :param parse: reads what is not a number; raises ValueError.
    :param wanted: what a person should write instead, for the message.

    Raises ValueError that says what is wrong.
    """
    try:
        number = float(text)
    except ValueError:
        try:
            return parse(text).timestamp()
        except ValueError:
            raise ValueError(f"not a time: {text[:40]!r}; {wanted} or seconds since 1970") from None
    if not 0 <= number < MAX_SECONDS:
        raise ValueError(f"not a time in seconds since 1970: {text[:40]!r} (milliseconds?)")
    return number
