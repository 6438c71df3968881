"""Objects of every kind, minimal and maximal, and small ways to change them."""

import copy
from typing import Any

from hemostat.api import API_VERSION
from hemostat.api.identity import VIA_LABEL
from hemostat.api.resources import RESOURCES, Resource

Json = dict[str, Any]

KINDS: dict[str, Resource] = {resource.kind: resource for resource in RESOURCES}
TIME = "2026-03-01T12:00:00.250000Z"
UID = "6a2f8a3e-0a4e-4f8e-9f6c-0d6a1b2c3d4e"
HASH_A, HASH_B = (f"sha256:{digit * 64}" for digit in "ab")
TARGET: Json = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "payment"}
BOUND: Json = {**TARGET, "uid": UID}


def named(kind: str, spec: Json, name: str = "example", namespace: str = "default") -> Json:
    """Return an object with this spec, as a client sends it."""
    metadata = {"name": name} | ({"namespace": namespace} if KINDS[kind].namespaced else {})
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": copy.deepcopy(spec)}


def deployment(name: str = "payment", namespace: str = "default", replicas: int = 2) -> Json:
    """Return a Deployment with one container."""
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "main", "image": "example/app:1"}]},
            },
        },
    }


def approval(remediation: str, plan_hash: str, approver: str, name: str = "word", **fields: Any) -> Json:
    """Return an Approval, in the default namespace until it is moved."""
    spec = {"remediation": remediation, "planHash": plan_hash, "approver": approver, **fields}
    made = named("Approval", spec, name)
    if fields.get("via") == "Slack":
        made["metadata"]["labels"] = {VIA_LABEL: "Slack"}
    return made


def remediation(name: str, requested_by: str, target: str = "payment") -> Json:
    """Return a Remediation for a Deployment."""
    spec = {**MINIMAL["Remediation"], "requestedBy": requested_by, "targetRef": {**BOUND, "name": target}}
    return named("Remediation", spec, name)


def moved(body: Json, namespace: str) -> Json:
    """Return a copy of the object in another namespace."""
    return {**body, "metadata": {**body["metadata"], "namespace": namespace}}


def changed(body: Json, path: str, value: Any) -> Json:
    """Return a copy with the value at a dotted path set, or taken away when it is `GONE`. Numbers index lists."""
    out = copy.deepcopy(body)
    node: Any = out
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    for part in way:
        node = node.setdefault(part, {}) if isinstance(node, dict) else node[part]
    if value is GONE:
        del node[last]
    else:
        node[last] = value
    return out


GONE: Any = object()


def condition(kind: str, status: str = "True", reason: str = "Tested") -> Json:
    """Return a condition with every field set."""
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": "as seen",
        "lastTransitionTime": TIME,
        "observedGeneration": 1,
    }


def effect(subresource: str = "", value: str = "4") -> Json:
    """Return one write of a plan."""
    return {
        "verb": "Patch",
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": "payment",
        "uid": UID,
        "namespace": "shop",
        "subresource": subresource,
        "ops": [{"op": "replace", "path": "/spec/replicas", "value": value}],
    }


PLAN: Json = {
    "summary": "Scale Deployment payment from 2 to 4 replicas",
    "steps": [{"forward": effect("scale"), "inverse": effect("scale", "2"), "awaitsAvailable": 1}],
    "deadlineSeconds": 600,
    "diff": "-spec.replicas: 2\n+spec.replicas: 4",
    "replacedPods": 0,
    "replicasAfter": 4,
    "onIneffective": "Undo",
    "holdSeconds": 60,
    "overwrittenBy": ["Argo CD application shop"],
    "readsDigest": HASH_B,
}

MINIMAL: dict[str, Json] = {
    "Watch": {"target": {"name": "payment"}},
    "Runbook": {
        "cause": "a bad rollout",
        "symptoms": [{"name": "errors", "expression": "true"}],
        "remediations": [{"action": "rollback"}],
    },
    "GatePolicy": {},
    "Incident": {
        "watchRef": {"name": "payment"},
        "targetRef": {"name": "payment", "uid": UID},
        "fingerprint": "0123456789abcdef",
        "title": "payment fails",
        "startedTime": TIME,
        "openedTime": TIME,
    },
    "Remediation": {
        "incidentRef": {"name": "payment-1"},
        "runbookRef": {"name": "bad-rollout"},
        "action": "rollback",
        "targetRef": {"name": "payment", "uid": UID},
        "requestedBy": "admin",
    },
    "Approval": {"remediation": "one", "planHash": HASH_A, "approver": "admin"},
    "ChaosExperiment": {
        "target": {"name": "payment"},
        "watch": "payment",
        "fault": {"rollout": {}},
        "expect": {"signal": "ErrorRate", "runbook": "bad-rollout", "action": "rollback"},
    },
}
"""Specs with nothing but what is required; the schema's defaults fill the rest."""

