"""`Approval`: one person's word on one plan hash."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from hemostat.api.meta import IMMUTABLE, SET, Digest, Model, Name, ObjectMeta, Text, rules


class Word(StrEnum):
    """What the person said."""

    APPROVE = "Approve"
    DENY = "Deny"


class Via(StrEnum):
    """How the word came. A person may say either of themselves; what `hemostat relay` writes is always Slack."""

    KUBECTL = "Kubectl"
    """Straight to the API server, with the person's own credentials."""
    SLACK = "Slack"
    """Through `hemostat relay`, which answers for who clicked."""


class ApprovalSpec(Model):
    """Who said what of which plan. Never changes; the API server checks who and which hash."""

    model_config = {"json_schema_extra": rules(IMMUTABLE)}

    remediation: Name
    """Name of the Remediation in the same namespace."""
    plan_hash: Digest
    """`status.planHash` of the Remediation that the person has seen."""
    decision: Word = Word.APPROVE
    """Approve or Deny. One Deny outweighs every Approve."""
    approver: Annotated[str, Field(min_length=1, max_length=253)]
    """User name of the person; must be whoever creates this object, or somebody for whom `relay` may speak."""
    groups: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=253)], ...],
        Field(max_length=64, json_schema_extra=SET),
    ] = ()
    """Groups of the person, needed to review their rights later; must all be true."""
    reason: Text = ""
    """Why, for the record."""
    via: Via = Via.KUBECTL
    """How it came: Kubectl or Slack."""
    valid_for_seconds: Annotated[int, Field(ge=10, le=86400)] = 900
    """How long the word stands, counted from creation by the API server's clock."""


class Approval(Model):
    """One person's word on one plan hash."""

    metadata: ObjectMeta
    spec: ApprovalSpec
