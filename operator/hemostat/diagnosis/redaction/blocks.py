"""Private keys over several lines of a log: each line becomes an entry, and the last is no key by itself (pure)."""

import re
from collections.abc import Iterable, Iterator

MOST = 400
"""Lines of a key: RSA of 16,384 bits has 200."""
_BEGIN = re.compile(r"--BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY|^PuTTY-User-Key-File-\d")
_END = re.compile(r"--END [A-Z0-9 ]{0,40}KEY|^Private-MAC:")


def without_keys(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines without those between the first and the last of a private key."""
    inside = 0
    for line in lines:
        if inside and _END.search(line) is None:
            inside -= 1
            continue
        begins = _BEGIN.search(line)
        inside = MOST if begins is not None and _END.search(line, begins.end()) is None else 0
        yield line
