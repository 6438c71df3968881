"""Pod templates and their revisions: what a rollout changed (pure)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

from hemostat.clock import parse_time
from hemostat.signals.rules import cut

Json = Mapping[str, Any]
REVISION = "deployment.kubernetes.io/revision"
TEMPLATE_HASH = "pod-template-hash"
REVISED = "hemostat-revised"
"""Key that the cache adds to a revision in memory: when its number was seen to move."""
PROBES = ("readinessProbe", "livenessProbe", "startupProbe")


def revision_of(revision: Json) -> int:
    """Return the number of a ReplicaSet (as the Deployment controller wrote it) or a ControllerRevision."""
    annotated = (revision["metadata"].get("annotations") or {}).get(REVISION)
    return int(annotated if annotated is not None else revision.get("revision") or 0)


def revision_name(revision: Json) -> str:
    """Return what a revision is called in the status of a Watch: the `pod-template-hash` of a ReplicaSet, the hash at
    the end of a ControllerRevision's name (no label has it of every kind).
    """
    hashed = (revision["metadata"].get("labels") or {}).get(TEMPLATE_HASH)
    return str(hashed if hashed is not None else revision["metadata"]["name"].rpartition("-")[2])


def revision_template(revision: Json) -> Json:
    """Return the pod template of a ReplicaSet or ControllerRevision."""
    found: Json = (revision.get("spec") or {}).get("template") or {}
    return found


def present_revision(workload: Json, revisions: Sequence[Json]) -> Json | None:
    """Return the revision of the workload's present template; None while its controller has not caught up."""
    newest = max(revisions, key=revision_of, default=None)
    if newest is None:
        return None
    meta, status = workload["metadata"], workload.get("status") or {}
    if workload["kind"] == "Deployment":
        return newest if (meta.get("annotations") or {}).get(REVISION) == str(revision_of(newest)) else None
    seen = int(status.get("observedGeneration") or 0) >= int(meta.get("generation") or 0)
    return (
        newest
        if seen and status.get("updateRevision", newest["metadata"]["name"]) == newest["metadata"]["name"]
        else None
    )


def rollouts(revisions: Sequence[Json]) -> list[tuple[int, datetime, str]]:
    """Return number, beginning and difference of the revisions, newest first.

    A revision that a rollback reuses keeps its creation time; the cache says when its number was seen to move.
    The oldest revision that is known changed nothing that is known.

    :param revisions: ReplicaSets of a Deployment, or ControllerRevisions.
    """
    ordered = sorted((r for r in revisions if revision_template(r)), key=revision_of)
    found = []
    for before, after in pairwise(ordered):
        began = parse_time(after["metadata"]["creationTimestamp"])
        if REVISED in after:
            began = max(began, parse_time(after[REVISED]))
        difference = template_difference(revision_template(before), revision_template(after))
        found.append((revision_of(after), began, difference))
    return found[::-1]


def template_difference(before: Json, after: Json) -> str:
    """Say what differs between two pod templates: images, resources and references with both values, the rest by name.

    What variables hold and what is in a ConfigMap or a Secret is never said: of those nothing but their names is known.
    """
    said = list(_containers(before, after))
    said += _references(before, after)
    old, new = ((t.get("spec") or {}).get("others") for t in (before, after))
    if not said and old != new:
        said.append("other settings of the pod changed")
    return cut("; ".join(said), 900) or "template changed"


def _containers(before: Json, after: Json) -> Iterator[str]:
    for group in ("containers", "initContainers"):
        old = {c["name"]: c for c in (before.get("spec") or {}).get(group) or ()}
        new = {c["name"]: c for c in (after.get("spec") or {}).get(group) or ()}
        for name, container in new.items():
            yield from _container(old.get(name, {}), container)
        for name in old.keys() - new.keys():
            yield f"container {name} removed"


def _container(old: Json, new: Json) -> Iterator[str]:
    if old.get("image") != new.get("image"):
        yield f"image {old.get('image', 'none')} -> {new.get('image')}"
    yield from _variables(_env(old), _env(new))
    if old:
        for name in ("resources", "envFrom"):
            was, now = _NAMED[name](old), _NAMED[name](new)
            if was != now:
                yield f"{name} changed: {_both(was, now)}"
        for name in ("command", "args", *PROBES):
            if (old.get(name) or None) != (new.get(name) or None):
                yield f"{name} changed"
        if old.get("others") != new.get("others"):
            yield f"other settings of container {new['name']} changed"


