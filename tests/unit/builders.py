"""Small valid objects, as the API server would give them; each test says only what it is about."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hemostat.action.contract import plan_hash
from hemostat.api.approval import Approval
from hemostat.api.gatepolicy import GatePolicy
from hemostat.api.incident import Incident, SignalSource, SignalState, SignalStatus
from hemostat.api.meta import BoundTargetRef, Condition, ConditionStatus
from hemostat.api.remediation import Remediation
from hemostat.api.runbook import Parameter, Runbook
from hemostat.api.watch import SignalKind, Watch
from hemostat.clock import rfc3339

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NAMESPACE = "shop"
HASH = "sha256:" + "a" * 64
Json = dict[str, Any]


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def meta(name: str, **more: Any) -> Json:
    return {
        "name": name,
        "namespace": NAMESPACE,
        "uid": f"uid-{name}"[:64],
        "resourceVersion": "1",
        "generation": 1,
    } | more


TARGET = BoundTargetRef(name="payment", uid="uid-payment")


def condition(
    kind: str, status: bool | str = True, reason: str = "Because", when: float = 0, message: str = ""
) -> Json:
    return {
        "type": kind,
        "status": str(status),
        "reason": reason,
        "message": message,
        "lastTransitionTime": rfc3339(at(when)),
    }


def a_condition(kind: str, status: bool | str = True, reason: str = "Because", when: float = 0) -> Condition:
    return Condition(type=kind, status=ConditionStatus(str(status)), reason=reason, last_transition_time=at(when))


def signal(key: str = "calls/errors/checkout->payment", **changed: Any) -> SignalStatus:
    fields: Json = {
        "key": key,
        "name": "calls",
        "kind": SignalKind.ERROR_RATE,
        "source": SignalSource.TRACES,
        "subject": "checkout -> payment",
        "state": SignalState.FIRING,
        "value": "40",
        "threshold": "5",
        "unit": "%",
        "samples": 100,
        "first_fired_time": T0,
        "state_time": T0,
        "observed_time": T0,
    }
    return SignalStatus(**(fields | changed))


def incident(
    name: str = "payment-1", signals: tuple[SignalStatus, ...] = (), conditions: tuple[Json, ...] = (), **status: Any
) -> Incident:
    return Incident.model_validate(
        {
            "metadata": meta(name),
            "spec": {
                "watchRef": {"name": "payment"},
                "targetRef": TARGET.wire(),
                "fingerprint": "0" * 16,
                "title": "it fails",
                "startedTime": rfc3339(T0),
                "openedTime": rfc3339(T0),
            },
            "status": {"signals": [s.wire() for s in signals], "conditions": list(conditions)} | status,
        }
    )


def symptom(name: str, expression: str, weight: int = 1, necessity: str = "Supporting") -> Json:
    return {"name": name, "expression": expression, "weight": weight, "necessity": necessity}


def runbook(name: str = "bad-release", **spec: Any) -> Runbook:
    fields: Json = {
        "state": "Active",
        "cause": f"the cause {name} is about",
        "symptoms": [symptom("errors", "signals.exists(s, s.kind == 'ErrorRate')")],
        "remediations": [{"action": "rollback"}],
    }
    return Runbook.model_validate({"metadata": meta(name), "spec": fields | spec})


def remediation(name: str = "payment-1-rollback-0-1", status: Json | None = None, **spec: Any) -> Remediation:
    fields: Json = {
        "incidentRef": {"name": "payment-1", "uid": "uid-payment-1"},
        "runbookRef": {"name": "bad-release", "uid": "uid-bad-release"},
        "action": "rollback",
        "targetRef": TARGET.wire(),
        "requestedBy": "system:serviceaccount:hemostat-system:hemostat-observe",
        "confidencePercent": 100,
        "calibration": {"by": "Matcher", "percent": 100, "outcomes": 30},
        "ranking": "Ordered",
    }
    return Remediation.model_validate({"metadata": meta(name), "spec": fields | spec, "status": status or {}})


def policy(name: str = "allow", **spec: Any) -> GatePolicy:
    return GatePolicy.model_validate(
        {"metadata": {"name": name, "uid": f"uid-{name}"}, "spec": {"decision": "Auto"} | spec}
    )


def approval(name: str = "word", *, created: float | None = 0, **spec: Any) -> Approval:
    fields: Json = {"remediation": "payment-1-rollback-0-1", "planHash": HASH, "approver": "ada@example.com"}
    when = {} if created is None else {"creationTimestamp": rfc3339(at(created))}
    return Approval.model_validate({"metadata": meta(name) | when, "spec": fields | spec})


def watch(name: str = "payment", **spec: Any) -> Watch:
    return Watch.model_validate({"metadata": meta(name), "spec": {"target": {"name": "payment"}} | spec})


def parameter(name: str, value: str) -> Parameter:
    return Parameter(name=name, value=value)


def template(version: str = "1", env: dict[str, str] | None = None, **container: Any) -> Json:
    variables = [{"name": k, "value": v} for k, v in (env or {}).items()]
    app = {"name": "app", "image": f"shop:{version}"} | ({"env": variables} if variables else {}) | container
    return {"metadata": {"labels": {"app": "payment"}}, "spec": {"containers": [app]}}


def deployment(pod: Json | None = None, replicas: int = 3, **status: Any) -> Json:
    """A Deployment whose rollout is complete."""
    counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), replicas)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta("payment", managedFields=[]),
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "payment"}},
            "template": pod or template(),
        },
        "status": {"observedGeneration": 1} | counts | status,
    }


def replicaset(revision: int, pod: Json, created: float = 0, hash_: str | None = None) -> Json:
    hashed = hash_ or f"hash{revision}"
    labels = {"app": "payment", "pod-template-hash": hashed}
    return {
        "metadata": {
            "name": f"payment-{hashed}",
            "uid": f"uid-rs-{revision}",
            "labels": labels,
            "annotations": {"deployment.kubernetes.io/revision": str(revision)},
            "creationTimestamp": rfc3339(at(created)),
            "ownerReferences": [{"uid": "uid-payment"}],
        },
        "spec": {"template": pod | {"metadata": {"labels": pod["metadata"]["labels"] | labels}}},
    }


def workload(kind: str, pod: Json | None = None, replicas: int = 3, **spec: Any) -> Json:
    """A Deployment, StatefulSet or DaemonSet."""
    made = deployment(pod, replicas) | {"kind": kind}
    if kind == "DaemonSet":
        del made["spec"]["replicas"]
        names = ("desiredNumberScheduled", "numberReady", "updatedNumberScheduled", "currentNumberScheduled")
        made["status"] = {"observedGeneration": 1} | dict.fromkeys((*names, "numberAvailable"), replicas)
    made["spec"] |= spec
    return made


def controller_revision(revision: int, pod: Json, hash_: str | None = None) -> Json:
    """A former template of a StatefulSet or DaemonSet, as their controllers keep it: a patch."""
    return {
        "kind": "ControllerRevision",
        "metadata": {
            "name": f"payment-{hash_ or f'hash{revision}'}",
            "uid": f"uid-cr-{revision}",
            "ownerReferences": [{"uid": "uid-payment"}],
        },
        "revision": revision,
        "data": {"spec": {"template": pod | {"$patch": "replace"}}},
    }


def pod(name: str = "payment-a", waiting: str = "", killed: str = "", *, ready: bool = True, **metadata: Any) -> Json:
    state = {"waiting": {"reason": waiting}} if waiting else {"running": {}}
    last = {"terminated": {"reason": killed}} if killed else {}
    return {
        "metadata": {"name": name} | metadata,
        "status": {"containerStatuses": [{"name": "app", "state": state, "lastState": last, "ready": ready}]},
    }


def since(seconds: float) -> str:
    """A time of the API server, so many seconds after T0: whole seconds, as it writes them."""
    return at(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")


def ended(reason: str = "Error", code: int = 1, finished: float = 0, lasted: float = 2) -> Json:
    """The `terminated` state of a container."""
    times = {"startedAt": since(finished - lasted), "finishedAt": since(finished)}
    return {"terminated": {"reason": reason, "exitCode": code} | times}


def running_pod(
    name: str = "payment-a",
    *,
    started: float = -600,
    ready: bool = True,
    ready_since: float = -590,
    node: str = "node-1",
    restarts: int = 0,
    last: Json | None = None,
    state: Json | None = None,
    **metadata: Any,
) -> Json:
    """A pod as the kubelet reports it once it was started."""
    status = "True" if ready else "False"
    conditions = [
        {"type": "PodScheduled", "status": "True", "lastTransitionTime": since(started)},
        {"type": "Ready", "status": status, "lastTransitionTime": since(ready_since)},
        {"type": "ContainersReady", "status": status, "lastTransitionTime": since(ready_since)},
    ]
    container = {
        "name": "app",
        "ready": ready,
        "restartCount": restarts,
        "state": state or {"running": {"startedAt": since(started)}},
        "lastState": last or {},
    }
    return {
        "metadata": {"name": name, "namespace": NAMESPACE, "uid": f"uid-{name}"} | metadata,
        "spec": {"nodeName": node, "containers": [{"name": "app"}]},
        "status": {"phase": "Running", "conditions": conditions, "containerStatuses": [container]},
    }


def pending_pod(message: str, name: str = "payment-p", **status: Any) -> Json:
    """A pod that the scheduler finds no node for."""
    unplaced = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": message,
        "lastTransitionTime": since(-10),
    }
    return {
        "metadata": {"name": name, "namespace": NAMESPACE, "uid": f"uid-{name}"},
        "spec": {},
        "status": {"phase": "Pending", "conditions": [unplaced]} | status,
    }


def node(
    name: str = "node-1", *, ready: str = "True", pressure: str = "", created: float = -90000, **spec: Any
) -> Json:
    conditions = [{"type": "Ready", "status": ready, "message": "kubelet says so", "lastTransitionTime": since(-60)}]
    if pressure:
        conditions.append({"type": pressure, "status": "True", "message": "low", "lastTransitionTime": since(-60)})
    return {
        "metadata": {"name": name, "uid": f"uid-{name}", "creationTimestamp": since(created)},
        "spec": spec,
        "status": {"conditions": conditions, "nodeInfo": {"kubeletVersion": "v1.36.3"}},
    }


def event(reason: str, message: str, uid: str = "uid-payment-a", seen: float = -5, count: int = 1) -> Json:
    """A warning, last seen so many seconds after T0."""
    return {
        "metadata": {"name": f"{uid}.{reason}"[:60], "namespace": NAMESPACE, "uid": f"uid-event-{uid}-{reason}-{seen}"},
        "involvedObject": {"kind": "Pod", "name": uid.removeprefix("uid-"), "uid": uid},
        "reason": reason,
        "message": message,
        "type": "Warning",
        "count": count,
        "lastTimestamp": since(seen),
    }


def hash_of(found: Remediation) -> str:
    assert found.status.plan is not None
    return plan_hash(found, found.status.plan)
