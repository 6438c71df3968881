"""Models through litellm: the one module that imports it, and only where a model is set (shell).

Importing takes two seconds and some 130 MB. It fetches nothing, reads no `.env`, and logs nothing: prompts, answers
and keys stand in what litellm would log.
"""

import logging
import os
import random
import threading
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hemostat.deadline import Busy, InTime, Late
from hemostat.diagnosis import completion
from hemostat.diagnosis.answer import Answer, Asks, Message, Offer
from hemostat.diagnosis.fallback import Fallback
from hemostat.diagnosis.provider import FAILED, UNPRICED_USD, Absent, ProviderError
from hemostat.errors import Broken
from hemostat.settings import Settings
from hemostat.signals.rules import one_line
from hemostat.telemetry.prices import Prices, Usage

LOG = logging.getLogger(__name__)
MAX_ASKED = 8
"""Requests under way at once."""
MAX_WHY = 400
_ENVIRONMENT = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_LOCAL_BLOG_POSTS": "True",
    "LITELLM_MODE": "PRODUCTION",
    "LITELLM_TOKEN_EXCHANGE_CACHE_DIR": "",
}
"""No network at import, no `.env` of whatever directory this is, and no tokens on a disk, which may be read-only."""
_BOTH = frozenset({"openai", "azure"})
"""Providers that take a schema and tools in one request; of others litellm makes the schema a tool itself."""
_REASONS = (
    ("ContextWindowExceededError", "PromptTooLong"),
    ("ContentPolicyViolationError", "ModelRefused"),
    ("AuthenticationError", "BadKey"),
    ("PermissionDeniedError", "BadKey"),
    ("NotFoundError", "NoSuchModel"),
    ("BadRequestError", "BadRequest"),
    ("UnprocessableEntityError", "BadRequest"),
    ("RateLimitError", "RateLimited"),
    ("Timeout", "Timeout"),
    ("APIConnectionError", "Unavailable"),
    ("ServiceUnavailableError", "Unavailable"),
    ("BadGatewayError", "Unavailable"),
    ("InternalServerError", "Unavailable"),
    ("APIError", "Unavailable"),
)
"""litellm's exceptions, the special before the general."""


def connect(settings: Settings, prices: Prices) -> Asks | None:
    """Return what asks the models of the settings; None where there are none. Raises `Broken` for one nobody knows.

    Where litellm cannot be imported nobody is asked, and every question is told why: the rest goes on without models.
    """
    if not settings.models:
        return None
    try:
        _load()
    except Exception as error:  # noqa: BLE001 - a library of this size can fail at whatever the pod lacks
        why = one_line(f"litellm cannot be imported: {type(error).__name__}: {error}", MAX_WHY)
        LOG.error("HEMOSTAT_MODELS: no model is asked, %s", why)  # noqa: TRY400 - the trace is of litellm's own files
        return Absent(why)
    return Fallback(settings.models, LiteLLM(settings.models, prices), time, time.sleep, random.random)


