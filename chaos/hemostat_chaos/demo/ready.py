"""Which workloads are not up yet, and why (pure)."""

from collections.abc import Mapping, Sequence
from typing import Any

from hemostat.signals.workload import pod_troubles, state_of

Objects = Sequence[Mapping[str, Any]]


def not_ready(deployments: Objects, pods: Objects, expected: Sequence[str]) -> str | None:
    """Return what is missing, with the first troubles of the pods, or None when every rollout is complete.

    :param expected: names of Deployments that must exist.
    """
    names = {d["metadata"]["name"] for d in deployments}
    missing = [name for name in expected if name not in names]
    if missing:
        return f"Deployment {missing[0]} does not exist"
    states = {d["metadata"]["name"]: state_of(d) for d in deployments}
    open_ = [f"{name} {s.ready}/{s.desired}" for name, s in sorted(states.items()) if not s.complete]
    if not open_:
        return None
    troubles = sorted(t for pod in pods for t in pod_troubles(pod))[:3]
    return ", ".join(open_) + (f" ({'; '.join(troubles)})" if troubles else "")
