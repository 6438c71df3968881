"""The first lock: what the API server itself refuses, whatever RBAC says and whatever our processes believe."""

import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.api import objects
from tests.api.objects import GONE, HASH_A, HASH_B, changed, moved, named
from tests.api.support import MANAGER, RBAC, Cluster, can, eventually, refusal, rest

from hemostat.action.contract import Rule
from hemostat.api import GROUP
from hemostat.api.identity import (
    ACT_USER,
    NAMESPACE,
    OBSERVE_USER,
    PROTECTED_LABEL,
    PROTECTED_NAMESPACES,
    REMEDIATION_LABEL,
)
from hemostat.errors import Refused
from hemostat.kube import Kube, NotFound, path_of

Json = dict[str, Any]

CREATE_APPROVALS = Rule(GROUP, ("approvals",), ("create",))
APPROVE = Rule(GROUP, ("remediations",), ("approve",))
CREATE_REMEDIATIONS = Rule(GROUP, ("remediations",), ("create",))
WRITE_RUNBOOKS = Rule(GROUP, ("runbooks",), ("create", "update", "patch"))
PATCH_DEPLOYMENTS = Rule("apps", ("deployments",), ("patch",))

NOT_SELF = "spec.approver must be the user who creates the Approval"
NOT_PERSON = "an Approval must be created by a person, not by a service account"
NOT_MEMBER = "spec.groups must be groups that the user is a member of"
NO_RIGHT = "the user must hold the RBAC verb approve on this Remediation"
STALE = "spec.planHash must be the Remediation's present status.planHash: look at the plan again"
OWN = "whoever requested a Remediation must not approve it"
NO_RBAC = 'cannot create resource "approvals"'


# --- Approvals: who may say a word, and about what


@dataclass
class Stage:
    """A namespace with Remediations in every state, and people with and without rights."""

    cluster: Cluster
    namespace: str
    robot: str = ""

    def kube(self, who: str) -> Kube:
        if who == "robot":
            return self.cluster.service_account(self.namespace, "robot")
        return self.cluster.user(who, PEOPLE[who])

    def name(self, who: str) -> str:
        return self.robot if who == "robot" else who

    def say(self, who: str, remediation: str, plan_hash: str, **fields: Any) -> str:
        """Create an Approval; return why it was refused, or an empty string."""
        body = objects.approval(remediation, plan_hash, self.name(who), self.cluster.new_name())
        body["spec"] |= fields
        return refusal(lambda: self.cluster.make(moved(body, self.namespace), self.kube(who)))


PEOPLE: dict[str, tuple[str, ...]] = {
    "alice": ("dev", "oncall"),
    "bob": ("approvers",),
    "carol": ("dev",),
    "dave": ("dev",),
    "erin": ("approvers",),
    "mallory": (),
    "admin": ("system:masters",),
}


@pytest.fixture(scope="module")
def stage(cluster: Cluster) -> Stage:
    namespace = cluster.make_namespace()
    stage = Stage(cluster, namespace, cluster.account(namespace, "robot"))
    everything = [CREATE_APPROVALS, APPROVE]
    cluster.grant("alice", namespace, [*everything, CREATE_REMEDIATIONS, PATCH_DEPLOYMENTS])
    cluster.grant("approvers", namespace, everything, kind="Group")
    cluster.grant("carol", namespace, [CREATE_APPROVALS])
    cluster.grant("dave", namespace, [CREATE_APPROVALS])
    cluster.grant("dave", namespace, [APPROVE], names=["other"])
    cluster.grant("mallory", cluster.make_namespace(), everything)
    cluster.grant(stage.robot, namespace, everything)
    for who in ("alice", "bob", "carol", "dave", "robot"):
        eventually(lambda who=who: can(stage.kube(who), "create", "approvals", namespace, GROUP), who)
    for who, name in (("alice", "planned"), ("bob", "planned"), ("dave", "other"), ("robot", "planned")):
        eventually(
            lambda who=who, name=name: can(stage.kube(who), "approve", "remediations", namespace, GROUP, name), who
        )
    cluster.planned(namespace, "planned", HASH_A)
    cluster.planned(namespace, "other", HASH_B)
    cluster.planned(namespace, "unplanned", None)
    cluster.planned(namespace, "hers", HASH_A, stage.kube("alice"), "alice")
    return stage


WORDS: list[tuple[str, str, str, Json, str]] = [
    ("alice", "planned", HASH_A, {}, ""),
    ("alice", "planned", HASH_A, {"decision": "Deny", "reason": "not on a Friday", "validForSeconds": 60}, ""),
    ("alice", "planned", HASH_A, {"groups": ["dev", "oncall", "system:authenticated"]}, ""),
    ("alice", "planned", HASH_A, {"groups": ["dev"]}, ""),
    ("alice", "other", HASH_B, {}, ""),
    ("bob", "planned", HASH_A, {"groups": ["approvers"]}, ""),
    ("bob", "hers", HASH_A, {}, ""),
    ("dave", "other", HASH_B, {}, ""),
    ("admin", "planned", HASH_A, {}, ""),
    # in somebody else's name
    ("alice", "planned", HASH_A, {"approver": "bob"}, NOT_SELF),
    ("alice", "planned", HASH_A, {"approver": "Alice"}, NOT_SELF),
    ("admin", "planned", HASH_A, {"approver": "alice"}, NOT_SELF),
    ("robot", "planned", HASH_A, {}, NOT_PERSON),
    ("robot", "planned", HASH_A, {"approver": "alice"}, NOT_SELF),
    # with groups that are not theirs
    ("alice", "planned", HASH_A, {"groups": ["approvers"]}, NOT_MEMBER),
    ("alice", "planned", HASH_A, {"groups": ["dev", "system:masters"]}, NOT_MEMBER),
    ("erin", "planned", HASH_A, {"groups": ["oncall"]}, NOT_MEMBER),
    # without the right
    ("carol", "planned", HASH_A, {}, NO_RIGHT),
    ("carol", "planned", HASH_A, {"decision": "Deny"}, NO_RIGHT),
    ("dave", "planned", HASH_A, {}, NO_RIGHT),
    ("mallory", "planned", HASH_A, {}, NO_RBAC),
    # about another plan
    ("alice", "planned", HASH_B, {}, STALE),
    ("alice", "other", HASH_A, {}, STALE),
    ("alice", "unplanned", HASH_A, {}, STALE),
    ("admin", "unplanned", HASH_A, {}, STALE),
    # of one's own
    ("alice", "hers", HASH_A, {}, OWN),
    ("alice", "hers", HASH_A, {"decision": "Deny"}, OWN),
    # of nothing
    ("carol", "absent", HASH_A, {}, NO_RIGHT),
]


