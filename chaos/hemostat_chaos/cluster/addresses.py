"""Addresses of the links between the host and the clusters' network namespaces."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from hemostat_chaos.cluster.constants import LINK_RANGE
from hemostat_chaos.cluster.errors import ClusterError


@dataclass(frozen=True)
class Link:
    """The two ends of one point-to-point link."""

    index: int
    host: str
    inner: str
    prefix: int = 30


def link(index: int) -> Link:
    """Return the link with a given number: each is a /30 of the range."""
    subnet = list_item(ipaddress.IPv4Network(LINK_RANGE), index)
    host, inner = subnet.hosts()
    return Link(index, str(host), str(inner))


def list_item(network: ipaddress.IPv4Network, index: int) -> ipaddress.IPv4Network:
    """Return the /30 number ``index`` of a network without listing those before it."""
    count = network.num_addresses // 4
    if not 0 <= index < count:
        raise ClusterError(f"all {count} links of {network} are in use", hint="take some clusters down")
    return ipaddress.IPv4Network((int(network.network_address) + 4 * index, 30))


def first_free(used: Iterable[int], occupied: Iterable[str]) -> Link:
    """Return the first link that no cluster uses and whose addresses lie in no occupied network."""
    taken = set(used)
    networks = [ipaddress.ip_network(text, strict=False) for text in occupied]
    index = 0
    while True:
        candidate = link(index)
        subnet = ipaddress.ip_network(f"{candidate.host}/{candidate.prefix}", strict=False)
        if index not in taken and not any(_overlap(subnet, other) for other in networks):
            return candidate
        index += 1


def unguarded(ranges: Iterable[str], routes: Iterable[str]) -> list[str]:
    """Return those ranges that no existing route, but the default one, has to do with."""
    existing = [ipaddress.ip_network(text, strict=False) for text in routes if text != "default"]
    return [text for text in ranges if not any(_overlap(ipaddress.ip_network(text), other) for other in existing)]


def _overlap(
    one: ipaddress.IPv4Network | ipaddress.IPv6Network,
    other: ipaddress.IPv4Network | ipaddress.IPv6Network,
) -> bool:
    if isinstance(one, ipaddress.IPv4Network) and isinstance(other, ipaddress.IPv4Network):
        return one.overlaps(other)
    if isinstance(one, ipaddress.IPv6Network) and isinstance(other, ipaddress.IPv6Network):
        return one.overlaps(other)
    return False
