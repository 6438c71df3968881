"""One thread in Slack for each Incident: its message is posted once and then written over (shell)."""

import hashlib
import json
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn

from hemostat.api.incident import RESOLVED, Incident
from hemostat.api.meta import find
from hemostat.api.remediation import Remediation
from hemostat.errors import HemostatError, Refused, Retry
from hemostat.relay.cluster import Cluster
from hemostat.relay.history import History
from hemostat.relay.mark import SNOOZE_SECONDS, Mark, Root, due
from hemostat.relay.message import Message, Proposal, compose, waits
from hemostat.relay.picture import draw, pictured
from hemostat.relay.rich import block, line, plain, shown, told
from hemostat.relay.slack import CALL_SECONDS, Slack, Unsure
from hemostat.signals.correlate import is_over

LOG = logging.getLogger(__name__)
Key = tuple[str, str]
"""(namespace, name) of an Incident."""
CALM = 60.0
"""Between two updates that nobody waits for: numbers change all the time, and Slack takes 50 updates a minute."""
LOOK = 30.0
"""Between two looks while a person is waited for: an approval may expire, or a right be given."""
SETTLE = 2 * CALL_SECONDS
"""After a post without an answer: until then it may still arrive, and is looked for before it is posted anew."""
OVER_SECONDS = 86_400.0
"""An Incident that was over for so long when we started is left as it is."""
MARGIN = 600.0
"""How much the clocks of Slack and the cluster may differ."""
MAX_KNOWN = 10_000
EVERYWHERE = "*"


@dataclass(frozen=True, slots=True)
class _Shown:
    digest: str
    urgent: str
    at: float