@pytest.mark.parametrize(("who", "remediation", "plan_hash", "fields", "words"), WORDS)
def test_approval(stage: Stage, who: str, remediation: str, plan_hash: str, fields: Json, words: str) -> None:
    said = stage.say(who, remediation, plan_hash, **fields)
    assert words in said
    assert bool(words) == bool(said), said


def test_approval_where_nothing_is_proposed_is_refused(cluster: Cluster, namespace: str) -> None:
    body = moved(objects.approval("absent", HASH_A, "admin"), namespace)
    assert "no params found" in refusal(lambda: cluster.make(body))


def test_approval_of_what_is_absent_passes_beside_others_and_is_left_to_act(stage: Stage) -> None:
    """Known and documented: parameters are matched by name, so an absent one matches nothing. `act` checks again."""
    assert stage.say("alice", "absent", HASH_A) == ""


def test_a_new_plan_voids_what_was_seen_before(cluster: Cluster, namespace: str) -> None:
    made = cluster.planned(namespace, "one", None)
    word = moved(objects.approval("one", HASH_A, "admin"), namespace)
    assert STALE in refusal(lambda: cluster.make(word))
    cluster.set_status(made, {"plan": objects.PLAN, "planHash": HASH_A}, cluster.act)
    eventually(lambda: refusal(lambda: cluster.make(word)) == "", "accepted with the plan")


def test_approval_is_not_moved_to_another_plan_afterwards(cluster: Cluster, namespace: str) -> None:
    cluster.planned(namespace, "one", HASH_A)
    body = cluster.make(moved(objects.approval("one", HASH_A, "admin"), namespace))
    where = objects.KINDS["Approval"].path(namespace, body["metadata"]["name"])
    for path, value in (("spec.planHash", HASH_B), ("spec.remediation", "two"), ("spec.approver", "bob")):
        assert "must not change" in refusal(
            lambda path=path, value=value: cluster.admin.replace(where, changed(body, path, value), MANAGER)
        )


def test_impersonated_person_is_the_person(cluster: Cluster, stage: Stage) -> None:
    """An administrator's --as is judged by the rights and name of whoever is impersonated."""
    body = moved(objects.approval("planned", HASH_A, "carol", "as-carol"), stage.namespace)
    for args, words in ((["--as=carol"], NO_RIGHT), (["--as=alice"], NOT_SELF), (["--as=bob"], NO_RBAC)):
        assert words in cluster.dry_run(body, args=args)
    body["spec"] |= {"approver": "frank", "groups": ["approvers"]}
    assert cluster.dry_run(body, args=["--as=frank", "--as-group=approvers"]) == ""
    assert NO_RBAC in cluster.dry_run(body, args=["--as=frank", "--as-group=dev"])


# --- The same by an oracle: hundreds of Approvals by people with random rights


@dataclass(frozen=True)
class Person:
    name: str
    groups: tuple[str, ...]
    creates: bool
    approves: frozenset[str]
    """Names of Remediations, or `*`."""
    through_group: bool = False


@dataclass(frozen=True)
class Proposal:
    name: str
    plan_hash: str | None
    requested_by: str


@dataclass
class Crowd:
    cluster: Cluster
    namespace: str
    people: list[Person] = field(default_factory=list)
    proposals: list[Proposal] = field(default_factory=list)
    accepted: int = 0
    refused: dict[str, int] = field(default_factory=dict)


TEAMS = ("red", "green", "blue")


def draw_people(seed: int) -> list[Person]:
    """Draw people; the first two hold every right, so that some word is valid whatever the seed."""
    dice = random.Random(seed)
    names = [f"p{i}" for i in range(8)]
    people = [Person("u0", ("red",), True, frozenset("*")), Person("u1", (), True, frozenset("*"))]
    for number in range(2, 14):
        groups = tuple(team for team in TEAMS if dice.random() < 0.4)
        some = frozenset(dice.sample(names, dice.randint(0, 5)))
        approves = dice.choice([frozenset("*"), some, some, frozenset()])
        people.append(Person(f"u{number}", groups, dice.random() < 0.8, approves))
    blue = [Person(f"b{i}", ("blue",), True, frozenset("*"), through_group=True) for i in range(2)]
    return [Person(p.name, tuple(g for g in p.groups if g != "blue"), p.creates, p.approves) for p in people] + blue


