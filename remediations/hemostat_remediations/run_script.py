"""`run-script`: run the Runbook's own script once, in a sandbox, next to the target.

The script stands in the Runbook's parameters, which people write and activate; no model's reply ever gets into it, and
it stands in the diff that a person approves. It runs as a Job in the target's namespace: restricted Pod Security (not
root, no capabilities, a read-only root, seccomp), no service account token, limits of CPU, memory, disk and time, never
retried, and a NetworkPolicy of its own that lets nothing out and nothing in; a RuntimeClass (gVisor, Kata) if the
Runbook names one. Where no network plug-in enforces policies that one is a wish. What it can change is the claim that
the Runbook lets it mount. The last 4 KiB of what it says are in its pod's `terminationMessage`.

Nothing undoes what a script did: a person always decides. The Job goes a day after its end, the policy with the
Remediation.
https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from typing import Annotated, Any

from pydantic import Field

from hemostat.action.contract import Action, Draft, Params, Rule, World, creation
from hemostat.api.identity import REMEDIATION_LABEL
from hemostat.api.remediation import PlanStep
from hemostat.errors import Refused

JOB, NETWORK_POLICY = ("batch/v1", "Job"), ("networking.k8s.io/v1", "NetworkPolicy")
NOBODY = 65534
KEPT_SECONDS = 86_400
_NAME = r"^$|^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$"
_SAY = "exec >/tmp/said 2>&1; trap 'tail -c 4096 /tmp/said >/dev/termination-log' EXIT\n(\n{}\n)"


class RunScriptParams(Params):
    """What to run, where, and how much of it."""

    script: Annotated[str, Field(max_length=4096)] = ""
    """The script, for `sh` (must be given)."""
    image: Annotated[str, Field(max_length=512, pattern=r"^$|^[A-Za-z0-9][A-Za-z0-9./:@_-]*@sha256:[0-9a-f]{64}$")] = ""
    """What it runs in (must be given), by digest: a tag could be another image tomorrow. It needs sh and tail."""
    claim: Annotated[str, Field(max_length=253, pattern=_NAME)] = ""
    """PersistentVolumeClaim that it may write to, at /data; none if empty."""
    runtime_class: Annotated[str, Field(max_length=253, pattern=_NAME)] = ""
    """RuntimeClass of its pod; the cluster's own if empty."""
    user: Annotated[int, Field(ge=1, le=2**31 - 1)] = NOBODY
    """User and group it runs as; never root. Files of the claim belong to somebody."""
    timeout_seconds: Annotated[int, Field(ge=1, le=3600)] = 60
    """How long it may run."""
    cpu_millis: Annotated[int, Field(ge=10, le=4000)] = 200
    """Limit of CPU, in thousandths of one."""
    memory_mib: Annotated[int, Field(ge=16, le=4096)] = 64
    """Limit of memory."""


def plan(world: World, params: RunScriptParams) -> Draft:
    """Plan to shut the network of the Job's pod, and then to make the Job."""
    if not params.script.strip() or not params.image:
        raise Refused("BadParameters", "action run-script: give script and image")
    target = f"{world.target['kind']} {world.target['metadata']['name']}"
    policy, _ = creation(NETWORK_POLICY, world, _shut(world))
    job, _ = creation(JOB, world, _job(world, params))
    claim = f", writing to claim {params.claim}" if params.claim else ""
    return Draft(
        summary=f"Run the Runbook's script once for {target}, for {params.timeout_seconds} s at most{claim}",
        steps=(PlanStep(forward=policy), PlanStep(forward=job)),
        diff="\n".join(
            (f"+ NetworkPolicy/{policy.name}", f"+ Job/{job.name} ({params.image})", *_lines(params.script))
        ),
        replaced_pods=0,
        replicas_after=world.replicas,
        reads={"script": params.script, "target": world.target["metadata"]["uid"]},
    )


def _lines(script: str) -> list[str]:
    return [f"+   {line}" for line in script.splitlines()]


def _mark(world: World) -> dict[str, str]:
    return {REMEDIATION_LABEL: world.remediation}


def _shut(world: World) -> dict[str, Any]:
    """Return a NetworkPolicy that selects the Job's pod and allows nothing."""
    return {"podSelector": {"matchLabels": _mark(world)}, "policyTypes": ["Ingress", "Egress"]}


def _job(world: World, params: RunScriptParams) -> dict[str, Any]:
    pod: dict[str, Any] = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": params.user,
            "runAsGroup": params.user,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(params)],
        "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}],
    }
    if params.claim:
        pod["volumes"].append({"name": "data", "persistentVolumeClaim": {"claimName": params.claim}})
    if params.runtime_class:
        pod["runtimeClassName"] = params.runtime_class
    return {
        "backoffLimit": 0,
        "activeDeadlineSeconds": params.timeout_seconds,
        "ttlSecondsAfterFinished": KEPT_SECONDS,
        "template": {"metadata": {"labels": _mark(world)}, "spec": pod},
    }


def _container(params: RunScriptParams) -> dict[str, Any]:
    mounts = [{"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108 - the container's own
    limits = {"cpu": f"{params.cpu_millis}m", "memory": f"{params.memory_mib}Mi", "ephemeral-storage": "128Mi"}
    return {
        "name": "script",
        "image": params.image,
        "command": ["sh", "-c", _SAY.format(params.script)],
        "resources": {"limits": limits, "requests": limits},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [*mounts, *([{"name": "data", "mountPath": "/data"}] if params.claim else [])],
    }


RUN_SCRIPT = Action(
    name="run-script",
    summary="Run the Runbook's own script once in a sandbox without network (irreversible)",
    kinds=frozenset({"CronJob", "DaemonSet", "Deployment", "Job", "StatefulSet"}),
    params=RunScriptParams,
    rules=(
        Rule("batch", ("jobs",), ("create", "get")),
        Rule("networking.k8s.io", ("networkpolicies",), ("create", "get")),
    ),
    plan=plan,
    on_ineffective="Keep",
    irreversible="what the script did",
)
