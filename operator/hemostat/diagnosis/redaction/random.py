"""Tells made-up strings from words (pure)."""

import re
from itertools import pairwise

_LETTERS = str.maketrans({**{chr(c): "a" for c in range(97, 123)}, **{chr(c): "A" for c in range(65, 91)}})
_DIGITS = str.maketrans({str(d): "0" for d in range(10)})
_BETWEEN = re.compile(r"[^A-Za-z0-9]+")
_HEX = re.compile(r"(?:[0-9a-f]{32,}|[0-9A-F]{32,})")
_HEX_SHORT = re.compile(r"[0-9a-f]+|[0-9A-F]+")
_SHORT, _SHORT_STEPS = 8, 0.55
"""Names of so few letters change as often as half of the time: `Sha256Sum`."""
_STEPS = 0.4
"""Share of neighbours of different classes: 0.62 is expected of random base62; identifiers in CamelCase have 0.3."""


def mixed(text: str, least: int, steps: float = _STEPS) -> bool:
    """Tell whether a string of at least `least` characters has upper case, lower case and digits without any order.

    Names of pods, uids, digests and trace ids have no upper case; names of classes have few changes of case.
    """
    core = _BETWEEN.sub("", text)
    if len(core) < least:
        return False
    classes = core.translate(_LETTERS).translate(_DIGITS)
    if not {"a", "A", "0"} <= set(classes):
        return False
    changes = sum(one != other for one, other in pairwise(classes))
    return changes >= steps * (len(classes) - 1)


def random(text: str) -> bool:
    """Tell whether this can be a key where one is expected: without order, or 32 hexadecimal digits."""
    return mixed(text, 16) or _HEX.fullmatch(text) is not None


def short(text: str) -> bool:
    """Tell whether this can be a short key right behind a secret's name: hexadecimal, padded base64, or mixed.

    No word of eight letters or more is spelt with a to f alone (but for a family of plants).
    """
    if text.endswith("="):
        return re.search(r"[A-Z0-9]", text) is not None
    if len(text) < _SHORT or text.isdigit():
        return False
    return _HEX_SHORT.fullmatch(text) is not None or mixed(text, _SHORT, _SHORT_STEPS)