@pytest.fixture(scope="module")
def crowd(cluster: Cluster) -> Iterator[Crowd]:
    namespace = cluster.make_namespace()
    made = Crowd(cluster, namespace, draw_people(seed=36))
    cluster.grant("blue", namespace, [CREATE_APPROVALS, APPROVE], kind="Group")
    for person in made.people:
        own = [CREATE_APPROVALS] if person.creates and not person.through_group else []
        cluster.grant(person.name, namespace, [*own, CREATE_REMEDIATIONS, PATCH_DEPLOYMENTS])
        if person.approves and not person.through_group:
            cluster.grant(person.name, namespace, [APPROVE], names=sorted(person.approves - {"*"}))
    for person in made.people:
        kube = cluster.user(person.name, person.groups)
        eventually(lambda kube=kube: can(kube, "create", "remediations", namespace, GROUP), person.name)
        for name in sorted(person.approves):
            eventually(
                lambda kube=kube, name=name: can(
                    kube, "approve", "remediations", namespace, GROUP, name.replace("*", "")
                ),
                person.name,
            )
    requesters = [OBSERVE_USER, "u0", "u1", "u2", "b0", OBSERVE_USER, "u0", OBSERVE_USER]
    hashes = [HASH_A, HASH_A, HASH_B, HASH_A, HASH_B, None, None, HASH_B]
    for number, (who, plan_hash) in enumerate(zip(requesters, hashes, strict=True)):
        person = next((p for p in made.people if p.name == who), None)
        by = cluster.user(person.name, person.groups) if person else cluster.observe
        cluster.planned(namespace, f"p{number}", plan_hash, by, who)
        made.proposals.append(Proposal(f"p{number}", plan_hash, who))
    yield made
    assert made.accepted >= 40, made.accepted
    assert set(made.refused) == {NOT_SELF, NOT_MEMBER, NO_RIGHT, STALE, OWN, NO_RBAC}, made.refused


def verdict(person: Person, spec: Json, proposal: Proposal | None) -> set[str]:
    """Return every reason to refuse: the policy in plain Python."""
    if not person.creates:
        return {NO_RBAC}
    reasons = set()
    if spec["approver"] != person.name:
        reasons.add(NOT_SELF)
    if not set(spec.get("groups", ())) <= {*person.groups, "system:authenticated"}:
        reasons.add(NOT_MEMBER)
    if not {"*", spec["remediation"]} & person.approves:
        reasons.add(NO_RIGHT)
    if proposal is not None and spec["planHash"] != proposal.plan_hash:
        reasons.add(STALE)
    if proposal is not None and proposal.requested_by == person.name:
        reasons.add(OWN)
    return reasons


MOSTLY = st.sampled_from([True] * 9 + [False])
COUNT = itertools.count()


@settings(
    max_examples=400,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    who=st.integers(0, 15),
    which=st.integers(0, 8),
    honest=MOSTLY,
    fresh=MOSTLY,
    groups=st.lists(st.sampled_from([*TEAMS, "system:authenticated"]), unique=True, max_size=2),
    truthful=MOSTLY,
    decision=st.sampled_from(["Approve", "Deny"]),
)
def test_generated_approvals_agree_with_the_oracle(
    crowd: Crowd, who: int, which: int, honest: bool, fresh: bool, groups: list[str], truthful: bool, decision: str
) -> None:
    person = crowd.people[who]
    proposal = crowd.proposals[which] if which < len(crowd.proposals) else None
    seen = proposal.plan_hash if proposal and proposal.plan_hash else HASH_A
    claimed = [g for g in groups if g in (*person.groups, "system:authenticated")] if truthful else groups
    spec = {
        "remediation": proposal.name if proposal else "absent",
        "planHash": seen if fresh else (HASH_B if seen == HASH_A else HASH_A),
        "approver": person.name if honest else crowd.people[(who + 1) % 16].name,
        "groups": claimed,
        "decision": decision,
    }
    reasons = verdict(person, spec, proposal)
    body = named("Approval", spec, f"word-{next(COUNT)}", crowd.namespace)
    said = refusal(lambda: crowd.cluster.make(body, crowd.cluster.user(person.name, person.groups)))
    found = {reason for reason in reasons if reason in said}
    assert bool(reasons) == bool(said), (reasons, said)
    assert bool(found) == bool(reasons), (reasons, said)
    crowd.accepted += not reasons
    for reason in found:
        crowd.refused[reason] = crowd.refused.get(reason, 0) + 1


# --- Remediations: whoever asks for it must be able to do it themselves


@pytest.fixture(scope="module")
def desk(cluster: Cluster) -> Stage:
    namespace = cluster.make_namespace()
    stage = Stage(cluster, namespace, cluster.account(namespace, "robot"))
    cluster.grant("alice", namespace, [CREATE_REMEDIATIONS, PATCH_DEPLOYMENTS])
    cluster.grant("bob", namespace, [CREATE_REMEDIATIONS])
    cluster.grant("carol", namespace, [CREATE_REMEDIATIONS])
    cluster.grant("carol", namespace, [PATCH_DEPLOYMENTS], names=["payment"])
    cluster.grant("dave", namespace, [CREATE_REMEDIATIONS])
    cluster.grant("dave", cluster.make_namespace(), [PATCH_DEPLOYMENTS])
    cluster.grant("erin", namespace, [CREATE_REMEDIATIONS, Rule("", ("services",), ("patch",))])
    cluster.grant(stage.robot, namespace, [CREATE_REMEDIATIONS])
    for who in ("alice", "bob", "carol", "dave", "erin", "robot"):
        eventually(lambda who=who: can(stage.kube(who), "create", "remediations", namespace, GROUP), who)
    eventually(lambda: can(stage.kube("alice"), "patch", "deployments", namespace, "apps"), "alice")
    eventually(lambda: can(stage.kube("carol"), "patch", "deployments", namespace, "apps", "payment"), "carol")
    eventually(lambda: can(stage.kube("erin"), "patch", "services", namespace), "erin")
    return stage


