"""Record labelled Incidents from faults on real pods into tests/incidents; what is there already stays.

Faults are injected side by side: into the shop, among the sample agents, at the spare node, and into namespaces made
for one fault each. Nothing heals them: the GatePolicies of the demonstration are taken away. What is right for each
kind tests/incidents/kinds.yaml said before. Needs a cluster that is up, with a spare node (KUBECONFIG).

    .venv/bin/python -m hemostat_chaos.cluster up --name label --spares 1
    .venv/bin/python -m hemostat_chaos.cluster image --name label --metrics-server
    eval "$(.venv/bin/python -m hemostat_chaos.cluster env --name label)"
    .venv/bin/python tests/bench/record_incidents.py
"""

import argparse
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from kubernetes import config

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.bench.incidents import agents, pods, shop  # noqa: E402
from tests.bench.incidents.lanes import Tools, record_agents, record_pods, record_shop  # noqa: E402
from tests.bench.incidents.thin import thin  # noqa: E402

from hemostat.api.resources import WATCH  # noqa: E402
from hemostat.clock import SystemClock  # noqa: E402
from hemostat.kube import Kube  # noqa: E402
from hemostat_chaos.cluster import on_node as nodes  # noqa: E402
from hemostat_chaos.cluster.names import ClusterName  # noqa: E402
from hemostat_chaos.demo import agents as sample  # noqa: E402
from hemostat_chaos.demo import play  # noqa: E402
from hemostat_chaos.demo.kubectl import Kubectl  # noqa: E402
from hemostat_chaos.demo.ready import not_ready  # noqa: E402
from hemostat_chaos.experiment.runner import Options  # noqa: E402
from hemostat_chaos.experiment.waiting import Waiter, print_line  # noqa: E402

POLL_SECONDS = 1.0
LANES = ("shop", "agents", "node", "pods", "pods-2")
Lane = Callable[[float], None]


def tools(said: str) -> Tools:
    """Return what one lane works with."""
    # the API server of a small machine has enough to do
    waiter = Waiter(SystemClock(), lambda _: time.sleep(POLL_SECONDS), lambda line: print_line(f"{said:7} {line}"))
    return Tools(Kube.connect(), Kubectl(ROOT), waiter, on_node, ROOT)


def on_node(node: str, *words: str) -> str:
    """Run a command on a node of the cluster that kubectl points at, which must be one made here."""
    _, active = config.list_kube_config_contexts()
    return nodes.on_node(ClusterName.of_context(active["name"]), node, *words)


def prepare(with_: Tools) -> None:
    """Install everything, and take away what would heal."""
    kubectl = with_.kubectl
    stage = play.Stage(ROOT, with_.kube, kubectl, with_.waiter, Options(), steps=3)
    play.install(stage, restart=True)
    kubectl("apply", "--server-side", "-k", "chaos/metrics-server")
    kubectl("apply", "--server-side", "--force-conflicts", "-k", "chaos/agents")
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "chaos/agents/hemostat/watches.yaml")
    play.wait_ready(stage)
    play.wait_baseline(stage)
    kubectl("delete", "--ignore-not-found", "-f", "chaos/demo/policies.yaml", "-f", "chaos/demo/opt-in.yaml")
    for namespace in (play.SHOP, sample.NAMESPACE):
        with_.runbooks(namespace)
    for service in shop.SHOP_WATCHED:
        spec = {"target": {"kind": "Deployment", "name": service}}
        meta = {"name": service, "namespace": play.SHOP}
        watch = {"apiVersion": "hemostat.dev/v1alpha1", "kind": "Watch", "metadata": meta, "spec": spec}
        with_.kube.apply(WATCH.path(play.SHOP, service), watch, "bench")

    def missing() -> str | None:
        deployments = with_.kube.list(f"/apis/apps/v1/namespaces/{sample.NAMESPACE}/deployments")
        live = with_.kube.list(f"/api/v1/namespaces/{sample.NAMESPACE}/pods")
        return not_ready(deployments, live, sample.NEEDED[sample.NAMESPACE])

    with_.waiter.until("the agents are up", missing, 240.0)
    with_.kubectl("wait", "--for=condition=Available", "apiservice/v1beta1.metrics.k8s.io", "--timeout=55s")


def lane(name: str, each: int) -> tuple[Tools, Lane]:
    """Return what a lane works with, and what it does until its deadline."""
    with_ = tools(name)
    if name == "shop":
        return with_, partial(with_.each, list(shop.runs()), partial(record_shop, with_))
    if name == "agents":
        return with_, partial(with_.each, list(agents.runs()), partial(record_agents, with_))
    every = list(pods.runs(each))
    mine = [r for r in every if (r.kind in pods.ON_A_NODE) == (name == "node")]
    if name != "node":
        mine = mine[("pods", "pods-2").index(name) :: 2]
    return with_, partial(with_.each, mine, partial(record_pods, with_))


def main() -> int:
    """Record; 1 if something was missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, default=2, help="how often each fault of pods")
    parser.add_argument("--minutes", type=float, default=60.0, help="no fault is begun later")
    parser.add_argument("--only", action="append", choices=LANES, help="this lane alone; repeatable")
    parser.add_argument("--prepared", action="store_true", help="everything is installed")
    parser.add_argument("--thin", action="store_true", help="record nothing, only take evidence out of what there is")
    options = parser.parse_args()
    missed: list[str] = []
    if not options.thin:
        if not options.prepared:
            prepare(tools("prepare"))
        deadline = time.monotonic() + 60 * options.minutes
        lanes = [lane(name, options.each) for name in options.only or LANES]
        threads = [threading.Thread(target=work, args=(deadline,)) for _, work in lanes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        missed += [m for with_, _ in lanes for m in with_.missed]
    missed += thin()
    for line in missed:
        print_line(f"missed: {line}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