class Threads:
    """Looks at one Incident at a time. `look` by one thread, `snooze` by any.

    :param channels: namespace -> id of a channel; `*` for all others.
    :param every: seconds after which people are reminded for the first time; 0: never.
    """

    def __init__(
        self,
        slack: Slack,
        cluster: Cluster,
        channels: Mapping[str, str],
        every: float,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._slack, self._cluster, self._channels, self._every, self._now = slack, cluster, channels, every, now
        self._history = History(slack)
        self._shown: OrderedDict[str, _Shown] = OrderedDict()
        self._settled: OrderedDict[str, float] = OrderedDict()
        self._pictures: OrderedDict[str, bool] = OrderedDict()
        """Whether the picture is there; False: whether it is has to be looked up."""
        self._deciders: OrderedDict[str, tuple[float, tuple[str, ...]]] = OrderedDict()
        self._snoozes: dict[Key, int] = {}
        self._lock = threading.Lock()

    def channel(self, namespace: str) -> str:
        """Return where Incidents of a namespace are told; empty: nowhere."""
        return self._channels.get(namespace) or self._channels.get(EVERYWHERE, "")

    def snooze(self, key: Key) -> None:
        """Have nobody reminded of this Incident for an hour; `look` does it."""
        with self._lock:
            if len(self._snoozes) < MAX_KNOWN:
                self._snoozes[key] = int(self._now()) + SNOOZE_SECONDS

    def look(self, key: Key) -> float | None:
        """Have the Incident's message say what is so now; return in how many seconds to look again.

        Raises `Retry` and `Refused` as Slack and the API server do.
        """
        channel = self.channel(key[0])
        incident = self._cluster.incident(*key) if channel else None
        if incident is None or self._long_over(incident):
            return None
        self._tidy(channel)
        root = self._history.find(channel, incident.metadata.uid, incident.spec.opened_time.timestamp() - MARGIN)
        proposal = self._proposal(incident)
        if root is None:
            if is_over(incident) or incident.status.part_of is not None:
                return None  # it was never told, or belongs to another one that is
            root = self._post(channel, incident, proposal)
        left = self._update(channel, key, incident, proposal, root)
        self._picture(channel, root, incident)
        return left

    def _long_over(self, incident: Incident) -> bool:
        resolved = find(incident.status.conditions, RESOLVED)
        if incident.metadata.uid in self._shown or resolved is None or not is_over(incident):
            return False
        return self._now() - resolved.last_transition_time.timestamp() > OVER_SECONDS

    def _tidy(self, channel: str) -> None:
        """Remove a message that repeats another: a post that arrived although it seemed lost."""
        spare = self._history.spare(channel)
        if spare is not None:
            LOG.warning("a second message about the same Incident is removed from %s", channel)
            try:
                self._slack.remove(channel, spare)
            except HemostatError as error:
                LOG.warning("%s", error)

    def _proposal(self, incident: Incident) -> Proposal | None:
        reference, namespace = incident.status.remediation_ref, incident.metadata.namespace or ""
        found = self._cluster.remediation(namespace, reference.name) if reference is not None else None
        if found is None:
            return None
        if not waits(found):
            return Proposal(found, self._cluster.risk(found))
        return Proposal(found, self._cluster.risk(found), self._cluster.heard(found), self._who_decides(found))

    def _who_decides(self, found: Remediation) -> tuple[str, ...]:
        """Return who may decide it; asked once a minute, for it takes a review for each person."""
        at, known = self._deciders.get(found.metadata.uid, (0.0, ()))
        if self._now() - at < CALM:
            return known
        try:
            known = self._cluster.deciders(found)
        except Refused as error:
            LOG.warning("%s", error)
            known = ()
        _remember(self._deciders, found.metadata.uid, (self._now(), known))
        return known

    def _post(self, channel: str, incident: Incident, proposal: Proposal | None) -> Root:
        uid, now = incident.metadata.uid, self._now()
        if uid in self._settled:
            self._look_for(channel, incident)
        mark = Mark(incident=uid, namespace=incident.metadata.namespace or "", name=incident.metadata.name)
        message = compose(incident, proposal)
        try:
            ts = self._slack.post(channel, message.text, message.blocks, metadata=mark.metadata())
        except Unsure:
            self._history.forget(channel)  # most have arrived: they are found at the next look
            _remember(self._settled, uid, now + SETTLE)
            raise
        root = Root(ts, mark)
        self._history.put(channel, root)
        _remember(self._shown, uid, _Shown(_digest(message, mark), message.urgent, now))
        _remember(self._pictures, uid, value=False)
        return root

    def _look_for(self, channel: str, incident: Incident) -> NoReturn:
        """A post was not answered. Raise `Retry`: only once it can no longer arrive is it known that it did not."""
        uid, name = incident.metadata.uid, incident.metadata.name
        left = self._settled[uid] - self._now()
        if left > 0:
            raise Retry(f"whether the message about {name} arrived is not known yet", left)
        del self._settled[uid]
        self._history.forget(channel)  # what was read meanwhile says nothing of what arrived since
        raise Retry(f"whether the message about {name} arrived is looked up", 0.2)

    def _update(
        self, channel: str, key: Key, incident: Incident, proposal: Proposal | None, root: Root
    ) -> float | None:
        """Write the message over, if it says something else, and remind people, if it is time to."""
        now, waiting = self._now(), proposal is not None and waits(proposal.remediation) and not is_over(incident)
        with self._lock:
            snoozed = self._snoozes.pop(key, root.mark.snoozed)
        mark, remind = root.mark.model_copy(update={"snoozed": snoozed}), False
        left = LOOK if waiting else None
        if waiting and self._every and proposal is not None:
            at = self._due(mark, proposal)
            remind, left = now >= at, min(LOOK, max(at - now, 1.0))
            mark = mark.model_copy(update={"reminded": int(now)}) if remind else mark
        message = compose(incident, proposal, _time(snoozed) if snoozed > now else "")
        shown, digest = self._shown.get(incident.metadata.uid), _digest(message, mark)
        if shown is not None and shown.digest == digest:
            return left
        calm = shown.at + CALM - now if shown is not None and shown.urgent == message.urgent and not remind else 0.0
        if calm > 0:
            return min(calm, left or calm)
        try:
            self._slack.update(channel, root.ts, message.text, message.blocks, mark.metadata())
        except HemostatError:
            with self._lock:
                if snoozed != root.mark.snoozed:
                    self._snoozes.setdefault(key, snoozed)
            raise
        self._history.put(channel, Root(root.ts, mark))
        _remember(self._shown, incident.metadata.uid, _Shown(digest, message.urgent, now))
        if remind and proposal is not None:
            self._remind(channel, root, proposal)
        return left

    def _due(self, mark: Mark, proposal: Proposal) -> float:
        decision = proposal.remediation.status.decision
        return due(mark, decision.time.timestamp() if decision is not None else 0.0, self._every)

    def _remind(self, channel: str, root: Root, proposal: Proposal) -> None:
        """Say in the thread, for the channel to see, that somebody has to decide. At most once: a lost one is lost."""
        name = proposal.remediation.metadata.name
        said = f"Still waiting for a decision: {told(name, 100)}. {shown(proposal.heard, 200)}".rstrip()
        try:
            self._slack.post(channel, said, (block(line(plain(said))),), thread_ts=root.ts, reply_broadcast=True)
        except HemostatError as error:
            LOG.warning("nobody was reminded of %s: %s", name, error)

    def _picture(self, channel: str, root: Root, incident: Incident) -> None:
        """Put a picture of the signal into the thread, once. Whatever goes wrong with it hinders nothing else."""
        uid, evidence = incident.metadata.uid, pictured(incident)
        if evidence is None or evidence.plot is None or self._pictures.get(uid) or is_over(incident):
            return
        name = f"hemostat-{uid}.png"
        try:
            if uid not in self._pictures and _has(self._slack.replies(channel, root.ts), name):
                _remember(self._pictures, uid, value=True)
                return
            title = told(evidence.summary, 200)
            self._slack.upload(channel, root.ts, name, title, draw(evidence.plot, title))
        except Unsure as error:
            self._pictures.pop(uid, None)  # it may be there: the thread is looked at first
            LOG.info("%s", error)
        except Refused as error:
            _remember(self._pictures, uid, value=True)
            LOG.warning("no picture for %s: %s", incident.metadata.name, error)
        except Retry as error:
            LOG.info("%s", error)
        else:
            _remember(self._pictures, uid, value=True)


def _has(replies: list[dict[str, Any]], name: str) -> bool:
    files = (f for reply in replies for f in reply.get("files") or () if isinstance(f, dict))
    return any(f.get("name") == name for f in files)


def _digest(message: Message, mark: Mark) -> str:
    said = json.dumps([message.text, message.blocks, mark.metadata()], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%H:%M} UTC"


def _remember(known: OrderedDict[str, Any], uid: str, value: Any) -> None:
    known[uid] = value
    known.move_to_end(uid)
    while len(known) > MAX_KNOWN:
        known.popitem(last=False)
