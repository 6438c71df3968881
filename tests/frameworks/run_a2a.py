"""The A2A SDK with its own instrumentation: a client and a server in one process, JSON-RPC over HTTP between them."""

import asyncio

import httpx
import lab
from a2a.client import ClientConfig, create_client
from a2a.helpers.proto_helpers import new_task_from_user_message, new_text_message
from a2a.server.agent_execution import AgentExecutor
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_jsonrpc_routes
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types import AgentCapabilities, AgentCard, AgentInterface, Role, SendMessageRequest
from starlette.applications import Starlette

lab.begin()
CARD = AgentCard(
    name="critic",
    description="A critic.",
    version="1",
    supported_interfaces=[AgentInterface(protocol_binding="JSONRPC", url="http://critic/", protocol_version="1.0")],
    capabilities=AgentCapabilities(streaming=False),
    default_input_modes=["text"],
    default_output_modes=["text"],
    skills=[],
)


class Critic(AgentExecutor):
    """Is never content; fails if it is asked to."""

    async def execute(self, context, event_queue) -> None:
        task = context.current_task or new_task_from_user_message(context.message)
        if context.current_task is None:
            await event_queue.enqueue_event(task)
        if "fail" in context.get_user_input():
            raise ConnectionError("503 from the model")
        await TaskUpdater(event_queue, task.id, task.context_id).complete(new_text_message("No, not yet."))

    async def cancel(self, context, event_queue) -> None:
        raise NotImplementedError


async def ask(text: str, times: int = 1) -> None:
    handler = DefaultRequestHandler(agent_executor=Critic(), task_store=InMemoryTaskStore(), agent_card=CARD)
    app = Starlette(routes=create_jsonrpc_routes(handler, "/"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app)) as http:
        client = await create_client(CARD, ClientConfig(streaming=False, httpx_client=http))
        for _ in range(times):
            message = new_text_message(text, role=Role.ROLE_USER)
            async for _event in client.send_message(SendMessageRequest(message=message)):
                pass
        await asyncio.sleep(0.2)  # the server has yet to end its own spans


lab.run(nested=lambda: ask("Is it good?", 2), failing=lambda: ask("fail"))
