"""The demonstration step by step (shell)."""

import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hemostat import __version__
from hemostat.api.chaosexperiment import ChaosExperiment
from hemostat.api.identity import ACT, NAMESPACE, OBSERVE
from hemostat.kube import Kube
from hemostat_chaos.demo import agents
from hemostat_chaos.demo.agents import Pair
from hemostat_chaos.demo.kubectl import Kubectl
from hemostat_chaos.demo.owner import Proof, prove
from hemostat_chaos.demo.ready import not_ready
from hemostat_chaos.demo.report import About, cluster_kind
from hemostat_chaos.experiment.command import load, tell
from hemostat_chaos.experiment.record import Result
from hemostat_chaos.experiment.runner import Options, Runner
from hemostat_chaos.experiment.steady import unsteady
from hemostat_chaos.experiment.waiting import Waiter
from hemostat_chaos.experiment.world import World

Json = dict[str, Any]
SHOP = "shop"
NAMESPACES = {NAMESPACE: (OBSERVE, ACT), "monitoring": ("prometheus",), SHOP: ("payment", "catalog", "load")}
"""What must be up, by namespace; everything else found there must be up too."""
READY_DEADLINE_SECONDS = 180.0
BASELINE_DEADLINE_SECONDS = 120.0
EXPERIMENTS = (("bad-rollout", "payment"), ("saturation", "catalog"))
"""Experiment of the shop and the workload it makes Hemostat touch."""
FILES = {name: f"{name}.yaml" for name, _ in EXPERIMENTS} | {agents.TURN: f"agents/{agents.TURN}.yaml"}
"""Every turn's experiment, in the order in which they are run."""


@dataclass(slots=True)
class Stage:
    """What the steps share."""

    root: Path
    kube: Kube
    kubectl: Kubectl
    waiter: Waiter
    options: Options
    steps: int
    """How many phases there will be, for the progress lines."""
    pair: Pair | None = None
    """The agents, if they have a turn."""
    phases: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str, title: str) -> Iterator[None]:
        """Say that a step begins and ends, and keep how long it took."""
        began = time.monotonic()
        self.waiter.say(f"[{len(self.phases) + 1}/{self.steps}] {title}")
        try:
            yield
        finally:
            self.phases[name] = time.monotonic() - began
            self.waiter.say(f"      ... {self.phases[name]:.1f} s")


def install(stage: Stage, *, restart: bool) -> None:
    """Apply the operator, the shop, and what the shop's owner tells Hemostat.

    :param restart: replace Hemostat's pods, so that they run an image that was loaded under the same tag.
    """
    kubectl = stage.kubectl
    what = "the shop" if stage.pair is None else "the shop, the agents"
    with stage.phase("install", f"Install Hemostat, {what}, and their Watches, Runbooks and GatePolicies"):
        kubectl("apply", "--server-side", "--force-conflicts", "-f", "crds")
        kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", "crds")
        for folder in ("operator/deploy", "chaos/shop", "chaos/demo", *(agents.FOLDERS if stage.pair else ())):
            # Forced here alone: what somebody tried by hand before is taken back. The owner's applies later are not.
            kubectl("apply", "--server-side", "--force-conflicts", "-k", folder)
        forget(stage, SHOP)
        if stage.pair is not None:
            forget(stage, agents.NAMESPACE)
        if restart:
            kubectl("delete", "pod", "-n", NAMESPACE, "--all", "--grace-period=1", "--timeout=50s")


def forget(stage: Stage, namespace: str) -> None:
    """Delete what earlier experiments left: it would count against the budget of unattended actions, and trouble that
    returns would reopen it.
    """
    kinds = "incidents.hemostat.dev,remediations.hemostat.dev,approvals.hemostat.dev"
    stage.kubectl("delete", kinds, "-n", namespace, "--all", "--timeout=30s")


def wait_ready(stage: Stage) -> None:
    """Wait until every Deployment is up."""

    def missing() -> str | None:
        for namespace, expected in (NAMESPACES | (agents.NEEDED if stage.pair else {})).items():
            deployments = stage.kube.list(f"/apis/apps/v1/namespaces/{namespace}/deployments")
            pods = stage.kube.list(f"/api/v1/namespaces/{namespace}/pods")
            lacking = not_ready(deployments, pods, expected)
            if lacking is not None:
                return f"{namespace}: {lacking}"
        return None

    with stage.phase("ready", "Wait for every pod"):
        stage.waiter.until("pods ready", missing, READY_DEADLINE_SECONDS)


def wait_baseline(stage: Stage) -> None:
    """Wait until Hemostat has seen both services of the shop healthy, for the turns of the agents bring their own."""
    world = World(stage.kube, SHOP)
    experiments = [ChaosExperiment.model_validate(experiment(stage, name)) for name, _ in EXPERIMENTS]

    def missing() -> str | None:
        open_ = (unsteady(world.steady_input(e)) for e in experiments)
        return next((o for o in open_ if o is not None), None)

    with stage.phase("baseline", "Wait for a healthy baseline"):
        stage.waiter.until("baseline", missing, BASELINE_DEADLINE_SECONDS)


def experiment(stage: Stage, name: str) -> Json:
    """Return the manifest of an experiment."""
    return load(stage.root / "chaos" / "experiments" / FILES[name])[0]


def perform(stage: Stage, name: str, workload: str) -> tuple[Result, Proof]:
    """Run an experiment, then apply the shop as its owner would."""
    world = World(stage.kube, SHOP)
    with stage.phase(name, f"Experiment {name} (seconds since the fault)"):
        result = Runner(world, stage.waiter, stage.options).run(experiment(stage, name))
        for line in tell(result):
            stage.waiter.say(f"  {line}")
    with stage.phase(f"owner-{workload}", f"The owner's next kubectl apply --server-side (of {workload} and all)"):
        proof = prove(stage.kubectl, world, "chaos/shop", workload)
        if result.clean_up == "Forced":
            proof = Proof(workload, ok=False, message="the owner's apply had to be forced")
        stage.waiter.say(f"  {proof.message}")
    return result, proof


def perform_agents(stage: Stage, pair: Pair) -> tuple[Result, Proof]:
    """Run the agents' turn, then have them take up again what was cut."""

    def at(moment: str) -> None:
        stage.options.at(moment)
        pair.at(moment)

    options = replace(stage.options, at=at, lab=pair)
    with stage.phase(agents.TURN, f"Experiment {agents.TURN} (seconds since the loop began)"):
        result = Runner(World(stage.kube, agents.NAMESPACE), stage.waiter, options).run(experiment(stage, agents.TURN))
        for line in tell(result):
            stage.waiter.say(f"  {line}")
    with stage.phase("again", "The edge is whole again: what was cut is begun anew"):
        proof = pair.prove(stage.waiter)
        stage.waiter.say(f"  {proof.message}")
    return result, proof


def about(stage: Stage, name: str) -> About:
    """Say where this runs."""
    nodes = stage.kube.list("/api/v1/nodes")
    kind = cluster_kind(nodes)
    versions = {
        "hemostat": __version__,
        "kubernetes": str(stage.kube.get("/version")["gitVersion"]),
        "python": platform.python_version(),
    }
    if kind == "kind":
        from hemostat_chaos.cluster.constants import KIND_VERSION

        versions["kind"] = KIND_VERSION
    return About(kind, name, versions)
