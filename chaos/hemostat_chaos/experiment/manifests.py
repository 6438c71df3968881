"""Small objects that faults are made of: workloads that do nothing or work hard, and what stands around them (pure)."""

from copy import deepcopy
from typing import Any

from hemostat.signals.workload import KINDS

Json = dict[str, Any]
IMAGE = "hemostat:dev"
SERVE = ["python3", "-c", "import signal; signal.sigwait([signal.SIGTERM])"]
PORT = 8080
BUSY: Json = {"requests": {"cpu": "50m", "memory": "16Mi"}, "limits": {"cpu": "250m", "memory": "64Mi"}}
"""Of what is meant to work hard: bounded, so that the node stays well."""


def container(**changed: Any) -> Json:
    """Return a container that does nothing but end when it is asked to."""
    resources = {"requests": {"cpu": "1m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}}
    return {
        "name": "app",
        "image": IMAGE,
        "imagePullPolicy": "Never",
        "command": SERVE,
        "resources": resources,
    } | changed


def deployment(name: str, *, replicas: int = 1, deadline: int = 600, pod: Json | None = None, **changed: Any) -> Json:
    """Return a Deployment of such containers."""
    labels = {"app": name}
    spec = {"containers": [container(**changed)], "terminationGracePeriodSeconds": 1} | (pod or {})
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "progressDeadlineSeconds": deadline,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


def web_server(name: str) -> Json:
    """Return a Deployment of web servers that work hard for each answer: the list of a long folder."""
    serve = ["sh", "-c", f"exec python3 -m http.server {PORT} --directory /usr/bin 2>/dev/null"]
    listens = {"tcpSocket": {"port": PORT}, "periodSeconds": 1}
    return deployment(name, command=serve, resources=BUSY, readinessProbe=listens)


def service(name: str) -> Json:
    """Return a Service of the pods of the Deployment of this name."""
    spec = {"selector": {"app": name}, "ports": [{"port": PORT}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def autoscaler(name: str, *, most: int, cpu_percent: int) -> Json:
    """Return a HorizontalPodAutoscaler of the Deployment of this name, which takes back at once what is not needed.

    :param most: replicas it may have.
    :param cpu_percent: of the requested CPU, which it keeps the average of the pods at.
    """
    target = {"type": "Utilization", "averageUtilization": cpu_percent}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name},
        "spec": {
            "scaleTargetRef": {"apiVersion": KINDS["Deployment"], "kind": "Deployment", "name": name},
            "minReplicas": 1,
            "maxReplicas": most,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
            # the default is five minutes, in which it goes on wanting what it wanted
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}},
        },
    }


def load_on(name: str) -> Json:
    """Return a pod that asks the Service of this name for one answer after the other, as fast as they come."""
    ask = f"import urllib.request as u\nwhile True: u.urlopen('http://{name}:{PORT}/', timeout=5).read()"
    # It begins anew when a pod that it talks to goes away.
    shell = f'while :; do python3 -c "{ask}" 2>/dev/null; sleep 1; done'
    spec = {"containers": [container(command=["sh", "-c", shell], resources=BUSY)], "terminationGracePeriodSeconds": 1}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"{name}-load"}, "spec": spec}


def job(name: str, *command: str) -> Json:
    """Return a Job that is tried once."""
    template = {"spec": {"restartPolicy": "Never", "containers": [container(command=list(command))]}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"backoffLimit": 0, "template": template},
    }


def cron_job(name: str, *command: str) -> Json:
    """Return a CronJob that is never due: its Jobs are made by hand."""
    spec = {"schedule": "0 0 29 2 *", "jobTemplate": {"spec": job(name, *command)["spec"]}}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name}, "spec": spec}


def probe(test: str) -> Json:
    """Return a probe that runs a shell test every second and gives up after two failures."""
    return {"exec": {"command": ["sh", "-c", test]}, "periodSeconds": 1, "failureThreshold": 2, "timeoutSeconds": 5}


def volume(name: str, **source: Any) -> Json:
    """Return the part of a pod with a volume."""
    return {"volumes": [{"name": name, **source}]}


def mounts(name: str) -> Json:
    """Return the part of a container that mounts it."""
    return {"volumeMounts": [{"name": name, "mountPath": "/data"}]}


def config_map(name: str, **data: str) -> Json:
    """Return a ConfigMap."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def unbound_claim(name: str) -> Json:
    """Return a claim that no provisioner will ever answer."""
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Mi"}},
        "storageClassName": "there-is-none",
    }
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec}


def pod_quota(name: str, pods: int) -> Json:
    """Return a quota of so many pods in the namespace."""
    spec = {"hard": {"pods": str(pods)}}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": name}, "spec": spec}


def in_namespace(manifest: Json, namespace: str) -> Json:
    """Return the object in this namespace."""
    moved = deepcopy(manifest)
    moved["metadata"]["namespace"] = namespace
    return moved
