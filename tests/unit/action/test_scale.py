"""`scale` by the knob that owns the replicas: the workload, a HorizontalPodAutoscaler, or KEDA's ScaledObject."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.action.test_remediations import done
from tests.unit.builders import TARGET, meta, workload

from hemostat.action.contract import World, make_plan
from hemostat.action.effects import still_ours
from hemostat.action.registry import discover
from hemostat.errors import Refused

SCALE = discover()["scale"]


def hpa(least=2, most=5, owner=None, name="hpa"):
    spec = {"scaleTargetRef": {"kind": "Deployment", "name": "payment"}, "minReplicas": least, "maxReplicas": most}
    refs = (
        [{"uid": owner, "controller": True, "kind": "ScaledObject", "apiVersion": "keda.sh/v1alpha1"}] if owner else []
    )
    made = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "spec": spec}
    return made | {"metadata": meta(name, managedFields=[], ownerReferences=refs)}


def scaled_object(kind=None, annotations=None, **counts):
    ref = {"name": "payment"} | ({"kind": kind} if kind else {})
    made = {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "spec": {"scaleTargetRef": ref} | counts}
    return made | {"metadata": meta("queue", managedFields=[], annotations=annotations or {})}


def plan(replicas=3, scalers=(), scaled=(), kind="Deployment", spec=None, **params):
    live = workload(kind, replicas=replicas, **(spec or {}))
    world = World(live, scalers=scalers, others={"ScaledObject": scaled})
    return make_plan(SCALE, TARGET.model_copy(update={"kind": kind}), SCALE.params(**params), world)


def reason(**kwargs):
    with pytest.raises(Refused) as caught:
        plan(**kwargs)
    return caught.value.reason


def written(found):
    (step,) = found.steps
    return step.forward.kind, {op.path: json.loads(op.value) for op in step.forward.ops}


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_without_an_autoscaler_the_workload_itself_is_scaled(kind):
    found = plan(kind=kind)
    assert written(found) == (kind, {"/spec/replicas": 6})
    assert (found.steps[0].forward.subresource, found.replaced_pods) == ("scale", 0)


@pytest.mark.parametrize(
    ("replicas", "params", "after"),
    [(6, {"factor_percent": 50}, 3), (3, {"factor_percent": 50}, 1), (4, {"factor_percent": 10, "min_replicas": 2}, 2)],
)
def test_in_as_well_as_out(replicas, params, after):
    found = plan(replicas, **params)
    assert written(found)[1] == {"/spec/replicas": after}
    assert (found.replicas_after, found.replaced_pods) == (after, replicas - after)


@pytest.mark.parametrize(
    "params", [{"factor_percent": 90, "min_replicas": 3}, {"factor_percent": 10, "min_replicas": 5}]
)
def test_what_would_not_shrink_is_refused(params):
    assert reason(**params) == "AtMinimum"


def test_nothing_is_scaled_in_where_that_deletes_volumes():
    spec = {"persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete", "whenDeleted": "Retain"}}
    assert reason(kind="StatefulSet", spec=spec, factor_percent=50) == "DeletesVolumes"
    assert plan(kind="StatefulSet", spec=spec).replicas_after == 6


@pytest.mark.parametrize(
    ("bounds", "replicas", "factor", "after"),
    [
        ((2, 5), 5, 200, {"/spec/maxReplicas": 10}),
        ((2, 5), 3, 200, {"/spec/minReplicas": 6, "/spec/maxReplicas": 6}),
        ((2, 9), 3, 200, {"/spec/minReplicas": 6}),
        ((2, 9), 8, 50, {"/spec/maxReplicas": 4}),
        ((6, 9), 8, 50, {"/spec/minReplicas": 4, "/spec/maxReplicas": 4}),
    ],
)
def test_the_bounds_of_an_autoscaler_move(bounds, replicas, factor, after):
    found = plan(replicas, scalers=[hpa(*bounds)], factor_percent=factor)
    assert written(found) == ("HorizontalPodAutoscaler", after)
    assert "HorizontalPodAutoscaler hpa" in found.summary


@pytest.mark.parametrize(("least", "most"), [(8, 9), (2, 4)])
def test_an_autoscaler_that_does_so_already_is_left_alone(least, most):
    assert reason(
        scalers=[hpa(least, most)], replicas=4, factor_percent=100 if least == 8 else 150, max_replicas=4
    ) in (
        "AtMaximum",
        "WithinBounds",
    )
    assert reason(scalers=[hpa(8, 9)], replicas=4) == "WithinBounds"


def test_the_autoscaler_that_keda_made_is_left_to_its_scaled_object():
    """KEDA would put the other back."""
    made = scaled_object(maxReplicaCount=3)
    found = plan(3, [hpa(1, 3, owner=made["metadata"]["uid"])], [made])
    assert written(found) == ("ScaledObject", {"/spec/maxReplicaCount": 6})
    (absent,) = plan(3, scaled=[scaled_object()]).steps
    assert [(op.op.value, op.path) for op in absent.inverse.ops] == [("remove", "/spec/minReplicaCount")]


def test_an_autoscaler_whose_scaled_object_may_not_be_read_is_not_fought():
    assert reason(scalers=[hpa(owner="unknown")]) == "OwnedByOperator"


@pytest.mark.parametrize(
    ("kwargs", "why"),
    [
        ({"scalers": [hpa(), hpa(name="other")]}, "ManyAutoscalers"),
        ({"scalers": [hpa()], "scaled": [scaled_object()]}, "ManyAutoscalers"),
        ({"scaled": [scaled_object(annotations={"autoscaling.keda.sh/paused": "true"})]}, "AutoscalerPaused"),
        ({"scaled": [scaled_object(annotations={"autoscaling.keda.sh/paused-replicas": "4"})]}, "AutoscalerPaused"),
    ],
)
def test_what_people_must_see_to_first(kwargs, why):
    assert reason(**kwargs) == why


def test_a_scaled_object_of_something_else_says_nothing():
    assert written(plan(scaled=[scaled_object("StatefulSet")]))[0] == "Deployment"


COUNTS = st.one_of(st.none(), st.integers(0, 30))


@given(st.integers(1, 40), COUNTS, COUNTS, st.integers(10, 400), st.integers(1, 60))
def test_moved_bounds_undone_are_what_they_were(replicas, least, most, factor, limit):
    """Out never lowers a bound, in never raises one, the least stays below the most, and nothing exceeds the limit."""
    counts = {"minReplicaCount": least, "maxReplicaCount": most}
    live = scaled_object(**{k: v for k, v in counts.items() if v is not None})
    try:
        found = plan(replicas, scaled=[live], factor_percent=factor, max_replicas=limit)
    except Refused:
        return
    after = done(live, found.steps[0].forward)
    assert still_ours(found.steps[0].forward, after)
    assert done(after, found.steps[0].inverse) == live
    old, new = ((o["spec"].get("minReplicaCount", 0), o["spec"].get("maxReplicaCount", 100)) for o in (live, after))
    if factor < 100:
        assert new <= old
        assert new[1] <= max(replicas, 1)
    else:
        assert new[0] <= max(old[0], limit)
        assert new[1] <= max(old[1], limit)
        assert new[0] >= old[0]
