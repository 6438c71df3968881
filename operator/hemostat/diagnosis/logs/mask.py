"""What differs between lines that say the same (pure)."""

import re

WILD = "<*>"
_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"
"""Letters of the names that Kubernetes makes up."""
_VARIABLE = re.compile(
    r"(?P<keep>\b(?:status|code|exit|errno)(?: code)?[\"']?[ =:]{1,3}[\"']?\d{1,3}\b|\bHTTP/\d(?:\.\d)?"
    r"|(?<=\" )[1-5]\d\d\b)"
    r"|\"(?:[^\"\\]|\\.)*+\"?|(?<!\w)'[^'\n]*+'(?!\w)|`[^`\n]*+`"  # quoted
    r"|\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"  # times
    r"|\b\d{1,2}:\d\d:\d\d(?:[.,]\d+)?"
    r"|\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"  # uuids
    r"|\b0x[0-9a-fA-F]++|\b(?=[a-f]{0,64}\d)[0-9a-f]{8,}+\b"  # addresses, digests, trace ids
    rf"|(?<=\w)-[0-9a-f]{{8,10}}-[{_SUFFIX}]{{5}}\b"  # of pods
    r"|(?<![\w.:])\[?[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){2,7}\]?(?::\d+)?(?![\w.])"  # IPv6
    r"|(?<![A-Za-z\d])[+-]?\d++(?:[.,:_]\d++)*+%?"  # numbers, versions, IPv4 and ports
)


def masked(text: str) -> str:
    """Return the text with `<*>` in place of numbers, times, ids, addresses and quoted values.

    What HTTP and exit statuses are stays: 200 and 503 do not say the same.
    """
    return _VARIABLE.sub(lambda m: m[0] if m["keep"] else WILD, text)
