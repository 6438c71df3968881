"""The one executor: everything that Hemostat writes on other people's objects goes through here (shell).

Exactly once, without a lock: before the effect an intent {uid, resourceVersion} is written to the Remediation by
compare-and-set; the effect is guarded by it (a JSON Patch tests the version, a deletion has it as its precondition),
under a field manager unique to the Remediation. What is to be done after a kill is decided in `moves`. Calls of other
services, which know neither, go through `calls.caller`.
"""

from collections.abc import Mapping
from typing import Any

from hemostat.action.calls.caller import Caller
from hemostat.action.effects import body_of, missing_parents, obstacle, place, wanted, wire
from hemostat.action.ownership import handed_back
from hemostat.api.remediation import Effect, Intent, Verb
from hemostat.errors import Refused, Retry
from hemostat.kube import Conflict, Json, Kube, NotFound, path_of


class Executor:
    """Reads targets and sends guarded writes.

    :param caller: of other services; one of its own unless given.
    """

    def __init__(self, kube: Kube, caller: Caller | None = None) -> None:
        self._kube = kube
        self._caller = caller if caller is not None else Caller(kube)

    def read(self, effect: Effect, namespace: str) -> Json | None:
        """Return the live object; None if it is not there, or another one of that name is. Of a call: what is seen.

        Raises `Refused` (TargetReplaced) when that is what was to be patched.
        """
        if effect.verb is Verb.CALL:
            return self._caller.look(effect, namespace)
        try:
            live = self._kube.get(_path(effect, namespace))
        except NotFound as error:
            if effect.verb is not Verb.PATCH:
                return None
            raise Refused("TargetReplaced", f"{effect.kind} {effect.name} is gone") from error
        if effect.uid is not None and live["metadata"]["uid"] != effect.uid:
            if effect.verb is not Verb.PATCH:
                return None
            raise Refused("TargetReplaced", f"{effect.kind} {effect.name} was re-created")
        return live

    def dry_run(self, effect: Effect, namespace: str, live: Mapping[str, Any] | None, field_manager: str) -> None:
        """Have the API server check the write without doing it, on whatever version there is. Raises `Refused` with
        its words. Of a call, look whether it can be made and is needed."""
        if effect.verb is Verb.CALL:
            reason = obstacle(effect, live if live is not None else self._caller.look(effect, namespace))
            if reason is not None:
                raise Refused(*reason)
            return
        self._write(effect, namespace, None, field_manager, live, dry_run=True)

    def send(
        self, effect: Effect, namespace: str, live: Mapping[str, Any] | None, intent: Intent, field_manager: str
    ) -> None:
        """Send the write for the object as it was read; it lands only on the intent's version, which is that one's.

        Raises `Retry` when the race was lost, or, of a call, when it cannot be told whether it was done; `Disrupted`
        when a disruption budget forbids an eviction, here and in a dry run.
        """
        if effect.verb is Verb.CALL:
            self._caller.demand(effect, namespace, wanted(effect), dict(live or {}))
            return
        self._write(effect, namespace, intent, field_manager, live, dry_run=False)

    def release(self, effect: Effect, namespace: str, managers: frozenset[str], owner: str | None) -> None:
        """Let go of the fields and give them back, so that the owner's next apply needs no force and misses nothing.

        What we created is nobody else's, and what we deleted is gone.
        """
        if effect.verb is not Verb.PATCH:
            return
        live = self.read(effect, namespace)
        assert live is not None  # else `read` has refused
        meta = live["metadata"]
        ops = handed_back(meta.get("managedFields", []), managers, owner)
        if not ops:
            return
        test: Json = {"op": "test", "path": "/metadata/resourceVersion", "value": meta["resourceVersion"]}
        try:
            self._kube.json_patch(_path(effect, namespace), [test, *ops], "hemostat-release")
        except Conflict as error:
            raise Retry(f"{effect.kind} {effect.name} changed while our fields were let go", 0.2) from error

    def _write(
        self,
        effect: Effect,
        namespace: str,
        intent: Intent | None,
        field_manager: str,
        live: Mapping[str, Any] | None,
        *,
        dry_run: bool,
    ) -> None:
        what = f"{effect.kind} {effect.name}"
        try:
            if effect.verb is Verb.CREATE:
                self._create(effect, namespace, field_manager, dry_run=dry_run)
            elif effect.verb is Verb.DELETE:
                self._delete(effect, namespace, intent, live or {}, dry_run=dry_run)
            else:
                self._patch(effect, namespace, intent, field_manager, live or {}, dry_run=dry_run)
        except Conflict as error:
            raise Retry(f"{what} moved on from version {intent.resource_version if intent else '?'}", 0.2) from error

    def _create(self, effect: Effect, namespace: str, field_manager: str, *, dry_run: bool) -> None:
        path = path_of(effect.api_version, effect.kind, namespace, "")
        try:
            self._kube.create(path, body_of(effect, namespace), field_manager, dry_run=dry_run)
        except NotFound as error:
            raise Refused("NotInstalled", f"this cluster knows no {effect.kind} ({effect.api_version})") from error

    def _delete(
        self, effect: Effect, namespace: str, intent: Intent | None, live: Mapping[str, Any], *, dry_run: bool
    ) -> None:
        path, uid = _path(effect, namespace), live["metadata"]["uid"]
        version = intent.resource_version if intent is not None else None
        try:
            if effect.subresource == "eviction":
                self._kube.evict(path, uid, version, dry_run=dry_run)
            else:
                self._kube.delete(path, uid, version, dry_run=dry_run)
        except NotFound as error:
            raise Retry(f"{effect.kind} {effect.name} is gone by now", 0.2) from error

    def _patch(
        self,
        effect: Effect,
        namespace: str,
        intent: Intent | None,
        field_manager: str,
        live: Mapping[str, Any],
        *,
        dry_run: bool,
    ) -> None:
        path = _path(effect, namespace, effect.subresource)
        version = intent.resource_version if intent is not None else None
        ops: list[Json] = [
            {"op": "test", "path": "/metadata/uid", "value": effect.uid},
            *([{"op": "test", "path": "/metadata/resourceVersion", "value": version}] if version else []),
            *({"op": "add", "path": parent, "value": {}} for parent in missing_parents(effect, live)),
            *wire(effect, live),
        ]
        try:
            self._kube.json_patch(path, ops, field_manager, dry_run=dry_run)
        except NotFound as error:
            raise Refused("TargetReplaced", f"{effect.kind} {effect.name} is gone") from error


def _path(effect: Effect, namespace: str, subresource: str = "") -> str:
    return path_of(effect.api_version, effect.kind, place(effect, namespace), effect.name, subresource)
