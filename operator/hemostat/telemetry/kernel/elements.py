"""How much there is in a JSON text, before anything is made of it (compiled)."""

import numpy as np

from hemostat.compiled import compiled

_QUOTE, _BACKSLASH = ord('"'), ord("\\")
_OPENING_LIST, _OPENING_OBJECT, _COMMA = ord("["), ord("{"), ord(",")


@compiled
def elements(text: np.ndarray, limit: int) -> int:
    """Return how many objects, lists and commas there are outside of strings, counted up to a little over `limit`.

    Whatever a parser makes of the text is bounded by that number and the text's length.
    """
    n, at, quoted = 0, 0, False
    while at < text.shape[0] and n <= limit:
        c = text[at]
        if c == _QUOTE:
            quoted = not quoted
        elif quoted:
            at += c == _BACKSLASH
        elif c in (_OPENING_LIST, _OPENING_OBJECT, _COMMA):
            n += 1
        at += 1
    return n
