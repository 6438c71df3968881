"""Whose step it is, where the span itself does not say (pure; not for several threads at once).

Many conventions name the agent only on its own span, which ends after all steps in it.
"""

from dataclasses import replace

from hemostat.signals.loops.recent import keep, shed
from hemostat.signals.loops.verdict import Verdict
from hemostat.telemetry.steps import Operation, Step

MOST = 200_000
_MOST_SERVICES = 10_000
_CHAT, _TOOL = Operation.CHAT, Operation.TOOL  # looked up for every step: slow until 3.12
_AGENT, _WAIT = Operation.AGENT, Operation.WAIT


class Agents:
    """What is known of activations and services."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._names: dict[bytes, str] = {}
        """Activations that were named when they began."""
        self._owners: dict[bytes, str] = {}
        """Activations, by what is below them: the agent or the service."""
        self._tools: dict[bytes, str] = {}
        self._homes: dict[str, str] = {}
        """The service of an agent, by its name."""
        self._services: dict[str, str] = {}
        """The one agent of a service; empty where it has several."""

    def learn(self, step: Step) -> None:
        """Take a step in, open or ended, as it comes."""
        agent, operation = step.agent, step.operation
        if agent and self._homes.get(agent) != step.service:
            keep(self._homes, agent, step.service, _MOST_SERVICES)
        if operation is _CHAT or operation is _TOOL:
            if operation is _TOOL:
                keep(self._tools, step.span, step.peer, self._most)
            if step.parent:
                self._owners[step.parent] = agent or step.service
                if len(self._owners) > self._most:
                    shed(self._owners, self._most)
        elif agent and operation is _AGENT:
            if step.ended is None:
                keep(self._names, step.span, agent, self._most)
            if (known := self._services.get(step.service)) != agent:
                keep(self._services, step.service, agent if known is None else "", _MOST_SERVICES)
        elif agent and operation is _WAIT:
            keep(self._names, step.span, agent, self._most)

    def doubled(self, step: Step) -> bool:
        """Tell whether it is the same call as the one around it, told of by another instrumentation (MCP's client)."""
        return step.operation is _TOOL and self._tools.get(step.parent, "") == step.peer

    def named(self, step: Step) -> Step:
        """Return the step with the name of its agent, as far as it was known from the beginning.

        An agent that is invoked takes no step itself: its caller does. What is named only at its end comes too late for
        the steps in it, and some of them would be named and others not.
        """
        if step.operation is _AGENT:
            caller = self._names.get(step.parent, "") or self._owners.get(step.parent, "")
            return step.but(agent=caller) if caller else step
        name = "" if step.agent else self._names.get(step.parent, "")
        return step.but(agent=name) if name else step

    def who(self, step: Step) -> str:
        """Return the agent whose step it is: the service, where nothing names one."""
        return self.called(step.agent or step.service)

    def told(self, verdict: Verdict) -> Verdict:
        """Return the verdict with names of agents for services that are one agent's alone, and with their services."""
        names = tuple(dict.fromkeys(self.called(a) for a in verdict.agents))
        edge = (self.called(verdict.edge[0]), self.called(verdict.edge[1]))
        homes = dict.fromkeys(self._homes.get(name, name) for name in (edge[0], *names) if name not in ("", "*"))
        return replace(verdict, agents=names, edge=edge, services=tuple(homes))

    def called(self, name: str) -> str:
        """Return the agent of a service that is one agent's alone; other names as they are."""
        return self._services.get(name, "") or name
