"""What `relay` reads of the cluster, and the one thing it writes: Approvals (shell)."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from hemostat.api.approval import REVIEWS, Approval, right_to_approve
from hemostat.api.incident import Incident
from hemostat.api.meta import Model
from hemostat.api.remediation import Remediation
from hemostat.api.resources import APPROVAL, INCIDENT, REMEDIATION, RUNBOOK
from hemostat.api.runbook import Runbook
from hemostat.errors import HemostatError, Refused
from hemostat.gate.approvals import hear
from hemostat.gate.word import body
from hemostat.kube import Kube, NotFound
from hemostat.relay.people import MAX_PEOPLE, Person, people

MANAGER = "hemostat-relay"
MAX_BYTES = 8192
MAX_REVIEWS = 32
"""People whose rights are asked for at one look."""
M = TypeVar("M", bound=Model)


class Cluster:
    """Typed access. Nothing is cached: every click rests on what the API server says now."""

    def __init__(self, kube: Kube, people_path: str) -> None:
        self._kube, self._people = kube, Path(people_path)
        self.server_now = kube.server_now

    def incident(self, namespace: str, name: str) -> Incident | None:
        """Return the Incident, or None."""
        return self._one(INCIDENT.path(namespace, name), Incident)

    def remediation(self, namespace: str, name: str) -> Remediation | None:
        """Return the Remediation, or None."""
        return self._one(REMEDIATION.path(namespace, name), Remediation)

    def risk(self, remediation: Remediation) -> str:
        """Return the risk of its Runbook, or an empty text."""
        found = self._one(RUNBOOK.path(remediation.metadata.namespace, remediation.spec.runbook_ref.name), Runbook)
        return str(found.spec.risk) if found is not None else ""

    def approvals(self, remediation: Remediation) -> list[Approval]:
        """Return the Approvals that name this Remediation."""
        own = f"spec.remediation={remediation.metadata.name}"
        found = self._kube.list(APPROVAL.path(remediation.metadata.namespace), fieldSelector=own)
        return [Approval.model_validate(o) for o in found]

    def heard(self, remediation: Remediation) -> str:
        """Return who has approved, while that is not enough; weighed as `act` does."""
        status = remediation.status
        said = [a for a in self.approvals(remediation) if a.spec.plan_hash == status.plan_hash][:MAX_REVIEWS]
        if not said:
            return ""
        people = [Person(a.spec.approver, a.spec.groups) for a in said]
        may = {a.metadata.name: word for a, word in zip(said, self._each(people, remediation), strict=False)}
        quorum, refused = (d.quorum, d.refused_channels) if (d := status.decision) is not None else (1, ())
        now, requester = self.server_now(), remediation.spec.requested_by
        return hear(said, may, status.plan_hash or "", requester, now, quorum, refused).waiting

    def people(self) -> tuple[dict[str, Person], list[str]]:
        """Read who is who, anew each time: a file for each, as a mounted ConfigMap has them. Raises `Refused`."""
        try:
            files = sorted(f for f in self._people.iterdir() if f.is_file() and not f.name.startswith("."))
            return people({f.name: _text(f) for f in files[: MAX_PEOPLE + 1]})
        except (OSError, ValueError) as error:
            said = f"the people in {self._people} cannot be read: {type(error).__name__}"
            raise Refused("NoPeople", f"{said}; is ConfigMap hemostat-people mounted there?") from None

    def deciders(self, remediation: Remediation) -> tuple[str, ...]:
        """Return which of these people may decide it, by user name."""
        known = {p.user: p for p in self.people()[0].values() if p.user != remediation.spec.requested_by}
        asked = [known[user] for user in sorted(known)[:MAX_REVIEWS]]
        return tuple(p.user for p, may in zip(asked, self._each(asked, remediation), strict=False) if may)

    def _each(self, people: Iterable[Person], remediation: Remediation) -> Iterator[bool | None]:
        """Yield what `may` says, to the first that cannot be asked: each takes a deadline, and messages wait."""
        for person in people:
            may = self.may(person, remediation)
            yield may
            if may is None:
                return

    def may(self, person: Person, remediation: Remediation) -> bool | None:
        """Ask the API server whether the person holds `approve` on it; None where it cannot be asked."""
        meta = remediation.metadata
        review = right_to_approve(person.user, person.groups, meta.namespace, meta.name)
        try:
            status: Mapping[str, object] = self._kube.create(REVIEWS, review, MANAGER)["status"]
        except HemostatError:
            return None
        return status.get("allowed") is True and status.get("denied") is not True

    def speak(self, approval: Approval) -> None:
        """Create the Approval: as the person where the API server lets us, else in our own name.

        Raises `Conflict` when it exists, `Refused` with the API server's words, `Retry` when it did not answer.
        """
        path, what = APPROVAL.path(approval.metadata.namespace), body(approval)
        spec = approval.spec
        try:
            self._kube.acting_as(spec.approver, spec.groups).create(path, what, MANAGER)
        except Refused as error:
            if "cannot impersonate" not in str(error):
                raise
            self._kube.create(path, what, MANAGER)

    def spoken(self, approval: Approval) -> bool:
        """Tell whether the Approval exists."""
        return self._one(APPROVAL.path(approval.metadata.namespace, approval.metadata.name), Approval) is not None

    def _one(self, path: str, model: type[M]) -> M | None:
        try:
            return model.model_validate(self._kube.get(path))
        except NotFound:
            return None


def _text(file: Path) -> str:
    with file.open(encoding="utf-8") as opened:
        return opened.read(MAX_BYTES)
