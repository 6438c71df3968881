"""`set-resources`: how much more or less, within which bounds, and written as the API server writes it."""

import json
from decimal import ROUND_CEILING, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.action.test_remediations import done
from tests.unit.builders import TARGET, template, workload

from hemostat.action.contract import World, make_plan
from hemostat.action.registry import discover
from hemostat.errors import Refused
from hemostat.signals.workload.surroundings import amount
from hemostat_remediations.set_resources import canonical

ACTION = discover()["set-resources"]


def live(requests=None, limits=None, kind="Deployment", **spec):
    parts = {"requests": requests, "limits": limits}
    pod = template("1", resources={k: v for k, v in parts.items() if v is not None})
    return workload(kind, pod, **spec)


def plan(target, resource="memory", most="8Gi", **params):
    known = ACTION.params(resource=resource, most=most, **params)
    return make_plan(ACTION, TARGET.model_copy(update={"kind": target["kind"]}), known, World(target))


def after(target, *args, **params):
    (op,) = plan(target, *args, **params).steps[0].forward.ops
    return json.loads(op.value)["spec"]["containers"][0]["resources"]


def reason(*args, **params):
    with pytest.raises(Refused) as caught:
        plan(*args, **params)
    return caught.value.reason


def test_requests_and_limits_move_together_and_nothing_else():
    target = live({"memory": "256Mi", "cpu": "100m"}, {"memory": "512Mi"})
    assert after(target) == {"requests": {"memory": "384Mi", "cpu": "100m"}, "limits": {"memory": "768Mi"}}
    found = plan(target)
    assert "limits 768Mi of memory" in found.summary
    assert (found.replaced_pods, found.replicas_after) == (3, 3)


@pytest.mark.parametrize(
    ("resource", "now", "params", "wanted"),
    [
        ("memory", "1Gi", {"factor_percent": 200}, "2Gi"),
        ("memory", "1Gi", {"factor_percent": 400, "most": "3Gi"}, "3Gi"),
        ("memory", "1Gi", {"factor_percent": 50}, "512Mi"),
        ("memory", "1Gi", {"factor_percent": 10, "least": "512Mi"}, "512Mi"),
        ("memory", "1000M", {"factor_percent": 110}, "1049Mi"),
        ("cpu", "500m", {"factor_percent": 200}, "1"),
        ("cpu", "1", {"factor_percent": 150}, "1500m"),
        ("cpu", "3m", {"factor_percent": 50}, "2m"),
    ],
)
def test_amounts_are_written_as_the_api_server_writes_them(resource, now, params, wanted):
    assert after(live(limits={resource: now}), resource, **params)["limits"] == {resource: wanted}


@pytest.mark.parametrize(
    ("target", "params", "why"),
    [
        (live(limits={"memory": "1Gi"}), {"most": "1Gi"}, "AtMaximum"),
        (live(limits={"memory": "4Gi"}), {"most": "2Gi"}, "AtMaximum"),
        (live(limits={"memory": "1Gi"}), {"least": "1Gi", "factor_percent": 50}, "AtMinimum"),
        (live(limits={"memory": "1Gi"}), {"least": "2Gi", "factor_percent": 50}, "AtMinimum"),
        (live(limits={"memory": "1Mi"}), {"factor_percent": 90}, "AtMinimum"),
        (live(limits={"cpu": "1"}), {}, "NotStated"),
        (live(limits={"memory": "much"}), {}, "BadQuantity"),
        (live(limits={"memory": "1Gi"}), {"container": "sidecar"}, "WhichContainer"),
        (live(limits={"memory": "1Gi"}, paused=True), {}, "Paused"),
    ],
)
def test_what_changes_nothing_or_is_not_clear_is_refused(target, params, why):
    assert reason(target, **params) == why


def test_of_several_containers_one_is_named():
    target = live(limits={"memory": "1Gi"})
    target["spec"]["template"]["spec"]["containers"].append({"name": "b", "resources": {"limits": {"memory": "2Gi"}}})
    assert reason(target) == "WhichContainer"
    assert after(target, container="app")["limits"] == {"memory": "1536Mi"}


@pytest.mark.parametrize(("resource", "now", "most"), [("cpu", "1", "2"), ("memory", "1Gi", "2Gi")])
def test_what_nobody_bounded_is_bounded(resource, now, most):
    assert after(live(limits={resource: now}), resource, "", factor_percent=400)["limits"] == {resource: most}


@pytest.mark.parametrize("wrong", [{"factor_percent": 401}, {"factor_percent": 9}, {"most": "-1Gi"}, {"most": "1 Gi"}])
def test_parameters_are_bounded(wrong):
    with pytest.raises(ValueError):  # noqa: PT011 - pydantic's own words
        ACTION.params(**{"resource": "memory", "most": "1Gi"} | wrong)


AMOUNTS = {"cpu": st.integers(1, 64_000).map(Decimal), "memory": st.integers(1, 4096).map(Decimal)}


@given(st.sampled_from(["cpu", "memory"]), st.data(), st.integers(10, 400))
def test_it_stays_within_its_bounds_and_undone_is_what_was(resource, data, factor):
    size = Decimal(1) / 1000 if resource == "cpu" else Decimal(1024 * 1024)
    low, now, most = (
        canonical(v * size, resource, ROUND_CEILING)
        for v in (*sorted(data.draw(AMOUNTS[resource]) for _ in range(2)), data.draw(AMOUNTS[resource]))
    )
    target = live({resource: low}, {resource: now})
    try:
        found = plan(target, resource, most, factor_percent=factor)
    except Refused:
        return
    made = done(target, found.steps[0].forward)
    assert done(made, found.steps[0].inverse) == target
    written = made["spec"]["template"]["spec"]["containers"][0]["resources"]
    requests, limits = (amount(written[part][resource]) for part in ("requests", "limits"))
    assert requests <= limits
    assert limits <= max(amount(most), amount(now))
