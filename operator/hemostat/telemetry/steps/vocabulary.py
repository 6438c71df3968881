"""What the conventions call things, as data: of several names the first that is there counts (pure).

Read in the packages: OpenTelemetry GenAI (util-genai 1.3b0, and names before 1.37), OpenInference (semconv 0.1.42),
OpenLLMetry (semconv-ai 0.5.1), pydantic-ai 2.68 (formats 1 to 5), Logfire, openai-agents, Google ADK 2.13, Microsoft
Agent Framework 1.23, Strands 1.62, AutoGen 0.7.5, Semantic Kernel 1.45, CrewAI, MCP, A2A. All of these are in
development; constants of packages are marked deprecated, so names are written out.
"""

from typing import Final

from hemostat.telemetry.steps.step import Operation

Names = tuple[str, ...]

OPERATION: Final = "gen_ai.operation.name"
OPENINFERENCE: Final = "openinference.span.kind"
TRACELOOP: Final = "traceloop.span.kind"
MCP_METHOD: Final = "mcp.method.name"
A2A_METHOD: Final = "a2a.method.name"
MESSAGE_FROM: Final = "message.source_id"
MESSAGE_TO: Names = ("message.destination_executor_id", "message.target_id")
DESTINATION: Final = "messaging.destination"
PENDING: Final = "logfire.span_type"
PENDING_PARENT: Final = "logfire.pending_parent_id"

EXECUTOR: Final = "executor.id"
LC_AGENT: Final = "traceloop.association.properties.lc_agent_name"
AGENT: Names = (
    "gen_ai.agent.name",
    "agent.name",
    "agent_name",
    "gen_ai.agent.id",
    "graph.node.id",
    EXECUTOR,
    LC_AGENT,
    "tool.agent_role",
)
"""`gen_ai.agent.id` only where there is no name: some frameworks make it anew for every run."""
ENTITY: Final = "traceloop.entity.name"
CONVERSATION: Names = (
    "gen_ai.conversation.id",
    "session.id",
    "gcp.vertex.agent.session_id",
    "traceloop.association.properties.session_id",
    "traceloop.association.properties.thread_id",
    "thread_id",
)
"""Not `mcp.session.id`: one connection to a server serves many conversations."""
TASK: Names = ("a2a.context_id", "a2a.context.id", "a2a.task_id", "a2a.task.id")
TOOL: Names = ("gen_ai.tool.name", "tool.name", "mcp.tool.name")
ARGUMENTS: Names = (
    "gen_ai.tool.call.arguments",
    "tool_arguments",
    "gcp.vertex.agent.tool_call_args",
    "traceloop.entity.input",
    "input.value",
)
"""`tool.parameters` of OpenInference is the tool's schema: the same whatever is asked."""
RESULT: Names = (
    "gen_ai.tool.call.result",
    "tool_response",
    "gcp.vertex.agent.tool_response",
    "traceloop.entity.output",
    "output.value",
)
SAID: Names = (
    "gen_ai.output.messages",
    "llm.output_messages.0.message.content",
    "gen_ai.completion.0.content",
    "output.value",
    "traceloop.entity.output",
)
"""What a model answered."""
TOLD: Names = ("gen_ai.input.messages", "gen_ai.prompt.0.content", *ARGUMENTS)
ANSWERED: Names = ("gen_ai.output.messages", "gen_ai.completion.0.content", "final_result", *RESULT)
"""What an agent was told, and what it answered."""
MODEL: Names = ("gen_ai.request.model", "gen_ai.response.model", "llm.model_name", "model_name")
PROVIDER: Names = ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system")
TOKENS_IN: Names = ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt")
TOKENS_OUT: Names = ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion")
TOKENS_CACHED: Names = (
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "llm.token_count.prompt_details.cache_read",
)
TOKENS_STORED: Names = (
    "gen_ai.usage.cache_write.input_tokens",
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
    "llm.token_count.prompt_details.cache_write",
)
EVENTS: Final[dict[tuple[object, str], dict[str, str]]] = {
    ("execute_tool", "gen_ai.tool.message"): {"content": "gen_ai.tool.call.arguments"},
    ("execute_tool", "gen_ai.choice"): {"message": "gen_ai.tool.call.result"},
    ("chat", "gen_ai.choice"): {"message": "gen_ai.output.messages"},
}
"""Content that Strands has in events of the span, by operation and event: which of its attributes is what."""
TENANT: Final = "tenant.id"
PAYER: Names = (TENANT, "enduser.id", "user.id")
"""For whom it is done. Users are no tenants: one may talk to agents in two namespaces, and agents talk without one."""
GOTO_FROM, GOTO = "langgraph.command.source_node", "langgraph.command.goto_node"
HANDOFF_FROM: Names = ("gen_ai.handoff.from_agent", GOTO_FROM)
HANDOFF_TO: Names = ("gen_ai.handoff.to_agent", GOTO)
STATUS: Names = ("http.response.status_code", "http.status_code", "rpc.grpc.status_code")
ERROR: Names = ("error.type", "exception.type")

OPERATIONS: Final[dict[str, Operation | None]] = {
    "chat": Operation.CHAT,
    "text_completions": Operation.CHAT,
    "generate_content": Operation.CHAT,
    "text_completion": Operation.CHAT,
    "execute_tool": Operation.TOOL,
    "retrieval": Operation.TOOL,
    "invoke_agent": Operation.AGENT,
    "handoff": Operation.HANDOFF,
    "agent_handoff": Operation.HANDOFF,
    "invoke_workflow": Operation.WORKFLOW,
    "create_agent": None,
    "embeddings": None,
}
"""Of `gen_ai.operation.name`; None are no steps. Reading and writing memory are tools."""
KINDS: Final[dict[str, Operation | None]] = {
    "LLM": Operation.CHAT,
    "TOOL": Operation.TOOL,
    "RETRIEVER": Operation.TOOL,
    "AGENT": Operation.AGENT,
    "CHAIN": Operation.WORKFLOW,
    "tool": Operation.TOOL,
    "agent": Operation.AGENT,
    "workflow": Operation.WORKFLOW,
    "task": Operation.WORKFLOW,
}
"""Of `openinference.span.kind` (upper case) and `traceloop.span.kind` (lower case)."""
