"""Ordinary faults that the API server itself shows: each is detected, rolled back with a person's word, and healed."""

from typing import Any

import pytest
import yaml

from hemostat_chaos.demo import play
from hemostat_chaos.experiment.runner import Runner
from hemostat_chaos.experiment.world import World

FAULTS = {
    "bad-image": {"image": "hemostat:no-such-tag"},
    "too-little-memory": {"memoryLimit": "16Mi"},
    "missing-setting": {"env": [{"name": "SHOP_WORKERS", "value": "none"}]},
}


@pytest.mark.timeout(420)
@pytest.mark.parametrize("name", sorted(FAULTS))
def test_a_pod_that_cannot_run_is_rolled_back(stage: play.Stage, name: str) -> None:
    play.wait_ready(stage)
    play.wait_baseline(stage)
    experiment: dict[str, Any] = yaml.safe_load((stage.root / "chaos/experiments/bad-rollout.yaml").read_text())
    experiment["metadata"]["name"] = name
    experiment["spec"]["fault"]["rollout"] = FAULTS[name]
    experiment["spec"]["expect"] |= {"signal": "Workload", "signalDeadlineSeconds": 90}
    world = World(stage.kube, "shop")
    result = Runner(world, stage.waiter, stage.options).run(experiment)
    assert result.passed, result.message
    if name == "too-little-memory":
        incident = next(i for i in world.incidents() if i.metadata.name == result.incident)
        # at times the runtime misses the kernel's word, and the kubelet then knows exit code 137 alone
        assert any("for lack of memory" in e.summary for e in incident.status.evidence)
