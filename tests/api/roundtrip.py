"""An action on real objects, `act` with its own rights: planned by what it may read, done, and taken back."""

from collections.abc import Mapping
from typing import Any, get_args

from tests.api.support import Cluster
from tests.unit.builders import parameter, remediation

from hemostat.act.facts import Facts
from hemostat.act.store import Store
from hemostat.action.contract import Action, make_plan, parse
from hemostat.action.effects import can_be_undone
from hemostat.action.execute import Executor
from hemostat.action.moves import Landed, NewIntent, next_move
from hemostat.action.ownership import managers
from hemostat.action.parts import Part, Which, manager
from hemostat.api.meta import BoundTargetRef
from hemostat.api.remediation import Intent, Plan, Remediation
from hemostat.clock import SystemClock
from hemostat.telemetry.prometheus import Prometheus

Json = dict[str, Any]
VOLATILE = ("resourceVersion", "generation", "managedFields")


class Trip:
    """One Remediation that exists in memory alone, and its plan."""

    def __init__(self, cluster: Cluster, namespace: str, action: Action[Any], live: Mapping[str, Any], **given: str):
        self.cluster, self.namespace = cluster, namespace
        self._executor, self._clock = Executor(cluster.act), SystemClock()
        target = BoundTargetRef(
            api_version=live["apiVersion"],
            kind=live["kind"],
            name=live["metadata"]["name"],
            uid=live["metadata"]["uid"],
        )
        parameters = [parameter(key, value) for key, value in given.items()]
        made = remediation(
            action=action.name, targetRef=target.wire(), parameters=[p.wire() for p in parameters]
        ).model_copy(update={"metadata": remediation().metadata.model_copy(update={"namespace": namespace})})
        store = Store(cluster.act, lambda *_: None)
        facts = Facts(cluster.act, store, Prometheus("http://127.0.0.1:1"), self._clock)
        self.plan: Plan = make_plan(action, target, parse(action, parameters), facts.world(made, action))
        self._case(made)

    def _case(self, made: Remediation) -> None:
        status = made.status.model_copy(update={"plan": self.plan})
        self.case = made.model_copy(update={"status": status})

    def there(self) -> None:
        """Do all steps."""
        for number in range(len(self.plan.steps)):
            self._bring(Part("Forward", number))

    def back(self) -> None:
        """Take back all steps, the last one first, and let go of what was written."""
        for number, step in reversed(list(enumerate(self.plan.steps))):
            assert step.inverse is not None
            assert can_be_undone(step.forward, self._executor.read(step.inverse, self.namespace))
            self._bring(Part("Inverse", number))
        for number, step in enumerate(self.plan.steps):
            ours = frozenset(manager(self.case, Part(which, number)) for which in get_args(Which))
            owner = next((i.owner for i in reversed(self.case.status.intents) if i.step == number), None)
            self._executor.release(step.forward, self.namespace, ours, owner)

    def _bring(self, part: Part) -> None:
        step, executor, where = self.plan.steps[part.step], self._executor, self.namespace
        effect = step.forward if part.which == "Forward" else step.inverse
        assert effect is not None
        live, ours = executor.read(effect, where), manager(self.case, part)
        move = next_move(self.case, part, live, self._clock.now())
        assert isinstance(move, NewIntent), move
        executor.dry_run(effect, where, live, ours)
        assert executor.read(effect, where) == live, "a dry run changes nothing"
        self._intended(move.intent)
        executor.send(effect, where, live, move.intent, ours)
        landed = next_move(self.case, part, executor.read(effect, where), self._clock.now())
        assert isinstance(landed, Landed), landed

    def _intended(self, intent: Intent) -> None:
        status = self.case.status.model_copy(update={"intents": (*self.case.status.intents, intent)})
        self.case = self.case.model_copy(update={"status": status})


def lasting(live: Mapping[str, Any]) -> Json:
    """Return the object without what every write changes."""
    metadata = {key: value for key, value in live["metadata"].items() if key not in VOLATILE}
    return {**live, "metadata": metadata}


def ours_on(live: Mapping[str, Any]) -> list[str]:
    """Return which of Hemostat's field managers own something of the object."""
    return sorted(name for name in managers(live) if name.startswith("hemostat-"))
