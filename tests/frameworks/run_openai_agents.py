"""The OpenAI Agents SDK, instrumented by OpenInference or by OpenLLMetry (`traceloop`)."""

import agents
import lab
from agents import Agent, RunConfig, Runner, function_tool
from openai import AsyncOpenAI

lab.begin()
CLIENT = AsyncOpenAI(base_url=lab.MODEL_URL, api_key="none", max_retries=0)
agents.set_default_openai_client(CLIENT, use_for_tracing=False)
# Both take the place of the SDK's own processor, which would send traces to OpenAI.
if lab.VARIANT == "openinference":
    from openinference.instrumentation import TraceConfig
    from openinference.instrumentation.openai_agents import OpenAIAgentsInstrumentor

    hide = not lab.CONTENT
    OpenAIAgentsInstrumentor().instrument(config=TraceConfig(hide_inputs=hide, hide_outputs=hide))
else:
    from opentelemetry.instrumentation.openai_agents import OpenAIAgentsInstrumentor

    OpenAIAgentsInstrumentor(replace_existing_processors=True).instrument()


def agent(script: str, *tools, name: str = "planner") -> Agent:
    return Agent(name=name, model="gpt-x", instructions=lab.prompt(script), tools=[function_tool(one) for one in tools])


async def run(first: Agent, text: str) -> object:
    return await Runner.run(first, text, run_config=RunConfig(workflow_name="shop", group_id="conversation-1"))


async def handoff() -> object:
    writer = agent("transfer-to-critic", name="writer")
    critic = agent("transfer-to-writer", name="critic")
    writer.handoffs.append(critic)
    critic.handoffs.append(writer)
    return await run(writer, "Write.")


async def nested() -> object:
    writer = agent("ask-critic-input", name="writer")
    writer.tools.append(agent("critic", name="critic").as_tool("critic", "Ask the critic."))
    return await run(writer, "Write.")


lab.run(
    tools=lambda: run(agent("tools", lab.search, lab.price), "What is a clamp?"),
    repeat=lambda: run(agent("repeat", lab.status), "How is my job?"),
    pages=lambda: run(agent("pages", lab.status), "How are my jobs?"),
    failing=lambda: run(agent("failing", lab.lookup), "Find a."),
    handoff=handoff,
    nested=nested,
    limited=lambda: run(agent("limited"), "Hello."),
)
