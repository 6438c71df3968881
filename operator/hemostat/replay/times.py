"""Times as recordings write them: seconds since the epoch, or text."""

import re
from collections.abc import Callable
from datetime import datetime

MAX_SECONDS = 1e11
"""Larger numbers are milliseconds or finer."""
_COMPACT = re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")
"""20260201 is a date to people, and half a year after 1970 began to a clock."""


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
    if _COMPACT.fullmatch(text):
        raise ValueError(
            f"a date or seconds since 1970? write {text[:4]}-{text[4:6]}-{text[6:]}, or {text}.0: {text!r}"
        )
    if not 0 <= number < MAX_SECONDS:
        raise ValueError(f"not a time in seconds since 1970: {text[:40]!r} (milliseconds?)")
    return number
