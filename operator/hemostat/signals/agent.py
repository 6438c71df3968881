"""Service levels of AI agents, from what their GenAI spans add up to in a window (pure)."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from hemostat.api.incident import SignalSource
from hemostat.api.watch import AgentSignal, SignalKind
from hemostat.signals.base import Observation, Timing
from hemostat.signals.rules import one_line
from hemostat.signals.trace import WARM_UP_LOOKS, Normal
from hemostat.telemetry.graph import AgentStats

TIMING = Timing(for_seconds=5, clear_seconds=10)
COST_FACTOR = 3.0
"""Wrong when a success costs this many times what it usually does, where no bound is given."""
_WEIGHT = 0.01


@dataclass(frozen=True, slots=True)
class _Share:
    """A share of something that must not be too high (or, for success, too low)."""

    aspect: str
    words: str
    bad: int
    of: int
    above: float


def judge(
    name: str, signal: AgentSignal, agents: Sequence[AgentStats], normal: Mapping[str, Normal], now: datetime
) -> tuple[list[Observation], dict[str, Normal]]:
    """Return the observations of every agent, and the learned costs from now on.

    :param agents: of the target's service, over the signal's window.
    :param normal: what a success usually costs, by key of the observation; nothing is learned while tasks fail.
    """
    observations: list[Observation] = []
    learned = dict(normal)
    for agent in agents:
        if signal.agent and agent.agent != signal.agent:
            continue
        found = [_observation(name, signal, agent, share) for share in _shares(signal, agent)]
        cost = _cost(name, signal, agent, normal)
        observations += [*found, *([cost] if cost is not None else ())]
        if cost is not None and cost.value is not None and not any(o.wrong for o in (*found, cost)):
            learned[cost.key] = _learn(normal.get(cost.key), cost.value, now)
    return observations, learned


def _shares(signal: AgentSignal, agent: AgentStats) -> Iterator[_Share]:
    failing = 100.0 - signal.task_success_percent_below
    yield _Share("tasks", "tasks that fail", agent.tasks_failed, agent.tasks, failing)
    invalid = float(signal.invalid_output_percent_above)
    yield _Share("invalid", "outputs that cannot be parsed", agent.outputs_invalid, agent.outputs, invalid)
    unknown = float(signal.unknown_tool_percent_above)
    yield _Share("tools", "calls of tools that do not exist", agent.tools_unknown, agent.tool_calls, unknown)
    cut = float(signal.truncated_percent_above)
    yield _Share("truncated", "outputs cut off at the token limit", agent.outputs_truncated, agent.outputs, cut)


def _observation(name: str, signal: AgentSignal, agent: AgentStats, share: _Share) -> Observation:
    percent = 100.0 * share.bad / share.of if share.of else None
    enough = share.of >= signal.min_samples
    who = _who(agent)
    return Observation(
        key=f"{name}/{share.aspect}/{who}",
        name=name,
        kind=SignalKind.AGENT,
        source=SignalSource.TRACES,
        subject=f"{share.words}, agent {who}",
        wrong=percent is not None and percent > share.above if enough else None,
        value=percent,
        threshold=share.above,
        unit="%",
        samples=share.of,
        note=f"{share.bad} of {share.of} {share.words}, agent {who}" if share.bad else "",
    )


def _cost(name: str, signal: AgentSignal, agent: AgentStats, normal: Mapping[str, Normal]) -> Observation | None:
    """Tokens per success: all that were spent, those of failed tasks too, by the tasks that succeeded."""
    spent = agent.tokens or agent.tokens_of_successes
    succeeded = agent.tasks - agent.tasks_failed
    if not spent or not agent.tasks:
        return None
    who = _who(agent)
    key = f"{name}/tokens/{who}"
    bound: float | None = None
    known = normal.get(key)
    if signal.tokens_per_success_above is not None:
        bound = float(signal.tokens_per_success_above)
    elif known is not None and known.looks >= WARM_UP_LOOKS:
        bound = COST_FACTOR * math.exp(known.log_seconds)
    value = spent / succeeded if succeeded else float(spent)
    enough = agent.tasks >= signal.min_samples
    return Observation(
        key=key,
        name=name,
        kind=SignalKind.AGENT,
        source=SignalSource.TRACES,
        subject=f"tokens per success, agent {who}",
        wrong=(bound is not None and value > bound) if enough else None,
        value=value,
        threshold=bound,
        unit="tokens",
        samples=agent.tasks,
        note="no task succeeded" if not succeeded else "",
    )


def _who(agent: AgentStats) -> str:
    return one_line(agent.agent or "(unnamed)", 120)


def _learn(old: Normal | None, cost: float, now: datetime) -> Normal:
    log = math.log(max(cost, 1e-5))
    if old is None:
        return Normal(log, 1, now)
    weight = max(_WEIGHT, 1 / (old.looks + 1))
    return Normal(old.log_seconds + weight * (log - old.log_seconds), old.looks + 1, now)
