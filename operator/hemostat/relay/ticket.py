"""What a button carries: which plan of which Remediation the message showed when it was pressed (pure).

It proves nothing: everything is asked of the API server again, and what does not fit the present is told to be old.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hemostat.api.incident import Incident
from hemostat.api.meta import DNS_NAME, Digest, Label, Name
from hemostat.api.remediation import Remediation

MAX_TICKET = 2000
"""Characters of a button's value in Slack (docs.slack.dev/reference/block-kit/block-elements/button-element)."""


class Ticket(BaseModel):
    """One plan of one Remediation, or an Incident for which nothing is proposed."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    namespace: Label
    incident: Name
    remediation: Annotated[str, Field(max_length=253, pattern=rf"{DNS_NAME}|^$")] = ""
    uid: Annotated[str, Field(max_length=64)] = ""
    """Of the Remediation."""
    plan_hash: Digest | None = None

    def text(self) -> str:
        """Return it as the value of a button."""
        return self.model_dump_json(exclude_defaults=True)


def ticket(incident: Incident, remediation: Remediation | None) -> Ticket:
    """Return the ticket for what is shown now."""
    namespace, name = incident.metadata.namespace or "", incident.metadata.name
    if remediation is None:
        return Ticket(namespace=namespace, incident=name)
    return Ticket(
        namespace=namespace,
        incident=name,
        remediation=remediation.metadata.name,
        uid=remediation.metadata.uid,
        plan_hash=remediation.status.plan_hash,
    )


def parse(text: str) -> Ticket | None:
    """Read a button's value; None for what no button of ours carries."""
    if len(text) > MAX_TICKET:
        return None
    try:
        return Ticket.model_validate_json(text)
    except ValidationError:
        return None
