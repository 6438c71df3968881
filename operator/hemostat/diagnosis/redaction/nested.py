"""Values in an object that stands at a secret's name: whatever its members are called, but for references (pure)."""

import re

from hemostat.diagnosis.redaction.marks import MARK, Rule, replaced
from hemostat.diagnosis.redaction.named import CLOSED, NAME, SEPARATOR, SUFFIX, VALUE, kept, kind_of

_PLACES = {"name", "key", "namespace", "path", "file", "ref", "from", "secretname", "secretstore", "mountpath"}
_SORTS = {"type", "kind", "version", "apiversion", "format", "description", "title", "encoding", "algorithm"}
_REFERS = _PLACES | _SORTS | {"audience", "property", "id", "uid"}
"""Members that say where a value is, or of what sort."""
_MEMBER = re.compile(rf"(?<![\w.-])(?P<of>[\w.-]{{1,40}}+){CLOSED}{SEPARATOR}(?![{{\[]){VALUE}", re.IGNORECASE)
_VALUES = [index for name, index in _MEMBER.groupindex.items() if name.startswith("v")]


def _nested(pattern: str, flags: int = 0) -> Rule:
    compiled = re.compile(pattern, re.IGNORECASE | flags)

    def inside(match: re.Match[str]) -> str:
        kind, body = kind_of(match), match.start("body") - match.start()
        return match[0][:body] + _MEMBER.sub(lambda member: _member(member, kind), match["body"])

    return lambda text: compiled.sub(inside, text)


def _member(member: re.Match[str], kind: str) -> str:
    if member["of"].lower() in _REFERS:
        return member[0]
    return replaced(member, _VALUES, lambda value: value if kept(kind, value) else MARK[kind])


NESTED: tuple[Rule, ...] = (
    _nested(rf"{NAME}{SUFFIX}{CLOSED}{SEPARATOR}\{{(?P<body>(?:[^{{}}]++|\{{[^{{}}]*+\}})++)"),
    # YAML: every line that is indented further
    _nested(
        rf"^(?P<indent>[+ ]?[ ]*+)(?:-[ ]+)?[\w\"'.-]*?{NAME}{SUFFIX}[\"']?:[ ]*\n"
        r"(?P<body>(?:(?P=indent)[ ]+[^\n]*\n?)++)",
        re.MULTILINE,
    ),
)
