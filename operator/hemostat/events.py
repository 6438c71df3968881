"""Kubernetes Events about our own objects, deduplicated by object, reason and message (shell)."""

import hashlib
import logging
from typing import Any, Literal

from hemostat.api import API_VERSION
from hemostat.api.meta import ObjectMeta
from hemostat.clock import Clock, rfc3339
from hemostat.errors import HemostatError
from hemostat.kube import Conflict, Kube

LOG = logging.getLogger(__name__)
_KNOWN = 10_000


class Events:
    """Tells people what happened, by `kubectl describe` and `kubectl get events`. Losing one loses nothing else."""

    def __init__(self, kube: Kube, component: str, clock: Clock) -> None:
        self._kube = kube
        self._component = component
        self._clock = clock
        self._counts: dict[str, int] = {}

    def emit(
        self,
        kind: str,
        meta: ObjectMeta,
        reason: str,
        message: str,
        level: Literal["Normal", "Warning"] = "Normal",
        api_version: str = API_VERSION,
    ) -> None:
        """Record an Event; the same one again only raises its count."""
        namespace = meta.namespace or "default"
        digest = hashlib.sha256(f"{kind}/{meta.uid}/{reason}/{message}".encode()).hexdigest()[:12]
        name = f"{meta.name[:200]}.{digest}"
        path = f"/api/v1/namespaces/{namespace}/events"
        count = self._counts[name] = self._counts.pop(name, 0) + 1
        while len(self._counts) > _KNOWN:
            self._counts.pop(next(iter(self._counts)))
        now = rfc3339(self._clock.now())[:19] + "Z"
        try:
            if count > 1:
                self._kube.merge_patch(f"{path}/{name}", {"count": count, "lastTimestamp": now}, self._component)
                return
            body = self._body(kind, meta, namespace, name, reason, message, level, now)
            body["involvedObject"] |= {"apiVersion": api_version}
            self._kube.create(path, body, self._component)
        except Conflict:
            LOG.debug("event %s was already told by an earlier process", name)
        except HemostatError as error:
            LOG.warning("event %s %s of %s %s could not be recorded: %s", reason, message, kind, meta.name, error)

    def _body(
        self, kind: str, meta: ObjectMeta, namespace: str, name: str, reason: str, message: str, level: str, now: str
    ) -> dict[str, Any]:
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": {
                "kind": kind,
                "name": meta.name,
                "namespace": meta.namespace,
                "uid": meta.uid,
            },
            "reason": reason,
            "message": message[:1024],
            "type": level,
            "source": {"component": self._component},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
