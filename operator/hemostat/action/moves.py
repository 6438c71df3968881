"""What an unfinished effect needs next, from what the live object shows (pure).

A patch lands only on the version that its intent names. After a kill the next process looks at the object: either our
manager stands in its managedFields, or the spec moved on to just what the effect writes (a patch that only removes
fields leaves no managedFields entry: seen on a real API server), and the effect took place; or the object is still at
the intent's version (send it again: only one can land); or only its status moved on (the old request can never land any
more, so a new intent is safe).

A creation has no version to test: two requests under way could land one after the other, with somebody's deletion
between them. So none is sent before the last one can no longer land. A deletion lands once by itself, for a uid never
comes back. A call of another service is sent as a creation is; what stands there is what a look at it shows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from hemostat.action.effects import Live, obstacle, still_ours
from hemostat.action.ownership import managers, owner_of
from hemostat.action.parts import Part, manager, tries_of
from hemostat.action.standing import taken_back_by
from hemostat.api.remediation import MAX_INTENTS, Effect, Intent, Plan, Proof, Remediation, Result, Verb
from hemostat.errors import Refused

IN_FLIGHT = timedelta(seconds=60)
"""A request older than the API server's own request timeout can no longer land."""
SEND_WITHIN = timedelta(seconds=10)
"""A creation is sent so soon after its intent or not at all: a process that was stopped in between sends it no more."""
LANDS = SEND_WITHIN + IN_FLIGHT + timedelta(seconds=5)
"""How long after its intent a request may still land; two processes may differ by some seconds about the time."""
LOOK_AGAIN = 2.0
"""Seconds between looks at what was called and shows no effect yet."""
MAX_ATTEMPTS = 20
"""Lost races on resourceVersion, of one effect, before a person is asked."""


@dataclass(frozen=True, slots=True)
class Landed:
    """The effect has taken place."""

    result: Result


@dataclass(frozen=True, slots=True)
class Send:
    """The intent stands and the object is still at its version: send the request."""

    intent: Intent


@dataclass(frozen=True, slots=True)
class NewIntent:
    """The effect has not taken place and no earlier request can land: write this intent first."""

    intent: Intent


@dataclass(frozen=True, slots=True)
class Wait:
    """An earlier request may still land, and a second one could land too."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Lost:
    """It cannot go on by itself; a person decides."""

    reason: str
    """Unclear: it cannot be told whether the effect took place. TooBusy, NameTaken, TargetReplaced: it did not. Of a
    call also what its dialect names."""
    message: str


Move = Landed | Send | NewIntent | Wait | Lost


def planned(remediation: Remediation) -> Plan:
    """Return the plan. Raises `Refused` (NoPlan) when the status lost it."""
    if remediation.status.plan is None:
        raise Refused("NoPlan", "the plan is missing from the status")
    return remediation.status.plan


def effect_of(remediation: Remediation, part: Part) -> Effect:
    """Return one of the plan's effects. Raises `Refused` (Irreversible) for the inverse of what nothing undoes."""
    plan = planned(remediation)
    step = plan.steps[part.step]
    effect = step.forward if part.which == "Forward" else step.inverse
    if effect is None:
        raise Refused("Irreversible", f"nothing undoes it: {plan.summary}")
    return effect


def next_move(remediation: Remediation, part: Part, live: Live | None, now: datetime) -> Move:
    """Decide from the live object what an unfinished effect needs. None: it is not there, or another one is."""
    move = _next(remediation, part, live, now)
    if isinstance(move, NewIntent) and len(remediation.status.intents) >= MAX_INTENTS:
        return Lost("TooBusy", f"{MAX_INTENTS} attempts, of all steps together, were not enough")
    return move


def _next(remediation: Remediation, part: Part, live: Live | None, now: datetime) -> Move:
    effect, tries = effect_of(remediation, part), tries_of(remediation, part)
    if effect.verb is Verb.CREATE and live is None:
        return _absent(part, tries, now)
    if effect.verb is Verb.DELETE and (live is None or "deletionTimestamp" in live["metadata"]):
        return _gone(part, tries, now, alone=len(planned(remediation).steps) == 1)
    if live is None:
        return Lost("TargetReplaced", f"{effect.kind} {effect.name} is gone")
    if effect.verb is Verb.CALL:
        return _called(part, effect, live, tries, now)
    return _there(remediation, part, live, tries, now)


