"""Strands with its own instrumentation, which knows no switch for content."""

import lab
from strands import Agent, tool
from strands.models.openai import OpenAIModel
from strands.multiagent import Swarm

lab.begin()
tools = {one.__name__: tool(one) for one in (lab.search, lab.price, lab.status, lab.lookup)}


def agent(script: str, *names: str, name: str = "planner") -> Agent:
    model = OpenAIModel(client_args={"base_url": lab.MODEL_URL, "api_key": "none", "max_retries": 0}, model_id="gpt-x")
    return Agent(
        model=model,
        name=name,
        system_prompt=lab.prompt(script),
        tools=[tools[one] for one in names],
        callback_handler=None,
        retry_strategy=None,
        trace_attributes={"session.id": "conversation-1"},
    )


def handoff():
    team = [agent("agent-critic", name="writer"), agent("agent-writer", name="critic")]
    return Swarm(team, max_handoffs=4).invoke_async("Write.")


def nested():
    asked = agent("critic", name="critic")

    @tool
    async def critic(task: str) -> str:
        """Ask the critic."""
        return str(await asked.invoke_async(task))

    writer = agent("ask-critic", name="writer")
    writer.tool_registry.process_tools([critic])
    return writer.invoke_async("Write.")


lab.run(
    tools=lambda: agent("tools", "search", "price").invoke_async("What is a clamp?"),
    repeat=lambda: agent("repeat", "status").invoke_async("How is my job?"),
    pages=lambda: agent("pages", "status").invoke_async("How are my jobs?"),
    failing=lambda: agent("failing", "lookup").invoke_async("Find a."),
    handoff=handoff,
    nested=nested,
    limited=lambda: agent("limited").invoke_async("Hello."),
)
