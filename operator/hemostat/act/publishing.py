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
from hemostat.errors import Refused, Retry
from hemostat.events import Events
from hemostat.kube import Conflict, Kube, NotFound, path_of
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

        It lands only on what was looked at: one that is on its way while another process goes on with the log does not
        take back what that one published. Raises `Refused` (AuditTruncated) when this is not the log that was published
        before, `Retry` when somebody else wrote meanwhile.
        """
        AUDIT_BYTES.set(self._log.size())
        note = self._log.checkpoint()
        if self.compared.is_set() and note in (None, self._told):
            return EVERY.total_seconds()
        version = self._look()
        if note is not None and note != self._told:
            meta = {"name": AUDIT, "namespace": NAMESPACE} | ({"resourceVersion": version} if version else {})
            data = {HEAD: note, KEY: str(self._log.verifier)}
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}
            try:
                live = self._kube.apply(_PATH, body, MANAGER, force=True)
            except Conflict as error:
                raise Retry(f"ConfigMap {AUDIT} was written to by somebody else", 1) from error
            self._events.emit("ConfigMap", _meta(live), "AuditHead", note, api_version="v1")
            self._told = note
        return EVERY.total_seconds()

    def _look(self) -> str | None:
        """See that the log holds what is published by now. Returns the version that was looked at, None: there is none.

        What is not of this process is compared, whenever it came there; nothing may rest on a log that lacks it.
        """
        try:
            live = self._kube.get(_PATH)
        except NotFound:
            LOG.warning("there is no ConfigMap %s in %s: heads of the audit log cannot be published", AUDIT, NAMESPACE)
            live = {"metadata": {}}
        said = (live.get("data") or {}).get(HEAD)
        head = said if isinstance(said, str) and said else None
        if head is not None and head != self._told:
            try:
                _compare(self._log, head)
            except Refused:
                self.compared.clear()
                raise
        self._told = head
        self.compared.set()
        version: str | None = live["metadata"].get("resourceVersion")
        return version


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
