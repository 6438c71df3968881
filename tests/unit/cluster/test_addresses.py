import pytest

from hemostat_chaos.cluster import addresses
from hemostat_chaos.cluster.constants import NODE_CIDR, POD_CIDR, SERVICE_CIDR
from hemostat_chaos.cluster.errors import ClusterError


def test_links_are_neighbouring_pairs_that_do_not_overlap() -> None:
    first, second = addresses.link(0), addresses.link(1)
    assert (first.host, first.inner) == ("169.254.224.1", "169.254.224.2")
    assert (second.host, second.inner) == ("169.254.224.5", "169.254.224.6")


def test_a_link_in_use_is_skipped() -> None:
    assert addresses.first_free([0, 1, 3], []).index == 2


def test_a_link_inside_a_network_of_the_host_is_skipped() -> None:
    assert addresses.first_free([], ["169.254.224.1/29", "10.0.0.1/8"]).index == 2


def test_an_ipv6_network_of_the_host_is_no_obstacle() -> None:
    assert addresses.first_free([], ["fe80::1/64"]).index == 0


def test_when_all_links_are_taken_the_message_says_what_to_do() -> None:
    with pytest.raises(ClusterError) as caught:
        addresses.first_free(range(1024), [])
    assert "take some clusters down" in caught.value.hint


def test_ranges_without_a_route_are_to_be_guarded() -> None:
    ranges = [POD_CIDR, SERVICE_CIDR, NODE_CIDR]
    assert addresses.unguarded(ranges, ["default", "192.168.0.0/24"]) == ranges


@pytest.mark.parametrize("route", ["10.96.0.0/16", "10.0.0.0/8", "10.96.5.0/24"])
def test_a_range_that_a_route_touches_is_left_alone(route: str) -> None:
    assert SERVICE_CIDR not in addresses.unguarded([POD_CIDR, SERVICE_CIDR], [route])
