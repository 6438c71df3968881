"""Finished work does not pile up for ever; and nothing is deleted that a check, an undo or a person still needs."""

from datetime import timedelta
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.act.double import ApiServer, Records
from tests.unit.action.plans import PLAN
from tests.unit.builders import T0, approval, at, condition, deployment, incident, remediation, runbook, template

from hemostat.act.retention import UNDER, Keep, kinds_of, long_ago, past
from hemostat.act.store import Store
from hemostat.act.sweeping import AT_ONCE, EVERYWHERE, Sweeper
from hemostat.action.execute import Executor
from hemostat.api.resources import APPROVAL, INCIDENT, REMEDIATION
from hemostat.audit.record import Step
from hemostat.clock import rfc3339
from hemostat.errors import Refused
from hemostat.gate.earned import MAX_OUTCOMES, outcomes_of
from hemostat.gate.input import Go

DAY = 86_400.0
KEEP = Keep(timedelta(days=7), 2)
RUNBOOKS = [runbook()]
PLACE = "/apis/apps/v1/namespaces/shop/deployments/payment"


def ended(name="r", days=30.0, of="i1", reason="Healed", *, applied=False, finished=True, undone=False, **spec):
    """A Remediation that finished so many days ago."""
    when = -days * DAY
    said = [condition("Applied", applied, when=when)] + [condition("Finished", reason=reason, when=when)] * finished
    status = {"conditions": said + [condition("Undone")] * undone, "stage": "Decided"}
    if applied:
        intent = {"effect": "Forward", "attempt": 1, "uid": "u", "resourceVersion": "7", "time": rfc3339(at(when))}
        result = {"effect": "Forward", "time": rfc3339(at(when)), "resourceVersion": "8", "proof": "ManagedFields"}
        more = {"generation": 2}
        status |= {"plan": PLAN.wire(), "intents": [intent | more], "results": [result | more]}
    return remediation(name, status=status, incidentRef={"name": of, "uid": f"uid-{of}"}, **spec)


def gone(*remediations, keep=KEEP, runbooks=()):
    found = long_ago([past(r) for r in remediations], kinds_of(runbooks), keep, T0)
    return [one.name for group in found for one in group]


def test_what_is_old_and_not_among_the_newest_goes_the_oldest_first():
    old = [ended(f"r{n}", days=8 + n, of=f"i{n}") for n in range(5)]
    assert gone(*old) == ["r4", "r3", "r2"]
    assert gone(*old, keep=Keep(timedelta(days=7), 10)) == []
    assert gone(*old, keep=Keep(timedelta(days=7), 0)) == ["r4", "r3", "r2", "r1", "r0"]
    assert gone(*old, keep=Keep(timedelta(days=10.5), 0)) == ["r4", "r3"]


def test_of_an_incident_all_go_or_none():
    """One that is not finished, or is young, keeps the others: they tell whether the first one lasted."""
    newest = [ended(f"n{n}", days=0.1, of="new") for n in range(2)]
    old = ended("old", of="a")
    assert gone(*newest, old) == ["old"]
    assert gone(*newest, old, ended("young", days=6, of="a")) == []
    assert gone(*newest, old, ended("at-work", of="a", finished=False)) == []


KINDS = st.sampled_from([{}, {"action": "scale"}, {"runbookRef": {"name": "bad-release", "uid": "uid-another"}}])
PASTS = st.lists(
    st.builds(
        lambda days, of, reason, applied, opening, kind: ended(
            "r", days, of, reason, applied=applied, opening=opening, **kind
        ),
        st.floats(0, 100),
        st.sampled_from([f"i{n}" for n in range(12)]),
        st.sampled_from(["Healed", "Worse"]),
        st.booleans(),
        st.integers(0, 2),
        KINDS,
    ),
    max_size=30,
).map(lambda many: [r.model_copy(update={"metadata": _named(r, n)}) for n, r in enumerate(many)])


def _named(made, number):
    return made.metadata.model_copy(update={"name": f"r{number}", "uid": f"uid-r{number}"})


