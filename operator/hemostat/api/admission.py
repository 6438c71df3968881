"""ValidatingAdmissionPolicies: the first lock, held by the API server. `act` is the second.

https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
"""

import json
from typing import Any

from hemostat.api import API_VERSION, GROUP, VERSION
from hemostat.api.identity import (
    ACT_USER,
    AUDIT,
    LEASE,
    LESSON,
    LESSON_BY,
    MAX_LESSON,
    NAMESPACE,
    OBSERVE_USER,
    PEOPLE,
    PROTECTED_LABEL,
    PROTECTED_NAMESPACES,
    RELAY_USER,
    REMEDIATION_LABEL,
    TAKEN_BACK_BY,
    TAKEN_BACK_TIME,
    VIA_LABEL,
)
from hemostat.api.incident import OBSERVED
from hemostat.api.meta import API_VERSIONS
from hemostat.api.stop import BEGIN, GO, RESOURCE, UNDO

Json = dict[str, Any]
Validation = tuple[str, str]

_NAMED = "params.metadata.name != object.spec.remediation"

_LABELLED = f"object.?metadata.labels['{VIA_LABEL}'].orValue('') == 'Slack'"
_RELAYED = f"(request.userInfo.username == '{RELAY_USER}' && object.?spec.via.orValue('') == 'Slack' && {_LABELLED})"
"""`relay` may say in its own name what it heard: `hemostat-relayed` holds it to its people, `act` reviews them."""
APPROVALS: tuple[Validation, ...] = (
    (
        f"{_RELAYED} || object.spec.approver == request.userInfo.username",
        "spec.approver must be the user who creates the Approval",
    ),
    (
        f"{_RELAYED} || !request.userInfo.username.startsWith('system:serviceaccount:')",
        "an Approval must be created by a person, not by a service account",
    ),
    (
        f"{_RELAYED} || !has(object.spec.groups) || object.spec.groups.all(g, g in request.userInfo.groups)",
        "spec.groups must be groups that the user is a member of",
    ),
    (
        (
            f"{_RELAYED} || authorizer.group('{GROUP}').resource('remediations').namespace(request.namespace)"
            ".name(object.spec.remediation).check('approve').allowed()"
        ),
        "the user must hold the RBAC verb approve on this Remediation",
    ),
    (
        (
            f"{_NAMED} || (has(params.status) && has(params.status.planHash)"
            " && params.status.planHash == object.spec.planHash)"
        ),
        "spec.planHash must be the Remediation's present status.planHash: look at the plan again",
    ),
    (
        f"{_NAMED} || params.spec.requestedBy != object.spec.approver",
        "whoever requested a Remediation must not approve it",
    ),
)
_LINES = "params.data[id].split('\\n').map(line, line.trim())"
RELAYED: tuple[Validation, ...] = (
    (
        (
            f"has(params.data) && params.data.exists(id, {_LINES}[0] == object.spec.approver"
            f" && (!has(object.spec.groups) || object.spec.groups.all(g, g in {_LINES})))"
        ),
        f"relay must speak only for people of ConfigMap {PEOPLE}, with their groups",
    ),
    (
        (
            "!object.spec.approver.startsWith('system:')"
            " && (!has(object.spec.groups) || !('system:masters' in object.spec.groups))"
        ),
        "relay must speak for no part of the system",
    ),
)
_A_NAMESPACE = "(request.resource.group == '' && request.resource.resource == 'namespaces')"
_ITS_HEAD = (
    f"(request.resource.group == '' && request.resource.resource == 'configmaps'"
    f" && request.operation == 'UPDATE' && request.namespace == '{NAMESPACE}' && request.name == '{AUDIT}')"
)
"""Where `act` says how much its audit log holds."""
_ITS_LEASE = (
    f"(request.resource.group == 'coordination.k8s.io' && request.resource.resource == 'leases'"
    f" && request.operation == 'UPDATE' && request.namespace == '{NAMESPACE}' && request.name == '{LEASE}')"
)
"""Which replica of `act` acts."""
_IS_OVER = (
    "oldObject != null && has(oldObject.status) && has(oldObject.status.conditions)"
    " && oldObject.status.conditions.exists(c, c.status == 'True'"
    " && c.type == (request.resource.resource == 'incidents' ? 'Resolved' : 'Finished'))"
)
_ITS_PAST = (
    f"(request.resource.group == '{GROUP}' && request.operation == 'DELETE'"
    " && (request.resource.resource == 'approvals'"
    f" || (request.resource.resource in ['incidents', 'remediations'] && {_IS_OVER})))"
)
"""What `act` deletes because it is long ago (`hemostat.act.retention`)."""
PROTECTED: tuple[Validation, ...] = (
    (
        (
            f"{_A_NAMESPACE} || {_ITS_HEAD} || {_ITS_LEASE} || {_ITS_PAST}"
            f" || !(namespaceObject.metadata.name in {json.dumps(PROTECTED_NAMESPACES)})"
            f" && !(has(namespaceObject.metadata.labels) && '{PROTECTED_LABEL}' in namespaceObject.metadata.labels)"
        ),
        "Hemostat must not act in a protected namespace",
    ),
    (
        f"!{_A_NAMESPACE}",
        "Hemostat must not change Namespaces: their labels say which are protected",
    ),
    (
        (
            f"request.operation != 'DELETE' || {_ITS_PAST} || "
            f"(has(oldObject.metadata.labels) && '{REMEDIATION_LABEL}' in oldObject.metadata.labels)"
        ),
        f"Hemostat must delete nothing but what it created (label {REMEDIATION_LABEL}) and what is over of its own",
    ),
)
_SAME_NODE = " && ".join(
    f"object.{part}.?{field} == oldObject.{part}.?{field}"
    for part, fields in (
        ("metadata", ("labels", "annotations", "finalizers", "ownerReferences")),
        ("spec", ("taints", "podCIDR", "podCIDRs", "providerID", "configSource", "externalID")),
    )
    for field in fields
)
NODES: tuple[Validation, ...] = (
    (
        f"request.operation == 'UPDATE' && request.?subResource.orValue('') == '' && {_SAME_NODE}",
        "Hemostat must change nothing of a Node but spec.unschedulable",
    ),
)
_SAME_POD = " && ".join(
    ["object.spec == oldObject.spec"]
    + [
        f"object.metadata.?{field} == oldObject.metadata.?{field}"
        for field in ("annotations", "finalizers", "ownerReferences")
    ]
)
PODS: tuple[Validation, ...] = ((_SAME_POD, "Hemostat must change nothing of a Pod but its labels"),)


