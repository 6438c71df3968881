"""A person's word: when it can be given, how it is written down, and what to do if it is refused (pure)."""

import re
from collections.abc import Sequence
from datetime import datetime

from hemostat.action.moves import LANDS
from hemostat.api import API_VERSION
from hemostat.api.approval import Approval, ApprovalSpec, Via, Word
from hemostat.api.identity import VIA_LABEL
from hemostat.api.meta import ObjectMeta, find, is_true
from hemostat.api.remediation import ADMITTED, APPLIED, FINISHED, UNATTENDED, GateOutcome, Remediation
from hemostat.errors import Refused

_ALL_POWERFUL = "system:masters"
"""The only built-in group that carries rights a later review needs to see."""
TOO_LATE = "TooLate"
"""Reason of a denial that cannot keep anything from being done any more."""
_REQUEST = re.compile(r"^[A-Z]+ /\S*: ")


def groups_to_record(groups: Sequence[str]) -> tuple[str, ...]:
    """Return the groups that a later review of the person's rights needs."""
    kept = {g for g in groups if not g.startswith("system:") or g == _ALL_POWERFUL}
    return tuple(sorted(kept))[:64]


def check_open(remediation: Remediation, word: Word = Word.APPROVE, now: datetime | None = None) -> str:
    """Return the hash of the plan that can be decided now; `Refused` says why none can.

    What people approved may be denied until the last of it is sent: of several steps those that are left are not taken.

    :param now: the API server's time; a request that was announced long before it can no longer land.
    """
    name, conditions = remediation.metadata.name, remediation.status.conditions
    finished = find(conditions, FINISHED)
    if finished is not None and is_true(conditions, FINISHED):
        raise Refused("Finished", f"{name} has ended as {finished.reason}: there is nothing left to decide")
    admitted, applied = find(conditions, ADMITTED), find(conditions, APPLIED)
    if admitted is not None and is_true(conditions, ADMITTED):
        under_way = applied is None or applied.status == "Unknown"
        if word is Word.APPROVE or not under_way:
            raise Refused("Admitted", f"{name} is already admitted: there is nothing left to decide")
        if admitted.reason == UNATTENDED:
            said = f"{name} was admitted without a person, and no word of one is heard"
            raise Refused("Admitted", f"{said}; to stop Hemostat: kubectl hemostat stop")
        _check_in_time(remediation, now)
    if remediation.status.plan is None or remediation.status.plan_hash is None:
        raise Refused("NotPlanned", f"{name} has no plan yet, so there is nothing to decide; try again in a moment")
    return remediation.status.plan_hash


def _check_in_time(remediation: Remediation, now: datetime | None) -> None:
    """Raise `Refused` (TooLate) where the request for the last step is under way: nobody can call it back."""
    meta, status = remediation.metadata, remediation.status
    sent = [i for i in status.intents if i.effect == "Forward"]
    left = len(status.plan.steps) - len({i.step for i in sent}) if status.plan is not None else 1
    if left or (now is not None and now - sent[-1].time > LANDS):
        return
    said = f"{meta.name} was sent at {sent[-1].time:%H:%M:%S} and cannot be called back: a denial comes too late"
    raise Refused(TOO_LATE, f"{said}; to take it back: kubectl hemostat undo -n {meta.namespace} {meta.name}")


def outcome_of_denial(remediation: Remediation) -> str | None:
    """Return what came of a denial of what had been approved; None while that is not known."""
    meta, conditions = remediation.metadata, remediation.status.conditions
    applied, finished = find(conditions, APPLIED), find(conditions, FINISHED)
    if applied is not None and applied.status == "True":
        undo = f"kubectl hemostat undo -n {meta.namespace} {meta.name}"
        return f"It came too late: it was sent already, and is done. To take it back: {undo}"
    if applied is not None and applied.status == "False":
        return "It was stopped between two steps; what was done is undone as far as it can be."
    if finished is not None and is_true(conditions, FINISHED):
        return f"Nothing was done: {finished.reason}: {finished.message}"
    return None


def caution(remediation: Remediation) -> str | None:
    """Return what to know before approving: that it will not help now, or is not needed."""
    decision = remediation.status.decision
    if decision is None:
        return "the gate has not looked at it yet; an approval now stands for a while and may be heard later"
    if decision.outcome is GateOutcome.DENY:
        return "the gate forbids it: an approval will not change that"
    if decision.outcome is GateOutcome.HOLD:
        return "the gate holds it back for the moment: an approval counts once it asks"
    if decision.outcome is GateOutcome.ALLOW:
        return "the gate allows it without a person"
    return None


def build(
    remediation: Remediation,
    decision: Word,
    user: str,
    groups: Sequence[str],
    reason: str,
    suffix: str,
    now: datetime | None = None,
) -> Approval:
    """Return the Approval to create. Its name tells whose word on what it is; `suffix` makes it unique."""
    tail = f"-{_slug(user)}-{suffix}"
    return Approval(
        metadata=ObjectMeta(
            name=f"{remediation.metadata.name[: 253 - len(tail)].rstrip('-.')}{tail}",
            namespace=remediation.metadata.namespace,
        ),
        spec=ApprovalSpec(
            remediation=remediation.metadata.name,
            plan_hash=check_open(remediation, decision, now),
            decision=decision,
            approver=user,
            groups=groups_to_record(groups),
            reason=reason,
        ),
    )


def body(approval: Approval) -> dict[str, object]:
    """Return the object as the API server takes it."""
    metadata: dict[str, object] = {"name": approval.metadata.name, "namespace": approval.metadata.namespace}
    if approval.spec.via is not Via.KUBECTL:
        metadata["labels"] = {VIA_LABEL: str(approval.spec.via)}
    return {"apiVersion": API_VERSION, "kind": "Approval", "metadata": metadata, "spec": approval.spec.wire()}


def server_words(error: Exception) -> str:
    """Return the API server's own message, without the request that our client puts in front."""
    return _REQUEST.sub("", str(error))


def advice(message: str, user: str, namespace: str, remediation: str) -> str:
    """Say what has to change so that this person's word is taken."""
    role = (
        f"{user} needs the verbs `create approvals` and `approve remediations` (API group hemostat.dev) "
        f"in namespace {namespace}: kubectl create rolebinding -n {namespace} hemostat-approver-{_slug(user)} "
        f"--clusterrole=hemostat-approver --user={user}"
    )
    known = (
        ("status.planHash", f"the plan has changed: kubectl hemostat explain {remediation} -n {namespace}"),
        ("requested a Remediation", "somebody else must approve it"),
        ("service account", "log in as a person: an Approval of a program does not count"),
        ("RBAC verb approve", role),
        ("cannot ", role),
    )
    return next((todo for sign, todo in known if sign in message), "ask whoever administers Hemostat in this cluster")


def _slug(user: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", user.lower()).strip("-")[:40].strip("-") or "person"