@given(PASTS, st.integers(1, 4), st.integers(0, 3))
def test_what_was_earned_stays_as_it_was(all_, most, newest):
    with pytest.MonkeyPatch.context() as patch:
        for where in ("act.retention", "gate.earned"):
            patch.setattr(f"hemostat.{where}.MAX_OUTCOMES", most)
        left = set(gone(*all_, keep=Keep(timedelta(days=7), newest), runbooks=RUNBOOKS))
        kept = [r for r in all_ if r.metadata.name not in left]
        like = remediation("next", incidentRef={"name": "now", "uid": "uid-now"})
        assert outcomes_of(kept, like, {}) == outcomes_of(all_, like, {})


def test_of_a_step_that_no_runbook_has_any_more_nothing_is_earned_and_nothing_kept():
    many = [ended(f"r{n:03}", days=8 + n, of=f"i{n}", applied=True) for n in range(MAX_OUTCOMES + 5)]
    assert len(gone(*many, runbooks=RUNBOOKS)) == 5
    assert len(gone(*many)) == MAX_OUTCOMES + 3


class Town(ApiServer):
    """Remediations in an API server, and `act` that tidies up."""

    def __init__(self, *remediations, incidents=(), approvals=(), live=None, keep=KEEP):
        super().__init__({PLACE: live or deployment()})
        for resource, objects in ((REMEDIATION, remediations), (INCIDENT, incidents), (APPROVAL, approvals)):
            for one in objects:
                body = {"metadata": one.metadata.wire(), "spec": one.spec.wire()}
                status = getattr(one, "status", None)
                self.put(resource.path("shop", one.metadata.name), body | ({"status": status.wire()} if status else {}))
        self.records, self.asked, self.go = Records(), [], Go(begin=True, undo=True)
        store = Store(self, self.records)
        executor = Executor(self, SimpleNamespace())
        self.sweeper = Sweeper(store, executor, keep, self.records, lambda: self.go, lambda: T0, self.asked.append)

    def versions(self, path):
        kind = path.rsplit("/", 1)[1]
        return [o["metadata"] for p, o in self.objects.items() if p.rsplit("/", 2)[1] == kind]

    def left(self, resource=REMEDIATION):
        return sorted(p.rsplit("/", 1)[1] for p in self.objects if p.startswith(resource.path("shop", "")))


OLD = [ended(f"r{n}", days=8 + n, of=f"i{n}") for n in range(5)]


def test_it_is_recorded_before_it_is_deleted():
    town = Town(*OLD)
    assert town.sweeper.look(EVERYWHERE) == 3600
    assert town.asked == ["shop"]
    assert town.sweeper.look("shop") is None
    assert town.left() == ["r0", "r1"]
    assert [(e.step, e.remediation, e.says["finished"]) for e in town.records.entries] == [
        (Step.FORGOTTEN, name, "Healed") for name in ("r4", "r3", "r2")
    ]


def test_what_cannot_be_recorded_is_not_deleted():
    town = Town(*OLD)
    town.records.room = 1
    with pytest.raises(Exception, match="disk is full"):
        town.sweeper.look("shop")
    assert town.left() == ["r0", "r1", "r2", "r3"]


@pytest.mark.parametrize("go", [None, Go(begin=False, undo=True)])
def test_while_it_is_stopped_nothing_is_deleted(go):
    town = Town(*OLD)
    town.go = go
    assert town.sweeper.look("shop") is None
    assert len(town.left()) == 5


def test_what_may_not_be_deleted_is_not_recorded_again_and_again(monkeypatch):
    def forbidden(*_, **__):
        raise Refused("Forbidden", "act cannot delete")

    town = Town(*OLD)
    monkeypatch.setattr(town, "delete", forbidden)
    assert town.sweeper.look("shop") is None
    assert town.records.entries == []


@pytest.mark.parametrize(
    ("resolved", "kept"),
    [
        (None, True),
        (condition("Resolved", False), True),
        (condition("Resolved", when=-6 * DAY), True),
        (condition("Resolved", when=-8 * DAY), False),
    ],
)
def test_an_incident_that_is_open_or_may_come_back_keeps_what_was_done_for_it(resolved, kept):
    about = incident("i9", conditions=() if resolved is None else (resolved,))
    town = Town(*OLD[:2], ended("mine", days=20, of="i9"), incidents=[about])
    town.sweeper.look("shop")
    assert ("mine" in town.left()) is kept


