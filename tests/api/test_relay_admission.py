"""What the API server lets `relay` say, and for whom: as the person where it can be, in its own name where not."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from tests.api import objects
from tests.api.objects import HASH_A, HASH_B
from tests.api.support import RBAC, ROOT, Cluster, eventually, refusal, rest
from typer.testing import CliRunner

from hemostat.action.contract import Rule
from hemostat.api import GROUP
from hemostat.api.identity import NAMESPACE, PEOPLE
from hemostat.api.rbac import people
from hemostat.cli import main as entry
from hemostat.kube import Kube
from hemostat_chaos.cluster.apiserver import ApiServer

Json = dict[str, Any]
MAPPED = {"U01": "ann\nsre\noncall\n", "U02": "ben", "U03": " cleo \n ops", "U04": "dora\nsystem:masters"}
NOT_MAPPED = "relay must speak only for people of ConfigMap hemostat-people"


def people_map(cluster: Cluster) -> Json:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": PEOPLE, "namespace": NAMESPACE}}
    return cluster.make({**body, "data": MAPPED})


@pytest.fixture(scope="module")
def shop(cluster: Cluster) -> Iterator[str]:
    namespace = cluster.make_namespace()
    people_map(cluster)
    cluster.planned(namespace, "planned", HASH_A)
    cluster.grant(
        "ben", namespace, [Rule(GROUP, ("remediations",), ("create",)), Rule("apps", ("deployments",), ("patch",))]
    )
    word = objects.moved(objects.approval("planned", HASH_A, "ann", "first", via="Slack"), namespace)
    eventually(lambda: not refusal(lambda: cluster.relay.create(path(namespace), word, "t", dry_run=True)), "people")
    yield namespace
    where = rest("configmaps", NAMESPACE, name=PEOPLE)
    cluster.admin.delete(where, cluster.admin.get(where)["metadata"]["uid"])


def path(namespace: str) -> str:
    return objects.KINDS["Approval"].path(namespace)


def say(kube: Kube, cluster: Cluster, namespace: str, approver: str, plan_hash: str = HASH_A, **fields: Any) -> str:
    body = objects.moved(objects.approval("planned", plan_hash, approver, cluster.new_name(), **fields), namespace)
    return refusal(lambda: kube.create(path(namespace), body, "t"))


@pytest.mark.parametrize(
    ("approver", "fields", "words"),
    [
        ("ann", {"via": "Slack", "groups": ["oncall", "sre"]}, ""),
        ("ann", {"via": "Slack", "groups": ["sre"]}, ""),
        ("ben", {"via": "Slack"}, ""),
        ("cleo", {"via": "Slack", "groups": ["ops"]}, ""),  # blanks around a line mean nothing
        ("ben", {"via": "Slack", "decision": "Deny"}, ""),
        # not as if somebody had spoken to the API server themselves
        ("ann", {}, "spec.approver must be the user who creates"),
        ("ann", {"via": "Kubectl"}, "spec.approver must be the user who creates"),
        # not for others, and with no other groups
        ("mallory", {"via": "Slack"}, NOT_MAPPED),
        ("sre", {"via": "Slack"}, NOT_MAPPED),
        ("ann\nsre", {"via": "Slack"}, NOT_MAPPED),
        ("U01", {"via": "Slack"}, NOT_MAPPED),
        ("ben", {"via": "Slack", "groups": ["sre"]}, NOT_MAPPED),
        ("ann", {"via": "Slack", "groups": ["sre", "system:masters"]}, NOT_MAPPED),
        ("dora", {"via": "Slack", "groups": ["system:masters"]}, "no part of the system"),
    ],
)
def test_in_its_own_name_it_speaks_for_mapped_people_and_says_so(
    cluster: Cluster, shop: str, approver: str, fields: Json, words: str
) -> None:
    said = say(cluster.relay, cluster, shop, approver, **fields)
    assert words in said
    assert bool(words) == bool(said), said


def test_it_is_held_to_the_present_plan_like_everybody(cluster: Cluster, shop: str) -> None:
    assert "present status.planHash" in say(cluster.relay, cluster, shop, "ann", HASH_B, via="Slack")


def test_it_cannot_speak_for_the_requester(cluster: Cluster, shop: str) -> None:
    cluster.planned(shop, "bens", HASH_A, cluster.user("ben"), "ben")
    body = objects.moved(objects.approval("bens", HASH_A, "ben", "own", via="Slack"), shop)
    assert "whoever requested" in refusal(lambda: cluster.relay.create(path(shop), body, "t"))


def test_nobody_else_speaks_for_others_by_saying_slack(cluster: Cluster, shop: str) -> None:
    """The word Slack opens the door for the relay's account alone."""
    for user in ("ben", "admin"):
        kube = cluster.admin if user == "admin" else cluster.user("ben")
        cluster.grant(user, shop, [Rule(GROUP, ("approvals",), ("create",))])
        eventually(lambda kube=kube: "cannot create" not in say(kube, cluster, shop, "ann", via="Slack"), user)
        assert "spec.approver must be the user who creates" in say(kube, cluster, shop, "ann", via="Slack")


