"""What people did where Hemostat only said what it would do."""

import pytest
from tests.unit.builders import HASH, condition, deployment, incident, remediation, since, template
from tests.unit.gate.test_checks import PLAN

from hemostat.action.contract import deletion, effect, once, replace
from hemostat.gate.shadow import Afterwards, compared, in_shadow

GOOD, BAD, OTHER = template("1"), template("2"), template("3")
FORWARD = effect(deployment(), (replace("/spec/template", GOOD),))


def shadowed(forward=FORWARD):
    status = {
        "conditions": [condition("Finished", reason="WouldHave", when=0)],
        "plan": PLAN.model_copy(update={"steps": once(forward)}).wire(),
        "planHash": HASH,
    }
    return remediation(status=status)


def live(pod, *edits):
    found = deployment(pod)
    found["metadata"]["managedFields"] = [{"manager": who, "time": since(when)} for who, when in edits]
    return found


RESOLVED = incident(conditions=(condition("Resolved", True, "ClearedByItself", when=600),))


@pytest.mark.parametrize(
    ("pod", "edits", "wanted"),
    [
        (GOOD, [("kubectl-rollout", 60)], Afterwards.SAME),
        (OTHER, [("kubectl-set", 60)], Afterwards.OTHER),
        (BAD, [("kubectl-edit", 60)], Afterwards.OTHER),
        (BAD, [("kubectl-edit", -60)], Afterwards.NOTHING),
        (BAD, [("kube-controller-manager", 60)], Afterwards.NOTHING),
        (GOOD, [("kubectl-edit", -60)], Afterwards.NOTHING),
    ],
)
def test_what_was_done_since_is_read_from_the_target(pod, edits, wanted):
    target = live(pod, *edits)
    assert compared(shadowed(), target, [target], RESOLVED).afterwards is wanted


def test_who_did_it_and_how_it_ended_are_told():
    target = live(GOOD, ("kubectl-rollout", 60))
    said = compared(shadowed(), target, [target], RESOLVED).message
    assert said == "by kubectl-rollout, last at 2026-03-01T12:01:00Z; the Incident ended after 10 min (ClearedByItself)"
    assert compared(shadowed(), target, [target], incident()).message.endswith("the Incident is still open")
    assert compared(shadowed(), target, [target], None).message.endswith("the Incident is gone")


def test_a_deleted_target_was_touched():
    assert compared(shadowed(), None, [None], RESOLVED).afterwards is Afterwards.OTHER


@pytest.mark.parametrize(("there", "wanted"), [(False, Afterwards.SAME), (True, Afterwards.NOTHING)])
def test_a_pod_that_would_have_been_deleted_is_gone_or_not(there, wanted):
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "payment-a", "uid": "u", "managedFields": []}}
    target = live(BAD)
    assert compared(shadowed(deletion(pod)), target, [pod if there else None], RESOLVED).afterwards is wanted


def test_only_what_ended_in_shadow_is_compared():
    assert in_shadow(shadowed())
    assert not in_shadow(remediation(status={"conditions": [condition("Finished", reason="Healed")]}))
