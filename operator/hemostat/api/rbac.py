"""RBAC from code: what each process may do, and what the catalogue's actions add for `act`."""

from collections.abc import Iterable
from typing import Any

from hemostat.action.contract import Rule
from hemostat.api import GROUP, stop
from hemostat.api.identity import (
    ACT,
    AUDIT,
    GUARD_ROLE,
    LEASE,
    LOGS_ROLE,
    NAMESPACE,
    NODES_ROLE,
    OBSERVE,
    PEOPLE_ROLE,
    RELAY,
    ROOM_ROLE,
    TARGET_ROLE,
)
from hemostat.guard.orders import CONFIG_MAP

Json = dict[str, Any]
READ = ("get", "list", "watch")
FOLLOW = ("list", "watch")

_KOPF = (
    Rule("apiextensions.k8s.io", ("customresourcedefinitions",), ("list", "watch")),
    Rule("", ("namespaces",), READ),
)
_EVENTS = Rule("", ("events",), ("create", "patch"))
_REVIEWS = Rule("authorization.k8s.io", ("subjectaccessreviews",), ("create",))

OBSERVE_RULES = (
    *_KOPF,
    _EVENTS,
    Rule(GROUP, ("watches", "runbooks", "incidents", "remediations"), READ),
    Rule(GROUP, ("watches/status", "runbooks/status", "incidents/status"), ("patch",)),
    Rule(GROUP, ("incidents", "remediations"), ("create",)),
    Rule("authentication.k8s.io", ("tokenreviews",), ("create",)),
    _REVIEWS,
    Rule("apps", ("deployments", "replicasets", "statefulsets", "daemonsets", "controllerrevisions"), FOLLOW),
    Rule("batch", ("jobs", "cronjobs"), FOLLOW),
    Rule("autoscaling", ("horizontalpodautoscalers",), FOLLOW),
    Rule("", ("pods", "nodes", "persistentvolumeclaims", "resourcequotas", "configmaps", "events"), FOLLOW),
    Rule("events.k8s.io", ("events",), FOLLOW),
)
"""Secrets are not among what is followed: to list them is to read them. Of ConfigMaps only digests are kept.
Reviews say who reads streams and /mcp, and what he may."""
ACT_RULES = (
    *_KOPF,
    _EVENTS,
    Rule("storage.k8s.io", ("storageclasses",), ("list",)),
    Rule(GROUP, ("watches", "runbooks", "gatepolicies", "incidents", "remediations", "approvals"), READ),
    Rule(GROUP, ("incidents/status", "gatepolicies/status"), ("patch",)),
    Rule(GROUP, ("remediations/status",), ("update",)),
    Rule(GROUP, ("incidents", "remediations", "approvals"), ("delete",)),
    _REVIEWS,
)
"""It deletes what is finished and long ago, which an admission policy holds it to."""
RELAY_RULES = (
    *_KOPF,
    Rule(GROUP, ("incidents", "remediations", "approvals"), READ),
    Rule(GROUP, ("runbooks",), ("get",)),
    Rule(GROUP, ("approvals",), ("create",)),
    _REVIEWS,
)
"""What it creates as itself an admission policy holds to `via: Slack` and to people of the ConfigMap."""
OWN_RULES = (
    Rule("", ("configmaps",), ("get", "patch"), (AUDIT,)),
    Rule("coordination.k8s.io", ("leases",), ("get", "update"), (LEASE,)),
    Rule(stop.RBAC, ("roles",), ("get",), (stop.GO,)),
)
"""What `act` has in Hemostat's own namespace alone."""
TARGET_RULES = (
    Rule("apps", ("deployments", "replicasets", "statefulsets", "daemonsets"), ("get", "list")),
    Rule("", ("pods", "resourcequotas"), ("list",)),
    Rule("batch", ("cronjobs", "jobs"), ("get", "list")),
)
"""What `act` reads of any target; the actions' own rules come on top."""
ROOM_RULES = (Rule("", ("nodes", "pods"), ("list",)),)
"""What `act` may be let see everywhere, by a ClusterRoleBinding: whether nodes have room for more pods."""
LOGS_RULES = (Rule("", ("pods/log",), ("get",)),)
"""What a namespace may let `observe` read on top, by a RoleBinding: what its pods log."""
APPROVER_RULES = (
    Rule(GROUP, ("remediations",), ("approve", "patch")),
    Rule(GROUP, ("approvals",), ("create",)),
    Rule(GROUP, ("incidents",), ("accept", "patch")),
)
STOPPER_RULES = (
    Rule(stop.RBAC, ("roles",), ("get", "patch"), (stop.GO,)),
    Rule(stop.RBAC, ("rolebindings",), ("get",), (stop.GO,)),
    Rule(GROUP, (stop.RESOURCE,), (stop.BEGIN, stop.UNDO)),
)
"""Who may stop and resume, bound in Hemostat's own namespace; RBAC lets a Role be written only by who holds what it
grants."""
VIEWER_RULES = (Rule(GROUP, ("*",), READ),)
GUARD_RULES = (Rule("", ("configmaps",), ("get", "watch"), (CONFIG_MAP,)),)
"""What `hemostat.guard` in an application reads: its orders, by name; bound by whoever installs it."""


