"""What `observe` remembers about one Watch between looks, and how a new process takes it up again."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from hemostat.api.incident import Incident
from hemostat.api.watch import Baseline, PresentRevision, Watch, WatchStatus
from hemostat.signals import trace
from hemostat.signals.base import Debounced, Observation, decimal, resumed
from hemostat.signals.correlate import is_over, shown_of
from hemostat.signals.evaluate import WatchState


@dataclass
class Memory:
    """Lost at a restart and rebuilt from status."""

    state: WatchState = field(default_factory=WatchState)
    status: WatchStatus = field(default_factory=WatchStatus)
    published: datetime | None = None
    present: PresentRevision | None = None
    healthy_since: datetime | None = None
    incident: bool = False
    """Whether an incident is open or about to be: then looks are frequent."""
    target: str = ""
    due: float | None = None
    """Monotonic time at which the next look is wanted."""
    late_seconds: float = 0.0
    """How much too late looks begin: an average of the last ten or so."""

    def began(self, now: float) -> float:
        """Note that a look begins; return how much too late."""
        late = max(0.0, now - self.due) if self.due is not None else 0.0
        self.late_seconds += 0.1 * (late - self.late_seconds)
        return late


def recall(watch: Watch, incidents: Sequence[Incident], now: datetime) -> Memory:
    """Take up where the last process stopped: open incident's signals, learned baselines, Watch status."""
    memory = Memory(status=watch.status, target=watch.spec.target.name, present=watch.status.present)
    signals: dict[str, tuple[Debounced, Observation]] = {}
    for incident in incidents:
        found = shown_of(incident, watch.metadata.name)
        if not is_over(incident) and (found or incident.spec.watch_ref.name == watch.metadata.name):
            signals |= {s.key: resumed(s) for s in found}
            memory.incident = True
    normal = {b.signal: _normal(b) for b in watch.status.baselines}
    memory.state = WatchState(signals, {k: v for k, v in normal.items() if trace.fresh(v, now)})
    return memory


def _normal(known: Baseline) -> trace.Normal:
    log = math.log(max(float(known.value), 0.01) / 1000)
    spread = min(math.log1p(known.spread_percent / 100), trace.MAX_SPREAD)
    return trace.Normal(log, trace.WARM_UP_LOOKS, known.observed_time, spread)


def baselines(state: WatchState) -> tuple[Baseline, ...]:
    """Return what was learned, in the form that a Watch's status keeps."""
    known = sorted(state.normal.items())[:64]
    return tuple(
        Baseline(
            signal=key,
            value=decimal(1000 * math.exp(n.log_seconds)) or "0",
            spread_percent=round(100 * math.expm1(n.spread)),
            observed_time=n.observed_time,
        )
        for key, n in known
        if n.looks >= trace.WARM_UP_LOOKS
    )
