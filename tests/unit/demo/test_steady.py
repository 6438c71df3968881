import pytest

from hemostat_chaos.experiment.steady import SteadyInput, unsteady


@pytest.fixture
def facts(make, live):
    def build(**changes):
        healthy = make.condition("Healthy", "True", "NothingFires")
        values = {
            "watch": make.watch(healthy),
            "watched": live,
            "target": live,
            "replicasets": [make.replicaset(1, "h1"), make.replicaset(9, "zz", owner="other")],
            "incidents": [],
            "action": "rollback",
        }
        return SteadyInput(**(values | changes))

    return build


def test_steady(facts):
    assert unsteady(facts()) is None


def test_what_is_missing_is_said(facts, make, live):
    rolling = live | {"metadata": live["metadata"] | {"generation": 2}}
    sick = make.watch(make.condition("Healthy", "False", "Firing", message="calls fires"))
    stale = make.watch(
        make.condition("Healthy", "True", "NothingFires"),
        make.condition("DataFresh", "False", "NoSpans", message="no spans for 20 s"),
    )
    for changes, said in (
        ({"watch": None}, "Watch does not exist"),
        ({"watched": None}, "watched workload does not exist"),
        ({"target": rolling}, "rollout of payment is not complete"),
        ({"watch": make.watch()}, "does not say yet"),
        ({"watch": sick}, "not healthy: Firing: calls fires"),
        ({"watch": stale}, "no spans for 20 s"),
        ({"incidents": [make.incident()]}, "Incident payment-1 is still open"),
        ({"replicasets": []}, "no ReplicaSet"),
        ({"replicasets": [make.replicaset(2, "h2"), make.replicaset(1, "h1")]}, "revision h2 was not yet observed"),
    ):
        assert said in (unsteady(facts(**changes)) or "")


def test_resolved_and_others_incidents_do_not_matter(facts, make):
    over = make.incident(conditions=[make.condition("Resolved", "True", "Healed")])
    assert unsteady(facts(incidents=[over, make.incident(watch="catalog")])) is None


def test_only_a_rollback_needs_a_revision_to_return_to(facts):
    assert unsteady(facts(action="scale", replicasets=[])) is None
