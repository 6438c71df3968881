"""Who may do what, as the API server's own authorizer answers it."""

from collections.abc import Iterable
from typing import Any

import pytest
from tests.api import objects
from tests.api.support import MANAGER, RBAC, Cluster, can, eventually, refusal, rest

from hemostat.action.contract import Rule
from hemostat.action.registry import discover
from hemostat.api import GROUP
from hemostat.api import rbac as generated
from hemostat.api.identity import ACT_USER, NAMESPACE, OBSERVE_USER, RELAY_USER, TARGET_ROLE
from hemostat.kube import Kube, path_of

Json = dict[str, Any]
Grant = tuple[str, str, str, str]
"""Group, resource, verb and, where it is bound to one, the object's name."""

ACTION_RULES = [rule for action in discover().values() for rule in action.rules]
WRITES = ("create", "update", "patch", "delete", "deletecollection")


@pytest.fixture(scope="module")
def shop(cluster: Cluster) -> str:
    """Return a namespace that has opted in."""
    namespace = cluster.make_namespace()
    cluster.admin.create(rest("rolebindings", namespace, RBAC), generated.opt_in(namespace), MANAGER)
    eventually(lambda: can(cluster.act, "get", "deployments", namespace, "apps"), "act sees the RoleBinding")
    return namespace


@pytest.fixture(scope="module")
def bank(cluster: Cluster) -> str:
    """Return a namespace that has not."""
    return cluster.make_namespace()


def can_i(cluster: Cluster, user: str, verb: str, resource: str, *where: str) -> bool:
    """Ask kubectl, as an administrator would."""
    plain, _, sub = resource.partition("/")
    args = ["auth", "can-i", verb, plain, *([f"--subresource={sub}"] if sub else []), f"--as={user}", *where]
    done = cluster.kubectl(*args, "--as-group=system:serviceaccounts", check=False)
    answer = done.stdout.strip()
    assert answer in ("yes", "no"), done.stderr
    assert "doesn't have a resource type" not in done.stderr or verb.startswith("impersonate"), done.stderr
    return bool(answer == "yes")


# --- Exactly the generated rules and nothing more


def flat(rules: Iterable[Rule]) -> set[Grant]:
    return {
        (rule.group, resource, verb, name)
        for rule in rules
        for resource in rule.resources
        for verb in rule.verbs
        for name in rule.names or ("",)
    }


