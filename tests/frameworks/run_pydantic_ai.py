"""pydantic-ai with its own instrumentation; the variants are formats of its spans."""

import lab
from openai import AsyncOpenAI
from pydantic_ai import Agent, ModelRetry
from pydantic_ai.models.instrumented import InstrumentationSettings
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

lab.begin()
Agent.instrument_all(InstrumentationSettings(version=int(lab.VARIANT), include_content=lab.CONTENT))
MODEL = OpenAIChatModel(
    "gpt-x",
    provider=OpenAIProvider(openai_client=AsyncOpenAI(base_url=lab.MODEL_URL, api_key="none", max_retries=0)),
)


def agent(script: str, *tools, name: str = "planner") -> Agent:
    return Agent(MODEL, name=name, instructions=lab.prompt(script), tools=tools, retries=3)


def lookup(key: str) -> str:
    """Find a record, in vain."""
    try:
        return lab.lookup(key)
    except ConnectionError as error:
        raise ModelRetry(str(error)) from error


async def critic(task: str) -> str:
    """Ask the critic."""
    return (await agent("critic", name="critic").run(task)).output


lab.run(
    tools=lambda: agent("tools", lab.search, lab.price).run("What is a clamp?", conversation_id="conversation-1"),
    repeat=lambda: agent("repeat", lab.status).run("How is my job?"),
    pages=lambda: agent("pages", lab.status).run("How are my jobs?"),
    failing=lambda: agent("failing", lookup).run("Find a."),
    nested=lambda: agent("ask-critic", critic, name="writer").run("Write."),
    limited=lambda: agent("limited").run("Hello."),
)
