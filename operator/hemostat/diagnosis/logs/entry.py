"""One entry of a log: plain text, klog, logfmt or JSON (pure)."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

_HEAD, _TAIL = 6, 4
"""Lines of a stack trace that are shown: Java and Go begin with where it broke, Python ends with it."""
_TIME = re.compile(
    r"\[?(?P<day>\d{4}-\d\d-\d\d)[T ](?P<time>\d\d:\d\d:\d\d)(?:[.,](?P<part>\d{1,9}))?"
    r"[ ]?(?P<zone>Z|[+-]\d\d:?\d\d)?\]?[ ]?"
)
_LEVEL = re.compile(
    r"\b(?P<word>FATAL|CRITICAL|SEVERE|PANIC|EMERG|ALERT|ERROR|ERR|WARNING|WARN|NOTICE|INFO|DEBUG|TRACE)\b"
    r"|(?:\blevel=[\"']?|\bseverity=[\"']?|[\[<(])(?P<named>fatal|critical|panic|error|err|warning|warn|notice|info|debug|trace)\b"
)
_KLOG = re.compile(r"(?P<level>[IWEF])\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ (?=[\w.-]+\.go:\d+\])")
_KLOG_LEVELS = {"I": "INFO", "W": "WARN", "E": "ERROR", "F": "FATAL"}
_ERRORS = frozenset({"FATAL", "CRITICAL", "SEVERE", "PANIC", "EMERG", "ALERT", "ERROR", "ERR"})
_CALM = frozenset({"NOTICE", "INFO", "DEBUG", "TRACE"})
_TROUBLE = re.compile(
    r"\b(?:error|exception|panic|fatal|fail(?:ed|ure|ing)?|refused|denied|forbidden|unauthori[sz]ed|unavailable|unreachable"
    r"|time[sd]?[ -]?out|deadline exceeded|killed|oom\w*|out of memory|segfault|segmentation fault|core dumped|aborted"
    r"|cannot|could not|couldn't|no such|not found|no space|exhausted|corrupt\w*|deadlock\w*|throttl\w+|traceback)\b"
    r"|[a-z](?:Error|Exception)\b|\bstatus(?: code)?[=: ]{1,2}5\d\d\b|\" 5\d\d ",
    re.IGNORECASE,
)
_LOGFMT = re.compile(r"(?:^|\s)(?P<key>msg|message|err|error)=(?:\"(?P<quoted>(?:[^\"\\]|\\.)*+)\"?|(?P<bare>\S++))")
_MESSAGES = ("msg", "message", "log", "event", "body", "text")
_CAUSES = ("err", "error", "exception", "cause", "reason")
_LEVELS = ("level", "severity", "lvl", "levelname", "log.level", "@level")
_TIMES = ("time", "ts", "timestamp", "@timestamp", "t", "date")
_STACKS = ("stack", "stacktrace", "stack_trace", "exc_info", "error.stack_trace", "traceback")
_PINO = {10: "TRACE", 20: "DEBUG", 30: "INFO", 40: "WARN", 50: "ERROR", 60: "FATAL"}


@dataclass(frozen=True, slots=True)
class Entry:
    """What one line says, with the lines that belong to it."""

    message: str
    level: str = ""
    """In upper case; empty where it is not told."""
    time: datetime | None = None
    stack: tuple[str, ...] = field(default=())

    @property
    def error(self) -> bool:
        """Tell whether this is about trouble, by its level or, where that says nothing, by its words."""
        if self.level in _ERRORS:
            return True
        return self.level not in _CALM and (bool(self.stack) or _TROUBLE.search(self.message) is not None)

    def __str__(self) -> str:
        lines = self.stack
        if len(lines) > _HEAD + _TAIL:
            hidden = f"    ... {len(lines) - _HEAD - _TAIL} more lines"
            lines = (*lines[:_HEAD], hidden, *lines[-_TAIL:])
        level = f"{self.level} " if self.level and self.level not in self.message.upper() else ""
        return "\n".join((level + self.message, *lines))

    def raised(self, what: str, stack: tuple[str, ...]) -> "Entry":
        """Return the entry with an exception that it tells of."""
        return replace(self, message=": ".join(filter(None, (self.message, what))), stack=self.stack + stack)


def timed(line: str) -> tuple[datetime | None, str]:
    """Return the time at the beginning of a line, UTC unless it says otherwise, and what follows."""
    match = _TIME.match(line)
    if match is None:
        return None, line
    zone = match["zone"] or "Z"
    part = (match["part"] or "0")[:6]
    try:
        time = datetime.fromisoformat(f"{match['day']}T{match['time']}.{part:0<6}{'+00:00' if zone == 'Z' else zone}")
        return time.astimezone(UTC), line[match.end() :]
    except (ValueError, OverflowError):
        return None, line


def parse(line: str, time: datetime | None = None) -> Entry:
    """Return what a line says.

    :param time: when it was written, if the container's runtime says so: it knows its time zone.
    """
    if line.lstrip().startswith("{"):
        found = _json(line)
        if found is not None:
            return replace(found, time=time or found.time)
    own, rest = timed(line)
    klog = _KLOG.match(rest)
    if klog is not None:
        return Entry(rest[klog.end() :].strip(), _KLOG_LEVELS[klog["level"]], time or own)
    found_level = _LEVEL.search(rest[:120])
    level = (found_level["word"] or found_level["named"]).upper() if found_level else ""
    return Entry(_logfmt(rest) or rest.strip(), level, time or own)


def _logfmt(text: str) -> str:
    said = {m["key"]: m["quoted"] or m["bare"] or "" for m in _LOGFMT.finditer(text)}
    message = said.get("msg") or said.get("message")
    return ": ".join(filter(None, (message, said.get("err") or said.get("error")))) if message else ""


def _json(line: str) -> Entry | None:
    try:
        read = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(read, dict):
        return None
    message = _first(read, _MESSAGES)
    cause = _first(read, _CAUSES)
    text = message if cause in message else ": ".join(filter(None, (message, cause)))
    text = text or _fields(read)
    if not text:
        return None
    stack = tuple(filter(None, _first(read, _STACKS).splitlines()))
    return Entry(" ".join(text.split()), _level(read), _when(read), stack)


def _fields(read: Mapping[str, Any]) -> str:
    """Return what an object without a message says: its names stay, for they are what it has in common with others."""
    told = {key: value for key, value in read.items() if key not in (*_TIMES, *_LEVELS)}
    return " ".join(
        f"{key}={value}" for key, value in told.items() if isinstance(value, str | int | float) and value != ""
    )


def _first(read: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """Return the first of these fields that says something; of an object its message."""
    for name in names:
        value = read.get(name)
        if isinstance(value, dict):
            value = value.get("message") or value.get("stack")
        if isinstance(value, str) and value:
            return value
    return ""


def _level(read: Mapping[str, Any]) -> str:
    for name in _LEVELS:
        value = read.get(name)
        if isinstance(value, str):
            return value.upper()[:16]
        if isinstance(value, int):
            return _PINO.get(value, "")
    return ""


def _when(read: Mapping[str, Any]) -> datetime | None:
    for name in _TIMES:
        value = read.get(name)
        if isinstance(value, str):
            return timed(value)[0]
        if isinstance(value, int | float) and not isinstance(value, bool):
            return _epoch(float(value))
    return None


def _epoch(value: float) -> datetime | None:
    """Read seconds, milli-, micro- or nanoseconds since 1970: whichever is of this age."""
    for unit in (1.0, 1e3, 1e6, 1e9):
        if 1e9 <= value / unit < 1e10:
            return datetime.fromtimestamp(value / unit, UTC)
    return None
