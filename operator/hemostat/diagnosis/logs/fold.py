"""Stack traces of Python, Java and Go belong to one entry, not to a hundred lines (pure)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from hemostat.diagnosis.logs.entry import Entry, parse, timed

MAX_STACK = 200
"""Lines of a stack trace that are kept, the first: those of a deep recursion say little new."""
_TRACEBACK = "Traceback (most recent call last):"
_PYTHON = re.compile(r"(?:[A-Za-z_][\w.]*+)(?::[ ].*)?$")
_CHAINED = ("During handling of the above", "The above exception was the direct cause")
_JAVA = re.compile(
    r"(?:Exception in thread \"[^\"]*\" |Caused by: |Suppressed: )?(?:[a-zA-Z_$][\w$]*\.)+[A-Z][\w$]*(?:: .*)?$"
)
_JAVA_FRAME = re.compile(
    r"\s+at [\w$.<>/@ -]+\(|\s*\.\.\. \d+ (?:more|common frames omitted)|Caused by: |\s+Suppressed: "
)
_GO = re.compile(r"(?:panic|fatal error): ")
_GO_FRAME = re.compile(
    r"goroutine \d+ \[|\t|\[signal |created by |[\w./*()\-\[\]{}]+\(.*\)$|exit status \d+|\s*panic: |\[recovered\]"
)


@dataclass(slots=True)
class _Open:
    """An entry whose stack trace may go on."""

    entry: Entry
    language: str = ""
    """What the stack trace is of; empty: there is none yet."""
    what: str = ""
    stack: list[str] = field(default_factory=list)
    ended: bool = False
    """Python: the line that names the exception has come."""

    def done(self) -> Entry:
        return self.entry.raised(self.what, tuple(self.stack)) if self.language else self.entry


def entries(lines: Iterable[str]) -> list[Entry]:
    """Return the entries of a log, in order, each with its stack trace; empty lines say nothing."""
    found: list[Entry] = []
    now: _Open | None = None
    for line in lines:
        time, text = timed(line)  # that of the container runtime, if there are two
        text = text.rstrip()
        if now is not None and _continues(now, text):
            continue
        if not text:
            continue
        if now is not None:
            if now.entry.error and not now.language and not _GO.match(text) and _begins(now, text):
                continue  # the trace of what was just told, as loggers write it
            found.append(now.done())
        now = _opened(text, time)
    if now is not None:
        found.append(now.done())
    return found


def _opened(text: str, time: datetime | None) -> _Open:
    """Return the entry that a line begins; a bare stack trace is one whose message is to come."""
    fresh = _Open(Entry("", "ERROR", time))
    if _begins(fresh, text):
        return fresh
    return _Open(parse(text, time))


def _begins(now: _Open, text: str) -> bool:
    """Take the first line of a stack trace."""
    if text == _TRACEBACK:
        now.language, now.stack = "python", [text]
    elif _GO.match(text):
        now.language, now.what = "go", text
    elif _JAVA.match(text) and text.split(":")[0].endswith(("Exception", "Error", "Throwable")):
        now.language, now.what = "java", text
    else:
        return False
    return True


def _continues(now: _Open, text: str) -> bool:
    """Take a line that belongs to the stack trace; tell whether it did."""
    took = _TAKES[now.language](now, text)
    if took and text and len(now.stack) < MAX_STACK:
        now.stack.append(text)
    return took


def _python(now: _Open, text: str) -> bool:
    if not text:
        return True
    if text.startswith(_CHAINED) or text == _TRACEBACK:
        now.ended = False
        return True
    if text[0].isspace():
        return not now.ended
    if now.ended or not _PYTHON.match(text):
        return False
    now.ended, now.what = True, text
    return True


def _java(now: _Open, text: str) -> bool:
    if text.startswith("Caused by: "):
        now.what = f"{now.what.split(' <- ')[0]} <- {text.removeprefix('Caused by: ')}"
    return _JAVA_FRAME.match(text) is not None


def _go(_now: _Open, text: str) -> bool:
    return not text or _GO_FRAME.match(text) is not None


def _text(now: _Open, text: str) -> bool:
    """Take lines that are indented under an entry: frames of JavaScript, dumps, long messages."""
    if text[:1].isspace():
        now.language = "text"
        return True
    return False


_TAKES = {"": _text, "text": _text, "python": _python, "java": _java, "go": _go}
