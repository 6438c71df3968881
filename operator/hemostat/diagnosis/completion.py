"""Requests and responses as OpenAI's chat API has them, which litellm gives every provider (pure)."""

from collections.abc import Sequence
from typing import Any

from hemostat.diagnosis.answer import Answer, Call, Message, Offer, Spent
from hemostat.diagnosis.provider import NOTHING, ProviderError

MAX_TEXT = 64_000
"""Characters of an answer's text, or of all its calls."""
MAX_CALLS = 16
MAX_TOLD = 2_000_000
"""Tokens that one answer is charged for at most, in and out each: no model takes more, whatever a provider says."""
MAX_TOKENS = 4_096
"""Of an answer."""
_LETTERS_PER_TOKEN = 3


def most(messages: Sequence[Message]) -> Spent:
    """Return how many tokens a request may use, in and out: an estimate, rather too many."""
    return Spent(sum(len(str(message)) for message in messages) // _LETTERS_PER_TOKEN, MAX_TOKENS)


def at_most(messages: Sequence[Message]) -> int:
    """Return the same in all."""
    used = most(messages)
    return used.tokens_in + used.tokens_out


def tool(offer: Offer) -> dict[str, Any]:
    """Return how a tool is offered."""
    function = {"name": offer.name, "description": offer.description, "parameters": dict(offer.arguments)}
    return {"type": "function", "function": function}


def read(response: Any, model: str, messages: Sequence[Message]) -> Answer:
    """Read a response; what it cost is not known here. Raises `ProviderError` if it is empty, refused or too long."""
    used = Spent(*_told(response))
    used = used if used != NOTHING else most(messages)
    if not response.choices:
        raise ProviderError("EmptyAnswer", f"{model}: the answer has no choice", spent=used)
    choice = response.choices[0]
    text = _sound(choice.message.content or "")
    calls = tuple(_call(call) for call in choice.message.tool_calls or () if getattr(call, "function", None))
    if choice.finish_reason == "content_filter" or (not text and _refusal(choice.message)):
        raise ProviderError("ModelRefused", f"{model}: the model refuses to answer", spent=used)
    if not text.strip() and not calls:
        raise ProviderError("EmptyAnswer", f"{model}: the answer is empty", spent=used)
    size = len(text) + sum(len(call.id) + len(call.arguments) + len(call.name) for call in calls)
    if size > MAX_TEXT or len(calls) > MAX_CALLS:
        said = f"{model}: {size:,} characters and {len(calls)} calls are too many"
        raise ProviderError("AnswerTooLong", said, spent=used)
    tokens_in, tokens_out, cached = _tokens(response, messages, size)
    return Answer(text, calls, tokens_in, tokens_out, cached, 0.0, model)


def _call(call: Any) -> Call:
    return Call(_sound(call.id), _sound(call.function.name), _sound(call.function.arguments or ""))


def _sound(text: object) -> str:
    """Return a text as UTF-8 can say it: JSON can hold half a character, which nobody could be sent again."""
    return str(text).encode(errors="replace").decode()


def _refusal(message: Any) -> bool:
    fields = getattr(message, "provider_specific_fields", None) or {}
    return bool(getattr(message, "refusal", None) or fields.get("refusal"))


def _told(response: Any) -> tuple[int, int]:
    """Return the tokens in and out that the provider tells, or zeros."""
    used = getattr(response, "usage", None)
    told_in, told_out = (int(getattr(used, name, 0) or 0) for name in ("prompt_tokens", "completion_tokens"))
    return min(max(0, told_in), MAX_TOLD), min(max(0, told_out), MAX_TOLD)


def _tokens(response: Any, messages: Sequence[Message], size: int) -> tuple[int, int, int]:
    """Return tokens in, out and cached; where none are told an estimate: what is not counted has no limit."""
    details = getattr(getattr(response, "usage", None), "prompt_tokens_details", None)
    told_in, told_out = _told(response)
    tokens_in = told_in if told_in > 0 else sum(len(str(message)) for message in messages) // _LETTERS_PER_TOKEN
    tokens_out = told_out if told_out > 0 else size // _LETTERS_PER_TOKEN
    cached = int(getattr(details, "cached_tokens", 0) or 0)
    return tokens_in, tokens_out, min(max(cached, 0), tokens_in)
