"""Takes back what one Remediation did, with the rights of whoever runs the command (shell).

The Remediation is marked first, then the object is patched at the version that was looked at, then our field managers
let go of it. `act` sees the mark before it writes its next intent, so it never applies it again, and says who did it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from hemostat.action.execute import Executor
from hemostat.action.moves import LANDS
from hemostat.action.ownership import managers
from hemostat.action.parts import Part, manager
from hemostat.action.standing import State, person, standing
from hemostat.action.undoing import undoes
from hemostat.api.identity import TAKEN_BACK_BY, TAKEN_BACK_TIME
from hemostat.api.meta import is_true
from hemostat.api.remediation import APPLIED, UNDONE, Intent, Remediation, Verb
from hemostat.api.resources import REMEDIATION
from hemostat.cli.deciding import MANAGER
from hemostat.cli.session import parse
from hemostat.clock import rfc3339
from hemostat.errors import Refused, Retry

if TYPE_CHECKING:
    from datetime import datetime

    from hemostat.action.undoing import Undo
    from hemostat.kube import Json, Kube

ATTEMPTS = 20
"""How often a target that moves on is written anew."""
PAUSE = 0.2
NO_DRY_RUN = "does not support dry run"
"""What the API server says of webhooks with side effects."""


class Taker:
    """Takes back, one after another.

    :param sleep: waits so many seconds.
    :param warn: tells a person what else to know.
    """

    def __init__(self, kube: Kube, sleep: Callable[[float], object], warn: Callable[[str], object]) -> None:
        self._kube = kube
        self._executor = Executor(kube)
        self._sleep = sleep
        self._warn = warn

    def back(self, namespace: str, name: str) -> str:
        """Take it back, and say what came of it. Raises `Refused` with what stands in the way of some of it, once the
        rest is taken back; `Retry` if there is no answer."""
        found = parse(Remediation, self._kube.get(REMEDIATION.path(namespace, name)))
        if is_true(found.status.conditions, UNDONE):
            return "was taken back already"
        done, over, left = False, set[int](), dict[str, Refused]()
        while step := next((u for u in undoes(found) if u.step not in over), None):
            over.add(step.step)
            try:
                sent, found = self._step(found, step)  # as marked: `act` may have taken one more before it saw that
                done = done or sent
                self._release(found, step)
            except Refused as error:
                left[f"{step.inverse.kind} {step.inverse.name}"] = error
        if left:
            raise _partly(left, len(over))
        return "taken back" if done else "was taken back already"

    def _step(self, found: Remediation, step: Undo) -> tuple[bool, Remediation]:
        """Take one step back. Returns whether it was done by us, and the Remediation as it is marked."""
        if step.inverse.verb is Verb.CALL:
            raise Refused("ByHand", "what another service was asked for is taken back by hand")
        namespace, marked, sent = found.metadata.namespace or "", False, False
        for _ in range(ATTEMPTS):
            live, now = self._read(step, namespace), self._kube.server_now()
            how = standing(found, step, live, now, LANDS)
            if how.state is State.BACK or (sent and how.state is State.UNDER_WAY):  # which what was sent ended
                return sent or person(found) in managers(live), found
            if how.state is not State.STANDS:
                raise Refused("UndoBlocked", how.why)
            if not marked:
                found, marked = self._marked(found, step, live), True
            try:
                self._executor.send(step.inverse, namespace, live, _intent(live, now), person(found))
                sent = True
            except Retry:
                self._sleep(PAUSE)
        raise Refused("TooBusy", f"{step.inverse.kind} {step.inverse.name} changes faster than it can be written")

    def _read(self, step: Undo, namespace: str) -> Json | None:
        try:
            return self._executor.read(step.inverse, namespace)
        except Refused as error:
            if error.reason == "TargetReplaced":
                return None
            raise

    def _marked(self, found: Remediation, step: Undo, live: Json | None) -> Remediation:
        """Have the API server check what is to be written, then say on the Remediation whose doing it is."""
        meta, namespace = found.metadata, found.metadata.namespace or ""
        try:
            self._executor.dry_run(step.inverse, namespace, live, person(found))
        except Refused as error:
            if NO_DRY_RUN not in str(error):
                raise
        user, _ = self._kube.user()
        said = {TAKEN_BACK_BY: user, TAKEN_BACK_TIME: rfc3339(self._kube.server_now())}
        body = {"metadata": {"uid": meta.uid, "annotations": said}}
        try:
            return parse(Remediation, self._kube.merge_patch(REMEDIATION.path(namespace, meta.name), body, MANAGER))
        except Refused as error:
            if not is_true(found.status.conditions, APPLIED):
                raise Refused(error.reason, f"{error}; unmarked it may be applied again (hemostat-approver)") from None
            self._warn(f"{meta.name} does not say who took it back: you may not patch remediations: {error}")
            return found

    def _release(self, found: Remediation, step: Undo) -> None:
        """Let go of the fields, so that the owner's next apply needs no force; not of `act`'s own undo, for by that
        field manager it knows it."""
        namespace = found.metadata.namespace or ""
        owners = [i.owner for i in found.status.intents if i.step == step.step]
        owner = owners[-1] if owners else None
        for _ in range(ATTEMPTS):
            live = self._read(step, namespace)
            ours = managers(live) & {manager(found, Part("Forward", step.step)), person(found)}
            if not ours:
                return
            try:
                self._executor.release(step.forward, namespace, ours, owner)
            except Retry:
                self._sleep(PAUSE)
            except Refused as error:
                self._warn(f"the owner's next apply needs force until {', '.join(sorted(ours))} let go: {error}")
                return
            else:
                return
        said = "changes faster than our fields can let go: the owner's next apply needs force"
        self._warn(f"{step.forward.kind} {step.forward.name} {said}")


def _partly(left: Mapping[str, Refused], steps: int) -> Refused:
    """Return what to tell of the steps that stay."""
    first = next(iter(left.values()))
    if steps == 1:
        return first
    said = "; ".join(f"{name}: {error}" for name, error in left.items())
    return Refused(first.reason, f"{len(left)} of {steps} steps stay, the others are back: {said}")


def _intent(live: Json | None, now: datetime) -> Intent:
    """Return on which version of the object it may land."""
    assert live is not None  # else nothing stands
    meta = live["metadata"]
    version, generation = meta["resourceVersion"], int(meta.get("generation", 0))
    return Intent(
        effect="Inverse", attempt=1, uid=meta["uid"], resource_version=version, generation=generation, time=now
    )
