"""The cluster that kubectl already points at."""

from __future__ import annotations

import shutil

from hemostat_chaos.cluster import atomic, run
from hemostat_chaos.cluster.errors import ClusterError
from hemostat_chaos.cluster.names import ClusterName
from hemostat_chaos.cluster.paths import kubeconfig_path
from hemostat_chaos.cluster.progress import Progress


def up(name: ClusterName, progress: Progress) -> None:
    """Name the current context, check that it answers, and write it as this name's kubeconfig."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        raise ClusterError("there is no kubectl on PATH", hint="install it, or use --cluster kind")
    context = run.attempt([kubectl, "config", "current-context"])
    if context.returncode != 0:
        raise ClusterError(
            "kubectl has no current context", hint="choose one with `kubectl config use-context`, or use --cluster kind"
        )
    progress.say(f"using the current context: {context.stdout.strip()}")
    answer = run.attempt([kubectl, "--request-timeout=10s", "get", "--raw", "/readyz"])
    if answer.returncode != 0:
        raise ClusterError(f"that cluster does not answer: {answer.stderr.strip()}")
    text = run.output([kubectl, "config", "view", "--minify", "--flatten"])
    atomic.write(kubeconfig_path(str(name)), text, mode=0o600)
