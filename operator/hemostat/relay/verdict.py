"""What a click means: an Approval to create, or why there is none (pure). What is unclear creates nothing."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hemostat.api.approval import Approval, Via, Word
from hemostat.api.identity import VIA_LABEL
from hemostat.api.remediation import Remediation
from hemostat.errors import Refused
from hemostat.gate.word import advice, build, caution, check_open
from hemostat.relay.message import why_not_here
from hemostat.relay.payload import Click
from hemostat.relay.people import Person
from hemostat.relay.ticket import Ticket

OLD_SECONDS = 300
"""A click that arrives later than this counts no more: who clicked has long looked at something else."""
STRANGER = (
    "Nobody in the cluster is known to be you: your Slack id is {}. Whoever administers Hemostat can add it to the "
    "ConfigMap hemostat-people. Nothing was done."
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the API server says now. None: it could not be asked, or there is no such thing."""

    person: Person
    remediation: Remediation | None
    may: bool | None
    """Whether the person holds the verb `approve` on it."""
    approvals: Sequence[Approval]
    """All that name this Remediation."""
    now: datetime
    """The API server's time."""


def admitted(click: Click, person: Person | None, channel: str, now: float) -> tuple[Ticket, Person]:
    """Return what it is about and who it is. Raises `Refused` for what is not to be looked into at all.

    :param channel: where Incidents of that namespace are told.
    :param now: Unix seconds.
    """
    if click.ticket is None or click.channel != channel:
        raise Refused("Forged", "That button was not made by Hemostat for this channel. Nothing was done.")
    if abs(now - click.at) > OLD_SECONDS:
        raise Refused("Old", "That click took minutes to arrive. Nothing was done; look again and click anew.")
    if person is None:
        raise Refused("Stranger", STRANGER.format(click.user))
    return click.ticket, person


def judge(word: Word, reason: str, ticket: Ticket, facts: Facts) -> Approval:
    """Return the Approval that the click asks for. Raises `Refused` with what to tell who clicked.

    The same word of the same person on the same plan has the same name while it stands, so that the API server takes
    it once however often it is said.
    """
    person, found = facts.person, facts.remediation
    if found is None or found.metadata.uid != ticket.uid:
        raise Refused("Gone", "That proposal does not exist any more. Nothing was done.")
    plan_hash = check_open(found, word, facts.now)
    if plan_hash != ticket.plan_hash:
        raise Refused("Changed", "The plan has changed since that message: look at the new one. Nothing was done.")
    check_right(person, found, facts.may)
    if word is Word.APPROVE:
        _check_asked(found)
    mine = [a for a in facts.approvals if a.spec.approver == person.user and a.spec.plan_hash == plan_hash]
    _check_new(mine, word, facts.now)
    made = build(found, word, person.user, person.groups, reason, "", facts.now)
    taken = {a.metadata.name for a in facts.approvals}
    metadata = made.metadata.model_copy(update={"name": _name(made, taken), "labels": {VIA_LABEL: Via.SLACK.value}})
    return made.model_copy(update={"metadata": metadata, "spec": made.spec.model_copy(update={"via": Via.SLACK})})


def check_right(person: Person, found: Remediation, may: bool | None) -> None:  # noqa: FBT001 - an answer, not a switch
    """Raise `Refused` unless the person may decide it."""
    if found.spec.requested_by == person.user:
        raise Refused("Requester", "You have requested it yourself: somebody else must decide it. Nothing was done.")
    if may is None:
        raise Refused("NotAsked", "The API server could not say whether you may. Nothing was done; try again.")
    if not may:
        todo = advice("RBAC verb approve", person.user, found.metadata.namespace or "", found.metadata.name)
        raise Refused("NoRight", f"You may not decide it. {todo}")


def _check_asked(found: Remediation) -> None:
    why = caution(found)
    if why is not None:
        raise Refused("NotAsked", f"Nothing was done: {why}.")
    if said := why_not_here(found):
        where = f"-n {found.metadata.namespace} {found.metadata.name}"
        raise Refused("NotHere", f"{said}: kubectl hemostat approve {where}")


def _check_new(mine: Sequence[Approval], word: Word, now: datetime) -> None:
    standing = [a for a in mine if _stands(a, now)]
    same = next((a for a in standing if a.spec.decision is word), None)
    if same is not None:
        raise Refused("Already", f"You have said so already (Approval {same.metadata.name}): it stands, once.")
    other = next((a for a in standing if a.spec.decision is Word.DENY), None)
    if other is not None:
        raise Refused("Denied", f"You have denied it (Approval {other.metadata.name}); delete that to take it back.")


def _stands(approval: Approval, now: datetime) -> bool:
    created = approval.metadata.creation_timestamp
    return created is not None and now <= created + timedelta(seconds=approval.spec.valid_for_seconds)


def _name(made: Approval, taken: Collection[str]) -> str:
    """Return the name of this word: another one only after an earlier one has expired."""
    spec = made.spec
    for count in range(len(taken) + 1):
        said = f"{spec.plan_hash}/{spec.approver}/{spec.decision}/{count}"
        name = f"{made.metadata.name[:240]}{hashlib.sha256(said.encode()).hexdigest()[:12]}"
        if name not in taken:
            return name
    raise AssertionError("more names than Approvals were tried")
