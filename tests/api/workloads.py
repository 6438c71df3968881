"""Workloads of a real API server with its controllers, and actions that are done and undone on them with `act`'s own
eyes and rights."""

import json
from collections.abc import Callable, Iterable
from typing import Any

from tests.api import objects
from tests.api.support import MANAGER, RBAC, Cluster, can, eventually, rest
from tests.unit.act.double import Records
from tests.unit.builders import remediation

from hemostat.act.facts import Facts
from hemostat.act.store import Store
from hemostat.action.contract import make_plan, parse, unified_diff
from hemostat.action.effects import still_ours
from hemostat.action.execute import Executor
from hemostat.action.moves import Landed, NewIntent, Send, next_move
from hemostat.action.parts import Part, manager
from hemostat.action.registry import discover
from hemostat.api.meta import BoundTargetRef
from hemostat.api.rbac import opt_in
from hemostat.api.remediation import Effect, Plan, Remediation
from hemostat.api.runbook import Parameter
from hemostat.clock import SystemClock, rfc3339
from hemostat.errors import Retry
from hemostat.kube import path_of

Json = dict[str, Any]
ACTIONS = discover()
OWNER = "team"
PLURALS = {"Deployment": "deployments", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets"}


class Town:
    """A namespace that has opted in, and its workloads."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.namespace = cluster.make_namespace()
        binding = rest("rolebindings", self.namespace, RBAC)
        cluster.admin.create(binding, opt_in(self.namespace), MANAGER)
        eventually(lambda: can(cluster.act, "patch", "statefulsets", self.namespace, "apps"), "act has opted in")
        self.store = Store(cluster.act, Records())
        self.facts = Facts(cluster.act, self.store, None, SystemClock())  # type: ignore[arg-type]
        self.executor = Executor(cluster.act)

    def apply(
        self,
        kind: str,
        name: str,
        image: str = "example/app:1",
        by: str = OWNER,
        labels: dict[str, str] | None = None,
        annotations: dict[str, str] | None = None,
        pod: Json | None = None,
        container: Json | None = None,
        **spec: Any,
    ) -> Json:
        """Be the team, or its tool, that applies its workload; of what is None it says nothing."""
        body = objects.deployment(name, self.namespace)
        body["kind"] = kind
        told = {"labels": labels, "annotations": annotations}
        body["metadata"] |= {k: v for k, v in told.items() if v}  # an empty map passes to whoever fills it
        body["spec"] = {k: v for k, v in (body["spec"] | spec).items() if v is not None}
        body["spec"]["template"]["spec"] |= {"automountServiceAccountToken": False} | (pod or {})
        body["spec"]["template"]["spec"]["containers"][0] |= {"image": image} | (container or {})
        if kind == "DaemonSet":
            body["spec"].pop("replicas", None)
        return self.cluster.admin.apply(rest(PLURALS[kind], self.namespace, "apps/v1", name), body, by, force=True)

    def live(self, api_version: str, kind: str, name: str) -> Json:
        """Read an object."""
        return self.cluster.admin.get(path_of(api_version, kind, self.namespace, name))

    def healthy(self, live: Json, names: Iterable[str]) -> None:
        """Say of a workload which revisions `observe` saw healthy, oldest first."""
        name, now = live["metadata"]["name"], rfc3339(SystemClock().now())
        spec = {"target": {"name": name, "kind": live["kind"], "apiVersion": live["apiVersion"]}}
        self.cluster.make(objects.named("Watch", spec, name, self.namespace))
        seen = [{"templateHash": n, "targetUid": live["metadata"]["uid"], "observedTime": now} for n in names]
        path = objects.KINDS["Watch"].path(self.namespace, name, "status")
        self.cluster.admin.merge_patch(path, {"status": {"revisions": seen}}, MANAGER)

    def proposal(self, action: str, live: Json, given: Json) -> Remediation:
        """Return the Remediation that `observe` would propose."""
        made = remediation(
            name=self.cluster.new_name(),
            action=action,
            targetRef=bound(live).wire(),
            parameters=[{"name": n, "value": str(v)} for n, v in given.items()],
        )
        meta = {"namespace": self.namespace, "uid": f"uid-{made.metadata.name}", "creation_timestamp": NOW}
        return made.model_copy(update={"metadata": made.metadata.model_copy(update=meta)})

    def plan(self, action: str, live: Json, **given: Any) -> Plan:
        """Plan as `act` does, with what it may read."""
        made = self.proposal(action, live, given)
        return self._plan(made)

    def do(self, plan: Plan, number: int, effect: Effect) -> None:
        """Do one effect of a plan."""
        live = self.executor.read(effect, self.namespace)
        made = remediation(status={"plan": plan.wire()})
        move = next_move(made, Part("Forward", number), live, SystemClock().now())
        assert isinstance(move, NewIntent), move
        self.executor.send(effect, self.namespace, live, move.intent, f"hemostat-test-{number}")

    def _plan(self, made: Remediation) -> Plan:
        action = ACTIONS[made.spec.action]
        params = parse(action, [Parameter(name=p.name, value=p.value) for p in made.spec.parameters])
        return make_plan(action, made.spec.target_ref, params, self.facts.world(made, action))

    def there_and_back(self, action: str, live: Json, **given: Any) -> Plan:
        """Do what the action plans and undo it, and check that each object is afterwards as it was, and nobody's else.

        Controllers may write statuses and annotations of their own meanwhile: specs and owners are compared.
        """
        made, plan = self._planned(action, live, given)
        before = {n: self._whole(step.forward) for n, step in enumerate(plan.steps)}
        for n, step in enumerate(plan.steps):
            made = self._do(made, Part("Forward", n), step.forward)
            assert self._whole(step.forward) != before[n], "it changed nothing"
        for n, step in reversed(list(enumerate(plan.steps))):
            assert step.inverse is not None
            made = self._do(made, Part("Inverse", n), step.inverse)
            after = self._whole(step.forward)
            assert after == before[n], unified_diff(before[n], after, f"{action} undone")
        return plan

    def there(self, action: str, live: Json, **given: Any) -> Plan:
        """Do what the action plans."""
        made, plan = self._planned(action, live, given)
        for n, step in enumerate(plan.steps):
            made = self._do(made, Part("Forward", n), step.forward)
        return plan

    def _planned(self, action: str, live: Json, given: Json) -> tuple[Remediation, Plan]:
        made = self.proposal(action, live, given)
        plan = self._plan(made)
        return made.model_copy(update={"status": made.status.model_copy(update={"plan": plan})}), plan

    def _do(self, made: Remediation, part: Part, effect: Effect) -> Remediation:
        """Do one effect as `act` does, again and again while controllers are faster."""
        ours = manager(made, part)

        def landed() -> bool:
            nonlocal made
            live = self.executor.read(effect, self.namespace)
            move = next_move(made, part, live, SystemClock().now())
            if isinstance(move, Landed):
                assert still_ours(effect, live), "the API server says it otherwise than it was written"
                self.executor.release(effect, self.namespace, frozenset({ours}), made.status.intents[-1].owner)
                return True
            assert isinstance(move, NewIntent | Send), move
            if isinstance(move, NewIntent):
                status = made.status.model_copy(update={"intents": (*made.status.intents, move.intent)})
                made = made.model_copy(update={"status": status})
            self.executor.dry_run(effect, self.namespace, live, ours)
            self.executor.send(effect, self.namespace, live, made.status.intents[-1], ours)
            return False

        eventually(lambda: _tried(landed), f"{effect.kind} {effect.name} is written")
        return made

    def _whole(self, effect: Effect) -> Json:
        """Return all of an object that people write, and who owns what of it."""
        live = self.live(effect.api_version, effect.kind, effect.name)
        owned = {
            f"{e['manager']} {e['operation']}": e["fieldsV1"]
            for e in live["metadata"].get("managedFields", ())
            if e.get("subresource") != "status"
        }
        assert not [name for name in owned if name.startswith("hemostat-")]
        team = {name: fields for name, fields in owned.items() if name.startswith(OWNER)}
        return {"spec": live["spec"], "owned": json.loads(json.dumps(team))}


NOW = SystemClock().now()


def _tried(write: Callable[[], bool]) -> bool:
    try:
        return write()
    except Retry:
        return False


def bound(live: Json) -> BoundTargetRef:
    """Name a live object as a target."""
    meta = live["metadata"]
    return BoundTargetRef(api_version=live["apiVersion"], kind=live["kind"], name=meta["name"], uid=meta["uid"])