def _could_itself(target: str, version: str, kind: str) -> str:
    """CEL: whether who asks might patch a target of this apiVersion and kind."""
    return (
        f"authorizer.group({version}.contains('/') ? {version}.split('/')[0] : '')"
        f".resource({kind}.lowerAscii() + 's').namespace(request.namespace)"
        f".name({target}.name).check('patch').allowed()"
    )


_REF, _WATCHED = "object.spec.targetRef", "object.spec.target"
_COULD_ITSELF = _could_itself(_REF, f"{_REF}.apiVersion", f"{_REF}.kind")
_KIND = f"{_WATCHED}.?kind.orValue('Deployment')"
_USUAL = f"({json.dumps(dict(API_VERSIONS))}[?{_KIND}].orValue('apps/v1'))"
_COULD_ACT = _could_itself(_WATCHED, f"{_WATCHED}.?apiVersion.orValue({_USUAL})", _KIND)
REMEDIATIONS: tuple[Validation, ...] = (
    (
        "object.spec.requestedBy == request.userInfo.username",
        "spec.requestedBy must be the user who creates the Remediation",
    ),
    (
        f"request.userInfo.username == '{OBSERVE_USER}' || {_COULD_ITSELF}",
        "whoever requests a Remediation must be allowed to patch its target",
    ),
)


def _witnesses(o: str) -> str:
    """CEL: the signals of a Watch whose queries `act` asks again, and takes for a witness beside telemetry."""
    asked = " || ".join(f"has(s.{field})" for field in ("metric", "queue", "workflow"))
    return f"({o}.spec.?signals.orValue([]).filter(s, {asked}))"


