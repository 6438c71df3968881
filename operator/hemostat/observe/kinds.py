"""The kinds of other people's objects that `observe` follows, in one table."""

from dataclasses import dataclass

from hemostat.api import GROUP, VERSION


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind whose objects are followed by list and watch; nothing is ever written on them."""

    name: str
    group: str
    version: str
    plural: str
    limit: int = 20_000
    """Objects of this kind that are kept; more are dropped and counted."""
    selector: str = ""
    """Field selector: what does not pass it is not even sent."""

    @property
    def path(self) -> str:
        """URL path of the collection of the whole cluster."""
        return (
            f"/apis/{self.group}/{self.version}/{self.plural}" if self.group else f"/api/{self.version}/{self.plural}"
        )


NORMAL_EVENTS = "type!=Normal"
"""What goes as planned would be most of the traffic."""
KILLINGS = "reason=Killing,type=Normal"
"""But that the kubelet ends a container for its probe is such an Event, and told nowhere else. Of one path kopf follows
one selection: these come by the other name that Events have."""

KINDS = (
    Kind("Watch", GROUP, VERSION, "watches"),
    Kind("Deployment", "apps", "v1", "deployments"),
    Kind("ReplicaSet", "apps", "v1", "replicasets"),
    Kind("StatefulSet", "apps", "v1", "statefulsets"),
    Kind("DaemonSet", "apps", "v1", "daemonsets"),
    Kind("ControllerRevision", "apps", "v1", "controllerrevisions"),
    Kind("Job", "batch", "v1", "jobs"),
    Kind("CronJob", "batch", "v1", "cronjobs"),
    Kind("Pod", "", "v1", "pods"),
    Kind("Node", "", "v1", "nodes", limit=5_000),
    Kind("HorizontalPodAutoscaler", "autoscaling", "v2", "horizontalpodautoscalers", limit=5_000),
    Kind("PersistentVolumeClaim", "", "v1", "persistentvolumeclaims"),
    Kind("ResourceQuota", "", "v1", "resourcequotas", limit=5_000),
    Kind("ConfigMap", "", "v1", "configmaps", limit=10_000),
    Kind("Event", "events.k8s.io", "v1", "events", selector=KILLINGS),
    Kind("Event", "", "v1", "events", limit=4_000, selector=NORMAL_EVENTS),
)
"""Secrets are not among them: to list them is to read them. References to them are compared instead."""
BY_NAME = {kind.name: kind for kind in KINDS}
"""Of two with one name, which share a shelf, the last."""
