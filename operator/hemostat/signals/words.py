"""Numbers and times as people say them (pure)."""

import math

BYTES = ("B", "bytes")
"""Units that are counted in powers of 1024."""
_UNITS = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))


def duration(seconds: float) -> str:
    """Return a time span in its two largest units: `2 h 10 min`, `6 d`, `45 s`."""
    if not math.isfinite(seconds):
        return "for ever" if seconds > 0 else "never"
    left = round(abs(seconds))
    for at, (size, unit) in enumerate(_UNITS):
        if left >= size:
            whole, rest = divmod(left, int(size))
            smaller = _UNITS[at + 1] if at + 1 < len(_UNITS) and not (unit == "min" and whole >= 10) else None
            more = f" {int(rest // smaller[0])} {smaller[1]}" if smaller and rest >= smaller[0] else ""
            return f"{'-' if seconds < 0 else ''}{whole} {unit}{more}"
    return "0 s"


def counted(count: int, what: str) -> str:
    """Return a number with its noun: `1 alarm`, `2,000 alarms`. A noun that ends in s has no other plural."""
    return f"{count:,} {what}" if count == 1 or what.endswith("s") else f"{count:,} {what}s"


def amount(value: float, unit: str) -> str:
    """Return a value with its unit: seconds as a time span, large numbers with K, M, G (bytes with Ki, Mi, Gi)."""
    if unit == "ms" and 10_000 <= abs(value) < math.inf:
        return amount(value / 1000, "s")
    if unit == "s" and abs(value) >= 120:
        return duration(value)
    if not math.isfinite(value):
        return f"{value}{unit}"
    base, signs = (1024.0, "KMGTP") if unit in BYTES else (1000.0, "KMGTP")
    number, sign = value, ""
    if abs(value) >= 10 * base:
        for letter in signs:
            number /= base
            sign = letter + ("i" if base == 1024.0 else "")
            if abs(number) < base:
                break
    text = f"{number:.3g}" if abs(number) < 1000 else f"{number:.0f}"
    return f"{text}{sign}{unit}" if unit == "%" or not unit else f"{text} {sign}{unit}"
