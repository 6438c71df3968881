"""The one error that the command line turns into a message."""

from __future__ import annotations

from pathlib import Path

TAIL_LINES = 20


class ClusterError(Exception):
    """Something went wrong that the user can read and act on.

    ``hint`` says what to do next; ``log`` is the file that holds the details.
    """

    def __init__(self, message: str, *, hint: str = "", log: Path | None = None) -> None:
        super().__init__(message)
        self.hint = hint
        self.log = log

    def explain(self) -> str:
        """Render the message, the end of the log, its path and the hint."""
        parts = [f"error: {self}"]
        if self.log is not None:
            parts += [f"  | {line}" for line in tail(self.log)]
            parts.append(f"  full log: {self.log}")
        if self.hint:
            parts.append(f"  what to do: {self.hint}")
        return "\n".join(parts)


def tail(path: Path, lines: int = TAIL_LINES) -> list[str]:
    """Return the last lines of a text file; none if it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text.splitlines()[-lines:]