WATCHES: tuple[Validation, ...] = (
    (
        (
            f"{_witnesses('object')}.size() == 0 || (oldObject != null && {_WATCHED} == oldObject.spec.target"
            f" && {_witnesses('object')} == {_witnesses('oldObject')}) || {_COULD_ACT}"
        ),
        (
            "whoever writes a Watch that queries Prometheus must be allowed to patch its target:"
            " what the query says may have Hemostat act on it without a person"
        ),
    ),
)
RUNBOOKS: tuple[Validation, ...] = (
    (
        (
            "object.spec.state != 'Active' || authorizer.group('apps').resource('deployments')"
            ".namespace(request.namespace).check('patch').allowed()"
        ),
        (
            "whoever writes an Active Runbook must be allowed to patch Deployments in its namespace;"
            " use state: Draft and let such a person activate it"
        ),
    ),
)


_MAY = f"authorizer.group('{GROUP}').resource('{RESOURCE}').namespace('{NAMESPACE}')"
_UNDOES = (
    "(request.operation == 'DELETE'"
    " || request.?options.fieldManager.orValue('').endsWith('-inverse')"
    " || request.?options.fieldManager.orValue('') == 'hemostat-release')"
)
"""`act` deletes nothing but what it created for a time (`hemostat-protected-namespaces`), evicts by creation, and
patches under managers that say which effect it is (`hemostat.action.moves`)."""
STOP: tuple[Validation, ...] = (
    (
        f"{_ITS_HEAD} || {_MAY}.check('{BEGIN}').allowed() || ({_UNDOES} && {_MAY}.check('{UNDO}').allowed())",
        f"Hemostat is stopped: Role {GO} in namespace {NAMESPACE} grants it no such action (kubectl hemostat status)",
    ),
)


def _annotation(o: str, name: str) -> str:
    """CEL: an annotation of `object` or `oldObject`, or an empty text."""
    there = f"{o} != null && has({o}.metadata.annotations) && '{name}' in {o}.metadata.annotations"
    return f"({there} ? {o}.metadata.annotations['{name}'] : '')"


_SAME_LESSON = " && ".join(f"{_annotation('object', n)} == {_annotation('oldObject', n)}" for n in (LESSON, LESSON_BY))
LESSONS: tuple[Validation, ...] = (
    (
        f"{_SAME_LESSON} || !request.userInfo.username.startsWith('system:serviceaccount:')",
        "a lesson must be accepted by a person, not by a service account",
    ),
    (
        (
            f"{_SAME_LESSON} || {_annotation('object', LESSON)} == ''"
            f" || {_annotation('object', LESSON_BY)} == request.userInfo.username"
        ),
        f"annotation {LESSON_BY} must be the user who accepts the lesson",
    ),
    (
        (
            f"{_SAME_LESSON} || authorizer.group('{GROUP}').resource('incidents').namespace(request.namespace)"
            ".name(object.metadata.name).check('accept').allowed()"
        ),
        "the user must hold the RBAC verb accept on this Incident",
    ),
    (
        f"{_SAME_LESSON} || {_annotation('object', LESSON)}.size() <= {MAX_LESSON}",
        f"a lesson must have at most {MAX_LESSON} characters",
    ),
)


def _meta_unchanged(field: str) -> str:
    new, old = (f"(has({o}.metadata.{field}) ? {o}.metadata.{field} : [])" for o in ("object", "oldObject"))
    return f"{new} == {old}"


_SAME_WORD = " && ".join(
    f"{_annotation('object', n)} == {_annotation('oldObject', n)}" for n in (TAKEN_BACK_BY, TAKEN_BACK_TIME)
)
TAKEN_BACK: tuple[Validation, ...] = (
    (
        f"{_SAME_WORD} || {_annotation('object', TAKEN_BACK_BY)} == request.userInfo.username",
        f"annotation {TAKEN_BACK_BY} must be the user who takes it back, and must stay",
    ),
    (
        "oldObject == null || "
        + " && ".join(map(_meta_unchanged, ("ownerReferences", "finalizers")))
        + f" || authorizer.group('{GROUP}').resource('remediations').namespace(request.namespace)"
        ".name(object.metadata.name).check('delete').allowed()",
        "ownerReferences and finalizers decide what is deleted: who changes them must be allowed to delete it",
    ),
)


