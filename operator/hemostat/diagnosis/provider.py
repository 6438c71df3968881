"""What one provider of models did with one request: the words that the rest has for it (pure)."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from hemostat.diagnosis.answer import Answer, Before, Message, Offer, Spent, freely
from hemostat.errors import HemostatError, Refused, Retry

NOTHING = Spent()
UNPRICED_USD = 75e-6
"""What a token counts where its price is not known, in US dollars: as much as one of the dearest models' own, for what
counts nothing has no limit."""


class Costly(HemostatError):
    """An error that cost something all the same."""

    spent: Spent = NOTHING
    asked: bool = True
    """Whether a request was sent at all: a breaker sends none."""


class NoAnswer(Costly, Retry):
    """No provider could answer now."""


class NoUse(Costly, Refused):
    """No provider would answer."""


class ProviderError(Exception):
    """A request that got no answer which can be used.

    :param reason: BadKey, NoSuchModel, BadRequest, PromptTooLong, AnswerTooLong, ModelRefused or Failed, after which
        the same request would fare the same; or one of TRANSIENT.
    :param message: for a person; holds no key, and nothing of the prompt.
    :param after: seconds that the provider asks to be left alone; None if it does not say.
    :param spent: what the request used all the same.
    :param unknown: whether a model may have worked on it and nobody told what that used.
    """

    def __init__(
        self, reason: str, message: str, after: float | None = None, spent: Spent = NOTHING, *, unknown: bool = False
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.after = after
        self.spent = spent
        self.unknown = unknown

    @property
    def transient(self) -> bool:
        """Tell whether the same request may fare better a moment later."""
        return self.reason in TRANSIENT


FAILED = "Failed"
"""Something nobody foresaw."""
OPEN = "BreakerOpen"
"""The provider was not asked."""
TRANSIENT = frozenset({"RateLimited", "Unavailable", "Timeout", "EmptyAnswer"})


class Absent:
    """Asks nobody: what would ask is not there. As `Asks` has it."""

    def __init__(self, why: str) -> None:
        self._why = why

    def ask(
        self,
        messages: Sequence[Message],
        *,
        schema: Mapping[str, Any],
        tools: Sequence[Offer],
        deadline: float,
        before: Before = freely,
    ) -> Answer:
        """Raise `Refused` with why."""
        del messages, schema, tools, deadline, before
        raise Refused("NotLoaded", self._why)


class Completes(Protocol):
    """Asks one model once."""

    def complete(
        self,
        model: str,
        messages: Sequence[Message],
        schema: Mapping[str, object],
        tools: Sequence[Offer],
        seconds: float,
    ) -> Answer:
        """Return the answer within so many seconds. Raises `ProviderError`."""

    def provider_of(self, model: str) -> str:
        """Return whose model it is."""
