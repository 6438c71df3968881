"""The stop switch: what `act` may begin and undo, held by RBAC so that the API server itself knows (pure).

The Role `hemostat-go` grants `act` two verbs on `actions.hemostat.dev`, which are no objects: `begin` and `undo`. An
admission policy asks for them at every write of `act`. Whoever takes a verb away stops it; where the Role or its
binding is gone or says something else, nothing is granted, so nothing is done. A ConfigMap as a parameter of the policy
could not do that: where it is missing, the API server refuses or admits everybody's writes, whosever they are.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from hemostat.api import GROUP
from hemostat.api.identity import ACT, NAMESPACE

Json = dict[str, Any]
GO = "hemostat-go"
"""Name of the Role in Hemostat's namespace, and of its RoleBinding."""
RESOURCE, BEGIN, UNDO = "actions", "begin", "undo"
BY, REASON, TIME = (f"hemostat.dev/stopped-{word}" for word in ("by", "reason", "time"))
"""Annotations of the Role: words for people."""
RBAC = "rbac.authorization.k8s.io"


class Level(StrEnum):
    """What `act` may do."""

    RUNS = "Runs"
    NO_NEW_ACTIONS = "NoNewActions"
    """What was done is verified and undone; nothing is begun."""
    NOTHING = "Nothing"
    """Nothing is undone either."""


_VERBS = {Level.RUNS: [BEGIN, UNDO], Level.NO_NEW_ACTIONS: [UNDO], Level.NOTHING: []}


def role(level: Level, annotations: Mapping[str, str] | None = None) -> Json:
    """Return the Role that grants so much."""
    verbs = _VERBS[level]
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "Role",
        "metadata": {
            "name": GO,
            "namespace": NAMESPACE,
            "labels": {"app.kubernetes.io/part-of": "hemostat"},
            **({"annotations": dict(annotations)} if annotations else {}),
        },
        "rules": [{"apiGroups": [GROUP], "resources": [RESOURCE], "verbs": verbs}] if verbs else [],
    }


def binding() -> Json:
    """Return the RoleBinding by which `act` has it."""
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": GO, "namespace": NAMESPACE, "labels": {"app.kubernetes.io/part-of": "hemostat"}},
        "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": GO},
        "subjects": [{"kind": "ServiceAccount", "name": ACT, "namespace": NAMESPACE}],
    }


def path(kind: str = "roles") -> str:
    """Return the URL path of the Role, or of its RoleBinding."""
    return f"/apis/{RBAC}/v1/namespaces/{NAMESPACE}/{kind}/{GO}"


def level_of(found: Mapping[str, Any] | None, bound: Mapping[str, Any] | None) -> Level:
    """Return what a Role and its binding let `act` do, as RBAC reads them; what is missing or garbled grants none."""
    if found is None or bound is None or not _is_bound(bound):
        return Level.NOTHING
    rules = [r for r in found.get("rules") or () if isinstance(r, Mapping)]
    mine = [r for r in rules if GROUP in (r.get("apiGroups") or ()) and RESOURCE in (r.get("resources") or ())]
    verbs = {verb for r in mine if not r.get("resourceNames") for verb in r.get("verbs") or ()}
    if BEGIN in verbs:
        return Level.RUNS  # what may be begun may be undone
    return Level.NO_NEW_ACTIONS if UNDO in verbs else Level.NOTHING


def _is_bound(bound: Mapping[str, Any]) -> bool:
    wanted = binding()
    subject = wanted["subjects"][0]
    there = [s for s in bound.get("subjects") or () if isinstance(s, Mapping)]
    held = any(all(s.get(key) == value for key, value in subject.items()) for s in there)
    return held and bound.get("roleRef", {}).get("name") == GO


def words(annotations: Mapping[str, str]) -> str:
    """Say who stopped it, why and when, as far as the Role says."""
    by, reason, time = (annotations.get(name, "") for name in (BY, REASON, TIME))
    parts = (f" by {by}" if by else "", f" at {time}" if time else "", f": {reason}" if reason else "")
    return "".join(parts)[:512]


def review(verb: str) -> Json:
    """Return the question to the API server whether who asks may do it (SelfSubjectAccessReview)."""
    attributes = {"group": GROUP, "resource": RESOURCE, "verb": verb, "namespace": NAMESPACE}
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
