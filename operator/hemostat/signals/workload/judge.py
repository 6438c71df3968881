"""All troubles of a scene, and one observation per aspect (pure)."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from hemostat.api.incident import SignalSource
from hemostat.api.watch import SignalKind, WorkloadSignal
from hemostat.signals.base import Observation, Timing
from hemostat.signals.workload.pods import pod_aspects
from hemostat.signals.workload.rollout import job_aspects, rollout_aspects
from hemostat.signals.workload.scene import Aspect, Scene, Trouble
from hemostat.signals.workload.surroundings import (
    NEAR_PERCENT,
    autoscaler_aspects,
    claim_aspects,
    node_aspects,
    quota_usage,
)

CLEAR_SECONDS = 5
TOLD = 5
"""Of the objects with the same trouble, as many are named."""
_PODS = (
    Aspect.CRASH_LOOP,
    Aspect.OOM_KILLED,
    Aspect.IMAGE_PULL,
    Aspect.CONTAINER_CONFIG,
    Aspect.MOUNT_FAILED,
    Aspect.PROBE_FAILED,
    Aspect.UNSCHEDULABLE,
    Aspect.EVICTED,
    Aspect.PODS_REFUSED,
    Aspect.QUOTA_EXHAUSTED,
    Aspect.QUOTA_NEAR,
    Aspect.CLAIM,
    Aspect.NODE_NOT_READY,
    Aspect.NODE_PRESSURE,
)
ASPECTS: Mapping[str, tuple[Aspect, ...]] = {
    "Deployment": (*_PODS, Aspect.ROLLOUT_STUCK, Aspect.AUTOSCALER_MAX),
    "StatefulSet": (*_PODS, Aspect.ROLLOUT_STUCK, Aspect.AUTOSCALER_MAX),
    "DaemonSet": (*_PODS, Aspect.ROLLOUT_STUCK),
    "Job": (*_PODS, Aspect.JOB_FAILED),
    "CronJob": (*_PODS, Aspect.JOB_FAILED, Aspect.SCHEDULE_MISSED),
    "Node": (Aspect.NODE_NOT_READY, Aspect.NODE_PRESSURE),
}
"""What is looked at, by kind of the target."""


def timing(signal: WorkloadSignal) -> Timing:
    """Return how long a workload must be in trouble or well."""
    return Timing(signal.for_seconds, CLEAR_SECONDS)


def troubles(scene: Scene, now: datetime) -> tuple[Trouble, ...]:
    """Return everything that is wrong now, in a stable order, each thing once."""
    return tuple(sorted(set(_troubles(scene, now)), key=lambda t: (t.aspect, t.subject, t.words)))


def _troubles(scene: Scene, now: datetime) -> Iterator[Trouble]:
    if scene.target is None or scene.unknown:
        return
    if scene.target.get("kind") != "Node":
        yield from pod_aspects(scene, now)
        yield from rollout_aspects(scene, now)
        yield from job_aspects(scene, now)
        yield from autoscaler_aspects(scene)
        yield from claim_aspects(scene, now)
    yield from node_aspects(scene)


def judge(name: str, scene: Scene, now: datetime) -> list[Observation]:
    """Return one observation per aspect of the target; none of them says anything of a target that is not there.

    :param name: name of the signal in the Watch.
    """
    if scene.target is None or scene.unknown:
        return [_presence(name, scene.unknown or "the target does not exist")]
    found: dict[Aspect, list[Trouble]] = {}
    for trouble in troubles(scene, now):
        found.setdefault(trouble.aspect, []).append(trouble)
    kind = scene.target.get("kind", "Deployment")
    judged = [_observation(name, scene, aspect, found.get(aspect, [])) for aspect in ASPECTS.get(kind, _PODS)]
    return [_presence(name, ""), *judged]


def _observation(name: str, scene: Scene, aspect: Aspect, found: list[Trouble]) -> Observation:
    if aspect is Aspect.QUOTA_NEAR:
        return _quota(name, scene)
    return Observation(
        key=f"{name}/{aspect}/{scene.name}",
        name=name,
        kind=SignalKind.WORKLOAD,
        source=SignalSource.WORKLOAD,
        subject=f"{aspect} of {scene.name}",
        wrong=bool(found),
        value=float(len(found)),
        unit="affected",
        samples=max(1, len(scene.pods)),
        note=told(found, scene.name),
    )


def told(found: Sequence[Trouble], target: str) -> str:
    """Say what is wrong first, and with which objects then, the target itself apart: the reason is looked for."""
    groups: dict[str, list[str]] = {}
    for t in found:
        words = f"{t.label or t.aspect}: {t.words}" if t.words else str(t.label or t.aspect)
        groups.setdefault(words, []).append(t.subject)
    first = list(groups.items())[:TOLD]
    shown = [words if names == [target] else f"{words} ({_listed(names)})" for words, names in first]
    rest = sum(len(names) for names in list(groups.values())[TOLD:])
    return "; ".join(shown) + (f"; and {rest} more" if rest else "")


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - TOLD} more" if len(names) > TOLD else ""
    return ", ".join(names[:TOLD]) + more


def _quota(name: str, scene: Scene) -> Observation:
    """Room for no more pods is not yet trouble, but soon will be: a kind of its own."""
    share, what = quota_usage(scene)
    wrong = share >= NEAR_PERCENT
    return Observation(
        key=f"{name}/{Aspect.QUOTA_NEAR}/{scene.name}",
        name=name,
        kind=SignalKind.EXHAUSTION,
        source=SignalSource.WORKLOAD,
        subject=f"{Aspect.QUOTA_NEAR} of {scene.name}",
        wrong=wrong,
        value=share,
        threshold=NEAR_PERCENT,
        unit="%",
        samples=max(1, len(scene.quotas)),
        note=f"quota {what} used; new pods will be refused" if wrong else "",
    )


def _presence(name: str, lacking: str) -> Observation:
    """Whether there is anything to judge; never wrong, because what is not there cannot be put right."""
    return Observation(
        key=f"{name}/target",
        name=name,
        kind=SignalKind.WORKLOAD,
        source=SignalSource.WORKLOAD,
        subject="target",
        wrong=None if lacking else False,
        samples=0 if lacking else 1,
        note=lacking,
    )
