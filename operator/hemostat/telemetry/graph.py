"""What traces say, read out of the windows: edges, operations, agents, the call graph (pure values).

Every number is of one window of arrival time. A failure is a span with status ERROR. Counts are exact; quantiles come
from logarithmic buckets and are within 5 %.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class CallStats:
    """What was seen of some kind of call in a window."""

    calls: int = 0
    failures: int = 0
    total_seconds: float = 0.0
    """Sum of the durations."""
    p50_seconds: float = 0.0
    """Median of the duration; 0 when there were no calls, as all quantiles here."""
    p95_seconds: float = 0.0
    p99_seconds: float = 0.0
    failed_traces: tuple[str, ...] = ()
    """Up to five trace ids (32 hex digits) of failed calls, newest last."""
    slow_traces: tuple[str, ...] = ()
    """Up to five trace ids of the slowest calls, slowest first."""


@dataclass(frozen=True, slots=True)
class EdgeStats:
    """What one edge did in a window, as its caller saw it; where no caller named it, as its callee saw it."""

    caller: str
    """`service.name` of the caller."""
    callee: str
    """`service.name` of the callee if spans of both were joined, else the name that the caller gives its peer."""
    calls: int
    failures: int
    p95_seconds: float
    """95th percentile of the duration; 0 when there were no calls."""
    failed_traces: tuple[str, ...]
    """Up to five trace ids of failed calls, newest last."""
    p50_seconds: float = 0.0
    total_seconds: float = 0.0
    """Sum of the durations."""
    slow_traces: tuple[str, ...] = ()
    """Up to five trace ids of the slowest calls, slowest first."""
    served: CallStats = CallStats()
    """The same calls as the callee saw them (server and consumer spans joined by parent or link). Caller minus
    callee is what the network and the queue in between took."""
    recent: CallStats | None = None
    """Of these the calls that arrived just now: what is going on rather than what a longer window remembers."""


@dataclass(frozen=True, slots=True)
class OperationStats:
    """What one operation of a service did in a window."""

    service: str
    name: str
    """Span name; `(other)` for those beyond the service's share."""
    kind: int
    """OTLP span kind: 0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer."""
    stats: CallStats


@dataclass(frozen=True, slots=True)
class CallGraph:
    """The live call graph: who called whom in a window. Immutable; edges sorted by caller and callee."""

    seconds: float
    """Length of the window."""
    edges: tuple[EdgeStats, ...] = ()
    services: Mapping[str, CallStats] = field(default_factory=dict)
    """Per service what it served: its server and consumer spans."""

    def nodes(self) -> frozenset[str]:
        """Return every name in the graph: services, and peers that only their callers know."""
        return frozenset(self.services) | {n for e in self.edges for n in (e.caller, e.callee)}

    def callers(self, name: str) -> tuple[EdgeStats, ...]:
        """Return the edges that end in `name`."""
        return tuple(e for e in self.edges if e.callee == name)

    def upstream(self, name: str) -> tuple[str, ...] | None:
        """Return who calls `name`, directly or through others, the nearest first; None if it is not in the graph."""
        if name not in self.nodes():
            return None
        calling: dict[str, list[str]] = {}
        for edge in self.edges:
            calling.setdefault(edge.callee, []).append(edge.caller)
        found = [name]
        known = {name}
        for at in found:  # grows meanwhile: breadth first
            new = [caller for caller in calling.get(at, ()) if caller not in known]
            known.update(new)
            found += dict.fromkeys(new)
        return tuple(found[1:])

    def callees(self, name: str) -> tuple[EdgeStats, ...]:
        """Return the edges that begin in `name`."""
        return tuple(e for e in self.edges if e.caller == name)


@dataclass(frozen=True, slots=True)
class AgentStats:
    """What one AI agent of a service did in a window, from GenAI spans (OpenTelemetry semantic conventions)."""

    service: str
    agent: str
    """`gen_ai.agent.name`; empty for spans that name none."""
    tasks: int = 0
    """Finished `invoke_agent` spans."""
    tasks_failed: int = 0
    tokens: int = 0
    """Input and output tokens of inference spans; what `invoke_agent` reports is an aggregate and not added."""
    tokens_of_successes: int = 0
    """Input and output tokens that successful `invoke_agent` spans report."""
    outputs: int = 0
    """Finished inferences (chat, generate_content, text_completion)."""
    outputs_truncated: int = 0
    """Those that ended because of their length."""
    outputs_invalid: int = 0
    """Spans whose `error.type` says that an output could not be parsed or validated."""
    tool_calls: int = 0
    """Finished `execute_tool` spans."""
    tools_unknown: int = 0
    """Those that asked for a tool that does not exist."""