_REF: Json = {"name": "payment", "uid": UID}
_METRIC: Json = {
    "kind": "ErrorRate",
    "query": "sum(rate(errors[1m]))",
    "unit": "ms",
    "forSeconds": 5,
    "clearSeconds": 7,
}
_PARAMETERS: list[Json] = [{"name": "factorPercent", "value": "200"}, {"name": "maxReplicas", "value": "8"}]

LABELS: Json = {"tier": "gold", "example.com/team": ""}
MAXIMAL: dict[str, Json] = {
    "Watch": {
        "target": TARGET,
        "service": "payment.shop.svc",
        "intervalSeconds": 3,
        "healthyAfterSeconds": 30,
        "signals": [
            {"name": "errors", "metric": {**_METRIC, "above": "0.05"}},
            {"name": "traffic", "metric": {**_METRIC, "below": "-1.5"}},
            {
                "name": "calls",
                "trace": {
                    "errorPercentAbove": 4,
                    "latencyPercentOfBaseline": 250,
                    "latencyFloorMilliseconds": 20,
                    "minRequests": 5,
                    "windowSeconds": 10,
                },
            },
            {"name": "pods", "workload": {"forSeconds": 4}},
            {"name": "odd", "metric": {**_METRIC, "unusual": {"direction": "Up", "sensitivity": "Low"}}},
            {"name": "shift", "metric": {**_METRIC, "changePoint": {"direction": "Down", "minChangePercent": 30}}},
            {
                "name": "disk",
                "metric": {**_METRIC, "forecast": {"limit": "0", "withinSeconds": 600, "historySeconds": 300}},
            },
            {"name": "good", "slo": {"objectivePercent": "99.9", "errorRatio": "errors[$window]", "periodDays": 28}},
            {
                "name": "orders",
                "queue": {
                    "system": "RabbitMQ",
                    "name": "orders",
                    "deadLetter": "orders.dead",
                    "maxLag": 100,
                    "redeliveredPercentAbove": 30,
                },
            },
            {
                "name": "flows",
                "workflow": {"system": "Temporal", "name": "pay", "failedPercentAbove": 10, "stuckAfterSeconds": 60},
            },
            {"name": "alerts", "alert": {"names": ["HighErrorRate"]}},
            {
                "name": "agents",
                "agent": {
                    "agent": "planner",
                    "taskSuccessPercentBelow": 90,
                    "tokensPerSuccessAbove": 5000,
                    "invalidOutputPercentAbove": 10,
                    "unknownToolPercentAbove": 5,
                    "truncatedPercentAbove": 15,
                    "minSamples": 3,
                    "windowSeconds": 60,
                },
            },
            {
                "name": "conversations",
                "conversation": {
                    "kinds": ["Cycle", "Deadlock"],
                    "minConfidencePercent": 60,
                    "legitimate": [{"kind": "Cycle", "caller": "planner", "callee": "critic", "untilTime": TIME}],
                    "budgets": [
                        {"agent": "", "usd": "5.00", "windowSeconds": 600},
                        {"tenant": "acme", "usd": "0.5", "windowSeconds": 86400},
                    ],
                },
            },
            {"name": "metrics", "standard": {"checks": ["MemoryExhaustion", "Restarts"]}},
        ],
    },
    "Runbook": {
        "state": "Active",
        "cause": "a bad rollout",
        "kinds": ["Deployment", "StatefulSet"],
        "symptoms": [
            {
                "name": "errors",
                "expression": 'signals.exists(s, s.kind == "ErrorRate")',
                "weight": 3,
                "necessity": "Required",
            },
        ],
        "guidance": "# Look\nat the diff.",
        "remediations": [{"action": "rollback", "parameters": []}, {"action": "scale", "parameters": _PARAMETERS}],
        "verify": {"timeoutSeconds": 60, "stableSeconds": 5, "settleSeconds": 20},
        "risk": "Low",
    },
    "GatePolicy": {
        "namespaces": ["shop", "bank"],
        "selector": {
            "matchLabels": LABELS,
            "matchExpressions": [
                {"key": "tier", "operator": "In", "values": ["gold", "silver"]},
                {"key": "legacy", "operator": "DoesNotExist", "values": []},
            ],
        },
        "actions": ["rollback", "scale"],
        "risks": ["Low", "Medium", "High"],
        "when": [{"schedule": "0 18 * * 5", "timeZone": "Europe/Berlin", "durationSeconds": 3600}],
        "decision": "Auto",
        "quorum": 2,
        "refusedChannels": ["Slack"],
        "blastRadius": {"maxPodsPercent": 50, "maxReplicas": 20, "maxCallers": 7},
        "cooldownSeconds": 60,
        "budget": {"scope": "Cluster", "maxActions": 2, "windowSeconds": 600},
        "minConfidencePercent": 70,
        "humanEditSeconds": 60,
        "humanEdits": "Any",
        "earned": {"minOutcomes": 20, "minHealedPercent": 85},
        "onUncalibrated": "Allow",
        "onTelemetryAlone": "AllowTimeLimited",
    },
    "Incident": {
        "watchRef": _REF,
        "targetRef": BOUND,
        "fingerprint": "0123456789abcdef",
        "title": "payment fails",
        "startedTime": TIME,
        "openedTime": TIME,
    },
    "Remediation": {
        "incidentRef": _REF,
        "runbookRef": _REF,
        "step": 1,
        "attempt": 2,
        "opening": 3,
        "action": "scale",
        "targetRef": BOUND,
        "parameters": _PARAMETERS,
        "conversations": ["c1"],
        "requestedBy": "admin",
        "confidencePercent": 80,
        "calibration": {"by": "Matcher", "percent": 75, "outcomes": 20},
        "ranking": "Ordered",
    },
    "Approval": {
        "remediation": "one",
        "planHash": HASH_A,
        "decision": "Deny",
        "approver": "admin",
        "groups": ["system:masters"],
        "reason": "not now",
        "via": "Slack",
        "validForSeconds": 60,
    },
    "ChaosExperiment": {
        "target": TARGET,
        "watch": "payment",
        "fault": {
            "rollout": {
                "env": [{"name": "FAIL_PERCENT", "value": "30"}],
                "image": "example/app:bad",
                "memoryLimit": "24Mi",
            },
            "cleanup": "Leave",
        },
        "expect": {
            "signal": "ErrorRate",
            "signalDeadlineSeconds": 30,
            "runbook": "bad-rollout",
            "action": "rollback",
            "resolvedDeadlineSeconds": 90,
        },
    },
}
"""Specs in which every field of the schema occurs."""