class LiteLLM:
    """Asks models by their names in litellm; keys and addresses are in the environment variables that it reads."""

    def __init__(self, models: Sequence[str], prices: Prices) -> None:
        self._litellm = _load()
        self._prices = prices
        self._known = {model: self._resolve(model) for model in models}
        self._without_schema: set[str] = set()
        self._calls = InTime("model", MAX_ASKED)
        for model in models:
            if prices.of(*self._known[model]) is None:
                LOG.warning(
                    "HEMOSTAT_MODELS: the price of %s is not known: it counts as %g US dollars a million tokens, until"
                    " HEMOSTAT_PRICES_FILE says what it costs (0 for a model of your own)",
                    model,
                    1e6 * UNPRICED_USD,
                )

    def provider_of(self, model: str) -> str:
        """Return litellm's name of the provider."""
        return self._known[model][1]

    def complete(
        self, model: str, messages: Sequence[Message], schema: Mapping[str, Any], tools: Sequence[Offer], seconds: float
    ) -> Answer:
        """Ask once. Raises `ProviderError`. A model that takes no schema is asked again without, and from then on."""
        ends = time.monotonic() + seconds
        wanted = self._format(model, schema, tools)
        try:
            return self._ask(model, messages, wanted, tools, seconds)
        except ProviderError as error:
            if error.reason != "BadRequest" or not wanted:
                raise
            answer = self._ask(model, messages, {}, tools, ends - time.monotonic())
            self._without_schema.add(model)
            return answer

    def _ask(
        self, model: str, messages: Sequence[Message], wanted: Mapping[str, Any], tools: Sequence[Offer], seconds: float
    ) -> Answer:
        # tools make litellm import its proxy's MCP client, which is not installed and has no part in this
        offered: dict[str, Any] = (
            {"tools": [completion.tool(o) for o in tools], "_skip_mcp_handler": True} if tools else {}
        )

        def ask() -> Any:
            return self._litellm.completion(
                model=model,
                messages=[dict(message) for message in messages],
                max_tokens=completion.MAX_TOKENS,
                temperature=0,
                timeout=seconds,
                max_retries=0,
                num_retries=0,
                **wanted,
                **offered,
            )

        try:
            answer = completion.read(self._in_time(model, ask, seconds), model, messages)
        except ProviderError as error:
            used = completion.most(messages) if error.unknown else error.spent
            error.spent = replace(used, usd=self._cost(model, used.tokens_in, used.tokens_out, 0))
            raise
        return replace(answer, usd=self._cost(model, answer.tokens_in, answer.tokens_out, answer.tokens_cached))

    def _cost(self, model: str, tokens_in: int, tokens_out: int, cached: int) -> float:
        """Return what so many tokens cost, in US dollars; where no price is known as for a dear model."""
        price = self._prices.of(*self._known[model])
        if price is None:
            return UNPRICED_USD * (tokens_in + tokens_out)
        return price.cost(Usage(tokens_in, tokens_out, cached))

    def _in_time(self, model: str, ask: Callable[[], Any], seconds: float) -> Any:
        """Ask with a deadline for the whole answer: litellm's begins anew with every byte."""
        try:
            return self._calls.call(ask, seconds)
        except Busy:
            raise ProviderError("Timeout", f"{model}: {MAX_ASKED} earlier requests are still being answered") from None
        except Late:
            raise ProviderError("Timeout", f"{model}: no whole answer within {seconds:.0f} s", unknown=True) from None
        except Exception as error:  # noqa: BLE001 - told in our own words, without it: it has headers and prompt
            failed = self._in_words(model, error)
        raise failed

    def _in_words(self, model: str, error: Exception) -> ProviderError:
        """Turn an error into what a person can act on, in our own words: the provider's may repeat key or prompt."""
        from hemostat.diagnosis.transport import TooLong

        status = getattr(error, "status_code", None)
        told = f"{model}: {type(error).__name__}" + (f" (HTTP {status})" if status else "")
        if _because(error, TooLong):
            return ProviderError("AnswerTooLong", f"{told}: the answer was too large", unknown=True)
        classes = {kind.__name__ for kind in type(error).__mro__}
        reason = next((r for name, r in _REASONS if name in classes), FAILED)
        if status == 403 or (reason == "Unavailable" and "issing credentials" in str(error)):
            reason = "BadKey"
        hint = {
            "BadKey": ": is the provider's key set, and valid? litellm's documentation names its variable",
            "NoSuchModel": ": the provider does not know this model",
            "PromptTooLong": ": the prompt does not fit in the model's context",
        }.get(reason, "")
        unknown = reason in ("Unavailable", "Timeout", FAILED) and _worked_on(error)
        return ProviderError(reason, told + hint, _retry_after(error), unknown=unknown)

    def _format(self, model: str, schema: Mapping[str, Any], tools: Sequence[Offer]) -> dict[str, Any]:
        """Return the arguments that ask for JSON of a schema, where the provider can do so now."""
        name, provider = self._known[model]
        if model in self._without_schema or (tools and provider not in _BOTH):
            return {}
        if "response_format" not in (self._litellm.get_supported_openai_params(name, provider) or ()):
            return {}
        wanted = {"name": "reply", "schema": dict(schema), "strict": True}
        return {"response_format": {"type": "json_schema", "json_schema": wanted}}

    def _resolve(self, model: str) -> tuple[str, str]:
        """Return model and provider as litellm tells them apart."""
        try:
            name, provider, *_ = self._litellm.get_llm_provider(model)
        except Exception:  # noqa: BLE001 - whatever it is, this name cannot be used
            said = f"HEMOSTAT_MODELS: litellm knows no provider of {model!r}; write PROVIDER/MODEL"
            raise Broken(said) from None
        return str(name), str(provider)


_LOADING = threading.Lock()


def _load() -> Any:
    """Import litellm, and have it keep quiet."""
    with _LOADING:
        os.environ.update(_ENVIRONMENT)
        import httpx
        import litellm

        from hemostat.diagnosis.transport import Bounded

        # litellm's own types; pydantic builds them when they are first needed
        warnings.filterwarnings("ignore", message=r"Item .* is using the `ReadOnly` qualifier", category=UserWarning)
        # of answers that are not as they should be, which it quotes
        warnings.filterwarnings("ignore", message=r"Pydantic serializer warnings", category=UserWarning)
        litellm.suppress_debug_info = True
        litellm.drop_params = True
        litellm.modify_params = True  # Bedrock wants tools offered wherever the conversation has calls of them
        litellm.turn_off_message_logging = True
        for name in ("LiteLLM", "LiteLLM Proxy", "LiteLLM Router", "httpx", "openai"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        if litellm.client_session is None:
            litellm.sync_transport = Bounded()
            litellm.client_session = httpx.Client(transport=Bounded())
        return litellm


def _worked_on(error: Exception) -> bool:
    """Tell whether a model may have worked on it: it was sent, and no status of the provider says that it refused.

    By what caused it: litellm makes up a status where there was none. A gateway's time-out says nothing of the model.
    """
    import httpx

    if getattr(error, "status_code", None) == 504:
        return True
    unsent = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.HTTPStatusError)
    return not any(_because(error, kind) for kind in unsent)


def _because(error: BaseException | None, kind: type[Exception]) -> bool:
    seen = 0
    while error is not None and seen < 16:
        if isinstance(error, kind):
            return True
        error, seen = error.__cause__ or error.__context__, seen + 1
    return False


def _retry_after(error: Exception) -> float | None:
    """Return the seconds of `Retry-After`; a date, which providers do not send, counts as nothing said."""
    headers = getattr(error, "litellm_response_headers", None) or getattr(
        getattr(error, "response", None), "headers", {}
    )
    try:
        after = float(headers.get("retry-after", ""))
    except (TypeError, ValueError):
        return None
    return after if 0 <= after <= 3600 else None