NOT_REQUESTER = "spec.requestedBy must be the user who creates the Remediation"
NOT_ABLE = "whoever requests a Remediation must be allowed to patch its target"


@pytest.mark.parametrize(
    ("who", "fields", "words"),
    [
        ("alice", {}, ""),
        ("alice", {"targetRef.name": "checkout"}, ""),
        ("alice", {"requestedBy": "bob"}, NOT_REQUESTER),
        ("alice", {"requestedBy": OBSERVE_USER}, NOT_REQUESTER),
        ("alice", {"targetRef.kind": "StatefulSet"}, NOT_ABLE),
        ("alice", {"targetRef.apiVersion": "v1", "targetRef.kind": "Pod"}, NOT_ABLE),
        ("alice", {"targetRef.apiVersion": "example.dev/v1"}, NOT_ABLE),
        ("alice", {"targetRef.apiVersion": "v1", "targetRef.kind": "Service"}, NOT_ABLE),
        ("erin", {"targetRef.apiVersion": "v1", "targetRef.kind": "Service"}, ""),
        ("erin", {}, NOT_ABLE),
        ("bob", {}, NOT_ABLE),
        ("carol", {}, ""),
        ("carol", {"targetRef.name": "checkout"}, NOT_ABLE),
        ("dave", {}, NOT_ABLE),
        ("robot", {}, NOT_ABLE),
        ("mallory", {}, 'cannot create resource "remediations"'),
    ],
)
def test_remediation(desk: Stage, who: str, fields: Json, words: str) -> None:
    body = moved(objects.remediation(desk.cluster.new_name(), desk.name(who)), desk.namespace)
    for path, value in fields.items():
        body = changed(body, f"spec.{path}", value)
    said = refusal(lambda: desk.cluster.make(body, desk.kube(who)))
    assert words in said
    assert bool(words) == bool(said), said


def test_observe_may_propose_in_its_own_name_only(cluster: Cluster, namespace: str) -> None:
    body = moved(objects.remediation("one", OBSERVE_USER), namespace)
    assert NOT_REQUESTER in refusal(lambda: cluster.make(changed(body, "spec.requestedBy", "alice"), cluster.observe))
    assert NOT_REQUESTER in refusal(lambda: cluster.make(body))
    assert refusal(lambda: cluster.make(body, cluster.observe)) == ""


NOT_ACT = "only act writes the status of a Remediation"


@pytest.mark.parametrize("who", ["owner", "admin", "observe"])
def test_nobody_but_act_says_that_the_gate_allowed_it(cluster: Cluster, namespace: str, who: str) -> None:
    """With every right in his namespace somebody could have `act` do what no gate has seen, and the administrator who
    runs `kubectl hemostat undo` write whatever an inverse says."""
    for name in ("owner", OBSERVE_USER):
        cluster.grant(name, namespace, [Rule("*", ("*",), ("*",))])
    kube = {"owner": cluster.user("owner"), "admin": cluster.admin, "observe": cluster.observe}[who]
    eventually(lambda: can(kube, "update", "remediations/status", namespace, GROUP), who)
    made = cluster.make(moved(objects.remediation("one", OBSERVE_USER), namespace), cluster.observe)
    said = {"plan": objects.PLAN, "planHash": HASH_A, "conditions": [objects.condition("Admitted")]}
    where = objects.KINDS["Remediation"].path(namespace, "one", "status")
    assert NOT_ACT in refusal(lambda: cluster.set_status(made, said, kube))
    assert NOT_ACT in refusal(lambda: kube.merge_patch(where, {"status": said}, MANAGER))
    body = {"apiVersion": "hemostat.dev/v1alpha1", "kind": "Remediation", "status": said}
    assert NOT_ACT in refusal(lambda: kube.apply(where, body, MANAGER, force=True))
    assert refusal(lambda: cluster.set_status(made, said, cluster.act)) == ""


# --- Watches: what their queries say is taken for a witness


NOT_WITNESS = "whoever writes a Watch that queries Prometheus must be allowed to patch its target"
WRITE_WATCHES = Rule(GROUP, ("watches",), ("create", "update", "patch"))
ALWAYS = {"name": "always", "metric": {"query": "vector(1)", "above": "0"}}
NEVER = {"name": "always", "metric": {"query": "vector(1)", "above": "1"}}
HARMLESS = [{"name": "pods", "workload": {}}, {"name": "metrics", "standard": {}}]
TALKS = {"name": "conversations", "conversation": {"legitimate": []}}


@pytest.fixture(scope="module")
def tower(cluster: Cluster) -> Stage:
    namespace = cluster.make_namespace()
    stage = Stage(cluster, namespace)
    cluster.grant("carol", namespace, [Rule("batch", ("jobs",), ("patch",))])
    for who in ("alice", "bob", "carol"):
        cluster.grant(who, namespace, [WRITE_WATCHES])
        eventually(lambda who=who: can(stage.kube(who), "update", "watches", namespace, GROUP), who)
    cluster.grant("alice", namespace, [PATCH_DEPLOYMENTS], names=["payment"])
    eventually(lambda: can(stage.kube("alice"), "patch", "deployments", namespace, "apps", "payment"), "alice")
    refused = named("Watch", {"target": {"name": "payment"}, "signals": [ALWAYS]}, "probe", namespace)
    eventually(lambda: NOT_WITNESS in cluster.dry_run(refused, "bob"), "the policy in force")
    return stage


