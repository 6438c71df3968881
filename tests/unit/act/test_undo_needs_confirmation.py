"""An undo is unattended: without the API server's or Prometheus' word it is left to a person."""

from datetime import timedelta
from types import SimpleNamespace

import pytest
from tests.unit.action.plans import PLAN
from tests.unit.builders import T0, deployment, incident, remediation, runbook, signal, template

from hemostat.act.ending import Ending
from hemostat.api.meta import find
from hemostat.api.remediation import VERIFIED
from hemostat.clock import FakeClock
from hemostat.errors import Retry
from hemostat.signals.workload import state_of


@pytest.mark.parametrize(
    ("word", "on_ineffective", "reason"),
    [
        ("Prometheus confirms it", "Undo", "Ineffective"),
        (None, "Undo", "Undecided"),
        (Retry("away"), "Undo", "Undecided"),
        (None, "Keep", "Ineffective"),
    ],
)
def test_a_verdict_that_undoes_needs_confirmation(word, on_ineffective, reason):
    now = T0 + timedelta(seconds=600)
    late = {"observed_time": now, "state_time": T0, "first_fired_time": T0}
    seen = incident(signals=(signal(**late),))
    effect = {"effect": "Forward", "time": T0, "resource_version": "1", "generation": 2, "proof": "Content"}
    written = []

    def corroboration(*_):
        if isinstance(word, Exception):
            raise word
        return word

    live = deployment(template("1"), readyReplicas=3, updatedReplicas=3, replicas=3, availableReplicas=3)
    store = SimpleNamespace(
        incident=lambda *_: seen, runbook=lambda *_: runbook(), write=lambda _, status: written.append(status)
    )
    facts = SimpleNamespace(target=lambda *_: live, state=lambda *_: state_of(live), corroboration=corroboration)
    executor = SimpleNamespace(read=lambda *_: live)
    ending = Ending(store, facts, executor, FakeClock(now), None, None)
    plan = PLAN.model_copy(update={"on_ineffective": on_ineffective}).wire()
    ending.verify(remediation(status={"results": [effect], "plan": plan}))
    verified = find(written[-1].conditions, VERIFIED)
    assert (verified.status, verified.reason) == ("False", reason)
