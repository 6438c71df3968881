"""`restore-config`: let a workload refer to the ConfigMaps and Secrets again that its last healthy revision did.

For who names a new ConfigMap with each change (a hash or a version in its name): only the references go back, the image
and all else stay. Where the content changed under the same name, nobody kept the former one.
"""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from hemostat.action.contract import Action, Draft, Params, Rule, World, effect, once, replace, unified_diff
from hemostat.errors import Refused
from hemostat_remediations.revisions import KINDS, healthy_templates, rolls, size

CONFIG_MAP, SECRET = ("v1", "ConfigMap"), "Secret"
Json = Mapping[str, Any]


class RestoreParams(Params):
    """None: the revision whose references return is what a Watch observed."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a pod template names a ConfigMap or Secret."""

    kind: str
    holder: dict[str, Any]
    """The part of the template that has the name."""
    key: str

    @property
    def name(self) -> str:
        """What it names."""
        return str(self.holder.get(self.key, ""))


def plan(world: World, params: RestoreParams) -> Draft:  # noqa: ARG001 - every plan has this form
    """Plan the way back to the references of the youngest healthy revision that had others."""
    target = world.target
    rolls(target)
    known = {o["metadata"]["name"] for o in world.others.get(CONFIG_MAP[1], ())}
    what, gone = f"{target['kind']} {target['metadata']['name']}", set[str]()
    for revision, former in healthy_templates(world):
        template = deepcopy(dict(target["spec"]["template"]))
        changed = list(_put_back(template, former))
        missing = {new for kind, _, new in changed if kind == CONFIG_MAP[1] and new not in known}
        gone |= missing
        if changed and not missing:
            return _draft(world, template, changed, revision)
    if gone:
        raise Refused(
            "Gone", f"ConfigMap {', '.join(sorted(gone))[:500]} that {what} referred to is gone: create it again"
        )
    raise Refused(
        "NoFormerReference", f"no healthy revision of {what} that is known referred to other ConfigMaps or Secrets"
    )


def _put_back(template: Json, former: Json) -> Iterator[tuple[str, str, str]]:
    """Write the former names into the template, where both refer in the same place; yield kind, old and new name."""
    before = references(former)
    for place, reference in references(template).items():
        old = before.get(place)
        if old is None or old.kind != reference.kind or old.name == reference.name:
            continue
        yield reference.kind, reference.name, old.name
        reference.holder[reference.key] = old.name


def references(template: Json) -> dict[tuple[str, ...], Reference]:
    """Return every reference to a ConfigMap or Secret, by its place: the volume, or the container and variable."""
    spec = template["spec"]
    found: dict[tuple[str, ...], Reference] = {}
    for volume in spec.get("volumes") or ():
        sources = [volume, *((volume.get("projected") or {}).get("sources") or ())]
        for number, source in enumerate(sources):
            for reference in _in_volume(source):
                found["volume", volume["name"], str(number), reference.kind] = reference
    for container in (*(spec.get("initContainers") or ()), *spec["containers"]):
        for number, source in enumerate(container.get("envFrom") or ()):
            for reference in _in_env(source, "Ref"):
                found["envFrom", container["name"], str(number), reference.kind] = reference
        for variable in container.get("env") or ():
            for reference in _in_env(variable.get("valueFrom") or {}, "KeyRef"):
                found["env", container["name"], variable["name"], reference.kind] = reference
    return found


def _in_volume(source: Json) -> Iterator[Reference]:
    if source.get("configMap"):
        yield Reference(CONFIG_MAP[1], source["configMap"], "name")
    if source.get("secret"):
        yield Reference(SECRET, source["secret"], "secretName" if "secretName" in source["secret"] else "name")


def _in_env(source: Json, suffix: str) -> Iterator[Reference]:
    for kind, key in ((CONFIG_MAP[1], "configMap"), (SECRET, "secret")):
        if source.get(f"{key}{suffix}"):
            yield Reference(kind, source[f"{key}{suffix}"], "name")


def _draft(world: World, template: dict[str, Any], changed: list[tuple[str, str, str]], revision: str) -> Draft:
    target = world.target
    what, present = f"{target['kind']} {target['metadata']['name']}", target["spec"]["template"]
    said = ", ".join(f"{kind} {new} instead of {old}" for kind, old, new in dict.fromkeys(changed))
    unseen = any(kind == SECRET for kind, _, _ in changed)
    more = "; whether a Secret is still there cannot be seen: pods do not start without it" if unseen else ""
    return Draft(
        summary=f"Let {what} refer to {said} again, as in revision {revision}, last observed healthy{more}"[:800],
        steps=once(*(effect(target, (replace("/spec/template", t),)) for t in (template, present))),
        diff=unified_diff(present, template, f"{what.replace(' ', '/')} spec.template"),
        replaced_pods=size(target),
        replicas_after=size(target),
        reads={"present": present, "wanted": template},
    )


RESTORE_CONFIG = Action(
    name="restore-config",
    summary="Refer to the ConfigMaps and Secrets of the last healthy revision again",
    kinds=KINDS,
    params=RestoreParams,
    rules=(
        Rule("apps", ("deployments", "statefulsets", "daemonsets"), ("patch",)),
        Rule("apps", ("replicasets", "controllerrevisions"), ("list",)),
        Rule("", ("configmaps",), ("list",)),
    ),
    plan=plan,
    on_ineffective="Undo",
    looks_at=(CONFIG_MAP,),
)
