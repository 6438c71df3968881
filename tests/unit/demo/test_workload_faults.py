"""The list of workload faults: each breaks something, names a signal that exists, and can be undone."""

import pytest

from hemostat.api.meta import ObjectMeta
from hemostat.api.watch import Watch
from hemostat.kube import path_of
from hemostat.signals.workload import Aspect
from hemostat.signals.workload.judge import ASPECTS
from hemostat_chaos.cluster.constants import SPARE
from hemostat_chaos.experiment.manifests import in_namespace
from hemostat_chaos.experiment.node_faults import NODE_FAULTS
from hemostat_chaos.experiment.workload_faults import FAULTS, quota_fault

ALL = (*FAULTS, quota_fault(1), *NODE_FAULTS)


def test_names_are_unique_and_ten_different_signals_are_raised():
    assert len({f.name for f in ALL}) == len(ALL)
    assert len({f.expected for f in ALL}) >= 10


@pytest.mark.parametrize("fault", ALL, ids=lambda f: f.name)
def test_a_fault_changes_something_about_the_target_it_is_named_for(fault):
    assert fault.apply or fault.commands or fault.on_node
    assert all(o not in fault.before for o in fault.apply)
    named = [o for o in (*fault.before, *fault.apply) if (o["kind"], o["metadata"]["name"]) == (fault.kind, fault.name)]
    assert named
    assert fault.expected in ASPECTS[fault.kind]


@pytest.mark.parametrize("fault", ALL, ids=lambda f: f.name)
def test_its_watch_is_one_and_looks_at_nothing_else(fault):
    watch = Watch.model_validate(in_namespace(fault.watch(), "shop"))
    assert watch.metadata == ObjectMeta(name=fault.name, namespace="shop")
    assert watch.spec.target.kind == fault.kind
    assert [s.workload is not None for s in watch.spec.signals] == [True]


@pytest.mark.parametrize("fault", ALL, ids=lambda f: f.name)
def test_its_objects_go_into_one_namespace_and_are_left_alone(fault):
    for manifest in (*fault.before, *fault.apply):
        moved = in_namespace(manifest, "here")
        assert "namespace" not in manifest["metadata"]
        assert "/namespaces/here/" in path_of(moved["apiVersion"], moved["kind"], "here", moved["metadata"]["name"])
    names = {"pod": "p", "node": "n"}
    commands = (*fault.commands, *fault.undo, *fault.relief)
    assert all(isinstance(word, str) for c in commands for word in c(names))


@pytest.mark.parametrize("fault", [f for f in ALL if f.on_node], ids=lambda f: f.name)
def test_what_is_done_to_a_node_is_undone_and_hits_pods_that_ask_for_it(fault):
    assert fault.undo_on_node
    assert fault.can_be_relieved
    for manifest in fault.before:
        pod = manifest["spec"]["template"]["spec"]
        assert pod["nodeSelector"] == {SPARE: "true"}
        assert [t["key"] for t in pod["tolerations"]] == [SPARE]


def test_an_autoscaler_that_is_overloaded_can_have_no_more_pods_than_the_load_fills():
    (fault,) = (f for f in FAULTS if f.expected is Aspect.AUTOSCALER_MAX)
    pods, _, scaler = fault.before
    assert scaler["spec"]["scaleTargetRef"]["name"] == pods["metadata"]["name"] == fault.name
    (container,) = pods["spec"]["template"]["spec"]["containers"]
    wanted = int(container["resources"]["requests"]["cpu"].removesuffix("m"))
    bound = int(container["resources"]["limits"]["cpu"].removesuffix("m"))
    share = scaler["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] / 100
    assert bound > share * wanted * scaler["spec"]["maxReplicas"]
    assert fault.can_be_relieved
