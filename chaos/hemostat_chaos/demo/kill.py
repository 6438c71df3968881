"""Killing a process of Hemostat at a chosen moment, to show that the next one carries on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hemostat.api.identity import ACT, NAMESPACE, OBSERVE
from hemostat.errors import Refused
from hemostat.kube import Kube, path_of
from hemostat_chaos.demo.kubectl import Kubectl

DEPLOYMENTS = {"observe": OBSERVE, "act": ACT}
MOMENTS = ("injection", "approval")


@dataclass(frozen=True, slots=True)
class Kill:
    """Which process dies when; no moment means at each."""

    process: str
    moment: str | None = None


def parse(text: str) -> Kill:
    """Read `act`, `observe@injection` and the like. `Refused` (BadKill) says what there is."""
    process, _, moment = text.partition("@")
    if process not in DEPLOYMENTS or (moment and moment not in MOMENTS):
        known = f"{'|'.join(DEPLOYMENTS)} or {'|'.join(DEPLOYMENTS)}@{'|'.join(MOMENTS)}"
        raise Refused("BadKill", f"--kill {text}: must be {known}")
    return Kill(process, moment or None)


def killer(kills: Sequence[Kill], kube: Kube, kubectl: Kubectl, say: Callable[[str], None]) -> Callable[[str], None]:
    """Return what a runner calls at each moment."""

    def at(moment: str) -> None:
        for kill in kills if moment in MOMENTS else ():
            if kill.moment in (None, moment):
                say(f"    killing {kill.process} right after the {moment}")
                _delete_pods(DEPLOYMENTS[kill.process], kube, kubectl)

    return at


def _delete_pods(name: str, kube: Kube, kubectl: Kubectl) -> None:
    deployment = kube.get(path_of("apps/v1", "Deployment", NAMESPACE, name))
    labels = deployment["spec"]["selector"]["matchLabels"]
    selector = ",".join(f"{k}={v}" for k, v in sorted(labels.items()))
    kubectl("delete", "pod", "-n", NAMESPACE, "-l", selector, "--grace-period=0", "--force", "--wait=false")
