"""The faults, as changes of a manifest (pure)."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from hemostat.api.chaosexperiment import Rollout
from hemostat.errors import Refused

Json = dict[str, Any]


def changed(manifest: Mapping[str, Any], rollout: Rollout) -> Json:
    """Return the manifest with the rollout's variables, image and memory in its first container.

    Raises `Refused` when nothing would change: a fault that is already there proves nothing.
    """
    out: Json = deepcopy(dict(manifest))
    container = out["spec"]["template"]["spec"]["containers"][0]
    if rollout.image is not None:
        container["image"] = rollout.image
    if rollout.memory_limit is not None:
        for bound in ("requests", "limits"):
            container.setdefault("resources", {}).setdefault(bound, {})["memory"] = rollout.memory_limit
    env = container.setdefault("env", [])
    for variable in rollout.env:
        new = {"name": variable.name, "value": variable.value}
        old = next((i for i, item in enumerate(env) if item["name"] == variable.name), None)
        if old is None:
            env.append(new)
        else:
            env[old] = new
    if out == manifest:
        name = manifest["metadata"]["name"]
        raise Refused("AlreadyThere", f"{name} already is as the fault would make it; restore it first")
    return out


def describe(rollout: Rollout) -> str:
    """Say what is changed, for the record."""
    said = [f"image {rollout.image}"] if rollout.image is not None else []
    said += [f"memory {rollout.memory_limit}"] if rollout.memory_limit is not None else []
    said += [f"{v.name}={v.value}" for v in rollout.env]
    return ", ".join(said) or "nothing"
