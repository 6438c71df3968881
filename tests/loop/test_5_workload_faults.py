"""Faults that the API server shows, on real pods: each is named by its own signal, and what goes as planned by none.

The faults are a list of the chaos package, so that a benchmark can time the same ones.
"""

import time
from dataclasses import replace
from datetime import datetime

import pytest

from hemostat.api.incident import PART_OF, EvidenceKind, Incident, SignalState
from hemostat.api.meta import is_true
from hemostat.api.resources import INCIDENT
from hemostat.clock import parse_time
from hemostat.kube import Kube, NotFound
from hemostat.signals.workload.state import condition
from hemostat_chaos.demo import play
from hemostat_chaos.demo.kubectl import Kubectl
from hemostat_chaos.experiment.inflict import Inflictor
from hemostat_chaos.experiment.manifests import deployment, job, probe
from hemostat_chaos.experiment.node_faults import NOT_READY, PRESSURE
from hemostat_chaos.experiment.workload_faults import FAULTS, WorkloadFault, quota_fault

ALL = (*FAULTS, quota_fault(1), PRESSURE)
LED_SECONDS = 10.0
QUIET_SECONDS = 8.0
"""How long nothing must fire after the last planned step: longer than a signal needs to fire."""


@pytest.fixture(scope="session", autouse=True)
def _load_is_known(stage: play.Stage) -> None:
    """Autoscalers ask metrics-server, which is part of no cluster by itself."""
    stage.kubectl("apply", "--server-side", "-k", "chaos/metrics-server")
    stage.kubectl("wait", "--for=condition=Available", "apiservice/v1beta1.metrics.k8s.io", "--timeout=55s")


@pytest.mark.timeout(420)
@pytest.mark.parametrize("fault", ALL, ids=lambda f: f.name)
def test_a_fault_is_named_by_its_own_signal(inflictor: Inflictor, fault: WorkloadFault) -> None:
    say = inflictor.waiter.say
    inflictor.prepare(fault)
    try:
        fired = inflictor.wait(fault, inflictor.inflict(fault))
        say(f"    {fault.name}: {fired.signal.subject} after {fired.seconds:.1f} s: {fired.signal.value}")
        if fault.can_be_relieved:
            seconds = inflictor.wait_clear(fault, fired, inflictor.relieve(fault))
            say(f"    {fault.name}: clear {seconds:.1f} s after the relief")
            assert seconds <= fault.clears_seconds
    finally:
        inflictor.take_away(fault)
    assert fired.seconds <= fault.within_seconds
    assert fired.signal.subject == f"{fault.expected} of {fault.name}"
    assert fired.incident.spec.target_ref.name == fault.name
    evidence = fired.incident.status.evidence
    assert any(fault.expected.value in e.key or fault.expected.value in e.summary for e in evidence)
    changes = [e.summary for e in evidence if e.kind is EvidenceKind.CHANGE]
    assert any(fault.change in said for said in changes) or not fault.change, changes


