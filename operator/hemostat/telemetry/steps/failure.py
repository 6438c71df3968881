"""How a step failed, from what its span says of it (pure)."""

import re
from typing import Final

from hemostat.telemetry.names import printable
from hemostat.telemetry.steps import vocabulary as v
from hemostat.telemetry.steps.attributes import MAX_NAME, number, text
from hemostat.telemetry.steps.raw import Raw
from hemostat.telemetry.steps.step import Failure

_BAD_REQUEST = 400
_CONTROL_FLOW: Final = re.compile(r"ParentCommand|GraphInterrupt|GraphBubbleUp|CallDeferred|ApprovalRequired")
"""Raised where a hand-off or a person is meant, by LangGraph and pydantic-ai: nothing failed."""
_KINDS: tuple[tuple[Failure, re.Pattern[str]], ...] = (
    (Failure.REFUSED, re.compile(r"edgecut|halted|permission|forbidden|unauthori[sz]ed|\b40[13]\b", re.I)),
    (Failure.RATE_LIMITED, re.compile(r"\b429\b|rate.?limit|throttl|too.?many|quota|resource_?exhausted", re.I)),
    (Failure.TIMEOUT, re.compile(r"time.?out|deadline|\b(?:408|504)\b", re.I)),
    (Failure.UNAVAILABLE, re.compile(r"\b50[0235]\b|\b529\b|unavailable|overloaded|connect|internalserver", re.I)),
    (Failure.UNKNOWN_TOOL, re.compile(r"(?:unknown|no.?such|not.?found).*tool|tool.*(?:unknown|not.?found)", re.I)),
    (Failure.INVALID, re.compile(r"json|pars|decode|valid|schema|modelretry|unexpectedmodel", re.I)),
)


def failure(raw: Raw) -> Failure:
    """Return how it failed: by the kind of error, else by its message or its result, which may be all that tells it."""
    kind = text(raw.attributes, *v.ERROR) or printable(raw.exception[:MAX_NAME])
    code = number(raw.attributes, *v.STATUS)
    said = f"{kind} {code if code >= _BAD_REQUEST else ''}".strip()
    if (not said and not raw.error) or _CONTROL_FLOW.search(kind):
        return Failure.NONE
    return _found(said) or _found(raw.message) or _found(text(raw.attributes, *v.RESULT)) or Failure.OTHER


def _found(said: str) -> Failure | None:
    return next((found for found, pattern in _KINDS if pattern.search(said)), None)
