"""The seven kinds on a real API server: served, described, bounded, validated, and the same in Python and YAML."""

import copy
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from tests.api import objects
from tests.api.objects import GONE, HASH_A, HASH_B, MAXIMAL, MAXIMAL_STATUS, MINIMAL, changed, named
from tests.api.support import MANAGER, ROOT, Cluster, refusal

from hemostat import generate
from hemostat.api import GROUP, VERSION
from hemostat.api.identity import TAKEN_BACK_BY
from hemostat.api.resources import RESOURCES, Resource
from hemostat.api.schema import crd
from hemostat.errors import Refused
from hemostat.kube import Kube

Json = dict[str, Any]
EVERY = pytest.mark.parametrize("resource", RESOURCES, ids=lambda r: r.kind)
WITH_STATUS = pytest.mark.parametrize("resource", [r for r in RESOURCES if r.has_status], ids=lambda r: r.kind)


# --- What is committed and what is served


@pytest.mark.parametrize("path", sorted(generate.files()))
def test_committed_is_what_the_code_generates(path: str) -> None:
    assert (ROOT / path).read_text() == generate.files()[path], "run `python -m hemostat.generate`"


def test_nothing_else_is_committed_beside_the_generated() -> None:
    committed = {str(path.relative_to(ROOT)) for path in (ROOT / "crds").iterdir()}
    assert committed == {path for path in generate.files() if path.startswith("crds/")}


def test_installing_says_no_warning(cluster: Cluster) -> None:
    assert cluster.said == ""


@EVERY
def test_crd_is_accepted(cluster: Cluster, resource: Resource) -> None:
    path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{resource.crd_name}"
    conditions = {c["type"]: c["status"] for c in cluster.admin.get(path)["status"]["conditions"]}
    assert conditions["Established"] == "True"
    assert conditions["NamesAccepted"] == "True"
    assert conditions.get("NonStructuralSchema", "False") == "False"


@EVERY
def test_every_name_finds_the_kind(cluster: Cluster, resource: Resource) -> None:
    for name in (resource.plural, resource.kind.lower(), resource.short, resource.crd_name):
        done = cluster.kubectl("get", name, "--all-namespaces", "--output=json")
        assert json.loads(done.stdout)["kind"] == "List", name


def test_category_lists_every_kind(cluster: Cluster) -> None:
    done = cluster.kubectl("api-resources", "--categories=hemostat", "--no-headers", "--output=name")
    assert set(done.stdout.split()) == {resource.crd_name for resource in RESOURCES}


def test_short_names_are_nobody_elses(cluster: Cluster) -> None:
    table = cluster.kubectl("api-resources", "--no-headers").stdout.splitlines()
    shorts = [short for line in table if len(line.split()) == 5 for short in line.split()[1].split(",")]
    for resource in RESOURCES:
        assert shorts.count(resource.short) == 1, resource.short


# --- What kubectl explain prints


def published(kube: Kube) -> Json:
    """Return the OpenAPI document that kubectl explain reads."""
    found: Json = kube.get(f"/openapi/v3/apis/{GROUP}/{VERSION}")["components"]["schemas"]
    return found


def undescribed(node: Json, path: str) -> Iterator[str]:
    for name, child in node.get("properties", {}).items():
        below = f"{path}.{name}"
        if not child.get("description") and "$ref" not in json.dumps(child):
            yield below
        yield from undescribed(child, below)
    if "items" in node:
        yield from undescribed(node["items"], f"{path}[]")


@EVERY
def test_every_field_is_described(cluster: Cluster, resource: Resource) -> None:
    schema = published(cluster.admin)[f"dev.hemostat.{VERSION}.{resource.kind}"]
    assert schema["description"]
    assert list(undescribed(schema, resource.kind)) == []


@EVERY
def test_kubectl_explains_it(cluster: Cluster, resource: Resource) -> None:
    everything = cluster.kubectl("explain", resource.plural, "--recursive").stdout
    fields = {line.split()[0] for line in everything.splitlines() if "\t<" in line}
    assert fields >= {name for name, _ in leaves(MAXIMAL[resource.kind])} - objects.LABELS.keys()
    shown = cluster.kubectl("explain", f"{resource.plural}.spec").stdout
    assert "<no description>" not in everything + shown