def manifests(action_rules: Iterable[Rule], cluster_rules: Iterable[Rule] = ()) -> list[Json]:
    """Return every ClusterRole and binding, in the order in which they are applied.

    :param action_rules: what actions need in the target's namespace.
    :param cluster_rules: what they need on objects that have none.
    """
    target, nodes = of_actions(action_rules, cluster_rules)
    viewer = {"rbac.authorization.k8s.io/aggregate-to-view": "true"}
    return [
        cluster_role(OBSERVE, OBSERVE_RULES),
        _cluster_binding(OBSERVE),
        cluster_role(ACT, ACT_RULES),
        _cluster_binding(ACT),
        cluster_role(f"{ACT}-own", OWN_RULES),
        _binding(f"{ACT}-own", NAMESPACE),
        stop.role(stop.Level.RUNS),
        stop.binding(),
        cluster_role("hemostat-stopper", STOPPER_RULES),
        target,
        cluster_role(ROOM_ROLE, ROOM_RULES),
        nodes,
        cluster_role(LOGS_ROLE, LOGS_RULES),
        cluster_role("hemostat-viewer", VIEWER_RULES, viewer),
        cluster_role("hemostat-approver", (*VIEWER_RULES, *APPROVER_RULES)),
        cluster_role(GUARD_ROLE, GUARD_RULES),
    ]


def of_actions(action_rules: Iterable[Rule], cluster_rules: Iterable[Rule] = ()) -> list[Json]:
    """Return the two ClusterRoles that hold what actions need: in a namespace that opts in, and on what has none."""
    target = (*TARGET_RULES, *_sorted(action_rules))
    return [cluster_role(TARGET_ROLE, target), cluster_role(NODES_ROLE, _sorted(cluster_rules))]


def relay() -> list[Json]:
    """Return the ClusterRole and binding of `relay`, which is installed only with Slack."""
    return [cluster_role(RELAY, RELAY_RULES), _cluster_binding(RELAY)]


def people(users: Iterable[str], groups: Iterable[str]) -> list[Json]:
    """Return the ClusterRole and binding by which `relay` may impersonate these people to create Approvals.

    It is of effect where the API server has constrained impersonation (KEP-5284, on from 1.36), else of none.
    """
    who = (("users", tuple(sorted(set(users)))), ("groups", tuple(sorted(set(groups)))))
    rules = [Rule("authentication.k8s.io", (kind,), ("impersonate:user-info",), names) for kind, names in who if names]
    on = Rule(GROUP, ("approvals",), ("impersonate-on:user-info:create",))
    return [cluster_role(PEOPLE_ROLE, (*rules, on)), _cluster_binding(PEOPLE_ROLE, RELAY)]


def opt_in(namespace: str) -> Json:
    """Return the RoleBinding by which a namespace lets `act` act on its workloads."""
    return _binding(TARGET_ROLE, namespace)


def cluster_role(name: str, rules: Iterable[Rule], labels: dict[str, str] | None = None) -> Json:
    """Return a ClusterRole."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/part-of": "hemostat", **(labels or {})}},
        "rules": as_rules(rules),
    }


def as_rules(rules: Iterable[Rule]) -> list[Json]:
    """Return rules as they stand in a ClusterRole."""
    return [_rule(rule) for rule in rules]


def _sorted(rules: Iterable[Rule]) -> list[Rule]:
    return sorted(set(rules), key=lambda r: (r.group, r.resources, r.verbs, r.names))


def _rule(rule: Rule) -> Json:
    made = {"apiGroups": [rule.group], "resources": list(rule.resources), "verbs": list(rule.verbs)}
    return made | ({"resourceNames": list(rule.names)} if rule.names else {})


def _binding(role: str, namespace: str) -> Json:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": role, "namespace": namespace},
        "roleRef": _role_ref(role),
        "subjects": [_subject(ACT)],
    }


def _cluster_binding(name: str, account: str = "") -> Json:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/part-of": "hemostat"}},
        "roleRef": _role_ref(name),
        "subjects": [_subject(account or name)],
    }


def _role_ref(name: str) -> Json:
    return {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}


def _subject(name: str) -> Json:
    return {"kind": "ServiceAccount", "name": name, "namespace": NAMESPACE}