def test_without_the_people_nobody_is_spoken_for(cluster: Cluster, shop: str) -> None:
    where = rest("configmaps", NAMESPACE, name=PEOPLE)
    cluster.admin.delete(where, cluster.admin.get(where)["metadata"]["uid"])
    try:
        eventually(lambda: "no params found" in say(cluster.relay, cluster, shop, "ann", via="Slack"), "refused")
    finally:
        people_map(cluster)
        eventually(lambda: not say(cluster.relay, cluster, shop, "ann", via="Slack"), "heard again")


# --- What is installed


def test_the_command_prints_the_rights_for_exactly_the_people_of_the_map(cluster: Cluster, shop: str) -> None:
    done = CliRunner().invoke(entry.app, ["people", "--kubeconfig", str(cluster.server.kubeconfig)])
    assert done.exit_code == 0, done.output
    assert list(yaml.safe_load_all(done.stdout)) == people(("ann", "ben", "cleo"), ("sre", "oncall", "ops"))
    assert "U04: system:masters is a part of the system" in done.stderr
    said = cluster.kubectl("apply", "--dry-run=server", "--server-side", "--filename=-", input=done.stdout).stdout
    assert said.count("serverside-applied") == 2


def test_the_manifests_are_taken(cluster: Cluster) -> None:
    folder = str(ROOT / "operator/deploy/slack")
    said = cluster.kubectl("apply", "--dry-run=server", "--server-side", "--force-conflicts", "-k", folder)
    assert "deployment.apps/hemostat-relay" in said.stdout
    assert "Warning" not in said.stderr


# --- Constrained impersonation


def grant_people(cluster: Cluster) -> list[Json]:
    return [cluster.make(body) for body in people(("ann", "ben"), ("sre",))]


@pytest.fixture
def impersonating(cluster: Cluster) -> Iterator[Callable[[], object]]:
    """Grant it when asked to, and take it back: other tests ask what `relay` may do without."""
    made: list[Json] = []
    yield lambda: made.extend(grant_people(cluster))
    for body in made:
        where = rest(body["kind"].lower() + "s", None, RBAC, body["metadata"]["name"])
        cluster.admin.delete(where, body["metadata"]["uid"])


def test_as_a_person_it_may_create_approvals_and_nothing_else(
    cluster: Cluster, shop: str, impersonating: Callable[[], object]
) -> None:
    ann = cluster.relay.acting_as("ann", ("sre",))
    assert "cannot impersonate" in say(ann, cluster, shop, "ann", via="Slack")  # before it was granted
    impersonating()
    eventually(lambda: "cannot impersonate" not in say(ann, cluster, shop, "ann"), "impersonation granted")
    assert 'User "ann" cannot create resource "approvals"' in say(ann, cluster, shop, "ann", via="Slack")
    cluster.grant("sre", shop, kind="Group", role="hemostat-approver")
    eventually(lambda: not say(ann, cluster, shop, "ann", groups=["sre"], via="Slack"), "she may approve")
    # her other rights are out of reach, and so are other people and groups
    assert "cannot impersonate" in refusal(lambda: ann.list(objects.KINDS["Remediation"].path(shop)))
    assert "cannot impersonate" in refusal(lambda: ann.get(rest("configmaps", NAMESPACE, name=PEOPLE)))
    for user, groups in (("cleo", ()), ("ann", ("ops",)), ("ann", ("sre", "system:masters")), ("admin", ())):
        kube = cluster.relay.acting_as(user, groups)
        assert "impersonat" in say(kube, cluster, shop, user, via="Slack"), (user, groups)
    # the API server, not `act`, knows that ben has no right
    assert "the RBAC verb approve" in say(cluster.relay.acting_as("ben", ()), cluster, shop, "ben", via="Slack")
    # and she cannot be made to speak for somebody else
    assert "spec.approver must be" in say(ann, cluster, shop, "ben", via="Slack")


def test_an_api_server_without_constrained_impersonation_leaves_the_older_way() -> None:
    """Before 1.36, or with the feature off: the role is of no effect, and what is said in one's own name is heard."""
    with ApiServer(extra_args=["--feature-gates=ConstrainedImpersonation=false"]) as server:
        older = Cluster(server)
        older.install()
        people_map(older)
        grant_people(older)
        namespace = older.make_namespace()
        older.planned(namespace, "planned", HASH_A)
        eventually(lambda: not say(older.relay, older, namespace, "ann", groups=["sre"], via="Slack"), "older way")
        said = say(older.relay.acting_as("ann", ("sre",)), older, namespace, "ann", via="Slack")
        assert 'cannot impersonate resource "users"' in said
        assert older.admin.list(f"/apis/{RBAC}/clusterroles", fieldSelector="metadata.name=hemostat-relay-people")
