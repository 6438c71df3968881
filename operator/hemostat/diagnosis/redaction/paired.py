"""Values whose secret's name stands apart from them: beside them as a pair of its own, or on the line before (pure)."""

import re

from hemostat.diagnosis.redaction.marks import CLASS, Rule
from hemostat.diagnosis.redaction.named import NAME, SUFFIX, VALUE, named

_Q = r"(?:\\{0,31}[\"'])?"
_IS = rf"{_Q}[ ]{{0,4}}[:=][ ]{{0,4}}"
_NAMED = rf"(?<![A-Za-z])(?:name|key|header){_IS}{_Q}[\w.-]{{0,80}}?{NAME}{SUFFIX}(?![\w.-]){_Q}"
_THEN = r"(?:[ ]{0,4}[,;]\s{0,80}|\s{1,80})"
_OTHERS = rf"(?:{_Q}[A-Za-z]{{1,20}}{_IS}{_Q}[\w./-]{{0,40}}+{_Q}{_THEN}){{0,3}}?"
"""Other members of the same object, in between."""
_MOST = 512
"""Of a value that stands before its name: most of what looks like one has no such name behind it."""
_BEFORE = (
    rf"(?:\"(?P<vd>(?:[^\"\\\n]|\\.){{1,{_MOST}}}+)\"|'(?P<vs>(?:[^'\\\n]|\\.){{1,{_MOST}}}+)'"
    rf"|\\{{1,31}}[\"'](?P<ve>[^\"'\\\n]{{1,{_MOST}}}+)\\{{1,31}}[\"']|(?P<vb>[^\s\"'`<>,;\[\]{{}}\\]{{1,{_MOST}}}+))"
)

_OPEN = re.compile(r"[:=][ \t]{0,8}\r?\n")
_BELOW = named(
    rf"{NAME}{SUFFIX}{_Q}[ \t]{{0,8}}(?::=|[:=])[ \t]{{0,8}}\r?\n[ \t]{{0,80}}{_Q}"
    rf"(?P<v>(?:[^\s\"'`<>:=,;{{}}\[\]\\{CLASS}]|:(?=[^\s\"',])){{4,{_MOST}}}+={{0,2}}+){_Q},?[ \t]*+(?=\r?\n|\Z)",
    re.MULTILINE,
)


def _below(text: str) -> str:
    """Redact a value alone on the line after its name; few texts have a line that ends with a colon."""
    return _BELOW(text) if _OPEN.search(text) else text


_BLOCK = r"value:[ ]{1,4}[|>][+-]?\d?[+-]?[ ]{0,4}\r?\n(?P<in>[ ]{1,80})(?P<v>[^\n]*+(?:\n(?P=in)[^\n]*+)"
"""A value of YAML in lines of its own, which are indented; how many follows."""

PAIRED: tuple[Rule, ...] = (
    named(rf"{_NAMED}{_THEN}{_OTHERS}{_BLOCK}*+)"),
    named(rf"(?<![A-Za-z]){_BLOCK}{{0,99}}+)\n[ ]{{0,80}}{_NAMED}"),
    # {name: DB_PASSWORD, value: ...}: of Kubernetes and others, in one line or several, JSON or YAML
    named(rf"{_NAMED}{_THEN}{_OTHERS}{_Q}value{_IS}{VALUE}"),
    # the same the other way round; a line that begins with a dash is of the next one
    named(rf"(?<![A-Za-z])value{_IS}{_BEFORE}{_THEN}{_OTHERS}{_Q}{_NAMED}"),
    named(rf"(?<![A-Za-z])value:[ ]{{1,4}}(?P<v>[^\s\"'{CLASS}][^\n]{{0,{_MOST}}}+)\n[ ]{{0,80}}{_NAMED}"),
    _below,
)