MAXIMAL_STATUS: dict[str, Json] = {
    "Watch": {
        "observedGeneration": 1,
        "conditions": [condition("Ready"), condition("Healthy", "Unknown"), condition("DataFresh")],
        "watching": 4,
        "firing": 1,
        "lastSignal": "errors",
        "lastSignalTime": TIME,
        "series": 12,
        "edges": 3,
        "objects": 5,
        "signals": [{"name": "errors", "state": "Firing", "subjects": 2, "message": "errors is 9, limit 5"}],
        "revisions": [{"templateHash": "5d4f8c7b9", "targetUid": UID, "observedTime": TIME}],
        "present": {"targetUid": UID, "number": "3", "templateHash": "5d4f8c7b9", "sinceTime": TIME},
        "baselines": [
            {"signal": "calls checkout -> payment", "value": "12.5", "spreadPercent": 20, "observedTime": TIME}
        ],
    },
    "Runbook": {"observedGeneration": 1, "conditions": [condition("Ready")]},
    "GatePolicy": {"observedGeneration": 1, "conditions": [condition("Ready", "False", "BadWindow")]},
    "Incident": {
        "conditions": [condition("Detected"), condition("Resolved", "False", "Verifying")],
        "signals": [
            {
                "key": "calls/checkout",
                "name": "calls",
                "kind": "ErrorRate",
                "source": "Traces",
                "subject": "checkout -> payment",
                "state": "Firing",
                "value": "30.5",
                "threshold": "5",
                "unit": "%",
                "message": "30.5% of 120 calls checkout -> payment fail",
                "severity": "Major",
                "samples": 120,
                "firstFiredTime": TIME,
                "stateTime": TIME,
                "observedTime": TIME,
                "watchRef": _REF,
                "targetRef": TARGET,
                "conversation": {
                    "kind": "Cycle",
                    "agents": ["planner", "critic"],
                    "caller": "planner",
                    "callee": "critic",
                    "conversations": [{"id": "c-7", "sinceTime": TIME}],
                    "affected": 1,
                    "tokens": 40210,
                    "confidencePercent": 94,
                    "visibility": "Full",
                    "openTools": ["search"],
                    "advice": "Cut",
                },
            },
        ],
        "evidence": [
            {
                "id": "E1",
                "key": "signal/calls/checkout",
                "kind": "Signal",
                "subject": "checkout -> payment",
                "summary": "30.5 % of 120 calls fail",
                "observedTime": TIME,
                "plot": {
                    "unit": "%",
                    "startTime": TIME,
                    "seconds": [0, 5, 10],
                    "values": ["0", "0.5", "30.5"],
                    "low": "0",
                    "high": "5",
                    "firedTime": TIME,
                },
            },
        ],
        "diagnosis": {
            "by": "Matcher",
            "runbookRef": _REF,
            "ranking": "Ordered",
            "cause": "the newest revision is bad",
            "statements": [{"text": "payment fails", "about": "payment", "cites": ["E1"]}],
            "dropped": 2,
            "droppedBecause": [{"reason": "CitesNothing", "count": 2}],
            "usage": {
                "models": ["openai/gpt"],
                "turns": 4,
                "tokensIn": 900,
                "tokensOut": 90,
                "usd": "0.012000",
                "promptDigest": HASH_A,
                "replyDigest": HASH_B,
            },
            "question": "0123456789abcdef",
            "outcomes": 1,
            "abstained": {"by": "Matcher", "leastPercent": 50, "missing": ["bad-rollout: changed"]},
            "hypotheses": [
                {
                    "runbook": "bad-rollout",
                    "cause": "a bad rollout",
                    "confidencePercent": 80,
                    "cites": ["E1"],
                    "ruledOut": "not at all",
                    "ruledOutOnly": "Action",
                },
            ],
        },
        "remediationRef": _REF,
        "causes": [{"service": "payment", "watchRef": _REF, "scorePercent": 70, "reasons": ["30.5 % of calls fail"]}],
        "callers": {"total": 2, "names": ["checkout", "web"], "observedTime": TIME},
        "partOf": _REF,
        "reopened": {"count": 2, "time": TIME},
        "usage": {"turns": 7, "tokens": 9000, "usd": "0.120000"},
        "lesson": {"text": "roll back first [E1]", "cites": ["E1"], "resolvedTime": TIME},
        "progress": {"step": "Verifying", "stage": "Verification", "message": "it is looked at", "time": TIME},
        "summary": "payment fails",
        "severity": "Major",
        "storm": {"targets": 90, "signals": 400, "names": ["Deployment a"], "shared": ["node n1"]},
        "timeline": [{"id": "detected", "time": TIME, "by": "hemostat-observe", "message": "payment fails"}],
    },
    "Remediation": {
        "stage": "Decided",
        "conditions": [condition("Planned"), condition("Finished", "Unknown")],
        "plan": PLAN,
        "planHash": HASH_A,
        "decision": {
            "outcome": "NeedsApproval",
            "checks": [{"name": "Policy", "outcome": "Ask", "message": "no policy matches"}],
            "policies": ["default"],
            "quorum": 2,
            "refusedChannels": ["Slack"],
            "time": TIME,
        },
        "approvals": ["word"],
        "approvers": ["jane@example.com"],
        "intents": [
            {
                "effect": "Forward",
                "step": 0,
                "attempt": 1,
                "uid": UID,
                "resourceVersion": "17",
                "generation": 3,
                "time": TIME,
                "owner": "pipeline",
            },
        ],
        "results": [
            {
                "effect": "Forward",
                "step": 0,
                "time": TIME,
                "resourceVersion": "18",
                "generation": 4,
                "proof": "ManagedFields",
            },
        ],
        "asked": {"sinceTime": TIME, "seconds": 30},
        "blocked": [
            {"step": 0, "time": TIME, "reason": "UndoBlocked", "message": "somebody changed it since"},
        ],
    },
    "ChaosExperiment": {
        "conditions": [condition("Passed")],
        "milestones": [{"id": "injected", "time": TIME, "message": "the fault is in"}],
        "incident": "payment-1",
    },
}
"""Statuses in which every field of the schema occurs."""
