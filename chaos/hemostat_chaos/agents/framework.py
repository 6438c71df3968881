"""The agents' mind: pydantic-ai with its own OpenTelemetry instrumentation. The one module that knows the framework.

https://ai.pydantic.dev/agents/ and https://ai.pydantic.dev/output/#output-functions (handing over).
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeAlias

from opentelemetry.sdk.trace import TracerProvider
from pydantic_ai import Agent, ModelHTTPError, RunContext, ToolOutput, UsageLimits
from pydantic_ai.models.instrumented import InstrumentationSettings
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.providers.openai import OpenAIProvider

from hemostat.guard import Guard
from hemostat_chaos.agents import kinds
from hemostat_chaos.agents.letter import Busy, HandedOver, Hands, Later, Letter, Outcome
from hemostat_chaos.agents.settings import Settings

MAX_CONVERSATIONS = 500
MAX_TURNS = 20
"""Turns of a conversation that an agent remembers."""
MAX_REQUESTS = 300
"""Requests to the model within one turn."""
_BUSY = (429, 503)
Context: TypeAlias = RunContext[Hands]


class Mind:
    """One agent's model, tools and memory."""

    def __init__(self, name: str, settings: Settings, guard: Guard, traces: TracerProvider) -> None:
        self._name = name
        provider = OpenAIProvider(base_url=f"{settings.model_url}/v1", api_key="none")
        provider.client.max_retries = 0  # a refused request is to be seen, and tried again by the agent's own policy
        self._agent = Agent(
            _Guarded(OpenAIChatModel(settings.model, provider=provider), guard),
            name=name,
            deps_type=Hands,
            tools=_tools(name),
            output_type=[*_outputs(name), str],
        )
        self._agent.instrument = InstrumentationSettings(tracer_provider=traces, include_content=settings.content)
        self._memory: OrderedDict[str, deque[Sequence[Any]]] = OrderedDict()

    async def run(self, letter: Letter, text: str, hands: Hands) -> Outcome:
        """Take one turn in a conversation. Raises Busy when the provider refused, and what `hands` raise."""
        memory = self._memory.setdefault(letter.conversation, deque(maxlen=MAX_TURNS))
        self._memory.move_to_end(letter.conversation)
        while len(self._memory) > MAX_CONVERSATIONS:
            self._memory.popitem(last=False)
        try:
            result = await self._agent.run(
                text,
                instructions=f"You are the {self._name}. Be brief. [script: {kinds.script(letter.kind, self._name)}]",
                deps=hands,
                conversation_id=letter.conversation,
                message_history=list(chain.from_iterable(memory)),
                model_settings={"openai_user": letter.conversation},
                usage_limits=UsageLimits(request_limit=MAX_REQUESTS),
            )
        except ModelHTTPError as error:
            if error.status_code in _BUSY:
                raise Busy(str(error)) from error
            raise
        memory.append(result.new_messages())
        outcome: Outcome = result.output
        return outcome


@dataclass(init=False)
class _Guarded(WrapperModel):  # type: ignore[misc]  # pydantic-ai is in an environment of its own
    """The model as a callee that the operator can cut off like any other."""

    def __init__(self, wrapped: Any, guard: Guard) -> None:
        super().__init__(wrapped)
        self._guard = guard

    async def request(self, *arguments: Any) -> Any:
        """Ask the model."""
        async with self._guard.call(self.model_name):
            return await self.wrapped.request(*arguments)


async def search(ctx: Context, query: str, page: str = "1") -> str:
    """Search the documents; answers come in pages."""
    return await _use(ctx, "search", query=query, page=page)


async def read(ctx: Context, document: str) -> str:
    """Read a document."""
    return await _use(ctx, "read", document=document)


async def status(ctx: Context, job: str) -> str:
    """Say how far a job is."""
    return await _use(ctx, "status", job=job)


async def edit(ctx: Context, path: str, change: str) -> str:
    """Change a file."""
    return await _use(ctx, "edit", path=path, change=change)


async def build(ctx: Context, target: str) -> str:
    """Build something; it takes a while."""
    return await _use(ctx, "build", target=target)


async def revise(ctx: Context, document: str) -> str:
    """Revise a document."""
    return await _hands(ctx).revise(document)


async def ask_researcher(ctx: Context, question: str) -> str:
    """Ask the researcher."""
    return await _hands(ctx).ask(kinds.RESEARCHER, question)


async def ask_critic(ctx: Context, draft: str) -> str:
    """Ask the critic."""
    return await _hands(ctx).ask(kinds.CRITIC, draft)


async def look_again(ctx: Context, seconds: int) -> Later:  # noqa: ARG001 - the framework's signature
    """End the turn and look again later."""
    return Later(seconds)


def _hands(ctx: Context) -> Hands:
    hands: Hands = ctx.deps
    return hands


async def _use(ctx: Context, tool: str, **arguments: str) -> str:
    return await _hands(ctx).use(tool, arguments)


def _tools(name: str) -> Sequence[Callable[..., Any]]:
    own = (search, read, status, edit, build, revise)
    return (*own, ask_researcher, ask_critic) if name == kinds.PLANNER else own


def _outputs(name: str) -> list[Any]:
    others = [other for other in kinds.AGENTS if other != name]
    return [ToolOutput(look_again, name="look_again"), *(_transfer(other) for other in others)]


def _transfer(to: str) -> Any:
    async def transfer(ctx: Context, message: str) -> HandedOver:
        await _hands(ctx).send(to, message)
        return HandedOver(to)

    return ToolOutput(transfer, name=f"transfer_to_{to}", description=f"Hand the conversation over to the {to}.")
