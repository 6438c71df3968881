"""`restart`, `pause-rollout` and `resume-rollout`: what they write, what they refuse, and what undoes them."""

import json
from dataclasses import replace

import pytest
from tests.unit.action.test_remediations import done
from tests.unit.builders import T0, TARGET, deployment, workload

from hemostat.action.contract import World, make_plan
from hemostat.action.effects import missing_parents, still_ours
from hemostat.action.registry import discover
from hemostat.action.undoing import stays
from hemostat.errors import Refused

ACTIONS = discover()
HALFWAY = {"updatedReplicas": 1, "replicas": 4}


def plan(name, live, **world):
    seen = replace(World(live, proposed=T0), **world)
    return make_plan(ACTIONS[name], TARGET.model_copy(update={"kind": live["kind"]}), ACTIONS[name].params(), seen)


def reason(*args, **kwargs):
    with pytest.raises(Refused) as caught:
        plan(*args, **kwargs)
    return caught.value.reason


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
def test_a_restart_is_the_annotation_of_kubectl_and_nothing_undoes_it(kind):
    found = plan("restart", workload(kind))
    (op,) = found.steps[0].forward.ops
    assert op.path == "/spec/template/metadata/annotations/kubectl.kubernetes.io~1restartedAt"
    assert json.loads(op.value).startswith("2026-03-01T12:00:00")
    assert missing_parents(found.steps[0].forward, workload(kind)) == ("/spec/template/metadata/annotations",)
    assert (stays(found), found.replaced_pods, found.on_ineffective) == ("nothing undoes it", 3, "Keep")
    assert plan("restart", workload(kind)) == found, "it does not vary with the time of day"


@pytest.mark.parametrize(
    ("live", "why"),
    [
        (workload("Deployment", paused=True), "Paused"),
        (workload("StatefulSet", updateStrategy={"type": "OnDelete"}), "OnDelete"),
        (workload("DaemonSet", updateStrategy={"type": "OnDelete"}), "OnDelete"),
        (workload("StatefulSet", updateStrategy={"rollingUpdate": {"partition": 1}}), "Partitioned"),
        (workload("Deployment", replicas=0), "ScaledToZero"),
    ],
)
def test_what_would_not_restart_is_refused(live, why):
    assert reason("restart", live) == why


def test_a_rollout_is_paused_and_goes_on_when_that_is_undone():
    live = deployment()
    live["status"] |= HALFWAY
    found = plan("pause-rollout", live)
    after = done(live, found.steps[0].forward)
    assert after["spec"]["paused"] is True
    assert still_ours(found.steps[0].forward, after)
    assert done(after, found.steps[0].inverse) == live
    assert (found.replaced_pods, "1 of 3 pods" in found.summary) == (0, True)


def test_a_paused_rollout_goes_on_and_stops_again_when_that_is_undone():
    live = workload("Deployment", paused=True)
    live["status"] |= HALFWAY
    found = plan("resume-rollout", live)
    after = done(live, found.steps[0].forward)
    assert "paused" not in after["spec"]
    assert still_ours(found.steps[0].forward, after)
    assert done(after, found.steps[0].inverse) == live
    assert found.replaced_pods == 2


@pytest.mark.parametrize(
    ("name", "live", "why"),
    [
        ("pause-rollout", deployment(), "NothingToPause"),
        ("pause-rollout", workload("Deployment", paused=True), "Paused"),
        ("resume-rollout", deployment(), "NotPaused"),
    ],
)
def test_what_is_so_already_is_refused(name, live, why):
    assert reason(name, live) == why
