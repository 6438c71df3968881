"""The words that evidence uses, and symptoms that ask for others, or for nothing (pure).

CEL here is untyped: a misspelt kind compiles and is never found. What is compared with what is read from the text of
the expression, so only comparisons with literals are judged; whatever else is asked is left to a rehearsal.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from difflib import get_close_matches
from enum import StrEnum
from functools import lru_cache
from typing import Any

from hemostat.api.incident import Advice, SignalSource, SignalState
from hemostat.api.meta import API_VERSIONS
from hemostat.api.runbook import Symptom
from hemostat.api.watch import SignalKind
from hemostat.diagnosis.evidence import CEL_VARIABLES, Facts
from hemostat.diagnosis.matcher import BOUND, UNANSWERED, answer, expression_error, holds, world
from hemostat.signals.changes import ChangeKind
from hemostat.signals.workload import Aspect


def _words(kinds: Iterable[StrEnum]) -> tuple[str, ...]:
    return tuple(k.value for k in kinds)


_NUMBER_THERE = frozenset({"value", "threshold", "ageSeconds", "desired", "ready"})
"""Fields that are numbers: in CEL none is ever equal to a text."""
_CHANGE = {"kind": _words(ChangeKind), "subject": None, "ageSeconds": None, "detail": None}
_FIELDS: Mapping[str, Mapping[str, Collection[str] | None]] = {
    "signals": {
        "kind": _words(SignalKind),
        "source": _words(SignalSource),
        "state": _words(SignalState),
        "advice": (*_words(Advice), ""),
        **dict.fromkeys(("name", "subject", "value", "threshold")),
    },
    "changes": _CHANGE,
    "calleeChanges": _CHANGE,
    "target": {"kind": tuple(API_VERSIONS), "name": None},
    "workload": dict.fromkeys(("desired", "ready", "complete", "stuck", "troubles", "aspects")),
    "troubles": {},
    "aspects": {},
}
"""What a variable, or an item of it, has, and which words may stand there; None: anything. Texts have nothing."""

_TEXT = r"""(?:"[^"\\]*"|'[^'\\]*')"""
_LITERAL = re.compile(_TEXT)
_NUMBER = re.compile(r"\b\d+(?:\.\d+)?\b")
_FIELD = re.compile(r"(?<![\w.])([A-Za-z_]\w*)(?:\[\d+\])?\.(\w+)\b(?!\s*\()")
_COMPARED = re.compile(rf"(?<![\w.])([A-Za-z_]\w*)(?:\[\d+\])?\.(\w+)\s*(?:[!=]=\s*({_TEXT})|in\s*\[([^\]]*)\])")
_REVERSED = re.compile(rf"({_TEXT})\s*[!=]=\s*([A-Za-z_]\w*)(?:\[\d+\])?\.(\w+)\b")
_ASPECT = re.compile(rf"({_TEXT})\s*in\s*workload\.aspects\b")
_ASPECT_BOUND = re.compile(r"workload\.aspects\.(?:all|exists|exists_one|filter|map)\(\s*([A-Za-z_]\w*)\s*,")


def unknown_words(expression: str) -> list[str]:
    """Return a sentence for each field that no evidence has, and each word that evidence never says there."""
    return list(dict.fromkeys((*_unknown_fields(expression), *_never_said(expression))))


def always(symptom: Symptom) -> bool:
    """Tell whether a symptom holds for no evidence, all sorts of evidence, and the texts and numbers it asks for."""
    return all(holds(symptom, world(variables)) is True for variables in _worlds(symptom.expression))


@lru_cache(maxsize=512)
def never_answers(symptom: Symptom) -> str:
    """Return why a symptom cannot be true or false of evidence as it is, or an empty text.

    CEL finds that out only when it is asked, and where one side of an `||` decides not even then: so it is asked of
    evidence of every kind, with texts and numbers on both sides of those that it compares with.
    """
    if expression_error(symptom) is not None:
        return ""  # that is told already
    if not _asks(symptom.expression):
        return "asks nothing of the evidence: leave it out, or ask for what was seen"
    for variables in (*_worlds(symptom.expression), *(_world("no such text", -1.0, s) for s in SignalState)):
        try:
            said = answer(symptom, world(variables))
        except KeyError as error:
            return f"asks for {error}, which no evidence has"
        except TypeError:
            return "compares, adds up or joins what does not go together, such as a text and a number"
        except UNANSWERED:
            continue
        if not isinstance(said, bool):
            return f"says {_SORTS.get(type(said), 'a list')}, and must say whether something is so, true or false"
    return ""


