"""One step of one Remediation: whose it is, and what a refusal of it means. Wires what does them (shell)."""

from collections.abc import Callable

from hemostat.act.deciding import Deciding
from hemostat.act.effecting import Effects, StepBlocked
from hemostat.act.ending import Ending
from hemostat.act.facts import Facts
from hemostat.act.ledger import Recorder
from hemostat.act.pace import ASK_AGAIN, LATER, RARELY, SELDOM, STOPPED, Key, patience
from hemostat.act.recording import NotRecorded
from hemostat.act.store import Store
from hemostat.act.summary import Summary
from hemostat.act.telling import Teller
from hemostat.action.execute import Executor
from hemostat.action.registry import Catalogue
from hemostat.action.stepping import halfway, overdue
from hemostat.api.identity import ACT, NAMESPACE, NODES_ROLE, TARGET_ROLE
from hemostat.api.meta import find, is_true
from hemostat.api.remediation import ADMITTED, APPLIED, FINISHED, RELEASED, UNDONE, VERIFIED, Remediation
from hemostat.clock import Clock
from hemostat.errors import Refused
from hemostat.events import Events
from hemostat.lifecycle import Step, next_step, stopped_halfway


class Reconciler:
    """Does the next step of a Remediation; called again until there is none."""

    def __init__(
        self,
        store: Store,
        facts: Facts,
        executor: Executor,
        catalogue: Catalogue,
        events: Events,
        clock: Clock,
        server_now: Callable[[], object],
        record: Recorder,
        crowd: Callable[[], int],
    ) -> None:
        """:param crowd: how many there are that wait or are worked on."""
        self._store, self._events, self._clock = store, events, clock
        self._tell = Teller(store, events, clock)
        self._deciding = Deciding(
            store, facts, executor, catalogue, events, clock, server_now, record, crowd, self._tell
        )
        self._effects = Effects(store, facts, executor, events, clock, crowd, self._tell, self._deciding)
        ending = Ending(store, facts, executor, clock, self._tell, self._effects)
        self._summary = Summary(store, events, clock, crowd)
        self._crowd = crowd
        self._steps: dict[Step, Callable[[Remediation], float | None]] = {
            Step.PLAN: self._deciding.plan,
            Step.DECIDE: self._deciding.decide,
            Step.APPLY: lambda r: self._effects.bring_about(r, "Forward"),
            Step.RELEASE: ending.release,
            Step.VERIFY: ending.verify,
            Step.UNDO: self._effects.undo,
            Step.RESTORE: ending.restore,
            Step.FINISH: ending.finish,
            Step.LIFTED: ending.look_back,
        }

    def remediation(self, key: Key) -> float | None:
        """Do one step. Returns the seconds until the next look, or None when there is nothing left to do."""
        found = self._store.remediation(*key)
        if found is None:
            return None
        step = next_step(found, self._clock.now())
        if step is Step.NOTHING:
            return None
        try:
            return self._steps[step](found)
        except NotRecorded as error:
            self._events.emit("Remediation", found.metadata, "NotRecorded", str(error), "Warning")
            raise
        except Refused as error:
            waits = error.reason in ("Forbidden", STOPPED) or (error.reason in ASK_AGAIN and found.status.intents)
            if waits and (stopped_halfway(found) or not overdue(found, self._clock.now())):
                return self._shut_out(found, error)
            if step is Step.APPLY and halfway(found):
                return self._effects.give_up(found, error)
            if isinstance(error, StepBlocked):
                return self._effects.leave(found, error)
            self._tell.end(found, found.status, error.reason, str(error))
            return None

    def incident(self, key: Key) -> float | None:
        """Bring `act`'s part of an Incident's status up to date. Returns as `remediation` does."""
        return self._summary.incident(key)

    def _shut_out(self, remediation: Remediation, error: Refused) -> float | None:
        """Rights are missing: say whose they are to give, and ask again. Something of ours may stand on the target."""
        if not remediation.status.intents and self._deciding.cleared(remediation):
            self._tell.end(remediation, remediation.status, "NotNeeded", f"all signals cleared meanwhile; {error}")
            return None
        namespace = remediation.metadata.namespace or ""
        remedy = (
            f"bind ClusterRole {TARGET_ROLE} to service account {ACT} ({NAMESPACE}) in namespace {namespace}; "
            f"for nodes {NODES_ROLE}, by a ClusterRoleBinding"
        )
        reason, message = (
            (error.reason, str(error))
            if remediation.status.intents or error.reason == STOPPED
            else ("NotOptedIn", f"{remedy}: {error}")
        )
        known = remediation.status.conditions
        kind = VERIFIED if is_true(known, APPLIED) else APPLIED if is_true(known, ADMITTED) else ADMITTED
        step = next_step(remediation, self._clock.now())
        if step is Step.RELEASE or stopped_halfway(remediation):
            kind = RELEASED
        if step in (Step.UNDO, Step.RESTORE):
            kind = UNDONE
        if find(known, kind) is None or kind != VERIFIED:
            fresh = self._tell.note(remediation, remediation.status, reason, message, kind)
            if fresh:
                self._events.emit("Remediation", remediation.metadata, reason, message, "Warning")
        ended = find(known, FINISHED)
        if ended is not None:
            return patience(self._clock.now() - ended.last_transition_time, LATER, SELDOM, self._crowd())
        return LATER if remediation.status.intents else self._deciding.look_again(remediation, LATER, RARELY)