def _there(remediation: Remediation, part: Part, live: Live, tries: list[Intent], now: datetime) -> Move:
    meta, effect = live["metadata"], effect_of(remediation, part)
    version, generation = meta["resourceVersion"], int(meta.get("generation", 0))
    proof = _proof(remediation, part, live, tries[-1] if tries else None)
    if proof is not None:
        return Landed(_result(part, now, version, generation, proof))
    if part.which == "Inverse" and not tries and taken_back(remediation, part, live):
        return Landed(_result(part, now, version, generation, "Already"))
    if effect.verb is Verb.CREATE:
        return Lost("NameTaken", f"there is a {effect.kind} {effect.name} that this Remediation did not create")
    if tries and tries[-1].resource_version == version:
        return Send(tries[-1])
    if effect.verb is Verb.PATCH and tries and tries[-1].generation != generation:
        return Lost("Unclear", "its spec was changed while the action was in flight")
    if len(tries) >= MAX_ATTEMPTS:
        return Lost("TooBusy", f"its status changes faster than it can be written ({MAX_ATTEMPTS} attempts)")
    owner = owner_of(live, (op.path for op in effect.ops))
    if owner is None and part.which == "Inverse":  # whoever applied what was removed names it no more
        owner = next((i.owner for i in tries_of(remediation, Part("Forward", part.step))), None)
    return NewIntent(_intent(part, tries, now, meta["uid"], version, generation, owner))


def _absent(part: Part, tries: list[Intent], now: datetime) -> Move:
    """What is to be created is not there."""
    left = under_way(tries, now)
    if left > 0:
        return Wait(left)
    if len(tries) >= MAX_ATTEMPTS:
        return Lost("TooBusy", f"it could not be created ({MAX_ATTEMPTS} attempts)")
    return NewIntent(_intent(part, tries, now))


def _called(part: Part, effect: Effect, seen: Live, tries: list[Intent], now: datetime) -> Move:
    """A look at what was, or is to be, called."""
    if tries and still_ours(effect, seen):
        return Landed(_result(part, now, "0", 0, "Content"))
    left = under_way(tries, now)
    if left > 0:
        return Wait(min(left, LOOK_AGAIN))
    reason = obstacle(effect, seen)
    if reason is not None:
        return Lost(*reason)
    if len(tries) >= MAX_ATTEMPTS:
        return Lost("TooBusy", f"the call had no effect ({MAX_ATTEMPTS} attempts)")
    return NewIntent(_intent(part, tries, now))


def under_way(tries: Sequence[Intent], now: datetime) -> float:
    """Return for how many seconds the last request may still land."""
    return (tries[-1].time + LANDS - now).total_seconds() if tries else 0


def _gone(part: Part, tries: list[Intent], now: datetime, *, alone: bool) -> Move:
    """What is to be deleted is gone. Beside other steps that is as good as done: they are about what is left."""
    if not tries and alone:
        return Lost("TargetReplaced", "somebody else deleted it")
    if not tries:
        return Landed(_result(part, now, "0", 0, "Already"))
    return Landed(_result(part, now, tries[-1].resource_version or "0", tries[-1].generation, "Gone"))


def _result(part: Part, now: datetime, version: str, generation: int, proof: Proof) -> Result:
    return Result(
        effect=part.which, step=part.step, time=now, resource_version=version, generation=generation, proof=proof
    )


def _intent(
    part: Part,
    tries: list[Intent],
    now: datetime,
    uid: str | None = None,
    version: str | None = None,
    generation: int = 0,
    owner: str | None = None,
) -> Intent:
    return Intent(
        effect=part.which,
        step=part.step,
        attempt=len(tries) + 1,
        uid=uid,
        resource_version=version,
        generation=generation,
        owner=owner,
        time=now,
    )


def _proof(
    remediation: Remediation, part: Part, live: Live, last: Intent | None
) -> Literal["ManagedFields", "Content"] | None:
    """Return by what the live object shows that the effect took place, or None."""
    effect, ours = effect_of(remediation, part), manager(remediation, part)
    if last is None or effect.verb is Verb.DELETE:
        return None
    if ours in managers(live):
        return "ManagedFields"
    meta = live["metadata"]
    if "generation" in meta:
        moved = int(meta["generation"]) > last.generation
    else:  # as ConfigMaps, which only people and we write
        moved = meta["resourceVersion"] != last.resource_version
    return "Content" if moved and still_ours(effect, live) else None


def taken_back(remediation: Remediation, part: Part, live: Live | None) -> bool:
    """Tell whether what one inverse takes back is not there any more, without our doing: a person was there before."""
    inverse = planned(remediation).steps[part.step].inverse
    if inverse is None or not still_ours(inverse, live):
        return False
    if not tries_of(remediation, part):
        return True
    return taken_back_by(remediation) is not None and manager(remediation, part) not in managers(live)
