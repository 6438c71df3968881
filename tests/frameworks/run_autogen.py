"""AutoGen with its own instrumentation, which has no content to switch."""

import lab
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.teams import Swarm
from autogen_agentchat.tools import AgentTool
from autogen_core.models import ModelFamily, ModelInfo
from autogen_ext.models.openai import OpenAIChatCompletionClient

lab.begin()
KNOWS = ModelInfo(
    vision=False, function_calling=True, json_output=False, family=ModelFamily.UNKNOWN, structured_output=False
)


def agent(script: str, *tools, name: str = "planner", **others) -> AssistantAgent:
    client = OpenAIChatCompletionClient(
        model="gpt-x", base_url=lab.MODEL_URL, api_key="none", max_retries=0, model_info=KNOWS
    )
    return AssistantAgent(
        name,
        model_client=client,
        system_message=lab.prompt(script),
        description=f"A {name}.",
        tools=list(tools) or None,
        max_tool_iterations=8,
        **others,
    )


def handoff():
    writer = agent("transfer-to-critic", name="writer", handoffs=["critic"])
    critic = agent("transfer-to-writer", name="critic", handoffs=["writer"])
    return Swarm([writer, critic], termination_condition=MaxMessageTermination(6)).run(task="Write.")


lab.run(
    tools=lambda: agent("tools", lab.search, lab.price).run(task="What is a clamp?"),
    repeat=lambda: agent("repeat", lab.status).run(task="How is my job?"),
    pages=lambda: agent("pages", lab.status).run(task="How are my jobs?"),
    failing=lambda: agent("failing", lab.lookup).run(task="Find a."),
    handoff=handoff,
    nested=lambda: agent("ask-critic", AgentTool(agent("critic", name="critic")), name="writer").run(task="Write."),
    limited=lambda: agent("limited").run(task="Hello."),
)
