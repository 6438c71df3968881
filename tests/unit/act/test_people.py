"""What people said: how many must agree, and that a word can be taken back until it was acted upon."""

from copy import deepcopy
from typing import Any

import pytest
from tests.unit.act.double import ApiServer, Records
from tests.unit.act.test_exactly_once import BASE, CASE, KEY, NAME, TARGET, installed, process
from tests.unit.builders import NAMESPACE, T0, approval, condition, incident, meta, signal

from hemostat.act.pace import MAX_REVIEWS
from hemostat.api import stop
from hemostat.api.meta import find, is_true
from hemostat.api.remediation import ADMITTED, APPLIED, FINISHED, PLANNED, Remediation
from hemostat.clock import FakeClock
from hemostat.errors import Refused


class Api(ApiServer):
    """Everybody may approve."""

    def create(self, path: str, body: Any, manager: str, *, dry_run: bool = False) -> Any:
        if path.endswith("/subjectaccessreviews"):
            return body | {"status": {"allowed": True}}
        return super().create(path, body, manager, dry_run=dry_run)


class Case:
    """A planned rollback, policies that want people, and `act`."""

    def __init__(self, *quorums: int, decision: str = "Approve") -> None:
        self.api = Api(installed("rollback"))
        self.api.put(f"/api/v1/namespaces/{NAMESPACE}", {"metadata": {"name": NAMESPACE}})
        self.api.put(f"{BASE}/incidents/payment-1", incident(signals=(signal(),)).wire())
        self.api.put(f"/api/v1/namespaces/{NAMESPACE}/pods/none", {"metadata": meta("none")})
        for number, quorum in enumerate(quorums):
            spec = {"decision": decision, "quorum": quorum}
            path = f"/apis/hemostat.dev/v1alpha1/gatepolicies/p{number}"
            self.api.put(path, {"metadata": {"name": f"p{number}", "uid": f"p{number}"}, "spec": spec})
        planned = deepcopy(self.api.objects[CASE])
        planned["status"]["conditions"] = [condition(PLANNED)]
        self.api.put(CASE, planned)
        self.clock = FakeClock(T0)
        self.act = process(self.api, self.clock, Records())

    def says(self, name: str, approver: str, decision: str = "Approve") -> None:
        digest = self.now().status.plan_hash
        word = approval(name, approver=approver, decision=decision, planHash=digest, remediation=NAME)
        self.api.put(f"{BASE}/approvals/{name}", word.wire())

    def takes_back(self, name: str) -> None:
        del self.api.objects[f"{BASE}/approvals/{name}"]

    def steps(self, number: int = 1) -> "Case":
        for _ in range(number):
            self.act.remediation(KEY)
        return self

    def now(self) -> Remediation:
        return Remediation.model_validate(self.api.objects[CASE])

    def said(self, kind: str) -> tuple[str, str]:
        found = find(self.now().status.conditions, kind)
        assert found is not None
        return found.reason, found.message

    @property
    def untouched(self) -> bool:
        return self.api.objects[TARGET]["spec"] == installed("rollback")[TARGET]["spec"]


@pytest.mark.parametrize("quorums", [(2,), (1, 2), (2, 1, 2)])
def test_as_many_as_the_strictest_policy_wants_must_approve(quorums: tuple[int, ...]) -> None:
    case = Case(*quorums)
    case.says("a", "ada")
    case.steps()
    reason, message = case.said(ADMITTED)
    assert (reason, message.split(";")[0]) == ("NeedsApproval", "1 of 2 people approved (ada)")
    case.says("again", "ada")
    assert case.steps().said(ADMITTED)[0] == "NeedsApproval", "one person counts once"
    case.says("b", "bob")
    assert case.steps().said(ADMITTED) == ("Approved", "by ada, bob (a, again, b)")
    case.steps(2)
    assert is_true(case.now().status.conditions, APPLIED)


def test_one_who_denies_is_enough() -> None:
    case = Case(2)
    case.says("a", "ada")
    case.says("b", "bob")
    case.says("c", "cid", "Deny")
    assert case.steps().said(FINISHED)[0] == "DeniedByPerson"
    assert case.untouched


