"""Pydantic models -> CustomResourceDefinitions with structural schemas.

Structural schemas allow no `$ref`, no `anyOf` for nullability and no `additionalProperties` beside `properties`
(https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema).
"""

import json
from typing import Any

from hemostat.api import GROUP, VERSION
from hemostat.api.resources import Resource

Json = dict[str, Any]
_QUOTE = '"'
_DROPPED = ("title", "$defs", "additionalProperties", "const", "examples")


def crd(resource: Resource) -> Json:
    """Return the CustomResourceDefinition of a resource, ready to be written as YAML."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": resource.crd_name, "labels": {"app.kubernetes.io/part-of": "hemostat"}},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced" if resource.namespaced else "Cluster",
            "names": {
                "kind": resource.kind,
                "listKind": f"{resource.kind}List",
                "plural": resource.plural,
                "singular": resource.kind.lower(),
                "shortNames": [resource.short],
                "categories": ["hemostat"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "additionalPrinterColumns": [_column(column) for column in resource.columns],
                    "schema": {"openAPIV3Schema": _object_schema(resource)},
                }
                | ({"subresources": {"status": {}}} if resource.has_status else {})
                | (
                    {"selectableFields": [{"jsonPath": path} for path in resource.selectable]}
                    if resource.selectable
                    else {}
                )
            ],
        },
    }


def _column(column: Any) -> Json:
    out: Json = {"name": column.name, "type": column.type, "jsonPath": column.path}
    return out | ({"priority": column.priority} if column.priority else {})


def _object_schema(resource: Resource) -> Json:
    raw = resource.model.model_json_schema(by_alias=True, mode="validation")
    defs = raw.get("$defs", {})
    schema = _structural(raw, defs)
    properties = schema["properties"]
    properties["metadata"] = {"type": "object"}
    properties["apiVersion"] = {"type": "string"}
    properties["kind"] = {"type": "string"}
    if resource.has_status:
        properties["status"].pop("default", None)
    schema["required"] = ["spec"]
    _tell_defaults(properties["spec"])
    return schema


def _structural(node: Json, defs: Json) -> Json:
    """Inline references, fold `X | None` into X, drop what a CRD may not hold; recurse."""
    if "$ref" in node:
        target = defs[node["$ref"].rsplit("/", 1)[1]]
        node = {**target, **{k: v for k, v in node.items() if k != "$ref"}}
    if "anyOf" in node:
        (only,) = [branch for branch in node["anyOf"] if branch.get("type") != "null"]
        rest = {k: v for k, v in node.items() if k not in ("anyOf", "default")}
        return _structural({**only, **rest}, defs)
    out = {k: v for k, v in node.items() if k not in _DROPPED}
    if "description" in out:
        out["description"] = " ".join(out["description"].split())
    if "properties" in node:
        out["properties"] = {name: _structural(child, defs) for name, child in node["properties"].items()}
    if isinstance(node.get("additionalProperties"), dict):  # a map
        out["additionalProperties"] = _structural(node["additionalProperties"], defs)
    if "items" in node:
        out["items"] = _structural(node["items"], defs)
    if out.get("default", 0) is None:
        del out["default"]
    if isinstance(out.get("default"), dict):
        out["default"] = {}  # the fields' own defaults fill it
    return out


def _tell_defaults(schema: Json) -> None:
    """Put defaults into the descriptions, in words: `kubectl explain` shows none."""
    for child in [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]:
        _tell_defaults(child)
        value = child.get("default")
        if isinstance(value, (str, int)) and value != "":
            child["description"] = f"{child.get('description', '')} Default: {json.dumps(value).strip(_QUOTE)}.".strip()