def leaves(node: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every field name with its value."""
    if isinstance(node, dict):
        for key, child in node.items():
            yield key, child
            yield from leaves(child, key)
    if isinstance(node, list):
        for child in node:
            yield from leaves(child, name)


# --- What the schema bounds (no server needed)


def unbounded(node: Json, path: str) -> Iterator[str]:
    """Yield what is wrong with this field and with those below it."""
    yield from (f"{path}: {wrong}" for wrong in BOUNDS.get(node.get("type", ""), unheard_of)(node))
    if "x-kubernetes-preserve-unknown-fields" in node:
        yield f"{path}: keeps unknown fields"
    for name, child in node.get("properties", {}).items():
        yield from unbounded(child, f"{path}.{name}")
    if "items" in node:
        yield from unbounded(node["items"], f"{path}[]")


def unheard_of(node: Json) -> Iterator[str]:
    yield f"type {node.get('type')} (API conventions: no floats, no booleans; decimals and words as strings)"


def bounds_of_string(node: Json) -> Iterator[str]:
    if not {"maxLength", "enum"} & node.keys():
        yield "string without maxLength"
    if "|" in node.get("pattern", "") and "[" not in node["pattern"]:
        yield "a choice of words must be an enum"


def bounds_of_integer(node: Json) -> Iterator[str]:
    if not {"minimum", "maximum"} <= node.keys():
        yield "integer without both bounds"


def bounds_of_list(node: Json) -> Iterator[str]:
    if not {"maxItems", "x-kubernetes-list-type"} <= node.keys():
        yield "list without maxItems or list type"
    item = node["items"]
    for key in node.get("x-kubernetes-list-map-keys", ()):
        if key not in item.get("required", ()) and "default" not in item["properties"][key]:
            yield f"key {key} of the list is optional"


def bounds_of_object(node: Json) -> Iterator[str]:
    a_map = "maxProperties" in node and "maxLength" in node.get("additionalProperties", {})
    if ("properties" not in node or "additionalProperties" in node) and not a_map:
        yield "open object"


BOUNDS: dict[str, Callable[[Json], Iterator[str]]] = {
    "string": bounds_of_string,
    "integer": bounds_of_integer,
    "array": bounds_of_list,
    "object": bounds_of_object,
}


def schema_of(resource: Resource) -> Json:
    (version,) = crd(resource)["spec"]["versions"]
    found: Json = version["schema"]["openAPIV3Schema"]["properties"]
    return found


@EVERY
def test_every_field_is_bounded(resource: Resource) -> None:
    parts = schema_of(resource)
    found = [line for part in ("spec", "status") if part in parts for line in unbounded(parts[part], part)]
    assert found == []


@EVERY
def test_field_names_are_camel_case(resource: Resource) -> None:
    def names(node: Json) -> Iterator[str]:
        for name, child in node.get("properties", {}).items():
            yield name
            yield from names(child)
        yield from names(node["items"]) if "items" in node else ()

    assert [name for name in names({"properties": schema_of(resource)}) if not name[0].islower() or "_" in name] == []


# --- Objects: the largest, the smallest, and what Python makes of them


OTHERS: dict[str, Json] = {"ChaosExperiment": {"fault": {"agents": {"trouble": "ping-pong"}}}}
"""What the maximal object cannot hold too, for exactly one of them may be said."""
CALL: Json = {"call": {"protocol": "A2A", "url": "http://critic.shop.svc:8000/", "id": "c1"}}
OTHERS_STATUS: dict[str, Json] = {"Remediation": {"plan": {"steps": [{"forward": CALL, "inverse": CALL}]}}}
"""The same of the status; tests/api/test_calls.py writes and reads one."""


def absent(node: Json, values: list[Any], path: str) -> Iterator[str]:
    """Yield the fields of the schema that occur in none of the values."""
    for name, child in node.get("properties", {}).items():
        below = [value[name] for value in values if name in value]
        if not below:
            yield f"{path}.{name}"
        yield from absent(child, below, f"{path}.{name}")
    if "items" in node:
        yield from absent(node["items"], [item for value in values for item in value], f"{path}[]")


@EVERY
def test_the_maximal_object_holds_every_field(resource: Resource) -> None:
    parts = schema_of(resource)
    others = [OTHERS[resource.kind]] if resource.kind in OTHERS else []
    assert list(absent(parts["spec"], [MAXIMAL[resource.kind], *others], "spec")) == []
    if resource.has_status:
        other = [OTHERS_STATUS[resource.kind]] if resource.kind in OTHERS_STATUS else []
        assert list(absent(parts["status"], [MAXIMAL_STATUS[resource.kind], *other], "status")) == []


@WITH_STATUS
def test_maximal_object_survives_the_round_trip(cluster: Cluster, namespace: str, resource: Resource) -> None:
    spec, status = MAXIMAL[resource.kind], MAXIMAL_STATUS[resource.kind]
    body = cluster.make(named(resource.kind, spec, namespace, namespace))
    body = cluster.set_status(body, status)
    path = resource.path(namespace, namespace)
    read = cluster.admin.get(path)
    assert read["spec"] == spec
    assert read["status"] == status

    parsed = resource.model.model_validate(read)
    wired = parsed.wire()
    assert wired["spec"] == spec
    assert wired["status"] == status
    assert resource.model.model_validate(wired) == parsed

    back = {"apiVersion": read["apiVersion"], "kind": read["kind"], **wired}
    again = cluster.admin.replace(path, back, MANAGER)
    assert again["metadata"]["generation"] == read["metadata"]["generation"]
    assert again["spec"] == spec
    assert cluster.set_status(again, wired["status"])["status"] == status


def test_maximal_approval_survives_the_round_trip(cluster: Cluster, namespace: str) -> None:
    cluster.planned(namespace, "one", HASH_A)
    read = cluster.make(named("Approval", MAXIMAL["Approval"], "word", namespace))
    assert read["spec"] == MAXIMAL["Approval"]
    assert objects.KINDS["Approval"].model.model_validate(read).wire()["spec"] == read["spec"]


@EVERY
def test_defaults_are_the_same_in_python_and_in_the_cluster(
    cluster: Cluster, namespace: str, resource: Resource
) -> None:
    if resource.kind == "Approval":
        cluster.planned(namespace, "one", HASH_A)
    body = named(resource.kind, MINIMAL[resource.kind], namespace, namespace)
    read = cluster.make(body)
    for known in (body, read):
        spec = resource.model.model_validate(known).wire()["spec"]
        if "target" in spec:  # its apiVersion depends on its kind, which a CRD cannot say
            assert spec["target"].pop("apiVersion") == "apps/v1"
        assert spec == read["spec"]
    assert "status" not in read


@pytest.mark.parametrize(("kind", "version"), [("Job", "batch/v1"), ("Node", "v1"), ("DaemonSet", "apps/v1")])
def test_a_target_s_api_version_is_that_of_its_kind(cluster: Cluster, namespace: str, kind: str, version: str) -> None:
    read = cluster.make(named("Watch", {"target": {"kind": kind, "name": "one"}}, "one", namespace))
    assert objects.KINDS["Watch"].model.model_validate(read).wire()["spec"]["target"]["apiVersion"] == version


@EVERY
def test_yaml_of_an_object_applies_without_a_warning(cluster: Cluster, namespace: str, resource: Resource) -> None:
    if resource.kind == "Approval":
        cluster.planned(namespace, "one", HASH_A)
    text = yaml.safe_dump(named(resource.kind, MAXIMAL[resource.kind], namespace, namespace))
    done = cluster.kubectl("apply", "--server-side", "--filename=-", input=text)
    assert done.stderr == ""
    assert "serverside-applied" in done.stdout


# --- What kubectl get prints

AGO = r"\d+[smhdy]\w*"
"""How kubectl prints a time in a column."""
SHOWN = {
    "Watch": ["payment", "Tested", "Tested", "1", "errors", AGO, "4", "12", "3", "5", "Tested"],
    "Runbook": ["Active", "Tested", "Low", "a bad rollout"],
    "GatePolicy": ["Auto", "BadWindow", '["rollback","scale"]', '["shop","bank"]'],
    "Incident": [
        *("Major", "payment", "False", "Verifying", "Verifying", "payment fails"),
        *("it is looked at", "payment", "2", "90", "payment", "payment"),
    ],
    "Remediation": ["scale", "payment", "NeedsApproval", "Tested", "admin", HASH_A, "payment"],
    "Approval": ["one", "Deny", "admin"],
    "ChaosExperiment": ["payment", "True", "payment-1"],
}


@EVERY
def test_columns_show_what_they_promise(cluster: Cluster, namespace: str, resource: Resource) -> None:
    if resource.kind == "Approval":
        cluster.planned(namespace, "one", HASH_A)
    body = cluster.make(named(resource.kind, MAXIMAL[resource.kind], namespace, namespace))
    if resource.has_status:
        cluster.set_status(body, MAXIMAL_STATUS[resource.kind])
    if resource.kind == "Remediation":  # what `kubectl hemostat undo` writes on it
        cluster.kubectl("annotate", "remediations", namespace, f"{TAKEN_BACK_BY}=admin", "--namespace", namespace)
    assert [column.name for column in resource.columns][-1] == "Age"
    shown = list(zip(resource.columns, SHOWN[resource.kind], strict=False))
    assert len(shown) == len(resource.columns) - 1
    for option, columns in (("wide", shown), ("", [(c, cell) for c, cell in shown if c.priority == 0])):
        scope = ["--namespace", namespace] if resource.namespaced else []
        lines = cluster.kubectl("get", resource.plural, namespace, f"--output={option}", *scope).stdout.splitlines()
        head, row = (re.split(r"\s{2,}", line.strip()) for line in lines)
        assert head == ["NAME", *(column.name.upper() for column, _ in columns), "AGE"]
        assert row[0] == namespace
        for cell, (column, wanted) in zip(row[1:], columns, strict=False):
            assert re.fullmatch(wanted, cell) if column.type == "date" else cell == wanted, column.name
        assert re.fullmatch(r"\d+s", row[-1])


# --- What is refused, and in which words


LONG = "a" * 20000
METRIC: Json = {"query": "up", "above": "1"}
SLO: Json = {"objectivePercent": "99.9", "errorRatio": "errors[$window]"}
REQUIRED = "Required value"
CHOICE = "Unsupported value"
ONE_RULE = "must set exactly one of above, below, unusual, changePoint and forecast"
ONE_KIND = (
    "must set exactly one of metric, slo, trace, workload, queue, workflow, alert, agent, conversation and standard"
)


def budget(**fields: Any) -> list[Json]:
    """Return signals with one budget."""
    return [{"name": "x", "conversation": {"budgets": [fields]}}]


INVALID: list[tuple[str, str, Any, str]] = [
    # Watch
    ("Watch", "spec.target", GONE, REQUIRED),
    ("Watch", "spec.target.name", "Payment", "spec.target.name in body should match"),
    ("Watch", "spec.target.name", "a" * 254, "Too long: may not be more than 253"),
    ("Watch", "spec.target.kind", "Deploy-ment", "spec.target.kind in body should match"),
    ("Watch", "spec.target.apiVersion", "", "spec.target.apiVersion in body should be at least 1 chars"),
    ("Watch", "spec.service", "", "spec.service in body should be at least 1 chars"),
    ("Watch", "spec.intervalSeconds", 0, "should be greater than or equal to 1"),
    ("Watch", "spec.intervalSeconds", 301, "should be less than or equal to 300"),
    ("Watch", "spec.intervalSeconds", "5", "must be of type integer"),
    ("Watch", "spec.intervalSeconds", 1.5, "must be of type integer"),
    ("Watch", "spec.healthyAfterSeconds", 4, "should be greater than or equal to 5"),
    ("Watch", "spec.signals", [{"name": "none"}], ONE_KIND),
    ("Watch", "spec.signals", [{"name": "two", "trace": {}, "workload": {}}], ONE_KIND),
    ("Watch", "spec.signals", [{"name": "two", "metric": METRIC, "workload": {}}], ONE_KIND),
    ("Watch", "spec.signals", [{"name": "all", "metric": METRIC, "trace": {}, "workload": {}}], ONE_KIND),
    ("Watch", "spec.signals", [{"name": "x", "metric": {"query": "up"}}], ONE_RULE),
    ("Watch", "spec.signals", [{"name": "x", "metric": {**METRIC, "below": "1"}}], ONE_RULE),
    ("Watch", "spec.signals", [{"name": "x", "metric": {**METRIC, "unusual": {}}}], ONE_RULE),
    ("Watch", "spec.signals", [{"name": "x", "metric": {"query": "up", "unusual": {"direction": "Left"}}}], CHOICE),
    ("Watch", "spec.signals", [{"name": "x", "metric": {"query": "up", "forecast": {}}}], REQUIRED),
    ("Watch", "spec.signals", [{"name": "x", "slo": {**SLO, "errorRatio": "up"}}], "must contain $window"),
    ("Watch", "spec.signals", [{"name": "x", "slo": {**SLO, "objectivePercent": "100"}}], "less than 100"),
    ("Watch", "spec.signals", [{"name": "x", "slo": {**SLO, "objectivePercent": "-5"}}], "more than 0"),
    ("Watch", "spec.signals", budget(usd="5"), "must set exactly one of agent and tenant"),
    ("Watch", "spec.signals", budget(usd="5", agent="", tenant=""), "must set exactly one of agent and tenant"),
    ("Watch", "spec.signals", budget(usd="0", agent="a"), "usd must be more than 0"),
    ("Watch", "spec.signals", budget(usd="5 $", agent="a"), "usd in body should match"),
    ("Watch", "spec.signals", budget(agent="a"), REQUIRED),
    ("Watch", "spec.signals", budget(usd="5", agent="a", windowSeconds=59), "greater than or equal to 60"),
    ("Watch", "spec.signals", [{"name": "x", "queue": {"system": "Carrier", "name": "q"}}], CHOICE),
    ("Watch", "spec.signals", [{"name": "x", "queue": {"system": "Kafka", "name": ""}}], "at least 1 chars"),
    ("Watch", "spec.signals", [{"name": "x", "workflow": {"system": "Make"}}], CHOICE),
    ("Watch", "spec.signals", [{"name": "x", "standard": {"checks": ["Everything"]}}], CHOICE),
    ("Watch", "spec.signals", [{"name": "x", "standard": {"checks": ["Restarts"] * 2}}], "Duplicate value"),
    ("Watch", "spec.signals", [{"name": "x", "agent": {"windowSeconds": 5}}], "greater than or equal to 10"),
    ("Watch", "spec.signals", [{"name": "x", "metric": {**METRIC, "above": "much"}}], "above in body should match"),
    ("Watch", "spec.signals", [{"name": "x", "metric": {**METRIC, "above": "1e9"}}], "above in body should match"),
    ("Watch", "spec.signals", [{"name": "x", "metric": {**METRIC, "above": 5}}], "must be of type string"),
    ("Watch", "spec.signals", [{"name": "x", "metric": {**METRIC, "query": ""}}], "should be at least 1 chars"),
    ("Watch", "spec.signals", [{"name": "x", "metric": {**METRIC, "query": LONG}}], "may not be more than 2048"),
    ("Watch", "spec.signals", [{"name": "x", "metric": {**METRIC, "kind": "Errors"}}], CHOICE),
    ("Watch", "spec.signals", [{"name": "x", "trace": {"errorPercentAbove": 101}}], "less than or equal to 100"),
    ("Watch", "spec.signals", [{"name": "x", "trace": {"latencyPercentOfBaseline": 109}}], "equal to 110"),
    ("Watch", "spec.signals", [{"name": "X", "workload": {}}], "name in body should match"),
    ("Watch", "spec.signals", [{"name": "a" * 64, "workload": {}}], "may not be more than 63"),
    ("Watch", "spec.signals", [{"name": "x", "workload": {}}] * 2, "Duplicate value"),
    ("Watch", "spec.signals", [{"name": f"x{i}", "workload": {}} for i in range(33)], "must have at most 32 items"),
    ("Watch", "status.firing", -1, "should be greater than or equal to 0"),
    ("Watch", "status.conditions", [objects.condition("Ready")] * 2, "Duplicate value"),
    ("Watch", "status.conditions.0.type", "not ready", "type in body should match"),
    ("Watch", "status.conditions.0.status", "Maybe", CHOICE),
    ("Watch", "status.conditions.0.reason", "", "should be at least 1 chars"),
    ("Watch", "status.conditions.0.reason", GONE, REQUIRED),
    ("Watch", "status.conditions.0.message", LONG, "may not be more than 2048"),
    ("Watch", "status.conditions.0.lastTransitionTime", "yesterday", "must be of type date-time"),
    ("Watch", "status.conditions.0.observedGeneration", -1, "should be greater than or equal to 0"),
    ("Watch", "status.signals", [{"name": "a", "state": "Clear"}] * 2, "Duplicate value"),
    ("Watch", "status.signals", [{"name": f"s{i}", "state": "Clear"} for i in range(65)], "at most 64 items"),
    ("Watch", "status.signals", [{"name": "a", "state": "Fine"}], CHOICE),
    ("Watch", "status.revisions.0.targetUid", "u" * 65, "may not be more than 64"),
    # Runbook
    ("Runbook", "spec.state", "Enabled", CHOICE),
    ("Runbook", "spec.cause", GONE, REQUIRED),
    ("Runbook", "spec.cause", LONG, "may not be more than 256"),
    ("Runbook", "spec.guidance", LONG, "may not be more than 16384"),
    ("Runbook", "spec.kinds", [], "should have at least 1 items"),
    ("Runbook", "spec.kinds", ["Deployment", "Deployment"], "Duplicate value"),
    ("Runbook", "spec.symptoms", [], "should have at least 1 items"),
    ("Runbook", "spec.symptoms", [{"name": "a", "expression": "true"}] * 2, "Duplicate value"),
    ("Runbook", "spec.symptoms.0.expression", "", "should be at least 1 chars"),
    ("Runbook", "spec.symptoms.0.weight", 0, "should be greater than or equal to 1"),
    ("Runbook", "spec.symptoms.0.weight", 101, "should be less than or equal to 100"),
    ("Runbook", "spec.symptoms.0.necessity", "Optional", CHOICE),
    ("Runbook", "spec.remediations", [{"action": "rollback"}] * 9, "must have at most 8 items"),
    ("Runbook", "spec.remediations.0.action", "roll back", "action in body should match"),
    ("Runbook", "spec.remediations.1.parameters.0.name", "factor-percent", "name in body should match"),
    ("Runbook", "spec.remediations.1.parameters.0.value", 200, "must be of type string"),
    ("Runbook", "spec.remediations.1.parameters.0.value", LONG, "may not be more than 4096"),
    ("Runbook", "spec.verify.timeoutSeconds", 4, "should be greater than or equal to 5"),
    ("Runbook", "spec.verify.stableSeconds", 3601, "should be less than or equal to 3600"),
    ("Runbook", "spec.verify.settleSeconds", 3601, "should be less than or equal to 3600"),
    ("Runbook", "spec.risk", "None", CHOICE),
    # GatePolicy
    ("GatePolicy", "spec.decision", "Always", CHOICE),
    ("GatePolicy", "spec.namespaces", ["shop", "shop"], "Duplicate value"),
    ("GatePolicy", "spec.namespaces", ["Shop"], "should match"),
    ("GatePolicy", "spec.namespaces", [f"n{i}" for i in range(65)], "must have at most 64 items"),
    ("GatePolicy", "spec.selector.matchLabels.tier", "g" * 64, "may not be more than 63"),
    ("GatePolicy", "spec.selector.matchExpressions.0.values", [], "values must be given for In and NotIn"),
    ("GatePolicy", "spec.selector.matchExpressions.1.values", ["x"], "must not for Exists and DoesNotExist"),
    ("GatePolicy", "spec.selector.matchExpressions.0.operator", "Gt", CHOICE),
    ("GatePolicy", "spec.risks", ["Lowest"], CHOICE),
    ("GatePolicy", "spec.when.0.schedule", "0 24 * * 5", "must be 5 fields"),
    ("GatePolicy", "spec.when.0.schedule", "0 0 18 * * 5", "must be 5 fields"),
    ("GatePolicy", "spec.when.0.timeZone", "+02:00", "must be the name of a time zone"),
    ("GatePolicy", "spec.blastRadius.maxPodsPercent", 101, "should be less than or equal to 100"),
    ("GatePolicy", "spec.blastRadius.maxReplicas", 0, "should be greater than or equal to 1"),
    ("GatePolicy", "spec.blastRadius.maxCallers", -1, "should be greater than or equal to 0"),
    ("GatePolicy", "spec.budget.maxActions", 1001, "should be less than or equal to 1000"),
    ("GatePolicy", "spec.budget.windowSeconds", 59, "should be greater than or equal to 60"),
    ("GatePolicy", "spec.cooldownSeconds", -1, "should be greater than or equal to 0"),
    ("GatePolicy", "spec.minConfidencePercent", 101, "should be less than or equal to 100"),
    ("GatePolicy", "spec.onUncalibrated", "Perhaps", CHOICE),
    ("Remediation", "spec.calibration.percent", 101, "should be less than or equal to 100"),
    # Incident
    ("Incident", "spec.fingerprint", "0123456789ABCDEF", "spec.fingerprint in body should match"),
    ("Incident", "spec.fingerprint", "0123456789abcdef0", "may not be more than 16"),
    ("Incident", "status.severity", "Fatal", CHOICE),
    ("Incident", "spec.title", LONG, "may not be more than 256"),
    ("Incident", "spec.targetRef.uid", GONE, REQUIRED),
    ("Incident", "spec.targetRef.uid", "", "should be at least 1 chars"),
    ("Incident", "spec.watchRef.name", GONE, REQUIRED),
    ("Incident", "spec.startedTime", "2026-03-01", "must be of type date-time"),
    ("Incident", "spec.openedTime", GONE, REQUIRED),
    ("Incident", "status.signals.0.state", "Broken", CHOICE),
    ("Incident", "status.signals.0.source", "Hearsay", CHOICE),
    ("Incident", "status.signals.0.value", "NaN", "value in body should match"),
    ("Incident", "status.signals.0.key", LONG, "may not be more than 512"),
    ("Incident", "status.evidence.0.id", "E0", "id in body should match"),
    ("Incident", "status.evidence.0.kind", "Rumour", CHOICE),
    ("Incident", "status.evidence.0.summary", LONG, "may not be more than 1024"),
    ("Incident", "status.evidence.0.plot.seconds", [0, 5], "must have a value for each second"),
    ("Incident", "status.evidence.0.plot.values", ["1"] * 61, "at most 60 items"),
    ("Incident", "status.evidence.0.plot.values", ["0", "1e9", "NaN"], "should match"),
    (
        "Incident",
        "status.evidence",
        [{**MAXIMAL_STATUS["Incident"]["evidence"][0], "id": f"E{i}"} for i in range(1, 66)],
        "must have at most 64 items",
    ),
    ("Incident", "status.diagnosis.hypotheses.0.cites", ["logs"], "should match"),
    ("Incident", "status.diagnosis.hypotheses.0.confidencePercent", 101, "less than or equal to 100"),
    (
        "Incident",
        "status.timeline",
        [{**MAXIMAL_STATUS["Incident"]["timeline"][0], "id": f"t{i}"} for i in range(101)],
        "must have at most 100 items",
    ),
    # Remediation
    ("Remediation", "spec.action", "Roll_Back", "spec.action in body should match"),
    ("Remediation", "spec.targetRef.uid", GONE, REQUIRED),
    ("Remediation", "spec.requestedBy", GONE, REQUIRED),
    ("Remediation", "spec.step", 8, "should be less than or equal to 7"),
    ("Remediation", "spec.attempt", 21, "should be less than or equal to 20"),
    ("Remediation", "spec.parameters", [{"name": "a", "value": "1"}] * 2, "Duplicate value"),
    ("Remediation", "spec.parameters", [{"name": f"a{i}", "value": ""} for i in range(17)], "at most 16 items"),
    ("Remediation", "spec.confidencePercent", -1, "should be greater than or equal to 0"),
    ("Remediation", "status.planHash", "sha256:abc", "planHash in body should match"),
    ("Remediation", "status.plan.onIneffective", "Repeat", CHOICE),
    ("Remediation", "status.plan.steps.0.forward.ops", [], "ops must be given for Patch, Create and Call"),
    ("Remediation", "status.plan.steps.0.forward.verb", "Delete", "must not for Delete"),
    ("Remediation", "status.plan.steps.0.forward.verb", "Touch", CHOICE),
    ("Remediation", "status.plan.steps.0.forward.ops", [{"op": "remove", "path": "/a"}] * 9, "at most 8 items"),
    ("Remediation", "status.plan.steps.0.forward.ops.0.op", "copy", CHOICE),
    ("Remediation", "status.plan.steps.0.forward.ops.0.path", "spec", "path in body should match"),
    ("Remediation", "status.plan.steps.0.forward.ops.0.value", 4, "must be of type string"),
    ("Remediation", "status.plan.steps.0.forward.subresource", "exec", "upported value"),
    ("Remediation", "status.plan.readsDigest", "md5:abc", "readsDigest in body should match"),
    ("Remediation", "status.decision.outcome", "Perhaps", CHOICE),
    ("Remediation", "status.decision.checks.0.outcome", "Shrug", CHOICE),
    ("Remediation", "status.intents.0.effect", "Sideways", CHOICE),
    ("Remediation", "status.intents.0.attempt", 0, "should be greater than or equal to 1"),
    ("Remediation", "status.intents.0.resourceVersion", "", "should be at least 1 chars"),
    ("Remediation", "status.intents.0.owner", LONG, "may not be more than 256"),
    ("Remediation", "status.results", [MAXIMAL_STATUS["Remediation"]["results"][0]] * 2, "Duplicate value"),
    ("Remediation", "status.results.0.effect", "Sideways", CHOICE),
    ("Remediation", "status.results.0.proof", "Hearsay", CHOICE),
    # Approval
    ("Approval", "spec.remediation", "One", "spec.remediation in body should match"),
    ("Approval", "spec.planHash", "sha256:" + "A" * 64, "spec.planHash in body should match"),
    ("Approval", "spec.planHash", GONE, REQUIRED),
    ("Approval", "spec.decision", "Maybe", CHOICE),
    ("Approval", "spec.approver", "", "should be at least 1 chars"),
    ("Approval", "spec.approver", "a" * 254, "may not be more than 253"),
    ("Approval", "spec.groups", ["a", "a"], "Duplicate value"),
    ("Approval", "spec.groups", [""], "should be at least 1 chars"),
    ("Approval", "spec.groups", [f"g{i}" for i in range(65)], "must have at most 64 items"),
    ("Approval", "spec.reason", LONG, "may not be more than 1024"),
    ("Approval", "spec.validForSeconds", 9, "should be greater than or equal to 10"),
    ("Approval", "spec.validForSeconds", 86401, "should be less than or equal to 86400"),
    # ChaosExperiment
    ("ChaosExperiment", "spec.fault", GONE, REQUIRED),
    ("ChaosExperiment", "spec.fault.cleanup", "Never", CHOICE),
    ("ChaosExperiment", "spec.fault.rollout", GONE, "must set exactly one of rollout and agents"),
    ("ChaosExperiment", "spec.fault.agents", {"trouble": "ring"}, "must set exactly one of rollout and agents"),
    ("ChaosExperiment", "spec.fault.rollout.env.0.name", "1BAD", "name in body should match"),
    ("ChaosExperiment", "spec.fault.rollout.env.0.value", LONG, "may not be more than 256"),
    ("ChaosExperiment", "spec.expect.signal", "Smell", CHOICE),
    ("ChaosExperiment", "spec.expect.signalDeadlineSeconds", 86401, "should be less than or equal to 86400"),
    (
        "ChaosExperiment",
        "status.milestones",
        [{"id": "a", "time": objects.TIME, "message": ""}] * 51,
        "must have at most 50 items",
    ),
]


@pytest.fixture(scope="module")
def bench(cluster: Cluster) -> dict[str, Json]:
    """Return a maximal object of every kind with its status, in one namespace, to be changed for the worse."""
    namespace = cluster.make_namespace()
    cluster.planned(namespace, "one", HASH_A)
    out = {}
    for resource in RESOURCES:
        body = cluster.make(named(resource.kind, MAXIMAL[resource.kind], f"bench-{namespace}", namespace))
        out[resource.kind] = cluster.set_status(body, MAXIMAL_STATUS[resource.kind]) if resource.has_status else body
    return out


def fresh(body: Json, name: str) -> Json:
    """Return what a client would send to create another such object."""
    metadata = {key: body["metadata"][key] for key in ("namespace",) if key in body["metadata"]}
    return {**copy.deepcopy(body), "metadata": {"name": name, **metadata}}


def rows(kind_of_write: str) -> list[Any]:
    return [
        pytest.param(kind, path, value, words, id=f"{index}-{kind}-{path}")
        for index, (kind, path, value, words) in enumerate(INVALID)
        if path.startswith(kind_of_write)
    ]


@pytest.mark.parametrize(("kind", "path", "value", "words"), rows("spec."))
def test_invalid_spec_is_refused(
    cluster: Cluster, bench: dict[str, Json], kind: str, path: str, value: Any, words: str
) -> None:
    with pytest.raises(Refused, match=re.escape(words)) as caught:
        cluster.make(changed(fresh(bench[kind], "invalid"), path, value))
    assert caught.value.reason == "Invalid"


@pytest.mark.parametrize(("kind", "path", "value", "words"), rows("status."))
def test_invalid_status_is_refused(
    cluster: Cluster, bench: dict[str, Json], kind: str, path: str, value: Any, words: str
) -> None:
    made = cluster.make(fresh(bench[kind], cluster.new_name()))
    worse = changed({"status": bench[kind]["status"]}, path, value)["status"]
    with pytest.raises(Refused, match=re.escape(words)) as caught:
        cluster.set_status(made, worse)
    assert caught.value.reason == "Invalid"


@EVERY
def test_every_kind_has_invalid_examples(resource: Resource) -> None:
    paths = [path for kind, path, _, _ in INVALID if kind == resource.kind]
    assert any(path.startswith("spec.") for path in paths)


@EVERY
def test_unknown_field_is_refused_under_strict_validation(
    cluster: Cluster, bench: dict[str, Json], resource: Resource
) -> None:
    body = changed(fresh(bench[resource.kind], "strict"), "spec.colour", "red")
    done = cluster.kubectl("create", "--validate=strict", "--filename=-", input=json.dumps(body), check=False)
    assert done.returncode != 0
    assert 'unknown field "spec.colour"' in done.stderr
    applied = {"apiVersion": body["apiVersion"], "kind": body["kind"], "spec": body["spec"]}
    namespace = body["metadata"].get("namespace")
    assert ".spec.colour: field not declared in schema" in refusal(
        lambda: cluster.admin.apply(resource.path(namespace, "strict"), applied, MANAGER)
    )


# --- What must never change


IMMUTABLE_WORDS = "must not change after creation"
FROZEN: list[tuple[str, str, Any]] = [
    ("Incident", "spec.title", "something else"),
    ("Incident", "spec.targetRef.uid", "another"),
    ("Incident", "spec.watchRef.uid", GONE),
    ("Incident", "spec.startedTime", "2026-03-01T12:00:01.000000Z"),
    ("Remediation", "spec.action", "rollback"),
    ("Remediation", "spec.step", 2),
    ("Remediation", "spec.targetRef.name", "checkout"),
    ("Remediation", "spec.targetRef.uid", "another"),
    ("Remediation", "spec.requestedBy", "somebody"),
    ("Remediation", "spec.parameters.0.value", "400"),
    ("Remediation", "spec.parameters", []),
    ("Remediation", "spec.parameters.2", None),
    ("Remediation", "spec.confidencePercent", 100),
    ("Approval", "spec.planHash", HASH_B),
    ("Approval", "spec.decision", "Approve"),
    ("Approval", "spec.groups", []),
    ("Approval", "spec.validForSeconds", 86400),
    ("Approval", "spec.approver", "somebody"),
    ("Approval", "spec.reason", GONE),
]


@pytest.mark.parametrize(("kind", "path", "value"), FROZEN)
def test_spec_never_changes(cluster: Cluster, bench: dict[str, Json], kind: str, path: str, value: Any) -> None:
    body = bench[kind]
    if path == "spec.parameters.2":
        path, value = "spec.parameters", [*body["spec"]["parameters"], {"name": "another", "value": "1"}]
    where = objects.KINDS[kind].path(body["metadata"]["namespace"], body["metadata"]["name"])
    with pytest.raises(Refused, match=IMMUTABLE_WORDS):
        cluster.admin.replace(where, changed(body, path, value), MANAGER)
    labelled = cluster.admin.merge_patch(where, {"metadata": {"labels": {"seen": "yes"}}}, MANAGER)
    assert labelled["spec"] == body["spec"]
    body["metadata"]["resourceVersion"] = labelled["metadata"]["resourceVersion"]


@pytest.fixture
def remediation(cluster: Cluster, namespace: str) -> Json:
    """Return a Remediation without a plan."""
    return cluster.make(named("Remediation", MAXIMAL["Remediation"], "one", namespace))


REWRITES: list[tuple[str, Any, str]] = [
    ("plan.summary", "Scale to 400", IMMUTABLE_WORDS),
    ("plan.steps.0.forward.ops.0.value", "400", IMMUTABLE_WORDS),
    ("plan.steps.0.forward.uid", "another", IMMUTABLE_WORDS),
    ("plan.steps.0.inverse.ops", [{"op": "remove", "path": "/spec"}], IMMUTABLE_WORDS),
    ("plan.onIneffective", "Keep", IMMUTABLE_WORDS),
    ("plan.readsDigest", HASH_A, IMMUTABLE_WORDS),
    ("plan", GONE, "plan must not be removed"),
    ("planHash", HASH_B, IMMUTABLE_WORDS),
    ("planHash", GONE, "planHash must not be removed"),
]


@pytest.mark.parametrize(("path", "value", "words"), REWRITES)
def test_plan_is_written_once(cluster: Cluster, remediation: Json, path: str, value: Any, words: str) -> None:
    planned = cluster.set_status(remediation, MAXIMAL_STATUS["Remediation"])
    with pytest.raises(Refused, match=words):
        cluster.set_status(planned, changed({"s": planned["status"]}, f"s.{path}", value)["s"])
    later = changed({"s": planned["status"]}, "s.conditions", [objects.condition("Finished")])["s"]
    assert cluster.set_status(planned, later)["status"] == later


def test_plan_does_not_go_with_the_whole_status(cluster: Cluster, remediation: Json) -> None:
    planned = cluster.set_status(remediation, MAXIMAL_STATUS["Remediation"])
    resource = objects.KINDS["Remediation"]
    where = resource.path(planned["metadata"]["namespace"], "one", "status")
    bare = {key: value for key, value in planned.items() if key != "status"}
    with pytest.raises(Refused, match="status must not be removed"):
        cluster.act.replace(where, bare, MANAGER)
    assert cluster.admin.get(where)["status"]["planHash"] == HASH_A


def test_a_status_before_the_plan_may_come_and_go(cluster: Cluster, remediation: Json) -> None:
    waiting = cluster.set_status(remediation, {"conditions": [objects.condition("Planned", "False")]})
    where = objects.KINDS["Remediation"].path(waiting["metadata"]["namespace"], "one", "status")
    bare = {key: value for key, value in waiting.items() if key != "status"}
    assert "status" not in cluster.act.replace(where, bare, MANAGER)


def test_a_large_plan_stays_within_the_budget_of_the_rules(cluster: Cluster, remediation: Json) -> None:
    template = json.dumps("x" * 131000)
    plan = changed({"p": objects.PLAN}, "p.steps.0.forward.ops.0.value", template)
    plan = changed(plan, "p.steps.0.inverse.ops.0.value", template)["p"]
    planned = cluster.set_status(remediation, {"plan": plan, "planHash": HASH_A})
    later = {**planned["status"], "conditions": [objects.condition("Finished")]}
    assert cluster.set_status(planned, later)["status"]["plan"] == plan


def test_status_is_not_written_with_the_spec(cluster: Cluster, namespace: str) -> None:
    forged = {**named("Remediation", MAXIMAL["Remediation"], "one", namespace), "status": MAXIMAL_STATUS["Remediation"]}
    made = cluster.make(forged)
    assert "status" not in made
    where = objects.KINDS["Remediation"].path(namespace, "one")
    assert "status" not in cluster.admin.replace(where, {**made, "status": forged["status"]}, MANAGER)
