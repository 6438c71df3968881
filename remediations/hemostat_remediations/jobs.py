"""`suspend-cronjob` and `rerun-job`: no further runs of what fails each time, or one more of what failed once.

A suspended CronJob starts nothing; runs that are at work go on, and times that it misses meanwhile are made up for,
once at most, if its `startingDeadlineSeconds` still allows it when it is resumed. Nothing is judged meanwhile.

A rerun is a Job of the failed one's template under a name of its own, as a finished Job cannot be started again. The
failed one, and what its pods logged, stays. The rerun belongs to the Remediation and to the Job that failed, so that it
is judged with that and goes when both do. Undone it is deleted with its pods; what it has done by then is done, as in
any run of that Job. One that fails too is kept for its logs.
https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#schedule-suspension
"""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from hemostat.action.contract import Action, Draft, Params, Rule, World, creation, effect, once, replace, unified_diff
from hemostat.errors import Refused
from hemostat.signals.workload.state import condition

JOB = ("batch/v1", "Job")
_CONTROLLER_LABELS = (
    "controller-uid",
    "job-name",
    "batch.kubernetes.io/controller-uid",
    "batch.kubernetes.io/job-name",
)
_CONTROLLER_FIELDS = ("selector", "manualSelector", "suspend")


class JobParams(Params):
    """None: the target is the CronJob or the Job."""


def plan_suspend(world: World, params: JobParams) -> Draft:  # noqa: ARG001 - every plan has this form
    """Plan to start no further runs."""
    target, name = world.target, world.target["metadata"]["name"]
    if target["spec"].get("suspend"):
        raise Refused("AlreadySuspended", f"CronJob {name} is suspended already: that is somebody else's doing")
    running = len(target.get("status", {}).get("active") or ())
    on = f"; {running} that run go on" if running else ""
    return Draft(
        summary=f"Suspend CronJob {name}: no further runs are started{on}",
        steps=once(*(effect(target, (replace("/spec/suspend", value),)) for value in (True, False))),
        diff=unified_diff({"suspend": False}, {"suspend": True}, f"CronJob/{name} spec"),
        replaced_pods=0,
        replicas_after=0,
        reads={"suspend": False, "schedule": target["spec"].get("schedule")},
    )


def plan_rerun(world: World, params: JobParams) -> Draft:  # noqa: ARG001 - every plan has this form
    """Plan to run the failed Job's template once more."""
    target, name = world.target, world.target["metadata"]["name"]
    failed = condition(target, "Failed")
    if failed.get("status") != "True":
        raise Refused("NotFailed", f"Job {name} has not failed: there is nothing to run again")
    spec = _again(target["spec"])
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": target["metadata"]["uid"]}
    made, gone = creation(JOB, world, spec, owners=(owner,))
    return Draft(
        summary=f"Run Job {name} once more, which failed ({failed.get('reason', 'Failed')}), as Job {made.name}",
        steps=once(made, gone),
        diff=unified_diff(None, {"spec": spec}, f"Job/{made.name}"),
        replaced_pods=0,
        replicas_after=0,
        reads={"job": target["metadata"]["uid"], "spec": spec},
    )


def _again(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the spec without what the API server and the Job's controller put there for that Job alone."""
    found = {key: value for key, value in deepcopy(dict(spec)).items() if key not in _CONTROLLER_FIELDS}
    meta = found["template"].get("metadata") or {}
    labels = {k: v for k, v in (meta.get("labels") or {}).items() if k not in _CONTROLLER_LABELS}
    meta = {k: v for k, v in meta.items() if k not in ("labels", "creationTimestamp")} | (
        {"labels": labels} if labels else {}
    )
    template = {key: value for key, value in found["template"].items() if key != "metadata"}
    found["template"] = template | ({"metadata": meta} if meta else {})
    return found


SUSPEND_CRONJOB = Action(
    name="suspend-cronjob",
    summary="Start no further runs of a CronJob",
    kinds=frozenset({"CronJob"}),
    params=JobParams,
    rules=(Rule("batch", ("cronjobs",), ("patch",)),),
    plan=plan_suspend,
    on_ineffective="Undo",
)
RERUN_JOB = Action(
    name="rerun-job",
    summary="Run a failed Job once more, as a Job of its own",
    kinds=frozenset({"Job"}),
    params=JobParams,
    rules=(Rule("batch", ("jobs",), ("create", "delete", "get", "list")),),
    plan=plan_rerun,
    on_ineffective="Keep",
)
