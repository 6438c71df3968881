"""Trouble among the sample agents, in conversations whose names give nothing away, with healthy work beside (pure)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hemostat_chaos.agents.faults import Faults
from hemostat_chaos.agents.kinds import TROUBLES, Trouble

SIGNALS: Mapping[str, str] = {
    "ping-pong": "Cycle",
    "ring": "Cycle",
    "mutual-wait": "Deadlock",
    "stuck-tool": "RepeatedStep",
    "paraphrase": "ParaphraseLoop",
    "token-burn": "TokenBurn",
    "provider-429": "RetryStorm",
    "provider-503": "RetryStorm",
    "runaway-context": "ContextGrowth",
}
"""The signal that each must raise, as chaos/experiments/agents says."""
LOOPS = frozenset({"Cycle", "RepeatedStep", "ParaphraseLoop"})
"""Signals that are told first, and are to be cut only when it is clear that nothing comes of them."""
HEALTHY = ("debate", "poll", "pages", "build")


@dataclass(frozen=True, slots=True)
class Run:
    """One trouble to be recorded."""

    kind: str
    number: int
    trouble: Trouble
    beside: tuple[str, ...]
    """Kinds of healthy conversations that are begun at the same time."""

    @property
    def signal(self) -> str:
        """Return the kind of signal that must fire."""
        return SIGNALS[self.kind]

    @property
    def told(self) -> str:
        """Return what was done, in words."""
        faults = ", ".join(f"{k}={v}" for k, v in self.trouble.faults.model_dump(exclude_defaults=True).items())
        healthy = f"; healthy beside: {', '.join(self.beside)}" if self.beside else ""
        return f"{self.trouble.conversations} conversation(s) of {self.trouble.kind} with {faults}{healthy}"


def runs() -> Iterator[Run]:
    """Yield every trouble twice: as the experiments have it, and otherwise, beside healthy work."""
    down = Trouble("backoff", Faults(unavailable=True, impatient=True), 4)
    for kind, trouble in (*TROUBLES.items(), ("provider-503", down)):
        yield Run(kind, 1, trouble, ())
    more = Trouble("batch", Faults(endless=True, growing=200))
    otherwise = {"token-burn": more, "runaway-context": Trouble("read", Faults(endless=True, verbose=2000))}
    for kind, trouble in (*TROUBLES.items(), ("provider-503", down)):
        wider = Trouble(trouble.kind, trouble.faults, trouble.conversations * 2)
        yield Run(kind, 2, otherwise.get(kind, wider), HEALTHY)
