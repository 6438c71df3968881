"""Gathers what plans and gate checks may know, by `act`'s own eyes: API server and Prometheus (shell)."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hemostat.act.store import MANAGER, Store
from hemostat.action.contract import Action, World
from hemostat.action.effects import beyond, home, right_of
from hemostat.api import stop
from hemostat.api.approval import REVIEWS, Approval, right_to, right_to_approve
from hemostat.api.gatepolicy import GatePolicy, Scope
from hemostat.api.identity import PROTECTED_LABEL, PROTECTED_NAMESPACES
from hemostat.api.incident import ConversationStatus, Incident, SignalState
from hemostat.api.meta import BoundTargetRef
from hemostat.api.remediation import Plan, Remediation
from hemostat.api.runbook import Runbook
from hemostat.clock import Clock
from hemostat.errors import HemostatError, Refused, Retry
from hemostat.gate.downstream import CALLERS, connections, stated, troubled
from hemostat.gate.earned import outcomes_of
from hemostat.gate.input import Connections, GateInput, Go, Outcome, PastAction, Room
from hemostat.gate.past import past_actions
from hemostat.gate.recent import needed
from hemostat.gate.room import Needs, added, fits_in_quotas, fits_on_nodes, requested
from hemostat.gate.target import told_by
from hemostat.guard.orders import CONFIG_MAP
from hemostat.kube import Json, Kube, NotFound, path_of, pods_of, revisions_of
from hemostat.signals.confirm import confirms
from hemostat.signals.correlate import is_over
from hemostat.signals.presets import Target, mounted, rules_of
from hemostat.signals.workload import WorkloadState, state_of
from hemostat.signals.workload.containers import container_troubles
from hemostat.signals.workload.judge import troubles
from hemostat.signals.workload.scene import Scene
from hemostat.signals.workload.state import last_run
from hemostat.telemetry.prometheus import Prometheus

LOG = logging.getLogger(__name__)
OPEN_FOR = timedelta(seconds=5)
"""So old may be what other Incidents of a namespace say: it is telemetry's word, and a thousand may wait there."""
TAKEN_FOR = timedelta(seconds=5)
"""So old may be what the pods of all nodes request: the scheduler has the last word, and there may be thousands."""
MAX_PODS = 20_000
"""Pods of all namespaces that are read for one decision."""


