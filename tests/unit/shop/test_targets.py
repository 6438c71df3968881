"""Which pods Prometheus is sent to, and under which names."""

from hemostat_chaos.shop.targets import kubelet_groups, target_groups


def pod(name="catalog-1", part_of="shop", port="http", ip="10.0.0.7", phase="Running", namespace="shop"):
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"app.kubernetes.io/name": name.split("-")[0], "app.kubernetes.io/part-of": part_of},
        },
        "spec": {"containers": [{"ports": [{"name": port, "containerPort": 8080}]}]},
        "status": {"podIP": ip, "phase": phase},
    }


def test_a_pod_of_the_shop_is_scraped_under_its_own_name():
    assert target_groups([pod()]) == [
        {
            "targets": ["10.0.0.7:8080"],
            "labels": {"namespace": "shop", "pod": "catalog-1", "service": "catalog"},
        }
    ]


def test_elsewhere_only_ports_named_metrics_are():
    assert target_groups([pod(part_of="other")]) == []
    assert len(target_groups([pod(part_of="other", port="metrics")])) == 1


def test_hemostat_itself_is_scraped_where_it_serves_its_pages():
    assert [group["targets"] for group in target_groups([pod(part_of="hemostat")])] == [["10.0.0.7:8080"]]
    assert target_groups([pod(part_of="hemostat", port="otlp-http")]) == []


def test_pods_that_cannot_be_asked_are_left_out():
    assert target_groups([pod(ip=None), pod(phase="Failed"), pod(phase="Succeeded")]) == []


def test_a_bare_pod_and_an_ipv6_address():
    bare = {
        "metadata": {"name": "x", "namespace": "n"},
        "spec": {"containers": [{}, {"ports": [{"containerPort": 1}, {"name": "metrics", "containerPort": 9}]}]},
        "status": {"podIP": "fd00::1", "phase": "Running"},
    }
    assert target_groups([bare]) == [
        {"targets": ["[fd00::1]:9"], "labels": {"namespace": "n", "pod": "x", "service": ""}}
    ]


def test_the_kubelet_of_every_node_is_scraped():
    def node(name, *addresses):
        ends = {"kubeletEndpoint": {"Port": 10250}}
        found = [{"type": kind, "address": at} for kind, at in addresses]
        return {"metadata": {"name": name}, "status": {"addresses": found, "daemonEndpoints": ends}}

    nodes = [node("a", ("InternalIP", "10.0.0.1"), ("Hostname", "a")), node("b", ("InternalIP", "fd00::2")), node("c")]
    assert kubelet_groups(nodes) == [
        {"targets": ["10.0.0.1:10250"], "labels": {"node": "a"}},
        {"targets": ["[fd00::2]:10250"], "labels": {"node": "b"}},
    ]