def _list_unchanged(field: str) -> str:
    """CEL: an empty list is as good as none, for the API server fills in defaults."""
    new, old = (f"has({o}.status) && has({o}.status.{field}) ? {o}.status.{field}" for o in ("object", "oldObject"))
    return f"({new} : []) == ({old} : [])"


def _object_unchanged(field: str) -> str:
    """CEL: the field of the status is as it was, or as absent as it was."""
    new, old = (f"has({o}.status) && has({o}.status.{field})" for o in ("object", "oldObject"))
    return f"({new}) == ({old}) && (!({new}) || object.status.{field} == oldObject.status.{field})"


def _conditions_unchanged(kinds: tuple[str, ...]) -> str:
    def kept(o: str) -> str:
        picked = f"{o}.status.conditions.filter(c, c.type in {json.dumps(kinds)})"
        return f"(has({o}.status) && has({o}.status.conditions) ? {picked} : [])"

    return f"{kept('object')} == {kept('oldObject')}"


REMEDIATION_STATUS: tuple[Validation, ...] = (
    (
        f"request.userInfo.username == '{ACT_USER}'",
        "only act writes the status of a Remediation: on what it says was planned and admitted rests what is done",
    ),
)
"""RBAC is not enough: whoever may do anything in his namespace could say there that the gate allowed it, and what
`kubectl hemostat undo` writes with the rights of whoever runs it."""
_OBSERVED_OBJECTS = ("summary", "severity", "callers", "partOf", "reopened", "storm", "usage", "lesson", "progress")
INCIDENT_STATUS: tuple[Validation, ...] = (
    (
        f"request.userInfo.username in ['{OBSERVE_USER}', '{ACT_USER}'] || 'system:masters' in request.userInfo.groups",
        "only observe and act write the status of an Incident: on the signals it tells of rests what is done",
    ),
    (
        f"request.userInfo.username != '{OBSERVE_USER}' || "
        + _conditions_unchanged(("Remediated", "Verified", "Resolved")),
        "observe must not write the conditions Remediated, Verified and Resolved",
    ),
    (
        f"request.userInfo.username != '{ACT_USER}' || ("
        + _conditions_unchanged(OBSERVED)
        + " && "
        + " && ".join(_list_unchanged(field) for field in ("signals", "evidence", "causes"))
        + " && "
        + " && ".join(_object_unchanged(field) for field in _OBSERVED_OBJECTS)
        + ")",
        "act must not write observe's part: summary, severity, signals, evidence, causes, relations and conditions",
    ),
)


