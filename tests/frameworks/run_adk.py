"""Google's ADK with its own instrumentation; only its model speaks to ours."""

import json
from collections.abc import AsyncGenerator

import httpx
import lab
from google.adk.agents import LlmAgent, RunConfig
from google.adk.models.base_llm import BaseLlm
from google.adk.models.llm_response import LlmResponse
from google.adk.runners import InMemoryRunner
from google.adk.tools.agent_tool import AgentTool
from google.genai import types

lab.begin()


class Model(BaseLlm):
    """Gemini's words as OpenAI's and back."""

    async def generate_content_async(self, llm_request, stream: bool = False) -> AsyncGenerator[LlmResponse, None]:
        messages = [{"role": "system", "content": str(llm_request.config.system_instruction)}]
        for content in llm_request.contents:
            messages += _messages(content)
        async with httpx.AsyncClient(trust_env=False) as client:
            reply = await client.post(
                f"{lab.MODEL_URL}/chat/completions", json={"model": "gpt-x", "messages": messages}
            )
        reply.raise_for_status()
        body = reply.json()
        message, usage = body["choices"][0]["message"], body["usage"]
        parts = [types.Part(text=message["content"])] if message["content"] else []
        for call in message.get("tool_calls", ()):
            function = call["function"]
            wanted = types.FunctionCall(id=call["id"], name=function["name"], args=json.loads(function["arguments"]))
            parts.append(types.Part(function_call=wanted))
        yield LlmResponse(
            content=types.Content(role="model", parts=parts),
            finish_reason=types.FinishReason.STOP,
            usage_metadata=types.GenerateContentResponseUsageMetadata(
                prompt_token_count=usage["prompt_tokens"],
                candidates_token_count=usage["completion_tokens"],
                total_token_count=usage["total_tokens"],
            ),
        )


def _messages(content: types.Content) -> list[dict]:
    found = []
    for part in content.parts or ():
        if part.function_call:
            function = {"name": part.function_call.name, "arguments": json.dumps(part.function_call.args)}
            call = {"id": part.function_call.id, "type": "function", "function": function}
            found.append({"role": "assistant", "content": None, "tool_calls": [call]})
        elif part.function_response:
            found.append({"role": "tool", "content": json.dumps(part.function_response.response)})
        else:
            found.append({"role": "assistant" if content.role == "model" else "user", "content": part.text})
    return found


def agent(script: str, *tools, name: str = "planner", **others) -> LlmAgent:
    return LlmAgent(
        name=name,
        model=Model(model="gpt-x"),
        instruction=lab.prompt(script),
        tools=list(tools),
        on_tool_error_callback=lambda tool, args, tool_context, error: {"error": str(error)},
        **others,
    )


async def run(first: LlmAgent, text: str) -> None:
    runner = InMemoryRunner(agent=first, app_name="shop")
    await runner.session_service.create_session(app_name="shop", user_id="u", session_id="conversation-1")
    message = types.Content(role="user", parts=[types.Part(text=text)])
    async for _ in runner.run_async(
        user_id="u", session_id="conversation-1", new_message=message, run_config=RunConfig(max_llm_calls=8)
    ):
        pass


lab.run(
    tools=lambda: run(agent("tools", lab.search, lab.price), "What is a clamp?"),
    repeat=lambda: run(agent("repeat", lab.status), "How is my job?"),
    pages=lambda: run(agent("pages", lab.status), "How are my jobs?"),
    failing=lambda: run(agent("failing", lab.lookup), "Find a."),
    handoff=lambda: run(
        agent("adk-critic", name="writer", sub_agents=[agent("adk-writer", name="critic", description="A critic.")]),
        "Write.",
    ),
    nested=lambda: run(
        agent("ask-critic-request", AgentTool(agent("critic", name="critic", description="A critic.")), name="writer"),
        "Write.",
    ),
    limited=lambda: run(agent("limited"), "Hello."),
)