def reviewed(kube: Kube, namespace: str) -> set[Grant]:
    """Return everything that the API server says this identity may do in the namespace."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    status = kube.create("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", review, MANAGER)["status"]
    assert not status["incomplete"], status
    return {
        (group, resource, verb, name)
        for rule in status["resourceRules"]
        for group in rule.get("apiGroups", [""])
        for resource in rule.get("resources", [""])
        for verb in rule["verbs"]
        for name in rule.get("resourceNames", [""])
    }


@pytest.fixture(scope="module")
def anybody(cluster: Cluster) -> set[Grant]:
    """Return what every service account may do: nothing but ask about itself."""
    cluster.account("default", "anybody")
    found = reviewed(cluster.service_account("default", "anybody"), "default")
    assert {group for group, _, _, _ in found} <= {"authorization.k8s.io", "authentication.k8s.io"}
    return found


def test_observe_may_do_exactly_its_rules_everywhere(
    cluster: Cluster, anybody: set[Grant], shop: str, bank: str
) -> None:
    for namespace in (shop, bank, NAMESPACE, "kube-system", "default"):
        assert reviewed(cluster.observe, namespace) - anybody == flat(generated.OBSERVE_RULES), namespace


def test_relay_may_do_exactly_its_rules_everywhere(cluster: Cluster, anybody: set[Grant], shop: str) -> None:
    for namespace in (shop, NAMESPACE, "kube-system", "default"):
        assert reviewed(cluster.relay, namespace) - anybody == flat(generated.RELAY_RULES), namespace


def test_act_may_do_exactly_its_rules_where_nobody_opted_in(cluster: Cluster, anybody: set[Grant], bank: str) -> None:
    go = {(GROUP, "actions", "begin", ""), (GROUP, "actions", "undo", "")}
    for namespace, more in ((bank, set()), (NAMESPACE, flat(generated.OWN_RULES) | go), ("kube-system", set())):
        assert reviewed(cluster.act, namespace) - anybody == flat(generated.ACT_RULES) | more, namespace


def test_act_may_do_exactly_what_the_actions_need_where_it_was_opted_in(
    cluster: Cluster, anybody: set[Grant], shop: str
) -> None:
    more = flat(generated.TARGET_RULES) | flat(ACTION_RULES)
    assert reviewed(cluster.act, shop) - anybody == flat(generated.ACT_RULES) | more
    assert more - flat(generated.ACT_RULES) == more  # none of it without the RoleBinding


@pytest.mark.parametrize("action", discover().values(), ids=lambda a: a.name)
def test_every_action_gets_the_rules_it_names(cluster: Cluster, shop: str, bank: str, action: Any) -> None:
    for group, resource, verb, name in flat(action.rules):
        assert can(cluster.act, verb, resource, shop, group, name), f"{verb} {resource}"
        assert not can(cluster.act, verb, resource, bank, group, name), f"{verb} {resource}"


def test_opting_in_is_one_role_binding_and_opting_out_takes_it_back(cluster: Cluster) -> None:
    namespace = cluster.make_namespace()
    live = cluster.make(objects.deployment("payment", namespace))
    scale = path_of("apps/v1", "Deployment", namespace, "payment", "scale")
    ops = [{"op": "replace", "path": "/spec/replicas", "value": 4}]
    assert 'cannot patch resource "deployments/scale"' in refusal(lambda: cluster.act.json_patch(scale, ops, "t"))

    bindings = rest("rolebindings", namespace, RBAC)
    binding = cluster.admin.create(bindings, generated.opt_in(namespace), MANAGER)
    eventually(lambda: refusal(lambda: cluster.act.json_patch(scale, ops, "t")) == "", "act may scale")
    where = path_of("apps/v1", "Deployment", namespace, "payment")
    changed = [{"op": "replace", "path": "/spec/template", "value": live["spec"]["template"]}]
    assert refusal(lambda: cluster.act.json_patch(where, changed, "t")) == ""
    assert "cannot delete" in refusal(lambda: cluster.act.delete(where, live["metadata"]["uid"]))

    cluster.admin.delete(f"{bindings}/{TARGET_ROLE}", binding["metadata"]["uid"])
    eventually(lambda: "cannot patch" in refusal(lambda: cluster.act.json_patch(scale, ops, "t")), "act may not")


# --- What must never be possible, as kubectl answers it

EVERYWHERE = ("--all-namespaces",)
NEVER_ANY = [
    *((verb, "secrets") for verb in ("get", "list", "watch", *WRITES)),
    *((verb, f"runbooks.{GROUP}") for verb in WRITES),
    *((verb, f"gatepolicies.{GROUP}") for verb in WRITES),
    *((verb, f"watches.{GROUP}") for verb in WRITES),
    *((verb, f"chaosexperiments.{GROUP}") for verb in WRITES),
    ("approve", f"remediations.{GROUP}"),
    ("update", f"incidents.{GROUP}"),
    ("patch", f"incidents.{GROUP}"),
    ("deletecollection", f"incidents.{GROUP}"),
    ("update", f"remediations.{GROUP}"),
    ("patch", f"remediations.{GROUP}"),
    ("deletecollection", f"remediations.{GROUP}"),
    ("deletecollection", f"approvals.{GROUP}"),
    ("create", "pods"),
    ("delete", "pods"),
    ("create", "pods/exec"),
    ("get", "pods/exec"),
    ("create", "pods/attach"),
    ("create", "pods/portforward"),
    ("get", "pods/proxy"),
    ("get", "pods/log"),
    ("update", "pods/ephemeralcontainers"),
    ("patch", "pods/ephemeralcontainers"),
    ("create", "deployments.apps"),
    ("update", "deployments.apps"),
    ("delete", "deployments.apps"),
    ("delete", "replicasets.apps"),
    ("patch", "namespaces"),
    ("update", "namespaces"),
    ("delete", "namespaces"),
    ("create", "serviceaccounts/token"),
    ("impersonate", "users"),
    ("impersonate", "groups"),
    ("impersonate", "serviceaccounts"),
    ("impersonate:user-info", "users"),
    ("impersonate-on:user-info:create", f"approvals.{GROUP}"),
    ("impersonate", "userextras.authentication.k8s.io"),
    ("create", "serviceaccounts"),
    ("get", "nodes/proxy"),
    ("approve", "certificatesigningrequests.certificates.k8s.io"),
    ("patch", "customresourcedefinitions.apiextensions.k8s.io"),
    ("update", "customresourcedefinitions.apiextensions.k8s.io"),
    *(
        (verb, f"{kind}.rbac.authorization.k8s.io")
        for kind in ("roles", "clusterroles", "rolebindings", "clusterrolebindings")
        for verb in ("create", "update", "patch", "delete", "escalate", "bind")
    ),
    *(
        (verb, f"{kind}.admissionregistration.k8s.io")
        for kind in ("validatingadmissionpolicies", "validatingadmissionpolicybindings")
        for verb in ("create", "update", "patch", "delete")
    ),
    ("*", "*"),
]
NEVER_EITHER = [*NEVER_ANY, *((verb, f"approvals.{GROUP}") for verb in WRITES if verb != "delete")]
NEVER_RELAY = [
    ("delete", f"remediations.{GROUP}"),
    *((verb, f"approvals.{GROUP}") for verb in WRITES if verb != "create"),
    *((verb, f"{kind}.{GROUP}") for kind in ("incidents", "remediations") for verb in WRITES),
    *((verb, f"{kind}/status") for kind in ("incidents", "remediations") for verb in ("patch", "update")),
    ("list", f"gatepolicies.{GROUP}"),
    ("list", "pods"),
    ("get", "deployments.apps"),
    ("patch", "deployments.apps"),
    ("get", "configmaps"),
    ("create", "events"),
    ("create", "tokenreviews.authentication.k8s.io"),
]
FOLLOWED = (
    "configmaps",
    "nodes",
    "persistentvolumeclaims",
    "resourcequotas",
    "jobs.batch",
    "cronjobs.batch",
    "statefulsets.apps",
    "daemonsets.apps",
    "replicasets.apps",
    "controllerrevisions.apps",
    "horizontalpodautoscalers.autoscaling",
)
NEVER_OBSERVE = [
    ("delete", f"incidents.{GROUP}"),
    ("delete", f"approvals.{GROUP}"),
    ("delete", f"remediations.{GROUP}"),
    ("create", "pods/eviction"),
    ("patch", "deployments.apps"),
    ("patch", "deployments/scale"),
    ("update", "deployments/scale"),
    ("patch", "remediations/status"),
    ("update", "remediations/status"),
    ("get", "configmaps"),  # it lists them and keeps digests; see observe/trim.py
    *((verb, kind) for verb in WRITES for kind in FOLLOWED),
]
NEVER_ACT = [
    ("delete", "pods"),  # but by eviction, which heeds disruption budgets
    ("patch", "networkpolicies.networking.k8s.io"),
    ("update", "networkpolicies.networking.k8s.io"),
    ("deletecollection", "networkpolicies.networking.k8s.io"),
    ("create", f"remediations.{GROUP}"),
    ("create", f"incidents.{GROUP}"),
    ("create", "tokenreviews.authentication.k8s.io"),
]


def table(*parts: tuple[str, list[tuple[str, str]]]) -> list[Any]:
    return [
        pytest.param(user, verb, resource, id=f"{user.rsplit('-', 1)[1]}-{verb}-{resource}")
        for user, rows in parts
        for verb, resource in rows
    ]


@pytest.mark.parametrize(
    ("user", "verb", "resource"),
    table(
        (OBSERVE_USER, NEVER_EITHER + NEVER_OBSERVE),
        (ACT_USER, NEVER_EITHER + NEVER_ACT),
        (RELAY_USER, NEVER_ANY + NEVER_RELAY),
    ),
)
def test_never(cluster: Cluster, shop: str, user: str, verb: str, resource: str) -> None:
    assert not can_i(cluster, user, verb, resource, f"--namespace={shop}")


@pytest.mark.parametrize(
    ("verb", "resource"),
    [
        ("get", "deployments.apps"),
        ("patch", "deployments.apps"),
        ("patch", "deployments/scale"),
        ("list", "pods"),
        ("list", "replicasets.apps"),
    ],
)
def test_act_touches_only_where_it_was_opted_in(
    cluster: Cluster, shop: str, bank: str, verb: str, resource: str
) -> None:
    name, _, sub = resource.partition("/")
    asked = f"{name}.apps/{sub}" if sub else resource
    assert can_i(cluster, ACT_USER, verb, asked, f"--namespace={shop}")
    for where in (f"--namespace={bank}", "--namespace=kube-system", "--all-namespaces"):
        assert not can_i(cluster, ACT_USER, verb, asked, where)


@pytest.mark.parametrize(
    ("user", "verb", "resource"),
    [
        (OBSERVE_USER, "create", f"incidents.{GROUP}"),
        (OBSERVE_USER, "create", f"remediations.{GROUP}"),
        (OBSERVE_USER, "patch", f"incidents.{GROUP}/status"),
        (OBSERVE_USER, "patch", f"watches.{GROUP}/status"),
        (OBSERVE_USER, "list", "deployments.apps"),
        (OBSERVE_USER, "watch", "pods"),
        *((OBSERVE_USER, verb, kind) for verb in ("list", "watch") for kind in FOLLOWED),
        (OBSERVE_USER, "create", "events"),
        (OBSERVE_USER, "create", "tokenreviews.authentication.k8s.io"),
        (OBSERVE_USER, "create", "subjectaccessreviews.authorization.k8s.io"),
        (ACT_USER, "update", f"remediations.{GROUP}/status"),
        (ACT_USER, "patch", f"incidents.{GROUP}/status"),
        (ACT_USER, "list", f"approvals.{GROUP}"),
        (ACT_USER, "list", f"gatepolicies.{GROUP}"),
        (ACT_USER, "create", "subjectaccessreviews.authorization.k8s.io"),
    ],
)
def test_what_each_needs_it_may(cluster: Cluster, user: str, verb: str, resource: str) -> None:
    assert can_i(cluster, user, verb, resource, *EVERYWHERE)


# --- Not only the review: the request itself


def test_observe_is_refused_when_it_tries(cluster: Cluster, shop: str) -> None:
    live = cluster.make(objects.deployment("tried", shop))
    where = path_of("apps/v1", "Deployment", shop, "tried")
    observe = cluster.observe
    assert live["metadata"]["uid"] in {o["metadata"]["uid"] for o in observe.list(rest("deployments", shop, "apps/v1"))}
    scaled = [{"op": "replace", "path": "/spec/replicas", "value": 0}]
    approval = objects.moved(objects.approval("none", objects.HASH_A, OBSERVE_USER), shop)
    runbook = objects.named("Runbook", objects.MINIMAL["Runbook"], "one", shop)
    tried = {
        "patch": lambda: observe.json_patch(where, scaled, "t"),
        "scale": lambda: observe.json_patch(f"{where}/scale", scaled, "t"),
        "update": lambda: observe.replace(where, live, "t"),
        "delete": lambda: observe.delete(where, live["metadata"]["uid"]),
        "approve": lambda: cluster.make(approval, observe),
        "activate": lambda: cluster.make(runbook, observe),
        "read": lambda: observe.list(rest("secrets", shop)),
    }
    for what, request in tried.items():
        assert " cannot " in refusal(request), what
    assert cluster.admin.get(where) == live


@pytest.mark.parametrize("name", ["hemostat-observe", "hemostat-act", "hemostat-relay"])
def test_none_becomes_somebody_else(cluster: Cluster, name: str) -> None:
    disguised = cluster.token_client(NAMESPACE, name)
    disguised.set_default_header("Impersonate-User", "admin")
    assert f'"system:serviceaccount:{NAMESPACE}:{name}" cannot impersonate' in refusal(
        lambda: Kube(disguised).list(rest("namespaces", None))
    )


# --- The roles as text

MANIFESTS = [*generated.manifests(ACTION_RULES), *generated.relay()]
ROLES = [body for body in MANIFESTS if body["kind"] == "ClusterRole"]


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role["metadata"]["name"])
def test_no_role_holds_a_wildcard(role: Json) -> None:
    for rule in role["rules"]:
        assert "*" not in rule["verbs"] + rule["apiGroups"]
        assert not {"escalate", "bind", "impersonate"} & set(rule["verbs"])
        reads_all_of_ours = rule["apiGroups"] == [GROUP] and set(rule["verbs"]) == {"get", "list", "watch"}
        assert "*" not in rule["resources"] or reads_all_of_ours
        assert not any(resource.startswith("*/") for resource in rule["resources"])


def test_only_the_processes_are_bound_and_only_to_their_own_role() -> None:
    bindings = [body for body in MANIFESTS if body["kind"] == "ClusterRoleBinding"]
    assert {(b["roleRef"]["name"], *(f"{s['namespace']}:{s['name']}" for s in b["subjects"])) for b in bindings} == {
        ("hemostat-observe", f"{NAMESPACE}:hemostat-observe"),
        ("hemostat-act", f"{NAMESPACE}:hemostat-act"),
        ("hemostat-relay", f"{NAMESPACE}:hemostat-relay"),
    }


def served(kube: Kube) -> set[tuple[str, str, str]]:
    """Return every group, resource and verb that the API server serves."""
    groups = [("", "/api/v1")]
    for group in kube.get("/apis")["groups"]:
        groups += [(group["name"], f"/apis/{version['groupVersion']}") for version in group["versions"]]
    return {
        (group, resource["name"], verb)
        for group, path in groups
        for resource in kube.get(path)["resources"]
        for verb in resource["verbs"]
    }


def test_every_rule_names_something_that_is_served(neighbours: Cluster) -> None:
    known = served(neighbours.admin)
    for role in ROLES:
        for rule in role["rules"]:
            asked = {(g, r, v) for g in rule["apiGroups"] for r in rule["resources"] for v in rule["verbs"] if r != "*"}
            own = {(GROUP, "remediations", "approve"), (GROUP, "incidents", "accept")}
            own |= {(GROUP, "actions", "begin"), (GROUP, "actions", "undo")}  # see hemostat.api.stop
            assert asked - known - own == set(), role["metadata"]["name"]


def test_approver_may_approve_and_look_and_nothing_else(cluster: Cluster, anybody: set[Grant], bank: str) -> None:
    cluster.grant("ann", bank, role="hemostat-approver")
    ann = cluster.user("ann")
    eventually(lambda: can(ann, "approve", "remediations", bank, GROUP), "ann may approve")
    assert reviewed(ann, bank) - reviewed(cluster.user("stranger"), bank) == flat(
        (*generated.VIEWER_RULES, *generated.APPROVER_RULES)
    )
    assert not can(ann, "approve", "remediations", "default", GROUP)


def test_viewers_role_is_aggregated_to_view(cluster: Cluster) -> None:
    role = cluster.admin.get(f"/apis/{RBAC}/clusterroles/hemostat-viewer")
    view = cluster.admin.get(f"/apis/{RBAC}/clusterroles/view")
    (selector,) = view["aggregationRule"]["clusterRoleSelectors"]
    assert selector["matchLabels"].items() <= role["metadata"]["labels"].items()
