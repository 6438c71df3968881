"""What a model may say: these fields and nothing else (pure)."""

import json
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hemostat.diagnosis.redact import redact, told
from hemostat.signals.rules import one_line

MAX_REPLY = 32 * 1024
"""Characters of a reply that are read."""
MAX_PLACE = 80
_LENGTHS = ("maxLength", "minLength", "maxItems", "minItems", "maximum", "minimum", "title")
"""Keywords that not every provider's strict mode knows; they are checked here."""


class Reply(BaseModel):
    """Base of what is parsed from a model: frozen, and what is not asked for makes it invalid."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


Cites = Annotated[tuple[Annotated[str, Field(max_length=8)], ...], Field(max_length=16)]


class Claim(Reply):
    """A statement about one thing, and what it rests on."""

    text: Annotated[str, Field(min_length=1, max_length=400)]
    """The statement, in one sentence."""
    entity: Annotated[str, Field(min_length=1, max_length=253)]
    """What it is about, as the evidence names it: a service, pod, node, setting, agent."""
    cites: Cites
    """Ids of the evidence that shows it, such as E3."""


class Finding(Reply):
    """What a specialist found."""

    claims: Annotated[tuple[Claim, ...], Field(max_length=8)]
    """The statements that matter for the cause, the most important first; none if the evidence says nothing."""


class RuledOut(Reply):
    """A Runbook that was not chosen, and why."""

    runbook: Annotated[str, Field(max_length=253)]
    why: Annotated[str, Field(max_length=400)]
    cites: Cites
    """Ids of the evidence that shows it."""


class Verdict(Reply):
    """What the aggregator concludes."""

    runbook: Annotated[str, Field(max_length=253)] | None
    """Name of one of the candidates; null to abstain."""
    cause: Annotated[str, Field(min_length=1, max_length=500)]
    """The cause in one or two sentences."""
    confidence: Annotated[int, Field(ge=0, le=100)]
    """How likely it is that this is the cause, in percent."""
    claims: Annotated[tuple[Claim, ...], Field(max_length=12)]
    """What the conclusion rests on."""
    ruled_out: Annotated[tuple[RuledOut, ...], Field(max_length=16)]
    """The other candidates."""
    missing: Annotated[tuple[Annotated[str, Field(max_length=200)], ...], Field(max_length=8)] = ()
    """If you abstain: what evidence would decide."""


R = TypeVar("R", bound=Reply)


def schema(model: type[Reply]) -> dict[str, Any]:
    """Return the JSON schema as strict modes take it: every property is required and no other allowed."""
    found = _strict(model.model_json_schema())
    assert isinstance(found, dict)
    return found


def parse(model: type[R], text: str) -> R | str:
    """Return what the text says, or what is wrong with it, in words that a model can act on.

    It is redacted as all else that is told: a model may read what is encoded, and say it.
    """
    if len(text) > MAX_REPLY:
        return f"the reply has {len(text)} characters, more than {MAX_REPLY}"
    try:
        return model.model_validate(_redacted(json.loads(text)))
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)[:8]
        return "; ".join(f"{place(e['loc']) or 'the reply'}: {e['msg']}" for e in wrong)
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits is no JSON to Python either
        return f"the reply is not JSON: {error}"


def place(loc: tuple[int | str, ...]) -> str:
    """Return where something is wrong as a person may be told: an unknown field has the name that a model gave it."""
    return one_line(redact(".".join(map(str, loc))[:MAX_REPLY]), MAX_PLACE)


def _redacted(node: Any) -> Any:
    if isinstance(node, str):
        return told(node)
    if isinstance(node, list):
        return [_redacted(item) for item in node]
    return {key: _redacted(value) for key, value in node.items()} if isinstance(node, dict) else node


def _strict(node: Any) -> Any:
    if isinstance(node, list):
        return [_strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    found = {key: _strict(value) for key, value in node.items() if key not in _LENGTHS or isinstance(value, dict)}
    if "properties" in found:
        found["required"] = list(found["properties"])
    return found