def test_the_policies_of_a_decision_are_those_that_stand_now() -> None:
    """The audit log names them as those on whose word it is done."""
    case = Case(1, 1).steps()
    assert case.now().status.decision.policies == ("p0", "p1")
    del case.api.objects["/apis/hemostat.dev/v1alpha1/gatepolicies/p0"]
    assert case.steps().now().status.decision.policies == ("p1",)


def test_no_number_of_approvals_keeps_a_denial_from_being_heard() -> None:
    case = Case(1)
    for number in range(MAX_REVIEWS):
        case.says(f"a{number}", "ada")
    case.says("z", "zoe", "Deny")
    assert case.steps().said(FINISHED)[0] == "DeniedByPerson"
    assert case.untouched


@pytest.mark.parametrize("quorum", [1, 2])
def test_a_word_is_taken_back_until_it_was_acted_upon(quorum: int) -> None:
    case = Case(quorum)
    people = ("ada", "bob")[:quorum]
    for who in people:
        case.says(who, who)
    assert case.steps().said(ADMITTED)[0] == "Approved"
    case.takes_back(people[-1])
    assert case.steps().said(ADMITTED) == ("Reconsidered", "an approval was taken back; it is decided anew")
    assert case.steps(3).said(ADMITTED)[0] == "NeedsApproval"
    assert case.untouched
    case.says("zoe", "zoe")
    case.steps(3)
    assert is_true(case.now().status.conditions, APPLIED)


def test_a_denial_after_the_approval_stops_it_before_it_was_acted_upon() -> None:
    case = Case(1)
    case.says("a", "ada")
    assert case.steps().said(ADMITTED)[0] == "Approved"
    case.says("b", "bob", "Deny")
    assert case.steps(3).said(FINISHED)[0] == "DeniedByPerson"
    assert case.untouched


def test_what_was_acted_upon_is_not_taken_back_by_deleting_the_word() -> None:
    case = Case(1)
    case.says("a", "ada")
    case.steps(3)
    assert is_true(case.now().status.conditions, APPLIED)
    case.takes_back("a")
    case.steps(2)
    assert is_true(case.now().status.conditions, ADMITTED)
    assert not case.untouched


def test_in_shadow_nothing_is_done_whoever_approves_and_it_ends_with_what_would_have_been() -> None:
    case = Case(1, decision="Shadow")
    case.says("a", "ada")
    before = case.api.calls
    case.steps()
    reason, message = case.said(FINISHED)
    assert reason == "WouldHave"
    assert "a person would have been asked whether to " in message, "nothing confirms the trouble here"
    assert message.endswith("; a dry run was accepted")
    assert case.untouched
    assert case.api.calls > before
    assert find(case.now().status.conditions, ADMITTED) is None, "it counts in no budget and no cooldown"
    assert case.now().status.plan.diff, "what would have changed can be looked at"
    assert not case.api.writes


def test_what_the_api_server_would_refuse_is_said_in_shadow() -> None:
    case = Case(1, decision="Shadow")

    def refused(*_: Any, dry_run: bool = False, **__: Any) -> Any:
        assert dry_run
        raise Refused("Forbidden", "no right to patch")

    case.api.json_patch = refused  # type: ignore[method-assign]
    case.steps()
    assert case.said(FINISHED)[1].endswith("a dry run was refused (Forbidden: no right to patch)")


@pytest.mark.parametrize("gone", [True, False])
def test_in_shadow_what_is_to_be_deleted_may_be_gone_by_then(gone: bool) -> None:
    """Seen: a KeyError, again and again; and of a name that is taken a lost race, for ever."""
    case = Case(1, decision="Shadow")
    body = case.api.objects[CASE]
    pod = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "uid-p"}
    step = {"forward": pod | {"verb": "Delete"}}
    if not gone:
        case.api.put(f"/api/v1/namespaces/{NAMESPACE}/pods/p", {"metadata": meta("p")})
        created = pod | {"verb": "Create", "ops": [{"op": "add", "path": "/spec", "value": "{}"}]}
        step = {"forward": {k: v for k, v in created.items() if k != "uid"}}
    body["status"]["plan"]["steps"] = [step]
    case.api.put(CASE, body)
    case.act._deciding.unchanged = lambda _: None  # type: ignore[method-assign]
    case.steps()
    said = "TargetReplaced: somebody else deleted it" if gone else "NameTaken: there is a Pod p that this"
    assert f"a dry run was refused ({said}" in case.said(FINISHED)[1]