def manifests() -> list[Json]:
    """Return every policy with its binding."""
    own = [GROUP]
    only_relay = [{"name": "relay", "expression": f"request.userInfo.username == '{RELAY_USER}'"}]
    only_act = [{"name": "act", "expression": f"request.userInfo.username == '{ACT_USER}'"}]
    everywhere = {
        "resourceRules": [  # "*" alone leaves out subresources: scale, eviction, exec
            _rule(["*"], ["*"], ["*/*"], ["CREATE", "UPDATE", "DELETE", "CONNECT"], "Namespaced"),
            _rule([""], ["*"], ["namespaces", "namespaces/*"], ["CREATE", "UPDATE", "DELETE"], "Cluster"),
        ],
        "excludeResourceRules": [
            _rule(own, ["*"], ["*/*"], ["CREATE", "UPDATE"], "Namespaced"),
            _rule(["", "events.k8s.io"], ["*"], ["events"], ["CREATE", "UPDATE"], "Namespaced"),
        ],
    }
    anything = {
        "resourceRules": [_rule(["*"], ["*"], ["*/*"], ["CREATE", "UPDATE", "DELETE", "CONNECT"], "*")],
        "excludeResourceRules": [
            _rule(own, ["*"], ["*/*"], ["CREATE", "UPDATE"], "*"),
            _rule(["", "events.k8s.io"], ["*"], ["events"], ["CREATE", "UPDATE"], "*"),
            _rule(["coordination.k8s.io"], ["*"], ["leases"], ["CREATE", "UPDATE"], "*"),
            _rule(["authentication.k8s.io", "authorization.k8s.io"], ["*"], ["*"], ["CREATE"], "*"),
        ],
    }
    remediation = {"apiVersion": API_VERSION, "kind": "Remediation"}
    return [
        *_policy("hemostat-approvals", _on("approvals", "CREATE"), APPROVALS, param=(remediation, {"selector": {}})),
        *_policy(
            "hemostat-relayed",
            _on("approvals", "CREATE") | {"objectSelector": {"matchLabels": {VIA_LABEL: "Slack"}}},
            RELAYED,
            param=({"apiVersion": "v1", "kind": "ConfigMap"}, {"name": PEOPLE, "namespace": NAMESPACE}),
            conditions=only_relay,
        ),
        *_policy("hemostat-remediations", _on("remediations", "CREATE"), REMEDIATIONS),
        *_policy("hemostat-remediation-status", _on("remediations/status", "UPDATE"), REMEDIATION_STATUS),
        *_policy("hemostat-taken-back", _on("remediations", "CREATE", "UPDATE"), TAKEN_BACK),
        *_policy("hemostat-watches", _on("watches", "CREATE", "UPDATE"), WATCHES),
        *_policy("hemostat-runbooks", _on("runbooks", "CREATE", "UPDATE"), RUNBOOKS),
        *_policy("hemostat-lessons", _on("incidents", "CREATE", "UPDATE"), LESSONS),
        *_policy("hemostat-incident-status", _on("incidents/status", "UPDATE"), INCIDENT_STATUS),
        *_policy("hemostat-protected-namespaces", everywhere, PROTECTED, conditions=only_act),
        *_policy(
            "hemostat-nodes",
            {
                "resourceRules": [
                    _rule([""], ["*"], ["nodes", "nodes/*"], ["CREATE", "UPDATE", "DELETE", "CONNECT"], "Cluster")
                ]
            },
            NODES,
            conditions=only_act,
        ),
        *_policy(
            "hemostat-pods",
            {"resourceRules": [_rule([""], ["*"], ["pods"], ["UPDATE"], "Namespaced")]},
            PODS,
            conditions=only_act,
        ),
        *_policy("hemostat-stop", anything, STOP, conditions=only_act),
    ]


def _rule(groups: list[str], versions: list[str], resources: list[str], operations: list[str], scope: str) -> Json:
    return {
        "apiGroups": groups,
        "apiVersions": versions,
        "resources": resources,
        "operations": operations,
        "scope": scope,
    }


def _on(resource: str, *operations: str) -> Json:
    return {"resourceRules": [_rule([GROUP], [VERSION], [resource], list(operations), "Namespaced")]}


def _policy(
    name: str,
    constraints: Json,
    validations: tuple[Validation, ...],
    *,
    param: tuple[Json, Json] | None = None,
    conditions: list[Json] | None = None,
) -> list[Json]:
    meta = {"name": name, "labels": {"app.kubernetes.io/part-of": "hemostat"}}
    spec: Json = {"failurePolicy": "Fail", "matchConstraints": constraints}
    spec |= {"paramKind": param[0]} if param else {}
    spec |= {"matchConditions": conditions} if conditions else {}
    spec["validations"] = [{"expression": e, "message": m, "reason": "Forbidden"} for e, m in validations]
    binding: Json = {"policyName": name, "validationActions": ["Deny"]}
    binding |= {"paramRef": {**param[1], "parameterNotFoundAction": "Deny"}} if param else {}
    api = "admissionregistration.k8s.io/v1"
    return [
        {"apiVersion": api, "kind": "ValidatingAdmissionPolicy", "metadata": meta, "spec": spec},
        {"apiVersion": api, "kind": "ValidatingAdmissionPolicyBinding", "metadata": meta, "spec": binding},
    ]
