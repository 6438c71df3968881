"""What is not told in a channel, where everybody reads: secrets and personal data (pure)."""

from functools import lru_cache

from hemostat.diagnosis.redact import redact, told

MAX_KNOWN = 64
"""Diffs, of 16 KiB at most: the same one is asked for again at every look."""
UNTELLABLE = "[REDACTED:secret]"


def redacted(text: str) -> str:
    """Return text of one line as it may be told."""
    return told(text)


@lru_cache(maxsize=MAX_KNOWN)
def redacted_diff(diff: str) -> str:
    """Return a unified diff as it may be told, line by line; the same where nothing is to be left out.

    What was and what is to be are redacted each by itself: a name and its value stand on two lines there, and in the
    diff what else was removed or added stands between them.
    """
    lines = diff.split("\n")
    for removed in "+-":
        lines = _side(lines, removed)
    return redact("\n".join(lines))


def _side(lines: list[str], removed: str) -> list[str]:
    """Redact all but the lines with this sign, without the signs."""
    numbers = [n for n, line in enumerate(lines) if not line.startswith(removed)]
    before = [lines[n][1:] for n in numbers]
    after = redact("\n".join(before)).split("\n")
    if len(after) != len(before):
        return [UNTELLABLE]  # something over several lines: which are left is not known
    made = list(lines)
    for n, old, new in zip(numbers, before, after, strict=True):
        made[n] = lines[n] if new == old else lines[n][:1] + new
    return made
