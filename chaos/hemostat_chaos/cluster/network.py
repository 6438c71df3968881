"""A cluster's network namespace: no uplink, one link to the host, no way out for what is meant inside."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from hemostat_chaos.cluster import debian, run
from hemostat_chaos.cluster.addresses import Link, unguarded
from hemostat_chaos.cluster.constants import GUARD_METRIC, NODE_CIDR, POD_CIDR, SERVICE_CIDR
from hemostat_chaos.cluster.names import ClusterName

_NOWHERE = "nowhere"
GUARDED = (POD_CIDR, SERVICE_CIDR, NODE_CIDR)


def namespace_path(name: ClusterName) -> Path:
    """Return the file that keeps the namespace alive."""
    return Path("/run/netns") / name.namespace


def inside(name: ClusterName) -> list[str]:
    """Return the prefix that runs a command in the namespace.

    Not ``ip netns exec``: that remounts /sys, and containers would lose their control groups.
    """
    return ["nsenter", f"--net={namespace_path(name)}", "--"]


def create(name: ClusterName, link: Link) -> None:
    """Make the namespace and the link; neither may exist."""
    run.output(["ip", "netns", "add", name.namespace])
    run.output(
        ["ip", "link", "add", name.host_link, "type", "veth", "peer", "name", name.inner_link, "netns", name.namespace]
    )
    run.output(["ip", "address", "add", f"{link.host}/{link.prefix}", "dev", name.host_link])
    run.output(["ip", "link", "set", name.host_link, "up"])
    within = ["ip", "-n", name.namespace]
    run.output([*within, "link", "set", "lo", "up"])
    run.output([*within, "address", "add", f"{link.inner}/{link.prefix}", "dev", name.inner_link])
    run.output([*within, "link", "set", name.inner_link, "up"])
    run.output([*within, "route", "add", "unreachable", "default", "metric", str(GUARD_METRIC)])
    # The kernel rations the answers of an unreachable route. A link that leads nowhere lets the
    # packet filter answer instead (see refuse_outside), every time; the route stays as the last resort.
    run.output([*within, "link", "add", _NOWHERE, "type", "veth", "peer", "name", f"{_NOWHERE}-end"])
    run.output([*within, "link", "set", _NOWHERE, "up", "arp", "off"])
    run.output([*within, "route", "add", "default", "dev", _NOWHERE])
    run.output([*inside(name), "sh", "-c", "echo 0 > /proc/sys/net/ipv4/icmp_ratelimit"])


def refuse_outside(name: ClusterName) -> None:
    """Answer whatever wants to leave the namespace with an error at once. Docker must be up."""
    for chain in ("DOCKER-USER", "OUTPUT"):
        for protocol, answer in (("all", "icmp-host-unreachable"), ("udp", "icmp-port-unreachable")):
            run.output(
                [
                    *inside(name),
                    debian.which("iptables") or "iptables",
                    "--wait",
                    "--insert",
                    chain,
                    "--out-interface",
                    _NOWHERE,
                    "--protocol",
                    protocol,
                    "--jump",
                    "REJECT",
                    "--reject-with",
                    answer,
                ]
            )


def destroy(name: ClusterName) -> None:
    """Remove the link and the namespace as far as they exist."""
    if Path("/sys/class/net", name.host_link).exists():
        run.attempt(["ip", "link", "delete", name.host_link])
    if namespace_path(name).exists():
        run.attempt(["ip", "netns", "delete", name.namespace])


def occupied() -> list[str]:
    """Return the networks that the host's own interfaces are in."""
    interfaces = json.loads(run.output(["ip", "-json", "-4", "address", "show"]) or "[]")
    return [
        f"{item['local']}/{item['prefixlen']}" for interface in interfaces for item in interface.get("addr_info", [])
    ]


def guard() -> None:
    """Make sure that what the host sends to a pod or Service does not leave by its default route."""
    routes = json.loads(run.output(["ip", "-json", "-4", "route", "show"]) or "[]")
    for destination in unguarded(GUARDED, [str(route["dst"]) for route in routes]):
        run.output(["ip", "route", "add", "unreachable", destination, "metric", str(GUARD_METRIC)])


def unguard() -> None:
    """Remove the routes that :func:`guard` added; its metric tells them from others."""
    for destination in GUARDED:
        run.attempt(["ip", "route", "delete", "unreachable", destination, "metric", str(GUARD_METRIC)])


def route_pods(name: ClusterName, nodes: Iterable[tuple[str, str]]) -> None:
    """Route each node's pods (subnet, node address) in the namespace, which is every node's gateway."""
    within = ["ip", "-n", name.namespace]
    for subnet, address in nodes:
        run.output([*within, "route", "replace", subnet, "via", address])
