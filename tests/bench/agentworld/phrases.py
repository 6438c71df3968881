"""Words for meanings: arguments and results as JSON, thoughts, and rewordings from a small grammar.

A rewording says the same with other words every time; the tool reads the meaning, not the words.
"""

import json

from .dice import draw, pick
from .policy import fields

_OPENERS = (
    "find",
    "look up",
    "search for",
    "get me",
    "please collect",
    "I need",
    "could you check",
    "let us see",
    "try to locate",
    "give an overview of",
    "what do we know about",
    "show",
)
_NOUNS = (
    "documents",
    "reports",
    "sources",
    "any evidence",
    "recent papers",
    "articles",
    "background material",
    "statements",
    "publications",
    "notes",
)
_LINKS = ("on", "about", "regarding", "concerning", "that mention", "dealing with", "related to", "in connection with")
_CLOSERS = (
    "",
    "in detail",
    "from this year",
    "with figures",
    "as complete as possible",
    "in plain words",
    "from primary sources",
    "and sum them up",
    "if there are any",
    "once more with care",
)
_THOUGHTS = (
    "The next step is to call {peer}.",
    "I will use {peer} for this.",
    "This needs {peer}.",
    "Calling {peer} now.",
)


def reworded(meaning: str, seed: int, count: int) -> str:
    """Return a meaning in other words for every `count`."""
    topic = " ".join(fields(meaning).values()) or meaning
    parts = [pick(options, seed, at, count) for at, options in enumerate((_OPENERS, _NOUNS, _LINKS))]
    closer = pick(_CLOSERS, seed, 3, count)
    words = " ".join([*parts, topic, closer]).strip()
    return words.capitalize() if draw(seed, 4, count) < 0.5 else words


def arguments(meaning: str, words: str = "") -> str:
    """Return tool arguments as JSON; `words` replace the values of a reworded call."""
    if words:
        return json.dumps({"query": words})
    return json.dumps(_typed(meaning))


def result(meaning: str, stamp: float | None) -> str:
    """Return a tool result as JSON, with the time of day when the tool puts it into its answers."""
    values = _typed(meaning)
    if stamp is not None:
        values["retrieved_at"] = round(stamp, 3)
    return json.dumps(values)


def thought(peer: str, seed: int, count: int) -> str:
    """Return what a model says before it acts; the same for the same place."""
    return pick(_THOUGHTS, seed, count).format(peer=peer)


def _typed(meaning: str) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in fields(meaning).items():
        found[key] = int(value) if value.lstrip("-").isdigit() else {"true": True, "false": False}.get(value, value)
    return found or {"input": meaning}
