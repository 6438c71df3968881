"""The A2A SDK's server on loopback with tasks that hang, and callers that wait for them.

Told on stdout, as JSON lines: first the tasks that run, `{name: [task, context]}`; then each answer that a caller got
who waited for it, `{name: state}`. Stays until it is ended.
"""

import asyncio
import json
import sys

import httpx
import uvicorn
from a2a.client import ClientConfig, create_client
from a2a.helpers.proto_helpers import new_task_from_user_message, new_text_message
from a2a.server.agent_execution import AgentExecutor
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_jsonrpc_routes
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types import AgentCapabilities, AgentCard, AgentInterface, Role, SendMessageRequest, TaskState
from a2a.utils.errors import TaskNotCancelableError
from starlette.applications import Starlette

PORT = int(sys.argv[1])
URL = f"http://127.0.0.1:{PORT}/"
NAMES = ("hangs", "hangs-too", "hangs-still", "stubborn", "stubborn-too", "done")
CARD = AgentCard(
    name="critic",
    description="A critic.",
    version="1",
    supported_interfaces=[AgentInterface(protocol_binding="JSONRPC", url=URL, protocol_version="1.0")],
    capabilities=AgentCapabilities(streaming=False),
    default_input_modes=["text"],
    default_output_modes=["text"],
    skills=[],
)


class Critic(AgentExecutor):
    """Hangs, unless it is asked to be done; gives up when it is told to, unless it is stubborn."""

    def __init__(self) -> None:
        self.begun: dict[str, tuple[str, str]] = {}
        """Task and context of each."""

    async def execute(self, context, event_queue) -> None:
        name = context.get_user_input()
        task = context.current_task or new_task_from_user_message(context.message)
        if context.current_task is None:
            await event_queue.enqueue_event(task)
        updater = TaskUpdater(event_queue, task.id, task.context_id)
        await updater.start_work()
        self.begun[name] = (task.id, task.context_id)
        if name == "done":
            await updater.complete(new_text_message("Yes."))
            return
        await asyncio.Event().wait()

    async def cancel(self, context, event_queue) -> None:
        if any(context.task_id == task for name, (task, _) in self.begun.items() if name.startswith("stubborn")):
            raise TaskNotCancelableError
        await TaskUpdater(event_queue, context.task_id, context.context_id).cancel()


def told(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


async def call(name: str) -> None:
    """Wait for the answer, as an agent does that called another one."""
    async with httpx.AsyncClient(timeout=None, trust_env=False) as http:
        client = await create_client(CARD, ClientConfig(streaming=False, httpx_client=http))
        message = new_text_message(name, role=Role.ROLE_USER)
        async for event in client.send_message(SendMessageRequest(message=message)):
            told({name: TaskState.Name(event.task.status.state)})


async def main() -> None:
    critic = Critic()
    handler = DefaultRequestHandler(agent_executor=critic, task_store=InMemoryTaskStore(), agent_card=CARD)
    app = Starlette(routes=create_jsonrpc_routes(handler, "/", enable_v0_3_compat=True))
    server = uvicorn.Server(uvicorn.Config(app, port=PORT, log_level="warning", timeout_graceful_shutdown=1))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    calls = [asyncio.create_task(call(name)) for name in NAMES]
    while set(critic.begun) != set(NAMES):
        await asyncio.sleep(0.01)
    told(critic.begun)
    await asyncio.gather(serving, *calls)


asyncio.run(main())
