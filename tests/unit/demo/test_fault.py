import copy

import pytest

from hemostat.api.chaosexperiment import Rollout
from hemostat.errors import Refused
from hemostat_chaos.experiment.fault import changed, describe
from hemostat_chaos.experiment.owned import applied_manifest, managers


def test_the_owners_manifest_is_read_back_exactly(live, manifest):
    assert applied_manifest(live) == manifest


def test_what_others_own_is_not_in_it(live):
    text = str(applied_manifest(live))
    for foreign in ("INJECTED", "sidecar", "restartPolicy", "progressDeadlineSeconds", "revision", "status"):
        assert foreign not in text


def test_set_items_are_selected_by_value():
    live = {
        "apiVersion": "v1",
        "kind": "X",
        "metadata": {
            "name": "x",
            "finalizers": ["a", "b"],
            "managedFields": [
                {
                    "manager": "kubectl",
                    "operation": "Apply",
                    "fieldsV1": {"f:metadata": {"f:finalizers": {".": {}, 'v:"b"': {}}}},
                }
            ],
        },
    }
    assert applied_manifest(live)["metadata"] == {"finalizers": ["b"], "name": "x"}


def test_an_object_that_the_owner_did_not_apply_is_refused(live):
    live["metadata"]["managedFields"][0]["operation"] = "Update"
    with pytest.raises(Refused, match="use kubectl apply --server-side"):
        applied_manifest(live)


def test_managers(live):
    assert managers(live) == ("kubectl", "kube-controller-manager")


def _rollout(**fields):
    return Rollout.model_validate(fields)


def test_a_rollout_sets_and_adds_variables_and_the_image(manifest):
    before = copy.deepcopy(manifest)
    rollout = _rollout(env=[{"name": "SHOP_WORK_MS", "value": "9"}, {"name": "NEW", "value": "1"}], image="bad")
    container = changed(manifest, rollout)["spec"]["template"]["spec"]["containers"][0]
    assert container["env"] == [{"name": "SHOP_WORK_MS", "value": "9"}, {"name": "NEW", "value": "1"}]
    assert container["image"] == "bad"
    assert manifest == before
    assert describe(rollout) == "image bad, SHOP_WORK_MS=9, NEW=1"


def test_a_fault_that_is_already_there_is_refused(manifest):
    with pytest.raises(Refused, match="already is as the fault would make it"):
        changed(manifest, _rollout(env=[{"name": "SHOP_WORK_MS", "value": "40"}]))
