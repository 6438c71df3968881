"""What is kept of an object: only what somebody judges by (pure).

Values of environment variables and ConfigMaps may be secrets. They are replaced by keyed digests on entry, so that a
change can be told and nothing can be given away; the few that say which model or prompt an agent uses are kept.
"""

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hemostat.signals.agentconfig import told_value
from hemostat.signals.rules import cut

Json = dict[str, Any]
Raw = Mapping[str, Any]
_KEY = secrets.token_bytes(16)
"""Digests mean something in this process only."""
MAX_TEXT = 300
MAX_LAST_WORDS = 2048
"""As much the kubelet takes from the end of a log where the container wrote no message itself."""
MAX_ITEMS = 64
_META = ("name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp")
_LABELS = ("pod-template-hash", "controller-revision-hash")
_ANNOTATIONS = ("deployment.kubernetes.io/revision", "batch.kubernetes.io/cronjob-scheduled-timestamp")
_SCALARS = (
    "replicas",
    "completions",
    "parallelism",
    "suspend",
    "schedule",
    "paused",
    "minReplicas",
    "maxReplicas",
    "progressDeadlineSeconds",
    "storageClassName",
    "unschedulable",
)
_COUNTS = (
    "observedGeneration",
    "replicas",
    "updatedReplicas",
    "readyReplicas",
    "availableReplicas",
    "currentReplicas",
    "desiredReplicas",
    "desiredNumberScheduled",
    "currentNumberScheduled",
    "updatedNumberScheduled",
    "numberReady",
    "numberAvailable",
    "updateRevision",
    "currentRevision",
    "ready",
    "succeeded",
    "failed",
    "phase",
    "reason",
    "message",
    "startTime",
    "lastScaleTime",
    "lastScheduleTime",
    "lastSuccessfulTime",
    "allocatedResourceStatuses",
    "capacity",
    "hard",
    "used",
    "nominatedNodeName",
)


def digest(value: str | bytes) -> str:
    """Return a digest that only this process can compare: # and 16 hex digits."""
    raw = value if isinstance(value, bytes) else value.encode(errors="surrogatepass")
    return "#" + hashlib.blake2b(raw, key=_KEY, digest_size=8).hexdigest()


def trim(kind: str, raw: Raw) -> Json:
    """Return what is kept of an object of this kind."""
    if kind == "Watch":
        meta = {k: v for k, v in raw["metadata"].items() if k != "managedFields"}
        return {**raw, "metadata": meta}
    special = _SPECIAL.get(kind)
    meta = _metadata(raw["metadata"])
    if special is not None:
        return {"kind": kind, "metadata": meta, **special(raw)}
    out: Json = {"kind": kind, "metadata": meta, "status": _status(raw.get("status") or {})}
    out["spec"] = _spec(raw.get("spec") or {})
    return out


def _metadata(meta: Raw) -> Json:
    out = {k: meta[k] for k in _META if meta.get(k) is not None}
    out["labels"] = {k: v for k, v in (meta.get("labels") or {}).items() if k in _LABELS}
    annotations = meta.get("annotations") or {}
    kept = {k: annotations[k] for k in _ANNOTATIONS if k in annotations} | _told(annotations)
    out["annotations"] = kept
    owners = meta.get("ownerReferences") or ()
    out["ownerReferences"] = [_pick(o, ("kind", "name", "uid", "controller")) for o in owners[:4]]
    return out


def _told(pairs: Raw) -> Json:
    """Return what says which model, prompt or tools an agent uses; values that may not be told as digests."""
    out = {}
    for name, value in list(pairs.items())[:MAX_ITEMS]:
        told = told_value(name, str(value))
        if told is not None:
            out[name] = told or digest(str(value))
    return out


def _spec(spec: Raw) -> Json:
    out = _pick(spec, _SCALARS)
    if "scaleTargetRef" in spec:
        out["scaleTargetRef"] = _pick(spec["scaleTargetRef"], ("kind", "name"))
    if "updateStrategy" in spec:
        out["updateStrategy"] = spec["updateStrategy"]
    if "template" in spec:
        out["template"] = template(spec["template"])
    if "jobTemplate" in spec:
        out["template"] = template((spec["jobTemplate"].get("spec") or {}).get("template") or {})
    if "taints" in spec:
        out["taints"] = [_pick(t, ("key", "timeAdded")) for t in spec["taints"][:MAX_ITEMS]]
    if "resources" in spec:
        out["resources"] = spec["resources"]
    return out


def _status(status: Raw) -> Json:
    out = _pick(status, _COUNTS)
    active = status.get("active")
    if active is not None:  # a number in a Job, a list of references in a CronJob
        out["active"] = active if isinstance(active, int) else [a.get("name") for a in active[:MAX_ITEMS]]
    names = ("type", "status", "reason", "message", "lastTransitionTime")
    out["conditions"] = [_pick(c, names) for c in (status.get("conditions") or ())[:MAX_ITEMS]]
    if "nodeInfo" in status:
        out["nodeInfo"] = _pick(status["nodeInfo"], ("kubeletVersion",))
    return out


def template(pod: Raw) -> Json:
    """Return a pod template with what makes two of them differ; no value of a variable is in it."""
    spec = pod.get("spec") or {}
    meta = pod.get("metadata") or {}
    known = ("containers", "initContainers", "volumes")
    rest = {k: v for k, v in spec.items() if k not in known}
    return {
        "metadata": {"annotations": _told(meta.get("annotations") or {})},
        "spec": {
            "containers": [_container(c) for c in (spec.get("containers") or ())[:MAX_ITEMS]],
            "initContainers": [_container(c) for c in (spec.get("initContainers") or ())[:MAX_ITEMS]],
            "volumes": [_volume(v) for v in (spec.get("volumes") or ())[:MAX_ITEMS]],
            "others": digest(repr(sorted(rest.items(), key=lambda i: i[0]))),
        },
    }


