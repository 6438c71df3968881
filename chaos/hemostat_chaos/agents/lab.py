"""Switching faults and beginning work, from outside, while the sample workload runs."""

from __future__ import annotations

import json
import tempfile
import uuid
from collections.abc import Sequence
from typing import Any, Protocol

from hemostat_chaos.agents.faults import Faults
from hemostat_chaos.agents.kinds import AGENTS, PLANNER, TROUBLES
from hemostat_chaos.demo.kubectl import Kubectl

MODEL, TOOLS = "model", "tools"
SERVICES = (MODEL, TOOLS, *AGENTS)
_VERBS = {"POST": "create", "PUT": "replace"}


class Way(Protocol):
    """How a process of the workload is reached."""

    def __call__(self, service: str, method: str, path: str, body: str | None = None) -> Any:
        """Send a request; return the JSON of the answer. Raises what the way raises."""
        ...


class Lab:
    """The workload as whoever experiments with it sees it.

    :param services: those that run.
    """

    def __init__(self, way: Way, services: Sequence[str] = SERVICES) -> None:
        self._way = way
        self._services = services

    def inflict(self, trouble: str) -> Sequence[str]:
        """Begin conversations in which something is wrong from the beginning; return their names."""
        wanted = TROUBLES[trouble]
        return [self.begin(wanted.kind, trouble, wanted.faults) for _ in range(wanted.conversations)]

    def begin(self, kind: str, name: str = "", faults: Faults | None = None) -> str:
        """Begin a conversation of a kind, healthy without faults; return its name."""
        conversation = f"{name or kind}-{uuid.uuid4().hex[:8]}"
        if faults is not None:
            self.switch(conversation, faults)
        self.again(conversation, kind)
        return conversation

    def again(self, conversation: str, kind: str) -> None:
        """Begin a parked conversation again."""
        self._way(PLANNER, "POST", "/conversations", json.dumps({"conversation": conversation, "kind": kind}))

    def switch(self, conversation: str, faults: Faults) -> None:
        """Put faults into force for one conversation, in every process."""
        for service in self._services:
            self._way(service, "PUT", f"/faults/{conversation}", faults.model_dump_json())

    def clear(self, conversation: str) -> None:
        """Take a conversation's faults back; it goes on as a healthy one."""
        for service in self._services:
            self._way(service, "DELETE", f"/faults/{conversation}")

    def faulty(self) -> Sequence[str]:
        """Return the conversations that have faults."""
        return list(self._way(MODEL, "GET", "/faults")["conversations"])

    def board(self) -> dict[str, Any]:
        """Return the planner's conversations: `counts` by kind and state, `conversations` by name."""
        found: dict[str, Any] = self._way(PLANNER, "GET", "/conversations")
        return found

    def tokens(self, conversation: str) -> dict[str, int]:
        """Return what a conversation cost: answers, refusals, prompt and completion tokens."""
        found: dict[str, int] = self._way(MODEL, "GET", f"/usage/{conversation}")
        return found

    def spent(self, conversation: str) -> int:
        """Return how many tokens a conversation cost."""
        found = self.tokens(conversation)
        return found["prompt"] + found["completion"]


class ByApiServer:
    """Reaches Services by the API server's proxy, with the rights of whoever calls kubectl."""

    def __init__(self, kubectl: Kubectl, namespace: str) -> None:
        self._kubectl = kubectl
        self._namespace = namespace

    def __call__(self, service: str, method: str, path: str, body: str | None = None) -> Any:
        """Send a request. `Refused` (Kubectl) with what was answered when that is an error."""
        raw = f"--raw=/api/v1/namespaces/{self._namespace}/services/{service}:http/proxy{path}"
        if body is None:
            return json.loads(self._kubectl(method.lower(), raw))
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            file.write(body)
            file.flush()
            return json.loads(self._kubectl(_VERBS[method], raw, f"--filename={file.name}"))
