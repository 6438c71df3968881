"""What the pods of a workload are called, as a pattern for RE2 and for Python alike (pure).

Controllers go on after the workload's name: a ReplicaSet's hash and five letters, an ordinal, five letters. A name that
would grow too long is cut first (`k8s.io/apiserver/pkg/storage/names`: 63 less the five letters; a Deployment's hash of
ten and two hyphens take their part before).
"""

from hemostat.api.meta import TargetRef
from hemostat.signals.rules import exactly

_OF_REPLICASET = "-[a-z0-9]{1,10}-[a-z0-9]{5}"
_REST = {
    "Deployment": _OF_REPLICASET,
    "Rollout": _OF_REPLICASET,
    "StatefulSet": "-[0-9]+",
    "DaemonSet": "-[a-z0-9]{5}",
    "Job": "(-[0-9]+)?-[a-z0-9]{5}",
    "CronJob": "-[0-9]+(-[0-9]+)?-[a-z0-9]{5}",
}
_OF_ANY = "-([a-z0-9]{1,10}-)?([a-z0-9]{5}|[0-9]+)"
_CUT = 46
"""Names of workloads longer than this may be cut in the names of their pods."""


def pattern(target: TargetRef) -> str:
    """Return a pattern, not quoted, that the whole name of a pod of the target matches; of any kind."""
    short = target.name[:_CUT]
    return exactly(short) + (_REST.get(target.kind, _OF_ANY) if short == target.name else ".*")