class Facts:
    """Reads the world for one decision at a time."""

    def __init__(
        self, kube: Kube, store: Store, prometheus: Prometheus, clock: Clock, actions: tuple[str, ...] = ()
    ) -> None:
        """:param actions: names of the catalogue."""
        self._kube = kube
        self._store = store
        self._prometheus = prometheus
        self._clock = clock
        self._actions = actions
        self._open: tuple[str, datetime, tuple[Incident, ...]] | None = None
        self._taken: tuple[datetime, Mapping[str, Needs | None]] | None = None

    def target(self, namespace: str, ref: BoundTargetRef) -> Json:
        """Return the live target. Raises `Refused` (TargetMissing) when there is none."""
        where = home(ref.api_version, ref.kind, namespace)
        try:
            return self._kube.get(path_of(ref.api_version, ref.kind, where, ref.name))
        except NotFound as error:
            raise Refused("TargetMissing", f"{ref.kind} {ref.name} does not exist in {namespace}") from error

    def world(self, remediation: Remediation, action: Action[Any]) -> World:
        """Return what the action's plan may look at: the target, and what its own RBAC rules name."""
        namespace, ref = remediation.metadata.namespace or "", remediation.spec.target_ref
        live = self.target(namespace, ref)
        cluster = {resource for rule in action.cluster_rules for resource in rule.resources}
        named = {resource for rule in action.rules for resource in rule.resources}
        got = {resource for rule in action.rules if "get" in rule.verbs for resource in rule.resources}
        listed = {resource for rule in action.rules if "list" in rule.verbs for resource in rule.resources}
        pods = self._all("v1", "Pod", namespace) or () if "pods" in listed else ()
        if ref.kind == "Node" and "pods" in cluster:
            pods = self._kube.list(path_of("v1", "Pod", None, ""), fieldSelector=f"spec.nodeName={ref.name}")
        return World(
            target=live,
            revisions=revisions_of(self._kube, namespace, live) if "replicasets" in named else (),
            healthy=[
                revision
                for watch in self._store.watches_of(namespace, ref.name)
                if watch.spec.target.kind == ref.kind
                for revision in watch.status.revisions
            ],
            scalers=self._scalers(namespace, ref) if "horizontalpodautoscalers" in named else (),
            orders=self._orders(namespace) if "configmaps" in got else None,
            conversations=self._conversations(
                remediation, needed=bool({"configmaps", "services"} & got) or action.creates is not None
            ),
            about=frozenset(remediation.spec.conversations),
            proposed=remediation.metadata.creation_timestamp,
            remediation=remediation.metadata.uid,
            name=remediation.metadata.name,
            namespace=namespace,
            deployments=self._all("apps/v1", "Deployment", namespace) or () if "deployments" in listed else (),
            pods=pods,
            nodes=self._nodes(pods) if "nodes" in cluster else None,
            services=self._all("v1", "Service", namespace) or () if "services" in listed else (),
            policies=self._all(*action.creates, namespace) if action.creates is not None else None,
            others={kind: self._all(version, kind, namespace) or () for version, kind in action.looks_at},
        )

    def _all(self, api_version: str, kind: str, namespace: str) -> list[Json] | None:
        """Return all objects of a kind in the namespace; None if the cluster knows no such kind."""
        try:
            return self._kube.list(path_of(api_version, kind, home(api_version, kind, namespace), ""))
        except NotFound:
            return None

    def _nodes(self, pods: Sequence[Json]) -> list[Json] | None:
        """Return the nodes of these pods; None if nodes may not be listed."""
        names = {pod["spec"].get("nodeName") for pod in pods}
        try:
            return [n for n in self._kube.each(path_of("v1", "Node", None, "")) if n["metadata"]["name"] in names]
        except Refused:
            return None

    def _orders(self, namespace: str) -> Json | None:
        try:
            return self._kube.get(path_of("v1", "ConfigMap", namespace, CONFIG_MAP))
        except NotFound:
            return None

    def _conversations(self, remediation: Remediation, *, needed: bool) -> tuple[ConversationStatus, ...]:
        """Return what the Incident's own firing signals say of agents: names to cut between, and nothing else."""
        incident = self._store.incident(remediation.metadata.namespace or "", remediation.spec.incident_ref.name)
        signals = incident.status.signals if incident is not None else ()
        if needed and incident is not None and not signals:  # `observe` proposes first and then writes what fires
            waited = self._clock.now() - (remediation.metadata.creation_timestamp or self._clock.now())
            pause = min(max(0.5, waited.total_seconds() / 10), 60.0)  # it may never, of what a person proposes
            raise Retry(f"Incident {incident.metadata.name} does not say yet what fires", delay_seconds=pause)
        return tuple(
            s.conversation
            for s in sorted(signals, key=lambda s: s.key)
            if s.conversation is not None and s.watch_ref is None and s.state is SignalState.FIRING
        )

    def gate(self, remediation: Remediation, plan: Plan, live: Json) -> GateInput:
        """Gather for the gate. What cannot be read is None and never helps."""
        namespace = remediation.metadata.namespace or ""
        spec = remediation.spec
        incident = self._store.incident(namespace, spec.incident_ref.name)
        policies, done = self._policies(), self._done(namespace)
        facts = GateInput(
            remediation=remediation,
            plan=plan,
            go=self.go(),
            incident=incident,
            runbook=self._runbook(namespace, spec.runbook_ref.name),
            policies=policies,
            protected=self._protected(namespace),
            target=told_by(live),
            room=self._downstream(namespace, incident, live, plan, self._room(namespace, live, plan)),
            ready_pods=state_of(live).ready,
            corroboration=self.corroboration(namespace, incident, live),
            past=self._past(namespace, remediation, done),
            elsewhere=self._elsewhere(namespace, policies),
            outcomes=self._outcomes(remediation, done, policies),
            now=self._clock.now(),
            actions=self._actions,
        )
        return needed(facts)

    def go(self) -> Go | None:
        """Ask the API server what the stop switch lets us do, as its admission policy does."""
        try:
            begin, undo = (self._allowed(verb) for verb in (stop.BEGIN, stop.UNDO))
            return Go(begin, begin or undo, "" if begin else self._why_stopped())
        except (HemostatError, KeyError, TypeError):
            return None

    def _allowed(self, verb: str) -> bool:
        answer = self._kube.create("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", stop.review(verb), MANAGER)
        return answer["status"]["allowed"] is True

    def _why_stopped(self) -> str:
        try:
            return stop.words(told_by(self._kube.get(stop.path())).annotations or {})
        except HemostatError as error:
            return f": {error}"

    def may_approve(self, approvals: Sequence[Approval], remediation: Remediation) -> dict[str, bool | None]:
        """Ask the API server, per Approval, whether its person holds `approve` on this Remediation now; and, where the
        plan reaches beyond the namespace, whether he might do that himself: who may decide here need not do so there.

        Of none where one cannot be asked: that may be a Deny, and each takes a deadline while others wait.
        """
        known: dict[str, bool | None] = {}
        for approval in approvals:
            may = self._review(approval, remediation)
            if may is None:
                return {}
            known[approval.metadata.name] = may
        return known

    def _review(self, approval: Approval, remediation: Remediation) -> bool | None:
        meta, who, plan = remediation.metadata, approval.spec, remediation.status.plan
        asked = [right_to_approve(who.approver, who.groups, meta.namespace, meta.name)]
        shared = beyond(plan.effects) if plan is not None else ()
        asked += [right_to(who.approver, who.groups, right_of(effect)) for effect in shared]
        try:
            return all(self._kube.create(REVIEWS, body, "hemostat-act")["status"]["allowed"] is True for body in asked)
        except HemostatError:
            return None

    def _scalers(self, namespace: str, ref: BoundTargetRef) -> list[Json]:
        found = self._kube.list(f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers")
        wanted = (ref.kind, ref.name)
        return [
            o for o in found if (o["spec"]["scaleTargetRef"]["kind"], o["spec"]["scaleTargetRef"]["name"]) == wanted
        ]

    def _runbook(self, namespace: str, name: str) -> Runbook | None:
        try:
            return self._store.runbook(namespace, name)
        except HemostatError:
            return None

    def _policies(self) -> tuple[GatePolicy, ...] | None:
        try:
            return tuple(self._store.policies())
        except (HemostatError, ValueError):
            return None

    def _protected(self, namespace: str) -> bool | None:
        try:
            labels = self._kube.get(f"/api/v1/namespaces/{namespace}")["metadata"].get("labels", {})
        except HemostatError:
            return None
        return namespace in PROTECTED_NAMESPACES or PROTECTED_LABEL in labels

    def _done(self, namespace: str) -> list[Remediation] | None:
        try:
            return self._store.decided(namespace)
        except (HemostatError, ValueError):
            return None

    def _outcomes(
        self, remediation: Remediation, done: Sequence[Remediation] | None, policies: Sequence[GatePolicy] | None
    ) -> tuple[Outcome, ...] | None:
        """Return what came of this action before; which Incidents came back is read only where a policy asks for it."""
        if done is None or policies is None:
            return None
        asked = any(p.spec.earned is not None for p in policies)
        try:
            openings = self._store.openings(remediation.metadata.namespace or "") if asked else {}
        except (HemostatError, ValueError):
            return None
        return outcomes_of(done, remediation, openings)

    def _past(
        self, namespace: str, remediation: Remediation, done: Sequence[Remediation] | None
    ) -> tuple[PastAction, ...] | None:
        if not done:
            return done if done is None else ()
        try:
            watches = self._store.watches(namespace)
        except (HemostatError, ValueError):
            return None
        return past_actions(done, remediation.metadata.uid, watches)

    def _room(self, namespace: str, live: Json, plan: Plan) -> Room:
        """Look for room where replicas are added; what may not be read is unknown."""
        more = added(live, plan.replicas_after)
        if not more:
            return Room(more)
        quota, nodes = None, None
        try:
            quota = fits_in_quotas(live, self._kube.list(path_of("v1", "ResourceQuota", namespace, "")))
            nodes = fits_on_nodes(live, self._kube.each(path_of("v1", "Node", None, "")), self._requested())
        except (HemostatError, KeyError, TypeError, ValueError, AttributeError) as error:
            LOG.info("whether there is room for more cannot be told: %s", error)
        return Room(more, quota, nodes)

    def _downstream(self, namespace: str, incident: Incident | None, live: Json, plan: Plan, room: Room) -> Room:
        """Look at what added replicas lean on; what may not be read is unknown."""
        if not room.added:
            return room
        held: tuple[Connections, ...] | None = None
        hurt: tuple[str, ...] | None = None
        try:
            if stated(live) != {}:
                found = (w for kind in CALLERS for w in self._kube.each(path_of("apps/v1", kind, namespace, "")))
                held = connections(live, plan.replicas_after, found)
            else:
                held = ()
            hurt = self._troubled(namespace, incident) if incident is not None else ()
        except (HemostatError, KeyError, TypeError, ValueError, AttributeError) as error:
            LOG.info("whether what the target calls takes more replicas cannot be told: %s", error)
        return replace(room, connections=held, troubled=hurt)

    def _troubled(self, namespace: str, incident: Incident) -> tuple[str, ...]:
        target, watch = incident.spec.target_ref.name, self._store.watch(namespace, incident.spec.watch_ref.name)
        names = {target} | ({watch.spec.service} if watch is not None and watch.spec.service else set())
        now, known = self._clock.now(), self._open
        if known is None or known[0] != namespace or not timedelta(0) <= now - known[1] < OPEN_FOR:
            self._open = known = namespace, now, tuple(i for i in self._store.incidents(namespace) if not is_over(i))
        return troubled(names, incident, known[2])

    def _requested(self) -> Mapping[str, Needs | None]:
        now, known = self._clock.now(), self._taken
        if known is None or not timedelta(0) <= now - known[0] < TAKEN_FOR:
            self._taken = known = now, requested(self._pods())
        return known[1]

    def _pods(self) -> Iterator[Json]:
        """Yield the pods of all namespaces. Raises `Refused` (TooMany): a decision must not read without end."""
        for number, pod in enumerate(self._kube.each(path_of("v1", "Pod", None, ""))):
            if number >= MAX_PODS:
                raise Refused("TooMany", f"there are more than {MAX_PODS} pods")
            yield pod

    def _elsewhere(self, namespace: str, policies: Sequence[GatePolicy] | None) -> tuple[PastAction, ...] | None:
        """Read what was done in other namespaces, if a policy counts that too: it may be much."""
        windows = [p.spec.budget.window_seconds for p in policies or () if p.spec.budget.scope is Scope.CLUSTER]
        if not windows:
            return () if policies is not None else None
        since = self._clock.now() - timedelta(seconds=max(windows))
        try:
            found = self._store.decided_everywhere(since)
            return past_actions(r for r in found if r.metadata.namespace != namespace)
        except (HemostatError, ValueError):
            return None

    def corroboration(self, namespace: str, incident: Incident | None, live: Json) -> str | None:
        """Look for the trouble without `observe`: pods in the API server, the Watch's own queries in Prometheus."""
        if incident is None:
            return None
        try:
            pods = pods_of(self._kube, namespace, live)
            said = _pods_say(pods, self._clock.now()) or self._target_says(namespace, live)
            return said or self._prometheus_says(namespace, incident, pods)
        except HemostatError:
            return None

    def _target_says(self, namespace: str, live: Json) -> str | None:
        """Judge what has no pods of its own that stay as `observe` does."""
        if live.get("kind") not in ("Node", "Job", "CronJob"):
            return None
        nodes = [live] if live["kind"] == "Node" else []
        found = troubles(Scene(live, owned=self._runs(namespace, live), nodes=nodes), self._clock.now())
        return f"the API server confirms: {found[0].subject}: {found[0].words}" if found else None

    def _runs(self, namespace: str, live: Json) -> list[Json]:
        """Return the Jobs of a CronJob, or those that run a Job again."""
        jobs = self._all("batch/v1", "Job", namespace) or () if live.get("kind") in ("Job", "CronJob") else ()
        uid = live["metadata"]["uid"]
        return [j for j in jobs if any(r["uid"] == uid for r in j["metadata"].get("ownerReferences", ()))]

    def state(self, namespace: str, ref: BoundTargetRef) -> WorkloadState:
        """Return how the target stands; a Job that was run again as its last run does."""
        live = self.target(namespace, ref)
        again = last_run(self._runs(namespace, live)) if live.get("kind") == "Job" else None
        return state_of(again or live)

    def _prometheus_says(self, namespace: str, incident: Incident, pods: Sequence[Json]) -> str | None:
        watch = self._store.watch(namespace, incident.spec.watch_ref.name)
        blamed = incident.spec.target_ref
        if watch is None or (watch.spec.target.kind, watch.spec.target.name) != (blamed.kind, blamed.name):
            return None  # trouble elsewhere says nothing about this target
        own = [s for s in incident.status.signals if s.watch_ref is None]
        firing = {s.key.split("{", 1)[0] for s in own if s.state is SignalState.FIRING}
        for rule in rules_of(watch.spec, Target(namespace, watch.spec.target, *mounted(pods))):
            if rule.bound is not None and rule.key in firing:
                said = confirms(rule, self._prometheus.instant(rule.query).series)
                if said is not None:
                    return f"Prometheus confirms: {said}"
        return None


def _pods_say(pods: Sequence[Json], now: datetime) -> str | None:
    """Judge the containers as `observe` does: one that crashes in a loop does not wait or run as `CrashLoopBackOff` all
    the time, and its restarts and how it last ended are the API server's word too.
    """
    staying = (pod for pod in pods if not pod["metadata"].get("deletionTimestamp"))
    troubles = sorted(f"{t.subject}: {t.label or t.aspect}" for pod in staying for t in container_troubles(pod, now))
    return f"the API server confirms: {troubles[0]}" if troubles else None
