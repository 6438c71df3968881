"""What a GatePolicy's status says of it, and that it is written once."""

from types import SimpleNamespace

from tests.unit.builders import T0, policy

from hemostat.act.policies import PolicyCheck
from hemostat.api.meta import find
from hemostat.clock import FakeClock


def looked_at(given):
    written, told = [], []
    store = SimpleNamespace(
        policy={given.metadata.name: given}.get, write_policy=lambda _, status: written.append(status)
    )
    events = SimpleNamespace(emit=lambda *words: told.append(words))
    PolicyCheck(store, events, FakeClock(T0), ("rollback",)).look(given.metadata.name)
    return written, told


def test_a_policy_that_is_gone_is_not_written():
    PolicyCheck(SimpleNamespace(policy=lambda _: None), None, FakeClock(T0), ()).look("gone")


def of_generation(number, **spec):
    made = policy("careful", **spec)
    return made.model_copy(update={"metadata": made.metadata.model_copy(update={"generation": number})})


def test_a_mistyped_action_is_not_ready_and_told_once():
    wrong = of_generation(3, decision="Deny", actions=["rolback"])
    (status,), told = looked_at(wrong)
    ready = find(status.conditions, "Ready")
    assert (status.observed_generation, ready.observed_generation) == (3, 3)
    assert (ready.status, ready.reason) == ("False", "UnknownAction")
    assert "did you mean rollback?" in ready.message
    assert told[0][-1] == "Warning"
    assert looked_at(wrong.model_copy(update={"status": status})) == ([], [])


def test_a_right_one_is_ready():
    (status,), told = looked_at(of_generation(1, actions=["rollback"]))
    assert find(status.conditions, "Ready").status == "True"
    assert told == []
