"""What a service is asked and answers, and where a call may go (pure).

A call has no resourceVersion and no managedFields. What stands in their place is a look: a `Dialect` turns the answer
into a few fields, as if they were those of an object, and the effect's operations say how they are to be.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from hemostat.api.remediation import Call
from hemostat.errors import Refused

Seen = dict[str, Any]
_URL = re.compile(
    r"https?://([a-z][a-z0-9-]{0,62})\.([a-z0-9][a-z0-9-]{0,62})\.svc(:[1-9][0-9]{0,4})?(/[A-Za-z0-9._~/-]*)?"
)


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. What authorises it is added where it is sent, and stands in no plan."""

    method: str
    url: str
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the body as JSON, None where it is none."""

    status: int
    body: Any

    @property
    def passing(self) -> bool:
        """Whether the same request may be answered otherwise later."""
        return self.status in (408, 429) or self.status >= 500


class Dialect(Protocol):
    """How one kind of service is spoken to."""

    @property
    def secret(self) -> tuple[str, str] | None:
        """Name and key of the Secret in the target's namespace whose value goes along as bearer token."""

    def questions(self, call: Call) -> Sequence[Request]:
        """Return what to ask; the next only where the answers so far do not tell."""

    def seen(self, call: Call, answers: Sequence[Answer]) -> Seen | None:
        """Return what the answers show, None if the next question is to be asked. Raises `Refused`."""

    def obstacle(self, call: Call, wanted: Seen, seen: Seen) -> tuple[str, str] | None:
        """Return reason and message of what stands in the way, before anything was sent."""

    def demand(self, call: Call, wanted: Seen, seen: Seen) -> Request:
        """Return the request that brings it about."""

    def judge(self, call: Call, answer: Answer) -> None:
        """Raise `Refused` when the service said that it does not."""


def service_of(url: str, namespace: str) -> str:
    """Return the name of the Service that a URL names. Raises `Refused` (BadParameters) for any other place.

    Only `http(s)://NAME.NAMESPACE.svc[:PORT][/PATH]` of the target's own namespace is one.
    """
    found = _URL.fullmatch(url)
    if found is None or found[2] != namespace or int((found[3] or ":80")[1:]) > 65535 or ".." in url:
        raise Refused(
            "BadParameters",
            f"a call may go only to http(s)://SERVICE.{namespace}.svc[:PORT], a Service of the target's own namespace",
        )
    return found[1]


def address_of(service: Mapping[str, Any]) -> str:
    """Return the cluster IP of a Service: so that no DNS leads a call elsewhere, or keeps it waiting.

    Raises `Refused` (NoService) where it may lead out of its namespace, which only a selector prevents, or has none.
    """
    name, spec = service["metadata"]["name"], service.get("spec", {})
    if spec.get("type") == "ExternalName" or not spec.get("selector"):
        raise Refused("NoService", f"Service {name} selects no pods of its own namespace: a call might go anywhere")
    address = str(spec.get("clusterIP") or "None")
    if address == "None":
        raise Refused("NoService", f"Service {name} has no cluster IP: add a Service that has one for Hemostat's calls")
    return address


def failed(call: Call, answer: Answer) -> Refused:
    """Return what to say of an answer that tells nothing; its words are left out, for they may repeat a key."""
    if answer.passing:
        return Refused("Unreachable", f"{call.url} answered {answer.status}")
    return Refused("CallRefused", f"{call.url} answered {answer.status}, which is no answer of {call.protocol.value}")


def mapping(value: Any) -> Mapping[str, Any]:
    """Return it if it is a JSON object, else an empty one."""
    return value if isinstance(value, Mapping) else {}
