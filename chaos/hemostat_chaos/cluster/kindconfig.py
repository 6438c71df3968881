"""What kind is told, and each node's pod network where kindnet cannot be had."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hemostat_chaos.cluster.constants import API_PORT, NO_NAME_SERVER, NODE_IMAGE, POD_CIDR, SERVICE_CIDR, SPARE

CNI_TARGET = "/etc/cni/net.d/10-bridge.conflist"
PATCHES_TARGET = "/kind/patches"
COREDNS_PATCH = "corednsdeployment+strategic.json"  # the name tells kubeadm what to patch

_TAINT = {"key": SPARE, "value": "true", "effect": "NoSchedule"}

Node = dict[str, Any]


@dataclass(frozen=True)
class Shape:
    """What the user chose about a cluster."""

    workers: int = 0
    published: tuple[int, ...] = ()
    spares: int = 0
    """More workers, which take no pods but those that ask for them."""

    @property
    def others(self) -> int:
        """How many nodes there are besides the control plane."""
        return self.workers + self.spares


def pod_subnet(index: int) -> str:
    """Return the /24 of the node with that number; the control plane is number 0."""
    network = ipaddress.IPv4Network(POD_CIDR)
    return str(ipaddress.IPv4Network((int(network.network_address) + (index << 8), 24)))


def node_names(cluster: str, workers: int) -> list[str]:
    """Return the container names that kind gives its nodes, in the order of their numbers."""
    numbered = ["" if index == 0 else str(index + 1) for index in range(workers)]
    return [f"{cluster}-control-plane", *(f"{cluster}-worker{suffix}" for suffix in numbered)]


def conflist(index: int) -> str:
    """Render a node's pod network: a bridge with addresses from its own subnet."""
    return json.dumps(
        {
            "cniVersion": "0.4.0",
            "name": "kindbr",
            "plugins": [
                {
                    "type": "bridge",
                    "bridge": "cni0",
                    "isGateway": True,
                    "ipMasq": True,
                    "hairpinMode": True,
                    "ipam": {
                        "type": "host-local",
                        "ranges": [[{"subnet": pod_subnet(index)}]],
                        "routes": [{"dst": "0.0.0.0/0"}],
                    },
                },
                {"type": "portmap", "capabilities": {"portMappings": True}},
            ],
        },
        indent=1,
    )


def coredns_patch() -> str:
    """Render kubeadm's patch for CoreDNS.

    Names outside cannot be resolved: asked through Docker's own resolver they would take
    seconds to fail, asked here they are refused at once.
    """
    pod = {"dnsPolicy": "None", "dnsConfig": {"nameservers": [NO_NAME_SERVER]}}
    return json.dumps({"spec": {"template": {"spec": pod}}})


def ordinary(shape: Shape) -> str:
    """Render the configuration for a kind that pulls its images."""
    return _render(
        shape,
        {"podSubnet": POD_CIDR, "serviceSubnet": SERVICE_CIDR},
        "127.0.0.1",
        [{} for _ in range(shape.others + 1)],
    )


def offline(shape: Shape, address: str, conflists: Sequence[Path], patches: Path) -> str:
    """Render the configuration for a kind without kindnet, whose API server is at ``address``."""
    networking = {
        "podSubnet": POD_CIDR,
        "serviceSubnet": SERVICE_CIDR,
        "disableDefaultCNI": True,
        "apiServerAddress": address,
        # kind would look for a free port on this machine, but the address is elsewhere.
        "apiServerPort": API_PORT,
    }
    nodes: list[Node] = [{"extraMounts": [_mount(conflist, CNI_TARGET)]} for conflist in conflists]
    nodes[0]["extraMounts"].append(_mount(patches, PATCHES_TARGET))
    nodes[0]["kubeadmConfigPatches"] = [_kubeadm("InitConfiguration", patches={"directory": PATCHES_TARGET})]
    return _render(shape, networking, address, nodes)


def _kubeadm(kind: str, **settings: Any) -> str:
    return json.dumps({"kind": kind, **settings})


def _mount(source: Path, target: str) -> dict[str, str]:
    return {"hostPath": str(source), "containerPath": target}


def _render(shape: Shape, networking: Mapping[str, Any], listen: str, nodes: Sequence[Node]) -> str:
    for index, node in enumerate(nodes):
        node |= {"role": "worker" if index else "control-plane", "image": NODE_IMAGE}
        if index > shape.workers:
            node["labels"] = {SPARE: "true"}
            node["kubeadmConfigPatches"] = [_kubeadm("JoinConfiguration", nodeRegistration={"taints": [_TAINT]})]
    if shape.spares and not shape.workers:
        # As in a cluster of one node, where kind takes its taint away: the pods have nowhere else to go.
        free = _kubeadm("InitConfiguration", nodeRegistration={"taints": []})
        nodes[0]["kubeadmConfigPatches"] = [*nodes[0].get("kubeadmConfigPatches", []), free]
    nodes[0]["extraPortMappings"] = [
        {"containerPort": port, "hostPort": port, "listenAddress": listen} for port in shape.published
    ]
    return json.dumps(
        {
            "kind": "Cluster",
            "apiVersion": "kind.x-k8s.io/v1alpha4",
            "networking": networking,
            "nodes": nodes,
        },
        indent=1,
    )
