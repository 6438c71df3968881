"""Characters that look like others, or like nothing, as the rules know them (pure).

What nobody sees would hide a secret's name from a pattern, and what it says from a reader; colours do, too.
"""

import re

_SEEN = {
    **{code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)},  # fullwidth forms of ASCII
    **dict.fromkeys((0xA0, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000), " "),
    **dict.fromkeys((0xAD, 0x180E, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF)),
}
_STEERS = re.compile(r"\x1b\[[0-9;?]{0,32}[ -/]?[@-~]")
"""Orders to a terminal (ECMA-48, control sequences)."""


def plain(text: str) -> str:
    """Return the text with plain blanks, letters and digits, and without what steers how it is shown."""
    if "\x1b" in text:
        text = _STEERS.sub("", text)
    return text if text.isascii() else text.translate(_SEEN)