def _container(container: Raw) -> Json:
    known = {"name", "image", "env", "envFrom", "resources", "command", "args", *PROBES}
    out = _pick(container, ("name", "image"))
    out["env"] = [_variable(v) for v in (container.get("env") or ())[: 4 * MAX_ITEMS]]
    out["envFrom"] = list(container.get("envFrom") or ())[:MAX_ITEMS]
    out["resources"] = container.get("resources") or {}
    for name in ("command", "args"):
        out[name] = digest(repr(container.get(name) or []))
    for probe in PROBES:
        if probe in container:
            out[probe] = digest(repr(container[probe]))
    rest = {k: v for k, v in container.items() if k not in known}
    out["others"] = digest(repr(sorted(rest.items(), key=lambda i: i[0])))
    return out


PROBES = ("readinessProbe", "livenessProbe", "startupProbe")


def _variable(variable: Raw) -> Json:
    name = variable.get("name", "")
    if "valueFrom" in variable:
        return {"name": name, "valueFrom": variable["valueFrom"]}
    value = str(variable.get("value", ""))
    return {"name": name, "value": told_value(name, value) or digest(value)}


def _volume(volume: Raw) -> Json:
    out: Json = {"name": volume.get("name", "")}
    for kind, key in (("configMap", "name"), ("secret", "secretName"), ("persistentVolumeClaim", "claimName")):
        if kind in volume:
            return out | {kind: {key: (volume[kind] or {}).get(key)}}
    if "projected" in volume:
        sources = (volume["projected"] or {}).get("sources") or ()
        names = [(k, s[k].get("name")) for s in sources for k in ("configMap", "secret") if s.get(k)]
        return out | {"projected": [{k: {"name": n}} for k, n in names]}
    return out


def _pod(raw: Raw) -> Json:
    spec, status = raw.get("spec") or {}, raw.get("status") or {}
    out = _status(status)
    given = {c.get("name"): c for c in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ()))}
    for statuses in ("initContainerStatuses", "containerStatuses"):
        found = (status.get(statuses) or ())[:MAX_ITEMS]
        out[statuses] = [_container_status(c, given.get(c.get("name")) or {}) for c in found]
    volumes = [v for v in (_volume(v) for v in (spec.get("volumes") or ())[:MAX_ITEMS]) if len(v) > 1]
    return {"spec": _pick(spec, ("nodeName", "restartPolicy")) | {"volumes": volumes}, "status": out}


def _container_status(container: Raw, given: Raw) -> Json:
    """:param given: the container's spec: a kubelet without in-place resizing does not tell in a status what it has."""
    out = _pick(container, ("name", "ready", "restartCount"))
    for when in ("state", "lastState"):
        states = container.get(when) or {}
        out[when] = {k: _state(v) for k, v in states.items()}
    limits = ((container.get("resources") or given.get("resources") or {}).get("limits")) or {}
    return out | ({"resources": {"limits": _pick(limits, ("memory",))}} if limits.get("memory") else {})


def _state(state: Raw) -> Json:
    """What a container said when it ended is the program's, and may hold anything: it is redacted as evidence."""
    message = state.get("message")
    kept = _pick(state, ("reason", "exitCode", "startedAt", "finishedAt"))
    if not isinstance(message, str):
        return kept
    return kept | {"message": cut(message, MAX_LAST_WORDS if "finishedAt" in state else MAX_TEXT)}


_NEW_NAMES = {
    "note": "message",
    "deprecatedCount": "count",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
}
"""What `events.k8s.io/v1` calls the fields of an Event, and what `v1` does."""


def _event(raw: Raw) -> Json:
    """Both shapes of an Event, of `v1` and of `events.k8s.io/v1`, are kept as the first."""
    names = ("reason", "message", "type", "count", "firstTimestamp", "lastTimestamp", "eventTime", "series")
    renamed = {name: raw[new] for new, name in _NEW_NAMES.items() if new in raw}
    about = _pick(raw.get("involvedObject") or raw.get("regarding") or {}, ("kind", "name", "uid", "fieldPath"))
    return _pick({**raw, **renamed}, names) | {"involvedObject": about}


def _config_map(raw: Raw) -> Json:
    data = {**(raw.get("data") or {}), **(raw.get("binaryData") or {})}
    kept = {k: told_value(k, str(v)) or digest(str(v)) for k, v in list(data.items())[: 4 * MAX_ITEMS]}
    return {"data": kept}


def _revision(raw: Raw) -> Json:
    spec = (raw.get("data") or {}).get("spec") or {}
    return {"revision": raw.get("revision", 0), "spec": {"template": template(spec.get("template") or {})}}


_SPECIAL: Mapping[str, Callable[[Raw], Json]] = {
    "Pod": _pod,
    "Event": _event,
    "ConfigMap": _config_map,
    "ControllerRevision": _revision,
}


def _pick(raw: Raw, names: Sequence[str]) -> Json:
    return {n: _cut(raw[n]) for n in names if raw.get(n) is not None}


def _cut(value: Any) -> Any:
    return cut(value, MAX_TEXT) if isinstance(value, str) else value