STANDING, CHANGED = deployment(template("1")), deployment(template("9"))
"""As PLAN leaves it; as somebody left it since."""


@pytest.mark.parametrize(
    ("live", "undone", "kept"),
    [(STANDING, False, True), (STANDING, True, False), (CHANGED, False, False)],
)
def test_what_stands_and_can_be_taken_back_is_kept(live, undone, kept):
    town = Town(*OLD[:2], ended("mine", days=20, of="i9", applied=True, undone=undone), live=live)
    town.sweeper.look("shop")
    assert ("mine" in town.left()) is kept


def test_where_it_cannot_be_seen_whether_it_stands_it_is_kept():
    town = Town(*OLD[:2], ended("mine", days=20, of="i9", applied=True))
    seen = town.get
    town.get = lambda path, **query: seen(path, **query) if "deployments" not in path else forbidden()

    def forbidden():
        raise Refused("Forbidden", "act may not get deployments in shop")

    town.sweeper.look("shop")
    assert "mine" in town.left()


def test_of_one_object_what_lies_under_what_stands_is_kept_but_not_without_end():
    many = [ended(f"m{n:02}", days=20 + n, of=f"j{n}", applied=True) for n in range(UNDER + 4)]
    town = Town(*OLD[:2], *many, live=STANDING)
    town.sweeper.look("shop")
    assert town.left() == [f"m{n:02}" for n in range(UNDER)] + ["r0", "r1"]


def test_what_somebody_writes_to_meanwhile_stays():
    """A person's word that he takes it back, for example."""
    town = Town(*OLD)
    delete = town.delete

    def late(path, uid, version=None, *, dry_run=False):
        town.write(path, "kubectl", lambda o: o["metadata"].update(annotations={"hemostat.dev/x": "y"}))
        delete(path, uid, version, dry_run=dry_run)

    town.delete = late
    with pytest.raises(Exception, match="changed since it was read"):
        town.sweeper.look("shop")
    assert len(town.left()) == 5
    assert town.records.entries == []


def over(name, days, resolved=True):
    return incident(name, conditions=(condition("Resolved", resolved, when=-days * DAY),))


def test_an_incident_goes_before_its_remediations():
    """Else `observe`, started anew, would remember it as one for which nothing was tried."""
    town, order = Town(*OLD[:2], ended("mine", days=20, of="i9"), incidents=[over("i9", 20)]), []
    delete = town.delete

    def told(path, uid, version=None, *, dry_run=False):
        order.extend([path.rsplit("/", 1)[1]] * (not dry_run))
        delete(path, uid, version, dry_run=dry_run)

    town.delete = told
    town.sweeper.look("shop")
    assert order == ["i9", "mine"]


def test_incidents_that_nothing_was_done_for_go_when_they_are_long_over_but_for_the_newest():
    many = [over(f"o{n}", 8 + n) for n in range(4)]
    town = Town(*OLD[:2], incidents=[*many, over("open", 90, resolved=False), over("young", 1), over("i1", 90)])
    town.sweeper.look("shop")
    assert town.left(INCIDENT) == ["i1", "o0", "open", "young"], "i1 has a Remediation that is kept"


def test_approvals_go_with_what_they_are_about():
    words = [
        approval(f"a{n}", created=-days * DAY, remediation=about)
        for n, (about, days) in enumerate([("r4", 30), ("r0", 30), ("never-was", 30), ("never-was", 1)])
    ]
    town = Town(*OLD, approvals=words)
    town.sweeper.look("shop")
    assert town.left(APPROVAL) == ["a1", "a3"]


def test_a_backlog_is_worked_off_in_portions():
    town = Town(*(ended(f"r{n:03}", days=8 + n, of=f"i{n}") for n in range(AT_ONCE + 10)))
    assert town.sweeper.look("shop") == 5
    assert len(town.left()) == 10
    assert town.sweeper.look("shop") is None
    assert town.left() == ["r000", "r001"]
