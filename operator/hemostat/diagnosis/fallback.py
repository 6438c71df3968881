"""Asks the models of a list, one after the other, until one answers: retries, breakers and the deadline (shell).

What passes is tried again after a random while, which grows ("full jitter": Brooker, Exponential Backoff And
Jitter, AWS 2015), or after what `Retry-After` says.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, reduce
from typing import Any

from hemostat import metrics
from hemostat.diagnosis.answer import Answer, Before, Message, Offer, Spent, freely
from hemostat.diagnosis.breaker import REST_SECONDS, Breaker
from hemostat.diagnosis.provider import NOTHING, OPEN, Completes, Costly, NoAnswer, NoUse, ProviderError
from hemostat.diagnosis.redact import redact
from hemostat.errors import Refused
from hemostat.guard.clock import Clock

TRIES = 3
"""Of one model, for one question."""
LEAST_SECONDS = 0.2
"""Less is not worth a request."""
_FIRST_WAIT, _MOST_WAIT = 0.5, 8.0


class Fallback:
    """Asks models in the order of a list (thread-safe). Everything that is sent is redacted, whoever wrote it.

    :param models: by the names of litellm, the best first.
    :param sleep: waits so many seconds.
    :param random: returns a number from 0 to 1.
    """

    def __init__(
        self,
        models: Sequence[str],
        completes: Completes,
        clock: Clock,
        sleep: Callable[[float], None],
        random: Callable[[], float],
    ) -> None:
        self._models = tuple(models)
        self._completes = completes
        self._clock, self._sleep, self._random = clock, sleep, random
        self._providers = {model: completes.provider_of(model) for model in self._models}
        self._breakers = {model: Breaker(provider, model, clock) for model, provider in self._providers.items()}

    def ask(
        self,
        messages: Sequence[Message],
        *,
        schema: Mapping[str, Any],
        tools: Sequence[Offer],
        deadline: float,
        before: Before = freely,
    ) -> Answer:
        """Return the first answer, by `deadline` (monotonic seconds).

        Each model gets its share of the time that is left, so that one that hangs leaves time for the next. Raises
        `Retry` when no provider could answer now, and `Refused` with the first one's reason when none would, or with
        that of `before`.
        """
        sent = [_redacted(message) for message in messages]
        wrong: list[ProviderError] = []
        wasted: list[Spent] = []
        for n, model in enumerate(self._models):
            now = self._clock.monotonic()
            until = now + (deadline - now) / (len(self._models) - n)
            try:
                return _with(self._persist(model, sent, schema, tools, until, wasted, before), wasted)
            except ProviderError as error:
                wrong.append(error)
            except Refused as refused:
                raise _costing(NoUse(refused.reason, str(refused)), wasted) from None
        raise _given_up(wrong, wasted)

    def _persist(
        self,
        model: str,
        sent: Sequence[Message],
        schema: Mapping[str, Any],
        tools: Sequence[Offer],
        until: float,
        wasted: list[Spent],
        before: Before,
    ) -> Answer:
        last: ProviderError | None = None
        for attempt in range(TRIES):
            left = until - self._clock.monotonic()
            if left < LEAST_SECONDS:
                raise last or ProviderError("Timeout", f"{model}: no time is left")
            before(_total(wasted))
            try:
                return self._once(model, sent, schema, tools, left)
            except ProviderError as error:
                last = error
                if error.reason != OPEN:
                    wasted.append(error.spent)
                wait = max(error.after or 0.0, self._random() * min(_MOST_WAIT, _FIRST_WAIT * 2**attempt))
                rest = until - self._clock.monotonic() - LEAST_SECONDS
                if not error.transient or attempt == TRIES - 1 or wait > rest:
                    raise
                self._sleep(wait)
        raise AssertionError("unreachable: the last try returns or raises")

    def _once(
        self, model: str, sent: Sequence[Message], schema: Mapping[str, Any], tools: Sequence[Offer], left: float
    ) -> Answer:
        provider, breaker = self._providers[model], self._breakers[model]
        try:
            admitted = breaker.admit()
        except ProviderError as error:
            metrics.MODEL_REQUESTS.labels(provider, error.reason).inc()
            raise
        began = self._clock.monotonic()
        try:
            answer = self._completes.complete(model, sent, schema, tools, left)
        except ProviderError as error:
            breaker.note(admitted, error)
            metrics.MODEL_REQUESTS.labels(provider, error.reason).inc()
            _meter(model, error.spent)
            raise
        finally:
            metrics.MODEL_SECONDS.labels(provider).observe(self._clock.monotonic() - began)
        breaker.note(admitted, None)
        _count(provider, answer)
        return answer


def _count(provider: str, answer: Answer) -> None:
    metrics.MODEL_REQUESTS.labels(provider, "Answered").inc()
    _meter(answer.model, Spent(answer.tokens_in, answer.tokens_out, answer.usd))


def _meter(model: str, used: Spent) -> None:
    if used == NOTHING:
        return
    metrics.MODEL_TOKENS.labels(model, "input").inc(used.tokens_in)
    metrics.MODEL_TOKENS.labels(model, "output").inc(used.tokens_out)
    metrics.MODEL_COST.labels(model).inc(used.usd)


def _total(wasted: Iterable[Spent]) -> Spent:
    return reduce(Spent.plus, wasted, NOTHING)


def _with(answer: Answer, wasted: Iterable[Spent]) -> Answer:
    """Return the answer with what it cost in all: what came to nothing before it was asked for it too."""
    more = _total(wasted)
    return replace(
        answer,
        tokens_in=answer.tokens_in + more.tokens_in,
        tokens_out=answer.tokens_out + more.tokens_out,
        usd=answer.usd + more.usd,
    )


def _given_up(wrong: Sequence[ProviderError], wasted: Iterable[Spent]) -> Costly:
    return _costing(_unanswered(wrong), wasted)


def _costing(error: Costly, wasted: Iterable[Spent]) -> Costly:
    wasted = tuple(wasted)
    error.spent = _total(wasted)
    error.asked = bool(wasted)
    return error


def _unanswered(wrong: Sequence[ProviderError]) -> Costly:
    said = "; ".join(str(error) for error in wrong)
    passing = [error for error in wrong if error.transient or error.reason == OPEN]
    if passing or not wrong:
        return NoAnswer(f"no model answers: {said}", max((error.after or REST_SECONDS for error in passing), default=0))
    return NoUse(wrong[0].reason, f"no model answers: {said}")


def _redacted(message: Message) -> Message:
    """Return the message without secrets: the last place where they could leave."""
    found = dict(message)
    if isinstance(found.get("content"), str):
        found["content"] = _clean(found["content"])
    if calls := found.get("tool_calls"):
        found["tool_calls"] = [_clean_call(call) for call in calls]
    return found


def _clean_call(call: Mapping[str, Any]) -> dict[str, Any]:
    function = call["function"]
    return {**call, "function": {**function, "arguments": _clean(function["arguments"])}}


@lru_cache(256)
def _clean(text: str) -> str:
    """Redact; a conversation says the same again with every turn."""
    return redact(text)
