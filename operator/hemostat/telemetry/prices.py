"""What models cost, and how much they take in: a table in the format of litellm's own (pure).

The format is that of `model_prices_and_context_window.json`: model to `input_cost_per_token`, `output_cost_per_token`,
`cache_read_input_token_cost`, `cache_creation_input_token_cost` (US dollars a token; each also for long inputs, as
`..._above_200k_tokens`) and `max_input_tokens`. A model that is not in it has no price, which is not zero.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

INPUT, OUTPUT = "input_cost_per_token", "output_cost_per_token"
CACHED, STORED = "cache_read_input_token_cost", "cache_creation_input_token_cost"
WINDOW = "max_input_tokens"
MOST_A_TOKEN = 1.0
"""US dollars: a thousand times the dearest model; more is a price of a million tokens by mistake."""
MOST_WINDOW = 1_000_000_000
_LONG = re.compile(rf"({INPUT}|{OUTPUT}|{CACHED}|{STORED})_above_([1-9][0-9]{{0,5}})k_tokens")
_DATED = re.compile(r"[-@](?:20[0-9]{6}|20[0-9]{2}-[0-9]{2}-[0-9]{2}|latest)$")
_PREFIXES: Final[dict[str, str]] = {
    "gcp.gemini": "gemini",
    "gcp.gen_ai": "gemini",
    "google": "gemini",
    "gcp.vertex_ai": "vertex_ai",
    "aws.bedrock": "bedrock",
    "azure.ai.openai": "azure",
    "az.ai.openai": "azure",
    "azure.ai.inference": "azure_ai",
    "az.ai.inference": "azure_ai",
    "ibm.watsonx.ai": "watsonx",
    "mistral_ai": "mistral",
    "x_ai": "xai",
}
"""OpenTelemetry's names of providers (`gen_ai.provider.name`, `gen_ai.system`) and the table's, where they differ."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one inference, as its span tells them."""

    tokens_in: int
    tokens_out: int
    cached: int = 0
    """Read from the provider's cache."""
    stored: int = 0
    """Written to it."""


@dataclass(frozen=True, slots=True)
class Rate:
    """US dollars for one token."""

    fresh: float
    output: float
    cached: float
    stored: float


@dataclass(frozen=True, slots=True)
class Price:
    """What one model costs."""

    rate: Rate
    longer: tuple[tuple[int, Rate], ...] = ()
    """Rates of the whole inference when its input has more tokens than this, the longest first."""

    def cost(self, usage: Usage) -> float:
        """Return the US dollars of one inference.

        OpenTelemetry's input tokens include those of the cache; older instrumentations of Anthropic's count them
        beside, which shows where the cache has more than the input.
        """
        cache = usage.cached + usage.stored
        fresh = usage.tokens_in - cache if cache <= usage.tokens_in else usage.tokens_in
        whole = fresh + cache
        rate = next((r for above, r in self.longer if whole > above), self.rate)
        return (
            fresh * rate.fresh
            + usage.cached * rate.cached
            + usage.stored * rate.stored
            + usage.tokens_out * rate.output
        )


@dataclass(frozen=True, slots=True)
class Prices:
    """Models by the names that spans give them."""

    version: str = "none"
    """For a person: whose table it is, and which."""
    prices: Mapping[str, Price] = field(default_factory=dict)
    windows: Mapping[str, int] = field(default_factory=dict)
    """Tokens that a model takes in."""

    def of(self, model: str, provider: str = "") -> Price | None:
        """Return the price of a provider's model; without one of that provider, that of the model by its name alone.

        A snapshot that has no price of its own (`-2025-08-07`, `@20250929`, `-latest`) costs what the model costs.
        """
        model = model.removeprefix("models/")
        undated = _DATED.sub("", model)
        prefix = _PREFIXES.get(provider, provider)
        for name in dict.fromkeys((f"{prefix}/{model}", model, f"{prefix}/{undated}", undated)):
            found = self.prices.get(name)
            if found is not None:
                return found
        return None

    def over(self, other: "Prices") -> "Prices":
        """Return both tables in one; this one counts where both know a model."""
        return Prices(
            f"{other.version} + {self.version}", {**other.prices, **self.prices}, {**other.windows, **self.windows}
        )


def table(entries: Mapping[str, Any], version: str) -> Prices:
    """Read a table. Raises `ValueError` that names the model and field, and says what it must be."""
    prices: dict[str, Price] = {}
    windows: dict[str, int] = {}
    for model, fields in entries.items():
        if not isinstance(fields, dict):
            raise ValueError(f"model {model!r} must be an object with {INPUT} and {OUTPUT}, not {_short(fields)}")  # noqa: TRY004
        try:
            if (price := _price(fields)) is not None:
                prices[model] = price
            if (window := fields.get(WINDOW)) is not None:
                windows[model] = _window(window)
        except ValueError as error:
            raise ValueError(f"model {model!r}: {error}") from None
        if price is None and window is None:
            raise ValueError(f"model {model!r} has neither {INPUT} and {OUTPUT} nor {WINDOW}")
    if not prices and not windows:
        raise ValueError("there is no model in it")
    return Prices(version, prices, windows)


def usable(entries: Mapping[str, Any], version: str) -> Prices:
    """Read what can be used of a table that also has other things than models that chat: the rest is left out."""
    prices: dict[str, Price] = {}
    windows: dict[str, int] = {}
    for model, fields in entries.items():
        try:
            one = table({model: fields}, version)
        except ValueError:
            continue  # an example, an image model, a price by the second
        prices.update(one.prices)
        windows.update(one.windows)
    return Prices(version, prices, windows)


@lru_cache(1024)
def is_read(name: str) -> bool:
    """Tell whether a field of the table is one that is read here."""
    return name in (INPUT, OUTPUT, CACHED, STORED, WINDOW) or _LONG.fullmatch(name) is not None


def _price(fields: Mapping[str, Any]) -> Price | None:
    if INPUT not in fields and OUTPUT not in fields:
        return None
    if INPUT not in fields or OUTPUT not in fields:
        raise ValueError(f"{INPUT} and {OUTPUT} must both be there")
    rate = _rate(fields, "")
    bounds = {int(m.group(2)) for name in fields if (m := _LONG.fullmatch(name)) is not None}
    longer = tuple((k * 1000, _rate(fields, f"_above_{k}k_tokens", rate)) for k in sorted(bounds, reverse=True))
    return Price(rate, longer)


def _rate(fields: Mapping[str, Any], suffix: str, otherwise: Rate | None = None) -> Rate:
    """Return a rate; what the cache costs where the table does not say is the price of any input."""

    def of(name: str, default: float) -> float:
        text = fields.get(name + suffix)
        return default if text is None else _dollars(name + suffix, text)

    fresh = of(INPUT, otherwise.fresh if otherwise else 0.0)
    return Rate(
        fresh,
        of(OUTPUT, otherwise.output if otherwise else 0.0),
        of(CACHED, otherwise.cached if otherwise and CACHED in fields else fresh),
        of(STORED, otherwise.stored if otherwise and STORED in fields else fresh),
    )


def _dollars(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name} must be a number of US dollars a token, not {_short(value)}")
    if not 0 <= value <= MOST_A_TOKEN:
        raise ValueError(f"{name} must be from 0 to {MOST_A_TOKEN:g} US dollars a token, not {value:g}")
    return float(value)


def _window(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= MOST_WINDOW:
        raise ValueError(f"{WINDOW} must be a number of tokens, not {_short(value)}")
    return int(value)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:39] + "…"
