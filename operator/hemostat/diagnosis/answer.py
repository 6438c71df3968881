"""What a model is asked and what it replies, whoever the provider is (pure values)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Message = Mapping[str, Any]
"""`role`, `content`, and what calls of tools need, as OpenAI's chat API has them."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A tool that a model may ask for."""

    name: str
    description: str
    arguments: Mapping[str, Any]
    """JSON schema of its arguments."""


@dataclass(frozen=True, slots=True)
class Call:
    """A tool that a model asks for, as it wrote it."""

    id: str
    name: str
    arguments: str
    """JSON, if the model kept to it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model replied, and what that cost."""

    text: str
    calls: tuple[Call, ...]
    tokens_in: int
    tokens_out: int
    tokens_cached: int
    """Of `tokens_in`: read from the provider's cache."""
    usd: float
    """At list prices; where none is known as `UNPRICED_USD` says."""
    model: str
    """Which of the fallback list answered."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What requests used, as far as providers say."""

    tokens_in: int = 0
    tokens_out: int = 0
    usd: float = 0.0

    def plus(self, more: "Spent") -> "Spent":
        """Return both together."""
        return Spent(self.tokens_in + more.tokens_in, self.tokens_out + more.tokens_out, self.usd + more.usd)

    def less(self, known: "Spent") -> "Spent":
        """Return it without a part of it."""
        return Spent(self.tokens_in - known.tokens_in, self.tokens_out - known.tokens_out, self.usd - known.usd)


Before = Callable[[Spent], None]
"""Takes what the requests of this question have used so far, in vain; raises `Refused` where no other may be sent."""


def freely(_: Spent) -> None:
    """Let every request be sent."""


class Asks(Protocol):
    """Asks a model; providers, breakers and retries are behind it."""

    def ask(
        self,
        messages: Sequence[Message],
        *,
        schema: Mapping[str, Any],
        tools: Sequence[Offer],
        deadline: float,
        before: Before = freely,
    ) -> Answer:
        """Return the reply by `deadline` (monotonic seconds). Raises `HemostatError`.

        :param schema: JSON schema of the reply that is wanted, where it is not a call.
        :param before: is called before each request that is sent.
        """
