"""A recorded case: what tools said, and what an alert was about (pure values)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Output:
    """What one tool said."""

    name: str
    """Of the tool with what it was asked, or of the file."""
    text: str
    tool: str = ""
    """As its header says; empty without one."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    failed: bool = False
    """The tool says so itself."""
    cut: bool = False
    """There was more than is read."""

    @property
    def is_log(self) -> bool:
        """Whether a program wrote it, and not the API server: nothing in it is believed to be of the cluster."""
        return re.search(r"(?:\b|_)logs?(?:\b|_|\d)", self.tool or self.name, re.IGNORECASE) is not None


@dataclass(frozen=True, slots=True)
class Subject:
    """What a case is about, as the alert names it."""

    kind: str
    """In lower case, as `kubectl` takes it."""
    name: str
    namespace: str


@dataclass(frozen=True, slots=True)
class Recording:
    """One case, without what would give its answer away."""

    name: str
    outputs: tuple[Output, ...]
    subject: Subject | None = None
    """None where nothing says it."""
    title: str = ""
    """Of the alert."""
    description: str = ""