@pytest.mark.parametrize(
    ("who", "before", "after", "words"),
    [
        ("bob", None, {}, ""),
        ("bob", None, {"signals": HARMLESS}, ""),
        ("bob", None, {"signals": [*HARMLESS, ALWAYS]}, NOT_WITNESS),
        ("bob", None, {"signals": [{"name": "q", "queue": {"system": "Kafka", "name": "g"}}]}, NOT_WITNESS),
        ("alice", None, {"signals": [ALWAYS]}, ""),
        ("alice", None, {"signals": [ALWAYS], "target": {"name": "checkout"}}, NOT_WITNESS),
        ("alice", None, {"signals": [ALWAYS], "target": {"name": "payment", "kind": "Job"}}, NOT_WITNESS),
        ("carol", None, {"signals": [ALWAYS], "target": {"name": "payment", "kind": "Job"}}, ""),
        ("carol", None, {"signals": [ALWAYS]}, NOT_WITNESS),
        ("bob", {}, {"signals": [ALWAYS]}, NOT_WITNESS),
        ("bob", {"signals": [NEVER]}, {"signals": [ALWAYS]}, NOT_WITNESS),
        ("bob", {"signals": [NEVER]}, {"signals": [NEVER], "target": {"name": "checkout"}}, NOT_WITNESS),
        ("bob", {"signals": [NEVER]}, {"signals": [NEVER, TALKS], "intervalSeconds": 9}, ""),
        ("bob", {"signals": [NEVER, TALKS]}, {"signals": [TALKS]}, ""),
        ("alice", {"signals": [NEVER]}, {"signals": [ALWAYS]}, ""),
    ],
)
def test_watch(tower: Stage, who: str, before: Json | None, after: Json, words: str) -> None:
    """Who may write Watches alone could have a workload acted on that he may not touch: Prometheus would confirm it."""
    cluster, name = tower.cluster, tower.cluster.new_name()
    body = named("Watch", {"target": {"name": "payment"}, **after}, name, tower.namespace)
    if before is None:
        said = refusal(lambda: cluster.make(body, tower.kube(who)))
    else:
        made = cluster.make(moved(named("Watch", {"target": {"name": "payment"}, **before}, name), tower.namespace))
        where = objects.KINDS["Watch"].path(tower.namespace, name)
        said = refusal(lambda: tower.kube(who).replace(where, {**made, "spec": body["spec"]}, MANAGER))
    assert words in said
    assert bool(words) == bool(said), said


# --- Runbooks: an active one is a standing order


@pytest.fixture(scope="module")
def library(cluster: Cluster) -> Stage:
    namespace = cluster.make_namespace()
    stage = Stage(cluster, namespace)
    cluster.grant("alice", namespace, [WRITE_RUNBOOKS, PATCH_DEPLOYMENTS])
    cluster.grant("bob", namespace, [WRITE_RUNBOOKS])
    cluster.grant("carol", namespace, [WRITE_RUNBOOKS])
    cluster.grant("carol", namespace, [PATCH_DEPLOYMENTS], names=["payment"])
    for who in ("alice", "bob", "carol"):
        eventually(lambda who=who: can(stage.kube(who), "update", "runbooks", namespace, GROUP), who)
    eventually(lambda: can(stage.kube("alice"), "patch", "deployments", namespace, "apps"), "alice")
    eventually(lambda: can(stage.kube("carol"), "patch", "deployments", namespace, "apps", "payment"), "carol")
    return stage


NOT_ACTIVATOR = "whoever writes an Active Runbook must be allowed to patch Deployments in its namespace"
STATES = {"Draft": {"state": "Draft"}, "Active": {"state": "Active"}, "unset": {}}


@pytest.mark.parametrize(
    ("who", "state", "words"),
    [
        ("alice", "Draft", ""),
        ("alice", "Active", ""),
        ("bob", "Draft", ""),
        ("bob", "unset", ""),
        ("bob", "Active", NOT_ACTIVATOR),
        ("carol", "Active", NOT_ACTIVATOR),
    ],
)
def test_new_runbook(library: Stage, who: str, state: str, words: str) -> None:
    spec = {**objects.MINIMAL["Runbook"], **STATES[state]}
    body = named("Runbook", spec, library.cluster.new_name(), library.namespace)
    said = refusal(lambda: library.cluster.make(body, library.kube(who)))
    assert words in said
    assert bool(words) == bool(said), said


@pytest.mark.parametrize(
    ("who", "before", "path", "value", "words"),
    [
        ("bob", "Draft", "spec.guidance", "look", ""),
        ("bob", "Draft", "spec.state", "Active", NOT_ACTIVATOR),
        ("bob", "Active", "spec.guidance", "look", NOT_ACTIVATOR),
        ("bob", "Active", "spec.remediations.0.action", "scale", NOT_ACTIVATOR),
        ("bob", "Active", "spec.state", "Draft", ""),
        ("bob", "Active", "spec.state", GONE, ""),
        ("carol", "Draft", "spec.state", "Active", NOT_ACTIVATOR),
        ("alice", "Draft", "spec.state", "Active", ""),
        ("alice", "Active", "spec.remediations.0.action", "scale", ""),
    ],
)
def test_changed_runbook(library: Stage, who: str, before: str, path: str, value: Any, words: str) -> None:
    cluster = library.cluster
    spec = {**objects.MINIMAL["Runbook"], **STATES[before]}
    body = cluster.make(named("Runbook", spec, cluster.new_name(), library.namespace))
    where = objects.KINDS["Runbook"].path(library.namespace, body["metadata"]["name"])
    said = refusal(lambda: library.kube(who).replace(where, changed(body, path, value), MANAGER))
    assert words in said
    assert bool(words) == bool(said), said


