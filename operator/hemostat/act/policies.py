"""Says in a GatePolicy's status whether it means what it says (shell around `gate.wellformed`).

`act` does so, not `observe`, which may not read GatePolicies: it decides by them, and has the same catalogue.
"""

from collections.abc import Collection

from hemostat.act.store import Store
from hemostat.api.gatepolicy import GatePolicy, GatePolicyStatus
from hemostat.api.meta import set_condition
from hemostat.clock import Clock
from hemostat.events import Events
from hemostat.gate.wellformed import faults


class PolicyCheck:
    """Looks at one GatePolicy at a time.

    :param actions: names of all that are installed, also of those that are not enabled here.
    """

    def __init__(self, store: Store, events: Events, clock: Clock, actions: Collection[str]) -> None:
        self._store, self._events, self._clock, self._actions = store, events, clock, actions

    def look(self, name: str) -> None:
        """Write the condition Ready where it is another than it says."""
        policy = self._store.policy(name)
        if policy is not None:
            self._say(policy)

    def _say(self, policy: GatePolicy) -> None:
        meta, now = policy.metadata, self._clock.now()
        reason, wrong = faults(policy, self._actions, now)
        conditions = set_condition(
            policy.status.conditions, "Ready", not wrong, reason or "Valid", wrong, now, meta.generation
        )
        status = GatePolicyStatus(observed_generation=meta.generation, conditions=conditions)
        if status != policy.status:
            self._store.write_policy(policy, status)
            if wrong:
                self._events.emit("GatePolicy", meta, reason, wrong, "Warning")
