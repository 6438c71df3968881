"""The shop's payment before a fault, and objects that `observe` and `act` would write, made as needed."""

import copy
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hemostat.api.incident import Incident
from hemostat.api.remediation import Remediation
from hemostat.api.watch import Watch
from hemostat.clock import rfc3339

ROOT = Path(__file__).parents[3]
START = datetime(2026, 11, 21, 6, 0, tzinfo=UTC)
UID = "22222222-bbbb"

MANIFEST = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "payment", "namespace": "shop", "labels": {"app.kubernetes.io/name": "payment"}},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app.kubernetes.io/name": "payment"}},
        "template": {
            "metadata": {"labels": {"app.kubernetes.io/name": "payment"}},
            "spec": {
                "containers": [
                    {
                        "name": "payment",
                        "image": "hemostat:dev",
                        "args": ["payment"],
                        "env": [{"name": "SHOP_WORK_MS", "value": "40"}],
                        "ports": [{"name": "http", "containerPort": 8080}],
                    }
                ],
                "volumes": [{"name": "tmp", "emptyDir": {}}],
            },
        },
    },
}
FIELDS = {
    "f:metadata": {"f:labels": {"f:app.kubernetes.io/name": {}}},
    "f:spec": {
        "f:replicas": {},
        "f:selector": {},
        "f:template": {
            "f:metadata": {"f:labels": {"f:app.kubernetes.io/name": {}}},
            "f:spec": {
                "f:containers": {
                    'k:{"name":"payment"}': {
                        ".": {},
                        "f:args": {},
                        "f:env": {'k:{"name":"SHOP_WORK_MS"}': {".": {}, "f:name": {}, "f:value": {}}},
                        "f:image": {},
                        "f:name": {},
                        "f:ports": {
                            'k:{"containerPort":8080,"protocol":"TCP"}': {".": {}, "f:containerPort": {}, "f:name": {}}
                        },
                    }
                },
                "f:volumes": {'k:{"name":"tmp"}': {".": {}, "f:emptyDir": {}, "f:name": {}}},
            },
        },
    },
}


@pytest.fixture
def manifest():
    return copy.deepcopy(MANIFEST)


@pytest.fixture
def live():
    """The manifest as the API server keeps it: defaults filled in, others' fields beside the owner's."""
    out = copy.deepcopy(MANIFEST)
    out["metadata"] |= {
        "uid": UID,
        "generation": 1,
        "annotations": {"deployment.kubernetes.io/revision": "1"},
        "managedFields": [
            {"manager": "kubectl", "operation": "Apply", "fieldsV1": copy.deepcopy(FIELDS)},
            {"manager": "kube-controller-manager", "operation": "Update", "subresource": "status", "fieldsV1": {}},
        ],
    }
    out["spec"]["progressDeadlineSeconds"] = 600
    pod = out["spec"]["template"]["spec"]
    pod["restartPolicy"] = "Always"
    pod["containers"][0]["ports"][0]["protocol"] = "TCP"
    pod["containers"][0]["env"].append({"name": "INJECTED", "value": "by somebody else"})
    pod["containers"].append({"name": "sidecar", "image": "other"})
    out["status"] = {
        "observedGeneration": 1,
        "replicas": 2,
        "updatedReplicas": 2,
        "readyReplicas": 2,
        "availableReplicas": 2,
    }
    return out


def at(seconds):
    return rfc3339(START + timedelta(seconds=seconds))


def condition(kind, status, reason, seconds=0.0, message=""):
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": at(seconds),
    }


@pytest.fixture
def make():
    return Make()


class Make:
    """Makes typed objects, seconds counted from START."""

    start = START
    uid = UID
    root = ROOT

    def moment(self, seconds):
        return START + timedelta(seconds=seconds)

    def signal(self, kind, state="Firing", source="Traces", fired=9.0):
        return {
            "key": f"{kind}/{source}",
            "name": "x",
            "kind": kind,
            "source": source,
            "subject": "a -> b",
            "state": state,
            "firstFiredTime": at(fired),
            "stateTime": at(fired),
            "observedTime": at(fired),
        }

    def incident(self, opened=9.0, signals=(), runbook=None, conditions=(), watch="payment", name="payment-1"):
        status = {"signals": list(signals), "conditions": list(conditions)}
        if runbook:
            status["diagnosis"] = {"by": "Matcher", "runbookRef": {"name": runbook}}
        return Incident.model_validate(
            {
                "metadata": {"name": name, "namespace": "shop", "uid": "i1"},
                "spec": {
                    "watchRef": {"name": watch},
                    "targetRef": {"name": "payment", "uid": UID},
                    "fingerprint": "0" * 16,
                    "title": "payment fails",
                    "startedTime": at(opened),
                    "openedTime": at(opened),
                },
                "status": status,
            }
        )

    def remediation(self, *conditions, action="rollback", attempt=1):
        return Remediation.model_validate(
            {
                "metadata": {"name": f"payment-1-{action}-0-{attempt}", "namespace": "shop"},
                "spec": {
                    "incidentRef": {"name": "payment-1", "uid": "i1"},
                    "runbookRef": {"name": "bad-rollout"},
                    "action": action,
                    "attempt": attempt,
                    "targetRef": {"name": "payment", "uid": UID},
                    "requestedBy": "observe",
                },
                "status": {
                    "conditions": list(conditions),
                    "planHash": "sha256:" + "a" * 64,
                    "plan": {
                        "summary": "Roll payment back",
                        "steps": [{"forward": self._effect(), "inverse": self._effect()}],
                        "diff": "",
                        "replacedPods": 2,
                        "replicasAfter": 2,
                        "onIneffective": "Undo",
                        "readsDigest": "sha256:" + "b" * 64,
                    },
                },
            }
        )

    def watch(self, *conditions, revisions=("h1",)):
        seen = [{"templateHash": h, "targetUid": UID, "observedTime": at(-20)} for h in revisions]
        return Watch.model_validate(
            {
                "metadata": {"name": "payment", "namespace": "shop"},
                "spec": {"target": {"name": "payment"}},
                "status": {"conditions": list(conditions), "revisions": seen},
            }
        )

    def replicaset(self, revision, template_hash, owner=UID):
        return {
            "metadata": {
                "name": f"payment-{template_hash}",
                "labels": {"pod-template-hash": template_hash},
                "annotations": {"deployment.kubernetes.io/revision": str(revision)},
                "ownerReferences": [{"uid": owner}],
            }
        }

    condition = staticmethod(condition)

    def _effect(self):
        ops = [{"op": "replace", "path": "/spec/template", "value": "{}"}]
        return {"apiVersion": "apps/v1", "kind": "Deployment", "name": "payment", "uid": UID, "ops": ops}
