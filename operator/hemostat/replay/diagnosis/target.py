"""Whom a recording is about: a workload, as a Watch has one (pure)."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from hemostat.api.meta import DNS_NAME
from hemostat.replay.diagnosis.case import Recording
from hemostat.replay.diagnosis.objects import Found, Key
from hemostat.signals.workload import KINDS, pod_troubles

Json = Mapping[str, Any]
NOBODY = ("Unknown", "", "unknown")
_KIND = {kind.lower(): kind for kind in (*KINDS, "Pod")} | {"persistentvolumeclaim": "PersistentVolumeClaim"}
_RUN = {"Pod", *KINDS} - {"Node"}
_PODS_OF = re.compile(r"(?P<name>.+)-[0-9a-f]{6,10}-[bcdfghjklmnpqrstvwxz2456789]{5}")
"""A pod of a Deployment, by the letters that Kubernetes makes names of."""


def target_of(recording: Recording, found: Found) -> Key:
    """Return whom the alert names, or whom most outputs are about; of a pod whoever controls it."""
    subject = recording.subject
    if subject is not None and subject.kind in _KIND:
        asked: Key | None = (_KIND[subject.kind], subject.namespace, subject.name)
    else:
        named = Counter(found.alone) or Counter(_asked(recording))
        asked = min(named, key=lambda key: (-named[key], key), default=None) or _only(found)
    if asked is None or re.fullmatch(DNS_NAME, asked[2]) is None:
        return NOBODY
    pod = find(found, asked)
    if asked[0] != "Pod":
        return _as_used(asked, found)
    return owner_of(pod, found) if pod is not None else _guessed(asked)


def _asked(recording: Recording) -> Iterator[Key]:
    """Yield what tools were asked about, by the names of their parameters."""
    for output in recording.outputs:
        given = output.parameters
        kind = _KIND.get(given.get("kind", "pod").lower())
        name = given.get("pod_name") or given.get("name")
        if kind and name and not output.failed:
            yield kind, given.get("namespace", ""), name


def _only(found: Found) -> Key | None:
    """Return the one workload that there is, or the one that is in trouble."""
    all_of = {owner_of(o, found) if k[0] == "Pod" else k for k, o in found.objects.items() if k[0] in _RUN}
    pods = [o for k, o in found.objects.items() if k[0] == "Pod"]
    bad = {owner_of(pod, found) for pod in pods if any(pod_troubles(pod))}
    return next((min(some) for some in (all_of, bad) if len(some) == 1), None)


def _as_used(asked: Key, found: Found) -> Key:
    """A claim is what some pod waits for: the pod's owner is whom it is about."""
    if asked[0] in KINDS:
        return asked
    users = [o for k, o in found.objects.items() if k[0] == "Pod" and asked[2] in claims_of(o)]
    return owner_of(users[0], found) if users else asked


def find(found: Found, key: Key) -> Json | None:
    """Return an object, if it was recorded."""
    known = next(found.named(key[0], key[2], key[1]), None)
    return found.objects[known] if known is not None else None


def same(one: Key, other: Key) -> bool:
    """Tell whether these are one object. Its namespace may be unknown to who asks, or left out where it was printed."""
    return (one[0], one[2]) == (other[0], other[2]) and (one[1] == other[1] or not (one[1] and other[1]))


def owner_of(pod: Json, found: Found) -> Key:
    """Return the workload of a pod: as its owner says, and by its name where only a table told of it."""
    meta = pod["metadata"]
    namespace = str(meta.get("namespace") or "")
    kind, name = controller_of(pod)
    if kind == "ReplicaSet":
        template = str((meta.get("labels") or {}).get("pod-template-hash") or name.rpartition("-")[2])
        return "Deployment", namespace, name.removesuffix(f"-{template}")
    if kind == "Job":
        job = found.objects.get(("Job", namespace, name), {})
        above = controller_of(job)
        return (above[0], namespace, above[1]) if above[0] == "CronJob" else (kind, namespace, name)
    if kind:
        return kind, namespace, name
    labels = meta.get("labels") or {}
    begins, template, _ = meta["name"].rpartition(f"-{labels.get('pod-template-hash') or ' '}-")
    if template:
        return "Deployment", namespace, begins
    if labels.get("job-name"):
        return "Job", namespace, str(labels["job-name"])
    return "Pod", namespace, meta["name"]


def _guessed(pod: Key) -> Key:
    made = _PODS_OF.fullmatch(pod[2])
    return ("Deployment", pod[1], made["name"]) if made is not None else pod


def controller_of(of: Json) -> tuple[str, str]:
    """Return kind and name of who controls an object; empty where nobody does."""
    owners = (of.get("metadata") or {}).get("ownerReferences") or ()
    return next(((str(o["kind"]), str(o["name"])) for o in owners if o.get("controller")), ("", ""))


def claims_of(pod: Json) -> set[str]:
    """Return the names of the claims that a pod mounts."""
    volumes = pod.get("spec", {}).get("volumes") or ()
    return {str((v.get("persistentVolumeClaim") or {}).get("claimName")) for v in volumes} - {"None"}