def test_act_counts_for_how_long_people_were_asked() -> None:
    case = Case(1).steps()
    assert case.said(ADMITTED)[0] == "NeedsApproval"
    assert (case.now().status.asked.since_time, case.now().status.asked.seconds) == (T0, 0)
    case.clock.step(60)
    case.api.go = {"undo"}
    assert case.steps().said(ADMITTED)[0] == "Held"
    assert (case.now().status.asked.since_time, case.now().status.asked.seconds) == (None, 60)
    case.clock.step(300)
    case.api.go = {"begin", "undo"}
    case.steps()
    assert (case.now().status.asked.since_time, case.now().status.asked.seconds) == (case.clock.now(), 60)
    case.clock.step(30)
    case.says("a", "ada")
    assert case.steps().said(ADMITTED)[0] == "Approved"
    assert (case.now().status.asked.since_time, case.now().status.asked.seconds) == (None, 90)


def test_who_denies_what_was_sent_already_is_told_so() -> None:
    """Seen: the denial was created, nothing came of it, and nobody said so."""
    case = Case(1)
    case.says("a", "ada")
    case.steps(2)
    assert case.now().status.intents
    assert find(case.now().status.conditions, APPLIED) is None
    case.says("b", "bob", "Deny")
    case.steps()
    assert case.said(APPLIED)[1].endswith(
        "; denied by bob when it had been sent already; to take it back: kubectl hemostat undo -n shop " + NAME
    )


def test_what_is_stopped_waits_and_says_by_whom_it_was_stopped() -> None:
    case = Case(1)
    case.says("a", "ada")
    case.api.go = {"undo"}
    annotations = {"hemostat.dev/stopped-by": "eve", "hemostat.dev/stopped-reason": "black Friday"}
    case.api.put(stop.path(), {"metadata": {"name": "hemostat-go", "annotations": annotations}})
    case.steps(3)
    reason, message = case.said(ADMITTED)
    assert reason == "Held"
    assert "Hemostat was stopped by eve: black Friday; what was done is still undone" in message
    assert case.untouched
    case.api.go = {"begin", "undo"}
    assert case.steps().said(ADMITTED)[0] == "Approved"


def test_what_was_admitted_before_the_stop_is_not_begun_after_it() -> None:
    case = Case(1)
    case.says("a", "ada")
    case.steps()
    case.api.go = set()
    case.steps(3)
    assert case.said(APPLIED)[0] == "Stopped"
    assert case.untouched
    case.api.go = {"begin", "undo"}
    case.steps(3)
    assert is_true(case.now().status.conditions, APPLIED)


def test_nobody_knowing_is_a_stop() -> None:
    case = Case(1)
    case.says("a", "ada")
    case.steps()
    case.api.go = {}.keys  # type: ignore[assignment]  # asking it fails
    case.steps(2)
    assert case.said(APPLIED) == (
        "Stopped",
        "the API server does not say; it goes on after: kubectl hemostat resume",
    )
    assert case.untouched


def test_an_approval_of_a_plan_that_drifted_is_void_and_the_difference_is_shown() -> None:
    """A plan is immutable, so another Remediation asks again; what changed stands where the first one ended."""
    case = Case(1)
    case.says("a", "ada")
    assert case.steps().said(ADMITTED)[0] == "Approved"
    case.api.write(TARGET, "kubectl", lambda o: o["spec"]["template"].update(metadata={"labels": {"v": "9"}}))
    before = case.api.objects[TARGET]["spec"]
    case.steps(2)
    reason, message = case.said(FINISHED)
    assert reason == "Drifted"
    first, *lines = message.splitlines()
    assert first.startswith("the target changed since it was planned; approvals of this plan are void (")
    assert any(line.startswith("+ ") and '"v": "9"' in line for line in lines), message
    assert case.api.objects[TARGET]["spec"] == before
