"""LangGraph and LangChain, instrumented by OpenInference or by OpenLLMetry (`traceloop`)."""

from typing import Annotated

import lab
from langchain.agents import create_agent
from langchain.agents.middleware import wrap_tool_call
from langchain_core.messages import ToolMessage
from langchain_core.tools import InjectedToolCallId, tool
from langchain_openai import ChatOpenAI
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import InjectedState
from langgraph.types import Command

lab.begin()
if lab.VARIANT == "openinference":
    from openinference.instrumentation import TraceConfig
    from openinference.instrumentation.langchain import LangChainInstrumentor

    hide = not lab.CONTENT
    LangChainInstrumentor().instrument(config=TraceConfig(hide_inputs=hide, hide_outputs=hide))
else:
    from opentelemetry.instrumentation.langchain import LangchainInstrumentor

    LangchainInstrumentor().instrument()

MODEL = ChatOpenAI(model="gpt-x", base_url=lab.MODEL_URL, api_key="none", max_retries=0)
CONFIG = {"configurable": {"thread_id": "conversation-1"}, "metadata": {"thread_id": "conversation-1"}}


@wrap_tool_call
async def told_to_the_model(request, handler):
    """A tool that fails ends the run, unless the application says otherwise: most do."""
    try:
        return await handler(request)
    except ConnectionError as error:
        return ToolMessage(str(error), tool_call_id=request.tool_call["id"], status="error")


def agent(script: str, *tools, name: str = "planner"):
    return create_agent(
        MODEL, tools=list(tools), system_prompt=lab.prompt(script), name=name, middleware=[told_to_the_model]
    )


def run(graph, text: str):
    return graph.ainvoke({"messages": [{"role": "user", "content": text}]}, CONFIG)


def transfer(peer: str):
    """Return a tool that hands the conversation over, as LangGraph's documentation has it."""

    @tool(f"transfer_to_{peer}")
    def hand_over(state: Annotated[dict, InjectedState], tool_call_id: Annotated[str, InjectedToolCallId]) -> Command:
        """Hand over."""
        done = ToolMessage("transferred", name=f"transfer_to_{peer}", tool_call_id=tool_call_id)
        return Command(goto=peer, update={"messages": [*state["messages"], done]}, graph=Command.PARENT)

    return hand_over


def handoff():
    graph = StateGraph(MessagesState)
    for name, peer in (("writer", "critic"), ("critic", "writer")):
        graph.add_node(name, agent(f"transfer-to-{peer}", transfer(peer), name=name), destinations=(peer, END))
    graph.add_edge(START, "writer")
    return run(graph.compile(name="team"), "Write.")


def nested():
    asked = agent("critic", name="critic")

    @tool
    async def critic(task: str) -> str:
        """Ask the critic."""
        return (await run(asked, task))["messages"][-1].content

    return run(agent("ask-critic", critic, name="writer"), "Write.")


lab.run(
    tools=lambda: run(agent("tools", tool(lab.search), tool(lab.price)), "What is a clamp?"),
    repeat=lambda: run(agent("repeat", tool(lab.status)), "How is my job?"),
    pages=lambda: run(agent("pages", tool(lab.status)), "How are my jobs?"),
    failing=lambda: run(agent("failing", tool(lab.lookup)), "Find a."),
    handoff=handoff,
    nested=nested,
    limited=lambda: run(agent("limited"), "Hello."),
)
