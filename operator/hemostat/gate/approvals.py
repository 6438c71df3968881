"""What people said about a plan (pure). The API server checked it at the door; `act` checks it again."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hemostat.api.approval import Approval, Via, Word

_NO_RIGHT = (
    "{} does not hold the verb approve, by name or by the groups that spec.groups names (all of yours belong there)"
)
SERVICE_ACCOUNT = "system:serviceaccount:"
MAX_NAMES = 16


@dataclass(frozen=True, slots=True)
class Spoken:
    """The outcome of all Approvals of one Remediation."""

    decision: Word | None
    """None while too few have validly spoken."""
    people: tuple[str, ...] = ()
    """Who decided, by user name."""
    names: tuple[str, ...] = ()
    """Of the Approvals that count, as many as a Remediation's status holds."""
    reason: str = ""
    ignored: tuple[str, ...] = ()
    """Why other Approvals do not count."""
    waiting: str = ""
    """Who has approved and how many more must, where that is not enough."""


def hear(
    approvals: Sequence[Approval],
    may_approve: Mapping[str, bool | None],
    plan_hash: str,
    requester: str,
    now: datetime,
    quorum: int = 1,
    refused: Collection[Via] = (),
) -> Spoken:
    """Weigh the Approvals. One valid Deny outweighs every Approve; one person counts once, however often he approved.

    :param may_approve: per Approval name, whether its person holds the verb `approve` on this Remediation now
        (SubjectAccessReview); None or missing: could not be asked, and does not count.
    :param now: the API server's time.
    :param quorum: how many people must approve.
    :param refused: ways by which no approval is taken.
    """
    ignored, valid = [], []
    for approval in approvals:
        why = _invalid(approval, may_approve, plan_hash, requester, now)
        if why is None and approval.spec.decision is Word.APPROVE and approval.spec.via in refused:
            why = f"a GatePolicy takes no approval by {approval.spec.via}"
        if why is None:
            valid.append(approval)
        else:
            ignored.append(f"{approval.metadata.name}: {why}")
    valid.sort(key=lambda a: a.spec.decision is not Word.DENY)
    if not valid:
        return Spoken(None, ignored=tuple(ignored))
    first, people = valid[0], sorted({a.spec.approver for a in valid})
    if first.spec.decision is Word.APPROVE and len(people) < quorum:
        said = f"{len(people)} of {quorum} people approved ({', '.join(people)})"
        return Spoken(None, ignored=tuple(ignored), waiting=said)
    by = (first.spec.approver,) if first.spec.decision is Word.DENY else tuple(people[:MAX_NAMES])
    names = tuple(a.metadata.name for a in valid if a.spec.decision is first.spec.decision)[:MAX_NAMES]
    return Spoken(first.spec.decision, by, names, first.spec.reason, tuple(ignored))


def _invalid(
    approval: Approval, may_approve: Mapping[str, bool | None], plan_hash: str, requester: str, now: datetime
) -> str | None:
    spec, created = approval.spec, approval.metadata.creation_timestamp
    checks = (
        (spec.plan_hash != plan_hash, "it is about another plan"),
        (spec.approver == requester, "the requester cannot approve"),
        (spec.approver.startswith(SERVICE_ACCOUNT), "a service account cannot approve"),
        (created is None, "it has no creation time"),
        (
            created is not None and now > created + timedelta(seconds=spec.valid_for_seconds),
            f"it expired {spec.valid_for_seconds} s after its creation",
        ),
        (
            may_approve.get(approval.metadata.name) is not True,
            _NO_RIGHT.format(spec.approver),
        ),
    )
    return next((why for failed, why in checks if failed), None)
