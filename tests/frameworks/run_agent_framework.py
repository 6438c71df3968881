"""Microsoft's Agent Framework with its own instrumentation."""

import lab
from agent_framework import Agent
from agent_framework.observability import enable_instrumentation
from agent_framework.openai import OpenAIChatCompletionClient
from agent_framework.orchestrations import HandoffBuilder
from openai import AsyncOpenAI

lab.begin()
enable_instrumentation(enable_sensitive_data=lab.CONTENT)
CLIENT = AsyncOpenAI(base_url=lab.MODEL_URL, api_key="none", max_retries=0)


def agent(script: str, *tools, name: str = "planner", **others) -> Agent:
    client = OpenAIChatCompletionClient(model="gpt-x", async_client=CLIENT)
    return Agent(client, instructions=lab.prompt(script), name=name, tools=list(tools), **others)


def handoff():
    writer = agent("handoff-to-critic", name="writer", require_per_service_call_history_persistence=True)
    critic = agent("handoff-to-writer", name="critic", require_per_service_call_history_persistence=True)
    team = HandoffBuilder(name="team", participants=[writer, critic]).with_start_agent(writer)
    team.add_handoff(writer, [critic]).add_handoff(critic, [writer])
    return team.with_termination_condition(lambda messages: len(messages) > 7).build().run("Write.")


lab.run(
    tools=lambda: agent("tools", lab.search, lab.price).run("What is a clamp?"),
    repeat=lambda: agent("repeat", lab.status).run("How is my job?"),
    pages=lambda: agent("pages", lab.status).run("How are my jobs?"),
    failing=lambda: agent("failing", lab.lookup).run("Find a."),
    handoff=handoff,
    nested=lambda: agent("ask-critic", agent("critic", name="critic").as_tool(name="critic"), name="writer").run(
        "Write."
    ),
    limited=lambda: agent("limited").run("Hello."),
)
