"""How the effects of a plan are told apart: by intents, results and field managers (pure)."""

from dataclasses import dataclass
from typing import Literal

from hemostat.api.remediation import Intent, Remediation

Which = Literal["Forward", "Inverse"]


@dataclass(frozen=True, slots=True)
class Part:
    """One effect of a plan."""

    which: Which
    step: int = 0
    """Of the plan's steps, from 0."""


def prefix(remediation: Remediation) -> str:
    """Return what the field managers of everything that is written for this Remediation begin with."""
    return f"hemostat-{remediation.metadata.uid}-"


def manager(remediation: Remediation, part: Part) -> str:
    """Return the field manager that only this effect of this Remediation uses."""
    return f"{prefix(remediation)}{part.step}-{part.which.lower()}"


def tries_of(remediation: Remediation, part: Part) -> list[Intent]:
    """Return the attempts at one effect, oldest first."""
    return [i for i in remediation.status.intents if (i.effect, i.step) == (part.which, part.step)]