def named_difference(was: Json, now: Json, what: str) -> list[str]:
    """Say which names were added, removed or changed, and nothing of what they hold."""
    said = [f"{what} {name} added" for name in sorted(now.keys() - was.keys())]
    said += [f"{what} {name} removed" for name in sorted(was.keys() - now.keys())]
    return said + [f"{what} {name} changed" for name in sorted(now.keys() & was.keys()) if was[name] != now[name]]


def _variables(was: Json, now: Json) -> Iterator[str]:
    for said in named_difference(was, now, "env"):
        name = said.removeprefix("env ").rpartition(" ")[0]
        sources = [_source(v[name]) if name in v else "" for v in (was, now)]
        if was.get(name) and now.get(name) and any(sources):
            yield f"{said}: {' -> '.join(s or 'a value' for s in sources)}"
        else:
            yield said + next((f" ({s})" for s in sources if s), "")


def _source(variable: Json) -> str:
    """Return the ConfigMap or Secret, and the key, that a variable is taken from."""
    source = variable.get("valueFrom") or {}
    for key, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
        if ref := source.get(key):
            return f"{kind} {ref.get('name')}, key {ref.get('key')}"
    return next(iter(source), "")


def _resources(container: Json) -> dict[str, str]:
    found = container.get("resources") or {}
    return {f"{part}.{n}": str(v) for part in ("requests", "limits") for n, v in (found.get(part) or {}).items()}


def _env_from(container: Json) -> dict[str, str]:
    """Return the ConfigMaps and Secrets whose keys become variables, each with its prefix."""
    found = {}
    for source in container.get("envFrom") or ():
        for key, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            if ref := source.get(key):
                found[f"{kind} {ref.get('name')}"] = str(source.get("prefix") or "there")
    return found


_NAMED: Mapping[str, Callable[[Json], dict[str, str]]] = {"resources": _resources, "envFrom": _env_from}


def _both(was: Mapping[str, str], now: Mapping[str, str]) -> str:
    names = [n for n in sorted(was.keys() | now.keys()) if was.get(n) != now.get(n)]
    return ", ".join(f"{n} {was.get(n, 'none')} -> {now.get(n, 'none')}" for n in names)


def _references(before: Json, after: Json) -> list[str]:
    old, new = set(references(before)), set(references(after))
    said = [f"{kind} {name} mounted" for kind, name in sorted(new - old)]
    return said + [f"{kind} {name} no longer mounted" for kind, name in sorted(old - new)]


def references(template: Json) -> Iterator[tuple[str, str]]:
    """Yield kind and name of the ConfigMaps, Secrets and claims that the template's volumes mount."""
    for volume in (template.get("spec") or {}).get("volumes") or ():
        sources = volume.get("projected") or ()
        for source in (volume, *(sources.get("sources", ()) if isinstance(sources, Mapping) else sources)):
            for key, kind in _MOUNTED:
                named = source.get(key) or {}
                name = named.get("name") or named.get("secretName") or named.get("claimName")
                if name:
                    yield kind, name


_MOUNTED = (("configMap", "ConfigMap"), ("secret", "Secret"), ("persistentVolumeClaim", "PersistentVolumeClaim"))


def config_maps(template: Json) -> set[str]:
    """Return the names of all ConfigMaps that the template refers to: volumes and variables."""
    names = {name for kind, name in references(template) if kind == "ConfigMap"}
    spec = template.get("spec") or {}
    for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
        sources = [s.get("configMapRef") for s in container.get("envFrom") or ()]
        sources += [(v.get("valueFrom") or {}).get("configMapKeyRef") for v in container.get("env") or ()]
        names |= {s["name"] for s in sources if s and s.get("name")}
    return names


def variables(template: Json) -> Json:
    """Return the environment variables of all containers by name."""
    return {n: v for c in (template.get("spec") or {}).get("containers") or () for n, v in _env(c).items()}


def _env(container: Json) -> dict[str, Any]:
    return {item["name"]: item for item in container.get("env") or ()}


def annotations(template: Json) -> Json:
    """Return the annotations of the pods-to-be."""
    found: Json = (template.get("metadata") or {}).get("annotations") or {}
    return found
