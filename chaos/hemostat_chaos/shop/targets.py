"""From the API server's list of pods to what Prometheus is to scrape (its HTTP service discovery format)."""

from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

_NAME = "app.kubernetes.io/name"
_PART_OF = "app.kubernetes.io/part-of"


class TargetGroup(TypedDict):
    """One address to scrape and the labels every sample from it gets."""

    targets: list[str]
    labels: dict[str, str]


def target_groups(pods: Iterable[Mapping[str, Any]]) -> list[TargetGroup]:
    """Return a group for each port named `metrics`, and for those named `http` of the shop's and Hemostat's pods."""
    groups: list[TargetGroup] = []
    for pod in pods:
        address = pod.get("status", {}).get("podIP")
        if not address or pod["status"].get("phase") in {"Succeeded", "Failed"}:
            continue
        labels = pod["metadata"].get("labels") or {}
        wanted = {"metrics", "http"} if labels.get(_PART_OF) in ("shop", "hemostat") else {"metrics"}
        groups.extend(
            TargetGroup(
                targets=[_host_and_port(address, port["containerPort"])],
                labels={
                    "namespace": pod["metadata"]["namespace"],
                    "pod": pod["metadata"]["name"],
                    "service": labels.get(_NAME, ""),
                },
            )
            for container in pod["spec"]["containers"]
            for port in container.get("ports") or ()
            if port.get("name") in wanted
        )
    return groups


def kubelet_groups(nodes: Iterable[Mapping[str, Any]]) -> list[TargetGroup]:
    """Return a group for the kubelet of each node."""
    return [
        TargetGroup(
            targets=[_host_and_port(address["address"], node["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"])],
            labels={"node": node["metadata"]["name"]},
        )
        for node in nodes
        for address in node["status"].get("addresses", ())[:1]
        if address["type"] == "InternalIP"
    ]


def _host_and_port(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