def test_status_of_an_active_runbook_is_observes_to_write(cluster: Cluster, namespace: str) -> None:
    spec = {**objects.MINIMAL["Runbook"], "state": "Active"}
    cluster.make(named("Runbook", spec, "one", namespace))
    where = objects.KINDS["Runbook"].path(namespace, "one", "status")
    status = {"status": objects.MAXIMAL_STATUS["Runbook"]}
    assert cluster.observe.merge_patch(where, status, MANAGER)["status"] == status["status"]


# --- The status of an Incident: two writers, each with its own part

OBSERVES = ("Detected", "Diagnosed", "PartOf", "Watched")
ACTS = ("Remediated", "Verified", "Resolved")
NOT_OBSERVES = "observe must not write the conditions Remediated, Verified and Resolved"
NOT_ACTS = "act must not write observe's part: summary, severity, signals, evidence, causes, relations and conditions"


@pytest.fixture
def incident(cluster: Cluster, namespace: str) -> Json:
    """Return an Incident in the middle of its life, with every condition."""
    body = cluster.make(named("Incident", objects.MAXIMAL["Incident"], "one", namespace))
    status = {
        **objects.MAXIMAL_STATUS["Incident"],
        "conditions": [objects.condition(kind, "Unknown") for kind in (*OBSERVES, *ACTS)],
    }
    return cluster.set_status(body, status)


def with_condition(status: Json, kind: str, value: Any) -> Json:
    """Return the status with this condition True, or without it."""
    kept = [c for c in status["conditions"] if c["type"] != kind]
    return {**status, "conditions": kept if value is GONE else [*kept, objects.condition(kind)]}


def edits(*kinds: str) -> dict[str, Callable[[Json], Json]]:
    out: dict[str, Callable[[Json], Json]] = {}
    for kind in kinds:
        out[f"{kind} set"] = lambda s, kind=kind: with_condition(s, kind, True)
        out[f"{kind} removed"] = lambda s, kind=kind: with_condition(s, kind, GONE)
        out[f"{kind} reworded"] = lambda s, kind=kind: {
            **s,
            "conditions": [{**c, "message": "other"} if c["type"] == kind else c for c in s["conditions"]],
        }
    return out


def at(path: str, value: Any) -> Callable[[Json], Json]:
    return lambda status: changed({"s": status}, f"s.{path}", value)["s"]


OF_OBSERVE = edits(*OBSERVES) | {
    "signal cleared": at("signals.0.state", "Clear"),
    "signals removed": at("signals", []),
    "signals gone": at("signals", GONE),
    "evidence reworded": at("evidence.0.summary", "all is well"),
    "evidence removed": at("evidence", []),
    "causes removed": at("causes", []),
    "cause exchanged": at("partOf.name", "another"),
    "fewer callers": at("callers.total", 0),
    "on its own": at("partOf", GONE),
    "never came back": at("reopened", GONE),
    "came back again": at("reopened.count", 3),
    "no storm": at("storm", GONE),
    "less severe": at("severity", "Minor"),
    "another story": at("summary", "all is well"),
}
OF_ACT = edits(*ACTS)
OF_BOTH = {
    "timeline": at("timeline", [{"id": "two", "time": objects.TIME, "by": "me", "message": "more"}]),
    "remediationRef": at("remediationRef.name", "another"),
    "nothing": lambda status: status,
}


@pytest.mark.parametrize(
    ("who", "edit", "words"),
    [
        *[pytest.param("observe", edit, "", id=f"observe-{name}") for name, edit in (OF_OBSERVE | OF_BOTH).items()],
        *[pytest.param("act", edit, "", id=f"act-{name}") for name, edit in (OF_ACT | OF_BOTH).items()],
        *[pytest.param("observe", edit, NOT_OBSERVES, id=f"observe-{name}") for name, edit in OF_ACT.items()],
        *[pytest.param("act", edit, NOT_ACTS, id=f"act-{name}") for name, edit in OF_OBSERVE.items()],
    ],
)
def test_incident_status(cluster: Cluster, incident: Json, who: str, edit: Callable[[Json], Json], words: str) -> None:
    kube = cluster.observe if who == "observe" else cluster.act
    where = objects.KINDS["Incident"].path(incident["metadata"]["namespace"], "one", "status")
    ops = [{"op": "replace", "path": "/status", "value": edit(incident["status"])}]
    said = refusal(lambda: kube.json_patch(where, ops, MANAGER))
    assert words in said
    assert bool(words) == bool(said), said


def test_nobody_else_says_what_an_incident_shows(cluster: Cluster, incident: Json) -> None:
    """Whoever may do anything in his namespace could forge the signals on which something is done."""
    namespace = incident["metadata"]["namespace"]
    owner = cluster.user("owner")
    cluster.grant("owner", namespace, [Rule("*", ("*",), ("*",))])
    eventually(lambda: can(owner, "update", "incidents/status", namespace, GROUP), "owner")
    where = objects.KINDS["Incident"].path(namespace, "one", "status")
    ops = [{"op": "replace", "path": "/status/signals/0/state", "value": "Clear"}]
    assert "only observe and act write the status" in refusal(lambda: owner.json_patch(where, ops, MANAGER))
    assert refusal(lambda: cluster.observe.json_patch(where, ops, MANAGER)) == ""


