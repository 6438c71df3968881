"""Deletes Incidents that are long over, their finished Remediations, and the Approvals of these (shell).

The audit log keeps the story; that a Remediation is deleted is recorded before. While Hemostat is stopped nothing is.
"""

import logging
from collections.abc import Callable
from datetime import datetime

from hemostat.act.ledger import Recorder, forgotten
from hemostat.act.retention import Keep, Object, Past, kinds_of, left_over, long_ago, on_top, over_since, past
from hemostat.act.store import Store
from hemostat.action.execute import Executor
from hemostat.action.moves import LANDS
from hemostat.action.standing import State, standing
from hemostat.action.undoing import Undo, undoes
from hemostat.api.approval import Approval
from hemostat.api.remediation import Remediation, Verb
from hemostat.errors import HemostatError, Refused
from hemostat.gate.input import Go
from hemostat.kube import Json
from hemostat.signals.workload.state import holds

LOG = logging.getLogger(__name__)
EVERYWHERE = ""
"""The key that has all namespaces looked at."""
EVERY, SOON = 3600.0, 5.0
AT_ONCE = 100
"""Of each kind, objects that are deleted before something else has its turn."""


class Sweeper:
    """The handler of a work queue whose keys are namespaces.

    :param now: the API server's time: what is deleted because this machine's clock ran ahead would not come back.
    :param add: has a namespace looked at.
    :param go: asks the API server what the stop switch lets us do; None when it does not say.
    """

    def __init__(
        self,
        store: Store,
        executor: Executor,
        keep: Keep,
        record: Recorder,
        go: Callable[[], Go | None],
        now: Callable[[], datetime],
        add: Callable[[str], object],
    ) -> None:
        self._store, self._executor, self._keep, self._record = store, executor, keep, record
        self._go, self._now, self._add = go, now, add

    def look(self, namespace: str) -> float | None:
        """Look at one namespace, or have all looked at. Returns the seconds until the next look, None: no more."""
        if namespace == EVERYWHERE:
            for one in self._store.namespaces():
                self._add(one)
            return EVERY
        go = self._go()
        if go is None or not go.begin:
            return None
        try:
            return self._sweep(namespace)
        except Refused as error:
            LOG.warning("what is long ago stays in %s: %s", namespace, error)
            return None

    def _sweep(self, namespace: str) -> float | None:
        now = self._now()
        words = self._store.words(namespace)  # before the Remediations: what is heard of later is not left over
        known = [past(remediation) for remediation in self._store.each(namespace)]
        gone = self._forget(namespace, known, now)
        left = {one.name for one in known if one.uid not in gone}
        old = [w for w in words if self._old(w, now) and w.spec.remediation not in left]
        for word in old[:AT_ONCE]:
            self._store.remove_approval(word)
        over = left_over(self._store.over(namespace), known, self._keep, now)
        for incident in over[:AT_ONCE]:
            self._store.remove_incident(incident)
        return SOON if max(len(gone), len(old), len(over)) >= AT_ONCE else None

    def _old(self, word: Approval, now: datetime) -> bool:
        created = word.metadata.creation_timestamp
        return created is not None and now - created > self._keep.age

    def _forget(self, namespace: str, known: list[Past], now: datetime) -> set[str]:
        """Delete what nobody needs, and return the uids of it."""
        gone: set[str] = set()
        stands: dict[Object, bool] = {}
        kinds = kinds_of(self._store.runbooks(namespace))
        for group in long_ago(known, kinds, self._keep, now):
            incident = self._store.incident(namespace, group[0].incident_name)
            if not over_since(incident, group[0].incident, self._keep, now):
                continue
            if any(self._needed(namespace, one, place, known, stands) for one in group for place in one.objects):
                continue
            if incident is not None and incident.metadata.uid == group[0].incident:
                self._store.remove_incident(incident)  # before them: without them it would be remembered as another
            for one in group:
                if len(gone) == AT_ONCE:
                    return gone
                self._store.remove(namespace, one.name, one.uid, one.version, dry_run=True)
                self._record(forgotten(namespace, one.name, one.uid, one.reason, one.ended))
                self._store.remove(namespace, one.name, one.uid, one.version)
                gone.add(one.uid)
                LOG.info("%s/%s is deleted: it ended as %s at %s", namespace, one.name, one.reason, one.ended)
        return gone

    def _needed(self, namespace: str, one: Past, place: Object, known: list[Past], stands: dict[Object, bool]) -> bool:
        """Tell whether people may want to take back what was done to this object, down to this one."""
        top = on_top(known, place)
        if one not in top:
            return False
        if place not in stands:
            stands[place] = any(self._stands(namespace, other, place) for other in top)
        return stands[place]

    def _stands(self, namespace: str, one: Past, place: Object) -> bool:
        """Tell whether something of one Remediation stands there; where that cannot be seen, it does."""
        found = self._store.remediation(namespace, one.name)
        if found is None or found.metadata.uid != one.uid:
            return False
        steps = [u for u in undoes(found) if (u.forward.api_version, u.forward.kind, u.forward.name) == place]
        return any(self._on(found, step) for step in steps)

    def _on(self, remediation: Remediation, step: Undo) -> bool:
        if step.inverse.verb is Verb.CALL:
            return True  # what stands at another service is for people to look at
        try:
            live = self._read(step, remediation.metadata.namespace or "")
        except HemostatError as error:
            LOG.info("whether %s stands cannot be told: %s", remediation.metadata.name, error)
            return True
        if _is_over(live):
            return False  # and it goes only once its Remediation does
        found = standing(remediation, step, live, self._now(), LANDS)
        return found.state in (State.STANDS, State.UNDER_WAY)

    def _read(self, step: Undo, namespace: str) -> Json | None:
        try:
            return self._executor.read(step.inverse, namespace)
        except Refused as error:
            if error.reason == "TargetReplaced":
                return None
            raise


def _is_over(live: Json | None) -> bool:
    """Tell whether it is a Job that has ended: what it did is done, and deleting it takes nothing back."""
    return live is not None and live.get("kind") == "Job" and (holds(live, "Complete") or holds(live, "Failed"))
