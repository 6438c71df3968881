"""Which claims `expand-pvc` grows, how far, and which it leaves alone."""

import json

import pytest
from tests.unit.builders import T0, TARGET, deployment, parameter, replicaset, running_pod, template

from hemostat.action.contract import World, make_plan, parse
from hemostat.action.registry import discover
from hemostat.action.undoing import stays
from hemostat.errors import Refused

ACTION = discover()["expand-pvc"]


def claim(name, size="10Gi", *, capacity="", storage_class="fast", phase="Bound"):
    return {
        "metadata": {"name": name, "uid": f"uid-{name}"},
        "spec": {"storageClassName": storage_class, "resources": {"requests": {"storage": size}}},
        "status": {"phase": phase, "capacity": {"storage": capacity or size}},
    }


def pod(name, **volumes):
    found = running_pod(name, ownerReferences=[{"uid": "uid-rs-1", "kind": "ReplicaSet", "controller": True}])
    found["spec"]["volumes"] = [
        {"name": "tmp", "emptyDir": {}},
        *({"name": v, "persistentVolumeClaim": {"claimName": c}} for v, c in volumes.items()),
    ]
    return found


def plan(pods, claims, *, expands=True, **given):
    classes = [{"metadata": {"name": "fast"}, "allowVolumeExpansion": expands}, {"metadata": {"name": "slow"}}]
    seen = World(
        target=deployment(),
        revisions=[replicaset(1, template())],
        pods=pods,
        proposed=T0,
        others={"PersistentVolumeClaim": claims, "StorageClass": classes},
    )
    return make_plan(ACTION, TARGET, parse(ACTION, [parameter(k, v) for k, v in given.items()]), seen)


def sizes(found):
    return {e.name: json.loads(e.ops[0].value) for e in found.effects}


def test_the_claims_of_the_volume_are_grown_and_nothing_undoes_it():
    pods = [pod("a", data="data-a"), pod("b", data="data-b"), pod("c", data="data-b")]
    found = plan(pods, [claim("data-a"), claim("data-b", "20Gi"), claim("other")])
    assert sizes(found) == {"data-a": "15Gi", "data-b": "30Gi"}
    assert stays(found) == "nothing undoes 2 of its steps"
    assert {e.uid for e in found.effects} == {"uid-data-a", "uid-data-b"}
    assert "data-a 10Gi -> 15Gi" in found.summary


@pytest.mark.parametrize(
    ("size", "given", "wanted"),
    [
        ("10Gi", {"factorPercent": "110"}, "11Gi"),
        ("1500Mi", {}, "3Gi"),
        ("1G", {}, "2Gi"),
        ("90Gi", {"factorPercent": "300"}, "100Gi"),
        ("10Gi", {"maxGib": "12"}, "12Gi"),
    ],
)
def test_it_is_rounded_up_to_whole_gibibytes_within_the_bound(size, given, wanted):
    assert sizes(plan([pod("a", data="d")], [claim("d", size)], **given)) == {"d": wanted}


@pytest.mark.parametrize(
    ("pods", "claims", "given", "wanted"),
    [
        ([pod("a")], [], {}, "NoClaim"),
        ([pod("a", data="d")], [claim("d")], {"volume": "logs"}, "NoClaim"),
        ([pod("a", data="d", logs="l")], [claim("d"), claim("l")], {}, "WhichVolume"),
        ([pod("a", data="d")], [claim("d", "100Gi")], {}, "AtMaximum"),
        ([pod("a", data="d")], [claim("d", "200Gi")], {}, "AtMaximum"),
        ([pod("a", data="d")], [claim("d", storage_class="slow")], {}, "NotExpandable"),
        ([pod("a", data="d")], [claim("d", storage_class="")], {}, "NotExpandable"),
        ([pod("a", data="d")], [claim("d", phase="Pending")], {}, "NotBound"),
        ([pod("a", data="d")], [claim("d", "20Gi", capacity="10Gi")], {}, "Resizing"),
    ],
)
def test_what_cannot_be_grown_is_left_alone_and_it_is_said_why(pods, claims, given, wanted):
    with pytest.raises(Refused) as caught:
        plan(pods, claims, **given)
    assert caught.value.reason == wanted


def test_of_several_volumes_the_runbook_names_one():
    found = plan([pod("a", data="d", logs="l")], [claim("d"), claim("l")], volume="logs")
    assert sizes(found) == {"l": "15Gi"}


def test_a_class_that_allows_no_expansion_is_not_asked_for_one():
    with pytest.raises(Refused, match="StorageClass fast of claim d allows no expansion"):
        plan([pod("a", data="d")], [claim("d")], expands=False)
