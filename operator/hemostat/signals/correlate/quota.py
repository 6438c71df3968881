"""What a full quota of the namespace has to do with a target's trouble (pure).

All targets of a namespace share its quotas, so a full one is one cause for all. But it only keeps pods from being
made: it breaks no container, and it does not make a service fail whose pods are all there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hemostat.api.incident import SignalSource, SignalStatus
from hemostat.signals.workload import Aspect, Scene, state_of
from hemostat.signals.workload.scene import age
from hemostat.signals.workload.state import condition

FULL = frozenset({Aspect.QUOTA_NEAR, Aspect.QUOTA_EXHAUSTED})
_WITHOUT_ROOM = FULL | {Aspect.ROLLOUT_STUCK}
"""What comes of it that no more pods can be made."""
_WITHOUT_PODS = _WITHOUT_ROOM | {Aspect.AUTOSCALER_MAX}
"""What comes of it that pods are missing, besides calls and metrics: the others have too much to do."""
CALMS_SECONDS = 60.0
"""What calls and metrics say looks back: so long after the last pod became ready they may still tell of its lack."""


@dataclass(frozen=True, slots=True)
class Quota:
    """What a full quota may have to do with a target's trouble."""

    full: bool = False
    """Whether a signal says that a quota is full, or nearly."""
    explains: bool = True
    """Whether all that fires may come of a full quota."""
    lacking: bool = True
    """Whether pods are missing, or were a moment ago."""

    @property
    def cause(self) -> bool:
        """Whether the target's whole trouble is the quota, which is the same for all of the namespace."""
        return self.full and self.explains

    @property
    def harmless(self) -> bool:
        """Whether there is no room for more pods, but none is missing: who calls the target is none the worse."""
        return self.cause and not self.lacking


UNTOLD = Quota()
"""Nothing speaks of a quota."""


def quota_of(scene: Scene, firing: Sequence[SignalStatus], now: datetime) -> Quota:
    """Return what a full quota may have to do with these signals of the target."""
    lacking = _lacking(scene, now)
    aspects = {s.subject.partition(" of ")[0] for s in firing if s.source is SignalSource.WORKLOAD}
    others = any(s.source is not SignalSource.WORKLOAD for s in firing)
    explains = aspects <= _WITHOUT_PODS if lacking else aspects <= _WITHOUT_ROOM and not others
    return Quota(full=bool(aspects & FULL), explains=explains, lacking=lacking)


def _lacking(scene: Scene, now: datetime) -> bool:
    if scene.target is None or scene.unknown:
        return True
    state = state_of(scene.target)
    ready = [condition(pod, "Ready") for pod in scene.live_pods()]
    young = any(age(r.get("lastTransitionTime"), now) < CALMS_SECONDS for r in ready)
    return state.ready < state.desired or young
