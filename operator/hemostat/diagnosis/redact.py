"""Secrets and personal data are taken out of whatever leaves the process (pure).

Own patterns, for detect-secrets (1.5.0, of 2024) finds secrets in source code: it takes `Authorization` and `example`
for secrets in a log, has no personal data, and reads 0.06 MB a CPU-second. Every pattern takes linear time: what can
be long is possessive, what cannot is bounded.
"""

from functools import lru_cache

from hemostat.diagnosis.redaction.cutoff import CUT
from hemostat.diagnosis.redaction.formats import FORMATS, RANDOM
from hemostat.diagnosis.redaction.lookalikes import unmasked
from hemostat.diagnosis.redaction.marks import MARK, marked, written
from hemostat.diagnosis.redaction.named import NAMED, SPOKEN, manifests
from hemostat.diagnosis.redaction.nested import NESTED
from hemostat.diagnosis.redaction.paired import PAIRED
from hemostat.diagnosis.redaction.personal import PERSONAL
from hemostat.diagnosis.redaction.plain import plain

RULES = (unmasked, manifests, *FORMATS, *NESTED, *NAMED, *PAIRED, *SPOKEN, *PERSONAL, *RANDOM, *CUT)
MAX_KNOWN = 4096
"""Texts that were redacted lately: most are seen again at every look."""
MAX_GROWTH = 5
"""A text becomes at most so many times longer: placeholders are longer than the shortest secrets with their names."""
_PASSES = 6


def redact(text: str) -> str:
    """Return the text with `[REDACTED:kind]` in place of secrets and personal data; `KINDS` has the kinds.

    Redacting again changes nothing. What surrounds them stays: names, quotes, the host of an address; but for what
    looks like other characters, or like nothing. Private IP addresses, names of Kubernetes objects, uids, digests,
    trace ids, times and versions stay. Text that finds no end of what is to be redacted is hostile, and redacted as a
    whole.
    """
    now = marked(plain(text))
    for _ in range(_PASSES):
        before = now
        for apply in RULES:
            now = apply(now)
        if now == before:
            return written(now)
    return written(MARK["secret"])


@lru_cache(maxsize=MAX_KNOWN)
def told(text: str) -> str:
    """Return the text as it may be told: redacted, and with a question mark for what no UTF-8 can say."""
    return redact(text.encode(errors="replace").decode())