_SORTS = {str: "a text", int: "a number", float: "a number", dict: "fields"}


def _asks(expression: str) -> bool:
    names = re.findall(r"(?<![\w.])[A-Za-z_]\w*", _LITERAL.sub('""', expression))
    return any(name in CEL_VARIABLES for name in names)


def _sources(expression: str) -> dict[str, str]:
    """Return what each variable is an item of: `s` of `signals`. What is looped over two lists is of neither."""
    items: dict[str, set[str]] = {}
    for looped, name in BOUND.findall(expression):
        items.setdefault(name, set()).add(looped)
    bound = {name: next(iter(of)) for name, of in items.items() if len(of) == 1}
    whole = {name: name for name in _FIELDS if name not in items}
    return whole | {name: of for name, of in bound.items() if of in _FIELDS}


def _unknown_fields(expression: str) -> Iterator[str]:
    sources = _sources(expression)
    for name, field in _FIELD.findall(_LITERAL.sub('""', expression)):
        of = sources.get(name)
        if of is not None and field not in _FIELDS[of]:
            yield f"{name}.{field} does not exist{_instead(field, _FIELDS[of]) or '; it is a text'}"


def _never_said(expression: str) -> Iterator[str]:
    sources = _sources(expression)
    compared = [(n, f, one or many) for n, f, one, many in _COMPARED.findall(expression)]
    compared += [(n, f, text) for text, n, f in _REVERSED.findall(expression)]
    for name, field, texts in compared:
        words = _FIELDS.get(sources.get(name, ""), {}).get(field)
        if field in _NUMBER_THERE and name in sources and _LITERAL.search(texts):
            yield f"{name}.{field} is a number, and never a text: leave out the quotes"
        if words is not None:
            yield from _foreign(f"{name}.{field}", texts, words)
    aspects = _ASPECT.findall(expression)
    for name in _ASPECT_BOUND.findall(expression):
        aspects += re.findall(rf"\b{name}\s*[!=]=\s*({_TEXT})", expression)
    for text in aspects:
        yield from _foreign("workload.aspects", text, _words(Aspect))


def _foreign(where: str, texts: str, words: Collection[str]) -> Iterator[str]:
    for literal in _LITERAL.findall(texts):
        word = literal[1:-1]
        if word not in words:
            yield f'{where} is never "{word}"{_instead(word, words)}'


_TYPING_ERROR = 0.75
"""So alike, as difflib has it, is a word with a letter or two wrong; `CrashLoop` and `ParaphraseLoop` are 0.61."""


def _instead(word: str, known: Iterable[str]) -> str:
    among = [k for k in known if k]
    near = get_close_matches(word, among, n=1, cutoff=_TYPING_ERROR)
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(among)}" if among else ""


def _worlds(expression: str) -> Iterator[dict[str, Any]]:
    for kind in API_VERSIONS:
        yield Facts({"kind": kind, "name": "no-such-name"}, (), (), None, ()).cel()
    texts = [t[1:-1] for t in _LITERAL.findall(expression)][:4] or [""]
    numbers = [float(n) for n in _NUMBER.findall(_LITERAL.sub('""', expression))][:2]
    for text in dict.fromkeys((" ".join(texts), *texts)):
        for number in dict.fromkeys((0.0, *(n + d for n in numbers for d in (-1.0, 1.0)))):
            for state in SignalState:
                yield _world(text, number, state)


def _world(text: str, number: float, state: SignalState) -> dict[str, Any]:
    """Return evidence of every kind at once, with this text and this number wherever one stands."""
    signal = {"name": text, "subject": text, "state": state.value, "value": number, "threshold": number}
    change = {"subject": text, "ageSeconds": max(0.0, number), "detail": text}
    changes = [{**change, "kind": kind.value} for kind in ChangeKind]
    sources, advice = list(SignalSource), list(Advice)
    return {
        "target": {"kind": "Deployment", "name": text or "payment"},
        "signals": [
            {**signal, "kind": k.value, "source": sources[i % len(sources)].value, "advice": advice[i % 2].value}
            for i, k in enumerate(SignalKind)
        ],
        "changes": changes,
        "calleeChanges": changes,
        "workload": {
            "desired": max(1, int(number)),
            "ready": 0,
            "complete": False,
            "stuck": True,
            "troubles": [text],
            "aspects": [a.value for a in Aspect],
        },
    }
