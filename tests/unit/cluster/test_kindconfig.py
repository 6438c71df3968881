import json
from pathlib import Path
from typing import Any

import pytest

from hemostat_chaos.cluster import kindconfig
from hemostat_chaos.cluster.constants import NODE_IMAGE, POD_CIDR, SPARE
from hemostat_chaos.cluster.kindconfig import Shape


def _offline(shape: Shape) -> dict[str, Any]:
    conflists = [Path(f"/s/{index}") for index in range(shape.others + 1)]
    loaded: dict[str, Any] = json.loads(kindconfig.offline(shape, "169.254.224.2", conflists, Path("/s/p")))
    return loaded


def test_each_node_has_its_own_pod_network() -> None:
    config = _offline(Shape(workers=2))
    assert [node["role"] for node in config["nodes"]] == ["control-plane", "worker", "worker"]
    mounted = [node["extraMounts"][0]["hostPath"] for node in config["nodes"]]
    assert mounted == ["/s/0", "/s/1", "/s/2"]
    subnets = [
        json.loads(kindconfig.conflist(index))["plugins"][0]["ipam"]["ranges"][0][0]["subnet"] for index in range(3)
    ]
    assert subnets == ["10.244.0.0/24", "10.244.1.0/24", "10.244.2.0/24"]


def test_the_api_server_listens_where_the_host_reaches_it() -> None:
    networking = _offline(Shape())["networking"]
    assert networking["apiServerAddress"] == "169.254.224.2"
    assert networking["apiServerPort"] == 6443
    assert networking["disableDefaultCNI"] is True
    assert networking["podSubnet"] == POD_CIDR


def test_published_ports_are_the_control_planes() -> None:
    nodes = _offline(Shape(workers=1, published=(30080,)))["nodes"]
    assert nodes[0]["extraPortMappings"] == [
        {"containerPort": 30080, "hostPort": 30080, "listenAddress": "169.254.224.2"},
    ]
    assert "extraPortMappings" not in nodes[1]


@pytest.mark.parametrize("way", ["offline", "ordinary"])
@pytest.mark.parametrize("workers", [0, 2])
def test_spare_nodes_take_no_pods_but_those_that_ask_and_the_others_have_somewhere_to_go(
    way: str, workers: int
) -> None:
    shape = Shape(workers=workers, spares=1)
    config = _offline(shape) if way == "offline" else json.loads(kindconfig.ordinary(shape))
    *others, spare = config["nodes"]
    assert len(others) == workers + 1
    assert spare["labels"] == {SPARE: "true"}
    (join,) = map(json.loads, spare["kubeadmConfigPatches"])
    assert join["kind"] == "JoinConfiguration"
    assert [t["key"] for t in join["nodeRegistration"]["taints"]] == [SPARE]
    assert not any("labels" in node for node in others)
    init = [json.loads(patch) for patch in others[0].get("kubeadmConfigPatches", [])]
    freed = [p["nodeRegistration"]["taints"] for p in init if "nodeRegistration" in p]
    assert freed == ([] if workers else [[]])


def test_coredns_is_patched_under_the_name_that_kubeadm_reads() -> None:
    (patch,) = _offline(Shape())["nodes"][0]["kubeadmConfigPatches"]
    assert json.loads(patch)["patches"]["directory"] == kindconfig.PATCHES_TARGET
    assert kindconfig.COREDNS_PATCH.startswith("corednsdeployment+strategic.")


def test_an_ordinary_kind_keeps_kindnet() -> None:
    config = json.loads(kindconfig.ordinary(Shape(workers=1)))
    assert "disableDefaultCNI" not in config["networking"]
    assert [node["image"] for node in config["nodes"]] == [NODE_IMAGE, NODE_IMAGE]


def test_nodes_are_named_as_kind_names_them() -> None:
    assert kindconfig.node_names("c", 3) == ["c-control-plane", "c-worker", "c-worker2", "c-worker3"]
