"""Does what a click asks for, once, and tells who clicked what came of it (shell)."""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from hemostat.api.approval import Approval, Word
from hemostat.errors import HemostatError, Refused, Retry
from hemostat.gate.word import advice, server_words
from hemostat.kube import Conflict
from hemostat.relay.cluster import Cluster
from hemostat.relay.modals import denial, explanation
from hemostat.relay.payload import Click, Press, Private
from hemostat.relay.people import Person
from hemostat.relay.rich import block, escaped, line, plain, shown
from hemostat.relay.slack import Slack
from hemostat.relay.threads import Key, Threads
from hemostat.relay.ticket import Ticket
from hemostat.relay.verdict import Facts, admitted, check_right, judge

LOG = logging.getLogger(__name__)
MAX_SEEN = 4096
_ASKED = "Slack did not open the window in time: click again."
_SILENT = (
    "The API server did not answer, so it is not known whether your word was taken. Look at the message in a moment, "
    "or click again: it is taken once."
)


class Clicks:
    """Handles one click at a time per worker.

    :param refresh: has an Incident's message looked at.
    """

    def __init__(
        self,
        slack: Slack,
        cluster: Cluster,
        threads: Threads,
        refresh: Callable[[Key], None],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._slack, self._cluster, self._threads, self._refresh, self._now = slack, cluster, threads, refresh, now
        self._seen: OrderedDict[tuple[str, Press, str], None] = OrderedDict()
        self._lock = threading.Lock()

    def handle(self, click: Click) -> None:
        """Answer it; never raises what would have it handled again."""
        if self._again(click):
            return
        try:
            said = self._do(click)
        except Refused as error:
            said = str(error)
        except HemostatError as error:
            LOG.warning("a click of %s: %s", click.user, error)
            said = _SILENT
        if said:
            self._tell(click, said)

    def _again(self, click: Click) -> bool:
        """Tell whether it was heard of before: what is not acknowledged in time Slack tells again."""
        key = (click.user, click.press, click.id)
        with self._lock:
            if key in self._seen:
                return True
            self._seen[key] = None
            while len(self._seen) > MAX_SEEN:
                self._seen.popitem(last=False)
        return False

    def _do(self, click: Click) -> str:
        channel = self._threads.channel(click.ticket.namespace) if click.ticket is not None else ""
        ticket, person = admitted(click, self._cluster.people()[0].get(click.user), channel, self._now())
        if click.press is Press.EXPLAIN:
            return self._explain(click, ticket)
        if click.press is Press.ASK_REASON:
            private = Private(ticket=ticket.text(), channel=click.channel, ts=click.ts, at=click.at)
            return self._window(click, denial(ticket.remediation, private.text()))
        if click.press is Press.SNOOZE:
            return self._snooze(ticket, person)
        word = Word.APPROVE if click.press is Press.APPROVE else Word.DENY
        try:
            return self._speak(judge(word, click.reason, ticket, self._facts(ticket, person)), person)
        finally:
            self._refresh((ticket.namespace, ticket.incident))

    def _facts(self, ticket: Ticket, person: Person) -> Facts:
        found = self._cluster.remediation(ticket.namespace, ticket.remediation) if ticket.remediation else None
        return Facts(
            person=person,
            remediation=found,
            may=self._cluster.may(person, found) if found is not None else None,
            approvals=self._cluster.approvals(found) if found is not None else (),
            now=self._cluster.server_now(),
        )

    def _speak(self, approval: Approval, person: Person) -> str:
        spec, name = approval.spec, approval.metadata.name
        try:
            self._cluster.speak(approval)
        except Conflict:
            return f"You have said so already (Approval {name}): it stands, once."
        except Refused as error:
            said = server_words(error)
            todo = advice(said, person.user, approval.metadata.namespace or "", spec.remediation)
            return f"The API server refuses it: {said}. What to do: {todo}"
        except Retry:
            if not self._cluster.spoken(approval):
                raise
        LOG.info("%s of %s via Slack: Approval %s", spec.decision, spec.approver, name)
        done = "Approved" if spec.decision is Word.APPROVE else "Denied"
        return f"{done} by {spec.approver} as Approval {name}. To take it back: kubectl delete approval {name}"

    def _snooze(self, ticket: Ticket, person: Person) -> str:
        found = self._cluster.remediation(ticket.namespace, ticket.remediation) if ticket.remediation else None
        if found is None or found.metadata.uid != ticket.uid:
            raise Refused("Gone", "That proposal does not exist any more. Nothing was done.")
        check_right(person, found, self._cluster.may(person, found))
        key = (ticket.namespace, ticket.incident)
        self._threads.snooze(key)
        self._refresh(key)
        return "Nobody is reminded of it for an hour. Nothing else waits."

    def _explain(self, click: Click, ticket: Ticket) -> str:
        incident = self._cluster.incident(ticket.namespace, ticket.incident)
        if incident is None:
            return f"Incident {ticket.incident} does not exist any more."
        found = self._cluster.remediation(ticket.namespace, ticket.remediation) if ticket.remediation else None
        approvals = self._cluster.approvals(found) if found is not None else ()
        return self._window(click, explanation(incident, found, approvals))

    def _window(self, click: Click, view: dict[str, object]) -> str:
        try:
            self._slack.window(click.trigger, view)
        except HemostatError as error:
            LOG.info("%s", error)
            return _ASKED
        return ""

    def _tell(self, click: Click, said: str) -> None:
        text = shown(said, 1500)
        try:
            self._slack.whisper(click.channel, click.user, escaped(text), (block(line(plain(text))),))
        except HemostatError as error:
            LOG.warning("%s was not told %r: %s", click.user, text, error)
