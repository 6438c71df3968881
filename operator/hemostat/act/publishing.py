"""Tells the world how much the log holds, so that a log that was cut off is noticed (shell).

The newest head goes into a ConfigMap, and into an Event, which other people's systems collect. A log that holds less
than was published, or something else, is not gone on with.
"""

import logging
import threading
from datetime import timedelta
from typing import Any

from hemostat.api.identity import AUDIT, NAMESPACE
from hemostat.api.meta import ObjectMeta
from hemostat.audit.checkpoint import Checkpoint
from hemostat.audit.log import Log
from hemostat.errors import Refused
from hemostat.events import Events
from hemostat.kube import Kube, NotFound, path_of
from hemostat.metrics import AUDIT_BYTES

LOG = logging.getLogger(__name__)
HEAD, KEY = "head", "key"
"""What is in it: the newest head, a signed note, and the key that it is signed with."""
EVERY = timedelta(seconds=10)
"""What was appended since is not missed by others, should somebody cut it off."""
MANAGER = "hemostat-audit"


class Publisher:
    """Publishes heads of one log."""

    def __init__(self, kube: Kube, log: Log, events: Events) -> None:
        self._kube, self._log, self._events = kube, log, events
        self._told: str | None = None
        self.compared = threading.Event()
        """Set once the log is known to hold what was published before; until then nothing may rest on it."""

    def publish(self, _: str = "") -> float:
        """Publish the newest head, if that is not done yet. Returns the seconds until the next look.

        Raises `Refused` (AuditTruncated) when this is not the log that was published before.
        """
        if not self.compared.is_set():
            self._told = self._published()
            if self._told is not None:
                _compare(self._log, self._told)
            self.compared.set()
        AUDIT_BYTES.set(self._log.size())
        note = self._log.checkpoint()
        if note is not None and note != self._told:
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": AUDIT, "namespace": NAMESPACE}}
            data = {HEAD: note, KEY: str(self._log.verifier)}
            live = self._kube.apply(_PATH, body | {"data": data}, MANAGER, force=True)
            self._events.emit("ConfigMap", _meta(live), "AuditHead", note, api_version="v1")
            self._told = note
        return EVERY.total_seconds()

    def _published(self) -> str | None:
        try:
            found = self._kube.get(_PATH).get("data") or {}
        except NotFound:
            LOG.warning("there is no ConfigMap %s in %s: heads of the audit log cannot be published", AUDIT, NAMESPACE)
            return None
        note = found.get(HEAD)
        return note if isinstance(note, str) and note else None


def _compare(log: Log, note: str) -> None:
    try:
        head = Checkpoint.read(note)
        held = log.holds(head)
    except ValueError as error:
        held, head = False, None
        LOG.warning("the head in ConfigMap %s cannot be read: %s", AUDIT, error)
    if held:
        return
    size = f"{head.size} records" if head is not None else "what cannot be read"
    raise Refused(
        "AuditTruncated",
        f"ConfigMap {AUDIT} says that the audit log held {size}, and this log does not hold these: restore it. "
        f"To begin another one: kubectl patch configmap {AUDIT} -n {NAMESPACE} --type=json "
        """-p '[{"op":"remove","path":"/data"}]'""",
    )


def _meta(live: dict[str, Any]) -> ObjectMeta:
    return ObjectMeta.model_validate(live["metadata"])


_PATH = path_of("v1", "ConfigMap", NAMESPACE, AUDIT)
