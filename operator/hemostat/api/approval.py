"""`Approval`: one person's word on one plan hash."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from hemostat.api import GROUP
from hemostat.api.meta import IMMUTABLE, SET, Digest, Model, Name, ObjectMeta, Text, rules

REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
"""Where the API server is asked what somebody else may do."""


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


def right_to_approve(user: str, groups: Sequence[str], namespace: str | None, remediation: str) -> dict[str, Any]:
    """Return the question to the API server whether a person may decide this Remediation (SubjectAccessReview)."""
    attributes = {"group": GROUP, "resource": "remediations", "verb": "approve", "namespace": namespace}
    return _review(user, groups, attributes | {"name": remediation})


def right_to(user: str, groups: Sequence[str], attributes: Mapping[str, str]) -> dict[str, Any]:
    """Return the question whether a person might do this himself.

    :param attributes: group, resource, verb and so on, as the API names them (ResourceAttributes).
    """
    return _review(user, groups, {**attributes})


def _review(user: str, groups: Sequence[str], attributes: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": user, "groups": [*groups, "system:authenticated"], "resourceAttributes": attributes},
    }
