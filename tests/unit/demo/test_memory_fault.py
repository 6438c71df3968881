"""The fault `too little memory`, as a change of a manifest."""

from hemostat.api.chaosexperiment import Rollout
from hemostat_chaos.experiment.fault import changed, describe

MANIFEST = {
    "metadata": {"name": "payment"},
    "spec": {"template": {"spec": {"containers": [{"name": "payment", "resources": {"limits": {"cpu": "1"}}}]}}},
}


def test_memory_is_bounded_and_the_rest_stays():
    rollout = Rollout(memory_limit="16Mi")
    (container,) = changed(MANIFEST, rollout)["spec"]["template"]["spec"]["containers"]
    assert container["resources"] == {"limits": {"cpu": "1", "memory": "16Mi"}, "requests": {"memory": "16Mi"}}
    assert describe(rollout) == "memory 16Mi"
    assert "requests" not in MANIFEST["spec"]["template"]["spec"]["containers"][0]["resources"]
