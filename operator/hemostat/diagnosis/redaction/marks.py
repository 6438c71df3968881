"""Placeholders, which are one character each while a text is worked on (pure).

One character that no rule takes for text: what is redacted once stays as it is, whatever stands around it.
"""

import re
from collections.abc import Callable

KINDS = (
    "card",
    "email",
    "iban",
    "ip",
    "key",
    "password",
    "personal",
    "phone",
    "private-key",
    "secret",
    "token",
)
"""What may stand in `[REDACTED:kind]`."""
_FIRST = 0xE000  # Unicode's private use area
MARK = {kind: chr(_FIRST + n) for n, kind in enumerate(KINDS)}
MARKS = "".join(MARK.values())
CLASS = f"{MARKS[0]}-{MARKS[-1]}"
"""For use inside a character class of a pattern."""
_WRITTEN = {ord(mark): f"[REDACTED:{kind}]" for kind, mark in MARK.items()}
_FOREIGN = re.compile(f"[{CLASS}]")
_PLACEHOLDER = re.compile(rf"\[REDACTED:({'|'.join(KINDS)})\]")

Rule = Callable[[str], str]
"""Takes a text with marks and gives it back with more of them."""
Check = Callable[[str], bool]


def marked(text: str) -> str:
    """Return the text with every placeholder as its mark."""
    return _PLACEHOLDER.sub(lambda m: MARK[m[1]], _FOREIGN.sub("\ufffd", text))


def written(text: str) -> str:
    """Return the text with every mark as its placeholder."""
    return text.translate(_WRITTEN)


def rule(kind: str, pattern: str, check: Check = lambda _: True, flags: int = 0) -> Rule:
    """Return the rule that replaces what a pattern finds, or the groups `v...` of it that took part.

    :param check: given what would be replaced; False keeps it.
    """
    compiled = re.compile(pattern, flags)
    groups = [index for name, index in compiled.groupindex.items() if name.startswith("v")] or [0]

    def replace(match: re.Match[str]) -> str:
        return replaced(match, groups, lambda value: MARK[kind] if check(value) else value)

    return lambda text: compiled.sub(replace, text)


def replaced(match: re.Match[str], groups: list[int], of: Callable[[str], str]) -> str:
    """Return what was matched with some of its groups replaced; those that are nothing but marks stay."""
    whole, offset = match[0], match.start()
    for group in sorted(groups, key=match.start, reverse=True):
        value = match[group]
        if value and value.strip(MARKS):
            whole = whole[: match.start(group) - offset] + of(value) + whole[match.end(group) - offset :]
    return whole
