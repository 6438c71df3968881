"""Faults of a node, for clusters with a spare one: its kubelet falls silent, or says that memory runs short (pure)."""

from hemostat.signals.workload import Aspect
from hemostat_chaos.cluster.constants import SPARE
from hemostat_chaos.experiment.manifests import Json, deployment
from hemostat_chaos.experiment.workload_faults import WorkloadFault

ON_SPARE: Json = {"nodeSelector": {SPARE: "true"}, "tolerations": [{"key": SPARE, "operator": "Exists"}]}
"""The part of a pod that brings it to the spare node."""
CONFIG = "/var/lib/kubelet/config.yaml"
"""Where kubeadm puts it."""
# Soft, and with an hour of grace: the node says that it is under pressure, and evicts nobody meanwhile.
_THRESHOLD = "\nevictionSoft: {memory.available: 1Pi}\nevictionSoftGracePeriod: {memory.available: 1h}\n"
_PRESS = f"cp -p {CONFIG} {CONFIG}.before && printf '{_THRESHOLD}' >> {CONFIG} && systemctl restart kubelet"
_RESTORE = f"test ! -e {CONFIG}.before || {{ mv {CONFIG}.before {CONFIG} && systemctl restart kubelet; }}"


def _kubelet(signal: str) -> tuple[str, ...]:
    """Return the command that sends a signal to this node's kubelet and to nothing that it started."""
    return ("systemctl", "kill", "--kill-who=main", f"--signal={signal}", "kubelet.service")


NOT_READY, PRESSURE = NODE_FAULTS = (
    WorkloadFault(
        "node-not-ready",
        Aspect.NODE_NOT_READY,
        (deployment("node-not-ready", pod=ON_SPARE),),
        on_node=(_kubelet("STOP"),),
        undo_on_node=(_kubelet("CONT"),),
        # the node controller waits for 50 s before it gives a silent node up (--node-monitor-grace-period)
        within_seconds=75,
        clears_seconds=45,
    ),
    WorkloadFault(
        "node-pressure",
        Aspect.NODE_PRESSURE,
        (deployment("node-pressure", pod=ON_SPARE),),
        on_node=(("sh", "-c", _PRESS),),
        undo_on_node=(("sh", "-c", _RESTORE),),
        within_seconds=45,
        clears_seconds=45,
    ),
)