@pytest.mark.parametrize(("who", "words"), [("observe", NOT_OBSERVES), ("act", NOT_ACTS)])
def test_neither_takes_the_whole_status_away(cluster: Cluster, incident: Json, who: str, words: str) -> None:
    kube = cluster.observe if who == "observe" else cluster.act
    where = objects.KINDS["Incident"].path(incident["metadata"]["namespace"], "one", "status")
    assert words in refusal(lambda: kube.json_patch(where, [{"op": "remove", "path": "/status"}], MANAGER))


def test_first_status_of_an_incident_is_split_too(cluster: Cluster, namespace: str) -> None:
    resource = objects.KINDS["Incident"]
    cluster.make(named("Incident", objects.MINIMAL["Incident"], "one", namespace), cluster.observe)
    where = resource.path(namespace, "one", "status")

    def applied(*kinds: str) -> Json:
        return {
            "apiVersion": "hemostat.dev/v1alpha1",
            "kind": "Incident",
            "status": {"conditions": [objects.condition(kind) for kind in kinds]},
        }

    assert NOT_OBSERVES in refusal(lambda: cluster.observe.apply(where, applied("Detected", "Resolved"), "observe"))
    assert refusal(lambda: cluster.observe.apply(where, applied(*OBSERVES), "observe")) == ""
    denied = applied() | {"status": {"conditions": [objects.condition("Diagnosed", "False")]}}
    assert NOT_ACTS in refusal(lambda: cluster.act.apply(where, denied, "act", force=True))
    assert refusal(lambda: cluster.act.apply(where, applied(*ACTS), "act")) == ""
    kinds = [c["type"] for c in cluster.admin.get(where)["status"]["conditions"]]
    assert sorted(kinds) == sorted((*OBSERVES, *ACTS))


def test_a_person_may_correct_a_status(cluster: Cluster, incident: Json) -> None:
    assert cluster.set_status(incident, with_condition(incident["status"], "Resolved", True))["status"] is not None


# --- Protected namespaces: act does nothing there, even as cluster-admin

PROTECTED = "Hemostat must not act in a protected namespace"
GUARDED = "guarded"


@pytest.fixture(scope="module")
def tyrant(cluster: Cluster) -> Iterator[Kube]:
    """Make act cluster-admin, the worst RoleBinding that anybody could write, and take it back."""
    subject = {"kind": "ServiceAccount", "name": "hemostat-act", "namespace": NAMESPACE}
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    binding = cluster.make(
        {
            "apiVersion": RBAC,
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "tyrant"},
            "roleRef": ref,
            "subjects": [subject],
        }
    )
    eventually(lambda: can(cluster.act, "delete", "namespaces"), "act is cluster-admin")
    cluster.make_namespace(GUARDED, {PROTECTED_LABEL: "true"})
    for namespace in PROTECTED_NAMESPACES:
        if refusal(lambda name=namespace: cluster.admin.get(f"/api/v1/namespaces/{name}")):
            cluster.make_namespace(namespace)
    yield cluster.act
    cluster.admin.delete(rest("clusterrolebindings", None, RBAC, "tyrant"), binding["metadata"]["uid"])
    eventually(lambda: not can(cluster.act, "delete", "namespaces"), "act is itself again")


EVERY_PROTECTED = pytest.mark.parametrize("protected", [*PROTECTED_NAMESPACES, GUARDED])


@pytest.fixture
def inhabited(cluster: Cluster, tyrant: Kube) -> Callable[[str], str]:
    """Return a function that puts one of everything into a namespace, and returns the name they all bear."""

    def fill(namespace: str) -> str:
        name = cluster.new_name()
        cluster.make(objects.deployment(name, namespace))
        cluster.make({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}})
        cluster.make(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": name, "namespace": namespace},
                "spec": {"containers": [{"name": "main", "image": "example/app:1"}]},
            }
        )
        cluster.account(namespace, name)
        return name

    return fill


def writes(kube: Kube, namespace: str, name: str) -> dict[str, Callable[[], object]]:
    """Return every sort of write to somebody else's objects."""
    deployments = path_of("apps/v1", "Deployment", namespace, name)
    pod = rest("pods", namespace, name=name)
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": namespace}}
    three = [{"op": "replace", "path": "/spec/replicas", "value": 3}]
    fresh = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"{name}-new"}}

    def delete(path: str) -> object:
        return kube.delete(path, kube.get(path)["metadata"]["uid"])

    return {
        "patch": lambda: kube.json_patch(deployments, three, MANAGER),
        "scale": lambda: kube.json_patch(f"{deployments}/scale", three, MANAGER),
        "status": lambda: kube.merge_patch(f"{deployments}/status", {"status": {"replicas": 1}}, MANAGER),
        "apply": lambda: kube.apply(deployments, {**objects.deployment(name, namespace, 3)}, MANAGER, force=True),
        "create": lambda: kube.create(rest("configmaps", namespace), fresh, MANAGER),
        "merge": lambda: kube.merge_patch(rest("configmaps", namespace, name=name), {"data": {"a": "b"}}, MANAGER),
        "token": lambda: kube.create(
            f"{rest('serviceaccounts', namespace, name=name)}/token",
            {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}},
            MANAGER,
        ),
        "evict": lambda: kube.create(f"{pod}/eviction", eviction, MANAGER),
        "delete": lambda: delete(rest("configmaps", namespace, name=name)),
        "grant": lambda: kube.create(
            rest("rolebindings", namespace, RBAC),
            {
                "apiVersion": RBAC,
                "kind": "RoleBinding",
                "metadata": {"name": name},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
            },
            MANAGER,
        ),
    }


