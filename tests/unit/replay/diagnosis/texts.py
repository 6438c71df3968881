"""What kubectl would have printed of made-up trouble in a shop, and cases of it on disk."""

import json
from pathlib import Path
from typing import Any

POD = """Name:             payment-7d9f8b6c5-x2x4z
Namespace:        shop
Priority:         0
Service Account:  default
Node:             node-1/10.0.0.4
Start Time:       Tue, 03 Nov 2026 10:00:00 +0200
Labels:           app=payment
                  pod-template-hash=7d9f8b6c5
Annotations:      <none>
Status:           Running
IP:               10.1.0.7
Controlled By:    ReplicaSet/payment-7d9f8b6c5
Containers:
  main:
    Container ID:  containerd://0123
    Image:         registry.example/payment:2
    Command:
      sh
      -c
      State:          Running
    State:          Waiting
      Reason:       CrashLoopBackOff
    Last State:     Terminated
      Reason:       Error
      Exit Code:    3
      Started:      Tue, 03 Nov 2026 10:19:00 +0200
      Finished:     Tue, 03 Nov 2026 10:19:02 +0200
    Ready:          False
    Restart Count:  7
    Environment:
      DB_HOST:      orders-db
Conditions:
  Type              Status
  Initialized       True
  Ready             False
  PodScheduled      True
Volumes:
  data:
    Type:       PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)
    ClaimName:  payment-data
    ReadOnly:   false
QoS Class:                   Burstable
Node-Selectors:              <none>
Events:
  Type     Reason     Age                 From               Message
  ----     ------     ----                ----               -------
  Normal   Scheduled  22m                 default-scheduler  Successfully assigned shop/payment to node-1
  Warning  BackOff    40s (x99 over 20m)  kubelet            Back-off restarting failed container main in pod payment
"""
PENDING = """Name:             importer
Namespace:        shop
Node:             <none>
Labels:           <none>
Status:           Pending
Containers:
  main:
    Image:        importer:1
Conditions:
  Type           Status
  PodScheduled   False
Events:
  Type     Reason            Age   From               Message
  ----     ------            ----  ----               -------
  Warning  FailedScheduling  38s   default-scheduler  0/3 nodes are available: 3 Insufficient memory.
"""
PODS = """NAME                        READY   STATUS             RESTARTS        AGE   NODE     LABELS
payment-7d9f8b6c5-x2x4z     0/1     CrashLoopBackOff   7 (40s ago)     22m   node-1   pod-template-hash=7d9f8b6c5
payment-7d9f8b6c5-zzzzz     0/1     OOMKilled          3 (4s ago)      23m   node-1   pod-template-hash=7d9f8b6c5
nightly-29000-abcde         0/1     Error              0               1h    node-1   job-name=nightly-29000
checkout-5f5f5f5f5-bbbbb    1/1     Running            0               3d    node-2   pod-template-hash=5f5f5f5f5
"""
EVENTS = """LAST SEEN             TYPE      REASON      OBJECT                        MESSAGE
22m                   Normal    Scheduled   Pod/payment-7d9f8b6c5-x2x4z   Successfully assigned
3m (x12 over 20m)     Warning   Unhealthy   Pod/payment-7d9f8b6c5-x2x4z   Readiness probe failed: connection refused
<unknown>             Warning   Odd         Pod/payment-7d9f8b6c5-x2x4z   no age
"""
LOG = """2026-11-03T08:19:00Z INFO payment starts
2026-11-03T08:19:01Z ERROR cannot reach orders-db:5432: connection refused
2026-11-03T08:19:02Z ERROR cannot reach orders-db:5432: connection refused
"""
DEPLOYMENT = """Name:                   payment
Namespace:              shop
CreationTimestamp:      Mon, 02 Nov 2026 10:00:00 +0200
Labels:                 app=payment
Selector:               app=payment
Replicas:               2 desired | 1 updated | 3 total | 1 available | 1 unavailable
StrategyType:           RollingUpdate
Pod Template:
  Containers:
   main:
    Image:      registry.example/payment:2
Conditions:
  Type           Status  Reason
  ----           ------  ------
  Progressing    False   ProgressDeadlineExceeded
  Available      False   MinimumReplicasUnavailable
Events:          <none>
"""
TROUBLE = "container main crashes again and again, exit code 3, restarted more than once; read kubectl logs --previous"


def header(tool: str, status: str = "success", **asked: Any) -> str:
    """The two lines that HolmesGPT writes before an output."""
    first = {"toolset_name": "kubernetes", "tool_name": tool, "match_params": asked}
    second = {"schema_version": "robusta:v1.0.0", "status": status, "error": None, "params": asked}
    return f"{json.dumps(first)}\n{json.dumps(second)}\n"


def case(folder: Path, *facts: str, **outputs: str) -> Path:
    """Write a case: its outputs by name, and what is expected."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in outputs.items():
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    if facts:
        (folder / "test_case.yaml").write_text(json.dumps({"expected_output": list(facts)}), encoding="utf-8")
    return folder


def request(folder: Path, title: str, description: str = "", **subject: str) -> None:
    """Write the alert of a case."""
    told = {"title": title, "description": description, "subject": subject}
    (folder / "investigate_request.json").write_text(json.dumps(told), encoding="utf-8")


def rolled_out(created: str = "2026-11-03T08:15:00Z") -> str:
    """What `kubectl get deployment,rs,pod -o json` prints after a rollout whose pods crash."""
    labels = {"app": "payment", "pod-template-hash": "b"}
    container = {
        "name": "main",
        "ready": False,
        "restartCount": 5,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
    }
    revision = "deployment.kubernetes.io/revision"
    owner = {"kind": "Deployment", "name": "payment", "controller": True}

    def replica_set(name: str, number: int, image: str, when: str) -> dict[str, Any]:
        template = {"spec": {"containers": [{"name": "main", "image": image}]}}
        meta = {"name": name, "namespace": "shop", "annotations": {revision: str(number)}, "creationTimestamp": when}
        return {"kind": "ReplicaSet", "metadata": meta | {"ownerReferences": [owner]}, "spec": {"template": template}}

    items = [
        {
            "kind": "Deployment",
            "metadata": {"name": "payment", "namespace": "shop", "generation": 2},
            "spec": {"replicas": 1},
            "status": {"observedGeneration": 2, "replicas": 2, "updatedReplicas": 1, "readyReplicas": 1},
        },
        replica_set("payment-a", 1, "payment:1", "2026-11-01T08:00:00Z"),
        replica_set("payment-b", 2, "payment:2", created),
        {
            "kind": "Pod",
            "metadata": {
                "name": "payment-b-x",
                "namespace": "shop",
                "labels": labels,
                "creationTimestamp": created,
                "ownerReferences": [{"kind": "ReplicaSet", "name": "payment-b", "controller": True}],
            },
            "spec": {},
            "status": {
                "phase": "Running",
                "containerStatuses": [container],
                "conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": "2026-11-03T08:19:00Z"}],
            },
        },
    ]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
