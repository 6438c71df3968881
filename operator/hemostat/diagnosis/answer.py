"""What a model is asked and what it replies, whoever the provider is (pure values)."""

from collections.abc import Mapping, Sequence
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
    """0 where the price is not known."""
    model: str
    """Which of the fallback list answered."""


class Asks(Protocol):
    """Asks a model; providers, breakers and retries are behind it."""

    def ask(
        self, messages: Sequence[Message], *, schema: Mapping[str, Any], tools: Sequence[Offer], deadline: float
    ) -> Answer:
        """Return the reply by `deadline` (monotonic seconds). Raises `HemostatError`.

        :param schema: JSON schema of the reply that is wanted, where it is not a call.
        """
