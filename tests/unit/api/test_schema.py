"""Every CRD is structural, bounded and explained."""

import re
from functools import cache

import pytest
import yaml

from hemostat.api.resources import RESOURCES
from hemostat.api.schema import crd as made
from hemostat.api.watch import StandardCheck

crd = cache(made)
FORBIDDEN = {"$ref", "anyOf", "oneOf", "allOf", "title", "$defs", "additionalProperties", "const", "examples"}
TYPES = {"object", "array", "string", "integer", "boolean"}
OF_ANY = {".metadata.creationTimestamp", r".metadata.annotations.hemostat\.dev/taken-back-by"}
"""What columns show and no schema of ours has: every object bears it."""
CLUSTER_FIELDS = {"apiVersion", "kind", "metadata"}


def nodes(schema, path=""):
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    if "items" in schema:
        yield from nodes(schema["items"], f"{path}[]")


def own(resource):
    """Every node that Hemostat defines, by path."""
    version = crd(resource)["spec"]["versions"][0]
    schema = version["schema"]["openAPIV3Schema"]
    return [(p, n) for p, n in nodes(schema) if p.split(".")[1:2] and p.split(".")[1] not in CLUSTER_FIELDS]


@pytest.fixture(params=RESOURCES, ids=lambda r: r.kind)
def resource(request):
    return request.param


def a_map(path):
    """Labels are the one map there is, for a selector is written here as everywhere else."""
    return path.endswith(".selector.matchLabels")


def test_it_is_structural(resource):
    for path, node in own(resource):
        assert not FORBIDDEN - ({"additionalProperties"} if a_map(path) else set()) & node.keys(), path
        assert node.get("type") in TYPES, path
        assert ("items" in node) == (node["type"] == "array"), path
        assert ("properties" in node) == (node["type"] == "object" and not a_map(path)), path


def test_everything_is_bounded(resource):
    for path, node in own(resource):
        match node["type"]:
            case "string":
                assert "maxLength" in node or "enum" in node, path
            case "array":
                assert node.get("maxItems", 10**9) <= 100, path
                assert node["x-kubernetes-list-type"] in {"map", "set", "atomic"}, path
            case "integer":
                assert "minimum" in node, path
                assert "maximum" in node or path.endswith("observedGeneration"), path
            case "object" if a_map(path):
                assert node["maxProperties"] <= 100, path
                assert node["additionalProperties"]["maxLength"] <= 63, path


def test_lists_that_are_maps_have_their_keys_required_or_defaulted(resource):
    for path, node in own(resource):
        for key in node.get("x-kubernetes-list-map-keys", ()):
            item = node["items"]
            assert key in item["properties"], path
            assert key in item["required"] or "default" in item["properties"][key], path


def test_every_field_is_explained(resource):
    silent = [path for path, node in own(resource) if not path.endswith("[]") and not node.get("description")]
    assert silent == []


def test_defaults_are_valid(resource):
    for path, node in own(resource):
        default = node.get("default")
        if default is None:
            assert "default" not in node, path
        elif node["type"] == "string":
            assert default in node.get("enum", [default]), path
            assert len(default) <= node.get("maxLength", 10**9), path
            assert re.search(node.get("pattern", ""), default), path
        elif node["type"] == "integer":
            assert node["minimum"] <= default <= node.get("maximum", default), path


def test_every_default_is_told_for_kubectl_explain_shows_none(resource):
    for path, node in own(resource):
        default = node.get("default")
        if path.startswith(".spec") and isinstance(default, (str, int)) and default != "":
            said = str(default).lower() if isinstance(default, bool) else str(default)
            assert node["description"].endswith(f"Default: {said}."), path


def test_the_default_signals_and_the_limits_of_the_checks_are_told():
    """`kubectl explain watch.spec.signals` said 'What to look at', and no more."""
    watch = next(r for r in RESOURCES if r.kind == "Watch")
    told = {path: node.get("description", "") for path, node in own(watch)}
    assert "calls (trace), pods (workload), metrics (standard), alerts (alert), agents (agent)" in told[".spec.signals"]
    checks = told[".spec.signals[].standard.checks"]
    assert [check for check in StandardCheck if f"{check}:" not in checks] == []


def test_patterns_match_the_whole_text(resource):
    for path, node in own(resource):
        pattern = node.get("pattern")
        if pattern is not None:
            assert pattern.startswith("^"), path
            assert pattern.endswith("$") or pattern == "^/", path


def test_no_floats_and_the_spec_is_required(resource):
    schema = crd(resource)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert schema["required"] == ["spec"]
    assert "number" not in {node.get("type") for _, node in nodes(schema)}


def test_it_is_plain_data_that_yaml_can_hold(resource):
    found = crd(resource)
    assert yaml.safe_load(yaml.safe_dump(found)) == found
    assert found["metadata"]["name"] == f"{found['spec']['names']['plural']}.hemostat.dev"
    assert bool(found["spec"]["versions"][0].get("subresources")) == resource.has_status


def test_printer_columns_point_at_fields_that_exist(resource):
    version = crd(resource)["spec"]["versions"][0]
    paths = {p for p, _ in nodes(version["schema"]["openAPIV3Schema"])}
    for column in version["additionalPrinterColumns"]:
        plain = re.sub(r"\[\?\(@\.type==\"\w+\"\)\]", "[]", column["jsonPath"])
        assert plain in paths | OF_ANY, column["name"]


@pytest.mark.parametrize("kind", ["Incident", "Remediation", "Approval"])
def test_what_must_not_change_says_so(kind):
    found = next(r for r in RESOURCES if r.kind == kind)
    spec = crd(found)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    assert "self == oldSelf" in {rule["rule"] for rule in spec["x-kubernetes-validations"]}