@EVERY_PROTECTED
def test_act_does_nothing_in_a_protected_namespace(
    cluster: Cluster, tyrant: Kube, inhabited: Callable[[str], str], protected: str
) -> None:
    name = inhabited(protected)
    before = cluster.admin.get(path_of("apps/v1", "Deployment", protected, name))
    for what, request in writes(tyrant, protected, name).items():
        assert PROTECTED in refusal(request), what
    assert cluster.admin.get(path_of("apps/v1", "Deployment", protected, name)) == before


def test_act_does_all_of_it_elsewhere(tyrant: Kube, inhabited: Callable[[str], str], namespace: str) -> None:
    """Without this the refusals above might have other reasons."""
    requests = writes(tyrant, namespace, inhabited(namespace))
    assert REMEDIATION_LABEL in refusal(requests.pop("delete")), "it deletes only what it created"
    for what, request in requests.items():
        assert refusal(request) == "", what


@EVERY_PROTECTED
def test_others_are_unaffected(cluster: Cluster, inhabited: Callable[[str], str], protected: str) -> None:
    for what, request in writes(cluster.admin, protected, inhabited(protected)).items():
        assert refusal(request) == "", what


@EVERY_PROTECTED
def test_act_opens_no_shell_in_a_protected_namespace(
    tyrant: Kube, inhabited: Callable[[str], str], protected: str
) -> None:
    pod = rest("pods", protected, name=inhabited(protected))
    for way in ("exec", "attach", "portforward"):
        assert PROTECTED in refusal(lambda way=way: tyrant.create(f"{pod}/{way}", {}, MANAGER)), way


def test_act_empties_no_protected_namespace(cluster: Cluster, tyrant: Kube, inhabited: Callable[[str], str]) -> None:
    name = inhabited(GUARDED)
    done = cluster.kubectl("delete", f"--raw={rest('configmaps', GUARDED)}", f"--as={ACT_USER}", check=False)
    assert PROTECTED in done.stderr
    assert cluster.admin.get(rest("configmaps", GUARDED, name=name))


NO_NAMESPACES = "Hemostat must not change Namespaces"


@pytest.mark.parametrize("which", ["kube-system", GUARDED, "default"])
def test_act_takes_no_protection_away(cluster: Cluster, tyrant: Kube, which: str) -> None:
    where = f"/api/v1/namespaces/{which}"
    before = cluster.admin.get(where)
    unlabelled = {"metadata": {"labels": {PROTECTED_LABEL: None}}}
    assert NO_NAMESPACES in refusal(lambda: tyrant.merge_patch(where, unlabelled, MANAGER))
    assert cluster.admin.get(where) == before


def test_act_deletes_and_makes_no_namespace(cluster: Cluster, tyrant: Kube, namespace: str) -> None:
    for where in (f"/api/v1/namespaces/{GUARDED}", f"/api/v1/namespaces/{namespace}"):
        uid = cluster.admin.get(where)["metadata"]["uid"]
        assert NO_NAMESPACES in refusal(lambda where=where, uid=uid: tyrant.delete(where, uid))
    fresh = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": cluster.new_name()}}
    assert NO_NAMESPACES in refusal(lambda: cluster.make(fresh, tyrant))


def test_hemostats_own_objects_there_stay_writable(cluster: Cluster, tyrant: Kube) -> None:
    """Incidents in kube-system are seen and told, they are only not acted upon."""
    name = cluster.new_name()
    for namespace in ("kube-system", NAMESPACE, GUARDED):
        cluster.make(named("Incident", objects.MINIMAL["Incident"], name, namespace), cluster.observe)
        made = cluster.make(moved(objects.remediation(name, OBSERVE_USER), namespace), cluster.observe)
        cluster.set_status(made, {"planHash": HASH_A}, cluster.act)
        where = objects.KINDS["Incident"].path(namespace, name, "status")
        status = {"status": {"conditions": [objects.condition("Resolved")]}}
        assert cluster.act.merge_patch(where, status, MANAGER)["status"]["conditions"]
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": {"kind": "Incident", "name": name, "namespace": namespace},
        }
        assert (
            refusal(
                lambda event=event, namespace=namespace: cluster.act.create(rest("events", namespace), event, MANAGER)
            )
            == ""
        )


def test_label_protects_from_the_next_request_on(
    cluster: Cluster, tyrant: Kube, inhabited: Callable[[str], str], namespace: str
) -> None:
    name = inhabited(namespace)
    where = path_of("apps/v1", "Deployment", namespace, name)
    ops = [{"op": "add", "path": "/spec/paused", "value": True}]
    assert refusal(lambda: tyrant.json_patch(where, ops, MANAGER)) == ""
    labelled = {"metadata": {"labels": {PROTECTED_LABEL: ""}}}
    cluster.admin.merge_patch(f"/api/v1/namespaces/{namespace}", labelled, MANAGER)
    eventually(lambda: PROTECTED in refusal(lambda: tyrant.json_patch(where, ops, MANAGER)), "label seen")


def test_act_user_is_the_one_that_runs(cluster: Cluster) -> None:
    """The policies name users as text; here is that the service accounts bear these names."""
    assert cluster.act.user()[0] == ACT_USER
    assert cluster.observe.user()[0] == OBSERVE_USER
    with pytest.raises((Refused, NotFound)):
        cluster.act.get(rest("secrets", NAMESPACE, name="any"))
