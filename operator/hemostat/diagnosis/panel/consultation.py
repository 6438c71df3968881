"""What came of a consultation, and what it used (pure values)."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from hemostat.api.incident import Evidence
from hemostat.diagnosis.panel.reply import Claim, Verdict


@dataclass(frozen=True, slots=True)
class Usage:
    """What was used."""

    turns: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    usd: float = 0.0

    def plus(self, tokens_in: int, tokens_out: int, usd: float) -> "Usage":
        """Return it with one more turn."""
        return Usage(self.turns + 1, self.tokens_in + tokens_in, self.tokens_out + tokens_out, self.usd + usd)


@dataclass(frozen=True, slots=True)
class Consultation:
    """What came of it."""

    verdict: Verdict | None
    """None where nobody could conclude: `failure` says why."""
    claims: tuple[Claim, ...] = ()
    """Of the conclusion: the statements that the evidence bears."""
    dropped: Counter[str] = field(default_factory=Counter)
    """Statements of all members that it does not bear, by reason."""
    looked_up: tuple[Evidence, ...] = ()
    """What the panel's tools found."""
    silent: Mapping[str, str] = field(default_factory=dict)
    """Specialists that came to no finding, and why: the others go on without them."""
    usage: Usage = Usage()
    models: tuple[str, ...] = ()
    failure: tuple[str, str] | None = None
    """Reason and message."""
    last: tuple[str, str] | None = None
    """SHA-256 of the last prompt, as JSON, and of the reply to it."""
