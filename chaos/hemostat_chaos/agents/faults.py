"""What can be wrong with the model's provider, switched while it runs."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Faults(BaseModel):
    """Faults in force; several may be. Without `scripts` they hold for all."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rate_limited: bool = False
    """Answer 429 with Retry-After."""
    unavailable: bool = False
    """Answer 503."""
    retry_after: Annotated[int, Field(ge=0, le=3600)] = 1
    """Seconds."""
    slow: Annotated[float, Field(ge=0, le=300)] = 0
    """Seconds before the first byte."""
    endless: bool = False
    """Scripts never stop calling their tools."""
    growing: Annotated[int, Field(ge=0, le=500)] = 0
    """Words that every answer is longer than the one before, so that the context grows by more each turn."""
    scripts: Annotated[frozenset[str], Field(max_length=100)] = frozenset()

    def of(self, script: str) -> Faults:
        """Return what of it holds for one script."""
        return self if not self.scripts or script in self.scripts else _NONE


_NONE = Faults()