@pytest.mark.timeout(420)
def test_a_silent_node_is_one_trouble_of_itself_and_of_what_runs_there(inflictor: Inflictor, kube: Kube) -> None:
    """Both are watched: one Incident of the node, and if the workload got one first, that is part of it."""
    node, say = inflictor.spare(), inflictor.waiter.say
    itself = replace(NOT_READY, name=node, kind="Node", before=())
    watched = {node, NOT_READY.name}
    inflictor.prepare(NOT_READY)
    inflictor.prepare(itself)

    def incidents() -> list[Incident]:
        return [Incident.model_validate(i) for i in kube.list(INCIDENT.path(inflictor.namespace))]

    def led() -> list[str]:
        return [i.spec.target_ref.name for i in incidents() if not is_true(i.status.conditions, PART_OF)]

    def signals(state: SignalState) -> dict[str, datetime]:
        """Return by Watch since when its signal about the node is in this state."""
        shown = [(s.watch_ref or i.spec.watch_ref, s) for i in incidents() for s in i.status.signals]
        named = f"{NOT_READY.expected} of "
        return {w.name: s.state_time for w, s in shown if s.subject.startswith(named) and s.state is state}

    def missing(state: SignalState) -> str | None:
        return ", ".join(sorted(watched - signals(state).keys())) or None

    try:
        began = inflictor.inflict(NOT_READY)
        inflictor.waiter.until("both fire", lambda: missing(SignalState.FIRING), NOT_READY.within_seconds)
        since = condition(kube.get(f"/api/v1/nodes/{node}"), "Ready")["lastTransitionTime"]
        say(f"    NotReady {(parse_time(since) - began).total_seconds():.1f} s after its kubelet stopped")
        for name, fired in signals(SignalState.FIRING).items():
            say(f"    signal of {name} {(fired - began).total_seconds():.1f} s after its kubelet stopped")
        inflictor.waiter.until("the node leads", lambda: None if led() == [node] else f"{led()} lead", LED_SECONDS)
        relieved = inflictor.relieve(NOT_READY)
        inflictor.waiter.until("both are clear", lambda: missing(SignalState.CLEAR), NOT_READY.clears_seconds)
        since = condition(kube.get(f"/api/v1/nodes/{node}"), "Ready")["lastTransitionTime"]
        say(f"    Ready {(parse_time(since) - relieved).total_seconds():.1f} s after its kubelet went on")
        for name, cleared in signals(SignalState.CLEAR).items():
            say(f"    signal of {name} clear {(cleared - relieved).total_seconds():.1f} s after its kubelet went on")
    finally:
        inflictor.take_away(NOT_READY)
        inflictor.take_away(itself)


PLANNED = WorkloadFault(
    "planned",
    expected=FAULTS[0].expected,
    before=(deployment("planned", replicas=2, readinessProbe=probe("true")),),
)


@pytest.mark.timeout(300)
def test_what_goes_as_planned_raises_no_incident(inflictor: Inflictor, kubectl: Kubectl, kube: Kube) -> None:
    """A rolling update, scaling up and down, deleted pods, a drained node that comes back, a Job that completes."""
    inflictor.prepare(PLANNED)
    where = ("-n", inflictor.namespace)
    node = kube.list("/api/v1/nodes")[0]["metadata"]["name"]
    steps: list[tuple[str, ...]] = [
        (*where, "set", "env", "deployment/planned", "MODE=new"),
        (*where, "scale", "deployment/planned", "--replicas=4"),
        (*where, "scale", "deployment/planned", "--replicas=1"),
        (*where, "delete", "pods", "-l", "app=planned", "--wait=false"),
        (*where, "rollout", "restart", "deployment/planned"),
        ("cordon", node),
        ("uncordon", node),
    ]
    for step in steps:
        kubectl(*step)
        kubectl(*where, "rollout", "status", "deployment/planned", "--timeout=50s")
    succeeds = WorkloadFault("succeeds", FAULTS[0].expected, (), (job("succeeds", "true"),), kind="Job")
    inflictor.prepare(succeeds)
    inflictor.inflict(succeeds)
    kubectl(*where, "wait", "--for=condition=Complete", "job/succeeds", "--timeout=50s")
    time.sleep(QUIET_SECONDS)
    assert [i["spec"]["title"] for i in kube.list(INCIDENT.path(inflictor.namespace))] == []


def test_nothing_of_ours_lands_on_what_is_followed(kube: Kube) -> None:
    """Whatever kind is followed: no label, annotation, finalizer or managed field of ours on any object."""
    from hemostat.observe.kinds import KINDS

    for kind in KINDS:
        if kind.name in ("Watch", "Event"):
            continue
        try:
            items = kube.list(kind.path)
        except NotFound:
            continue
        for item in items:
            meta = item["metadata"]
            if meta.get("namespace") in ("hemostat-system", None):
                continue
            managers = [m["manager"] for m in meta.get("managedFields", ()) if m["manager"] == "hemostat-observe"]
            marks = [k for k in (*meta.get("annotations", {}), *meta.get("finalizers", ())) if "kopf" in k]
            assert not managers + marks, (kind.name, meta["name"], managers, marks)
