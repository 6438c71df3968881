"""What can be set for the processes of the sample workload, by environment variables AGENTS_*."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

_PREFIX = "AGENTS_"


class Settings(BaseModel):
    """`AGENTS_RATE=6` sets `rate`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str | None = None
    port: Annotated[int, Field(ge=1, le=65535)] = 8000
    model_url: str = "http://model:8000"
    tools_url: str = "http://tools:8000"
    planner_url: str = "http://planner:8000"
    researcher_url: str = "http://researcher:8000"
    critic_url: str = "http://critic:8000"
    model: str = "gpt-4o"
    rate: Annotated[float, Field(ge=0, le=600)] = 6
    """Conversations that the planner begins by itself, per minute."""
    seed: int = 7
    content: bool = True
    """Whether spans carry what is said, asked and answered."""
    heartbeat_seconds: Annotated[float, Field(ge=0.1, le=60)] = 5
    export_seconds: Annotated[float, Field(ge=0.05, le=60)] = 1
    build_seconds: Annotated[float, Field(ge=0, le=600)] = 45
    revise_seconds: Annotated[float, Field(ge=0, le=60)] = 3
    """How long an agent works with the first lock before it takes the second: others must come in between."""
    pause_factor: Annotated[float, Field(ge=0, le=1)] = 1
    """What pauses are multiplied with; for tests."""
    pod: str = ""
    namespace: str = "agents"

    def peer(self, agent: str) -> str:
        """Return an agent's address."""
        return str(getattr(self, f"{agent}_url")).rstrip("/")


def read(environment: Mapping[str, str]) -> Settings:
    """Read the settings; ValueError that names what is refused, an unknown name too."""
    said = {key.removeprefix(_PREFIX).lower(): value for key, value in environment.items() if key.startswith(_PREFIX)}
    pod = {"pod": environment.get("POD_NAME") or socket.gethostname()}
    namespace = {"namespace": environment["POD_NAMESPACE"]} if environment.get("POD_NAMESPACE") else {}
    return Settings.model_validate(pod | namespace | said)
