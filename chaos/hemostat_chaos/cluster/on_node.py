"""Commands on the nodes of a kind cluster, which are containers: nothing else of the machine is in their reach."""

from __future__ import annotations

import re

from hemostat_chaos.cluster import dockerd, run, state
from hemostat_chaos.cluster.errors import ClusterError
from hemostat_chaos.cluster.names import ClusterName


def on_node(cluster: ClusterName, node: str, *words: str) -> str:
    """Run a command on a node and return what it prints; `ClusterError` with what it says when it fails."""
    if not re.fullmatch(rf"{cluster.kind}-(control-plane|worker)\d*", node):
        raise ClusterError(f"{node} is no node of cluster {cluster}")
    environment = dockerd.environment(cluster) if state.load(cluster) is not None else None
    return run.output(["docker", "exec", node, *words], env=environment)
