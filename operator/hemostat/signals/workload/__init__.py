"""The target as the API server sees it (pure): pods, rollouts, Jobs, nodes, autoscalers, claims and quotas."""

from hemostat.signals.workload.containers import WAITING_TROUBLE, pod_troubles
from hemostat.signals.workload.judge import judge, timing, troubles
from hemostat.signals.workload.scene import Aspect, Scene, Trouble
from hemostat.signals.workload.state import KINDS, WorkloadState, idle, state_of

__all__ = [
    "KINDS",
    "WAITING_TROUBLE",
    "Aspect",
    "Scene",
    "Trouble",
    "WorkloadState",
    "idle",
    "judge",
    "pod_troubles",
    "state_of",
    "timing",
    "troubles",
]
