"""What Hemostat did before, as its finished and unfinished Remediations say (pure)."""

from collections.abc import Iterable
from datetime import datetime

from hemostat.action.effects import conversations_of
from hemostat.action.standing import taken_back_by
from hemostat.api.meta import find, is_true
from hemostat.api.remediation import ADMITTED, FINISHED, UNATTENDED, UNDONE, VERIFIED, Remediation
from hemostat.api.watch import Watch
from hemostat.gate.input import PastAction, TakenBack


def past_actions(
    remediations: Iterable[Remediation], but: str = "", watches: Iterable[Watch] = ()
) -> tuple[PastAction, ...]:
    """Return those that were admitted; the others have done nothing, and will not unless they are.

    :param but: uid of the one that is decided about.
    :param watches: of the same namespace; they say what workloads are called in traces.
    """
    names: dict[tuple[str, str], set[str]] = {}
    for watch in watches:
        target = watch.spec.target
        names.setdefault((target.kind, target.name), set()).add(watch.spec.service or target.name)
    return tuple(
        PastAction(
            name=r.metadata.name,
            target_uid=r.spec.target_ref.uid,
            time=_acted(r),
            finished=is_true(r.status.conditions, FINISHED),
            settled=is_true(r.status.conditions, VERIFIED),
            services=frozenset({target.name, *names.get((target.kind, target.name), ())}),
            unattended=bool(admitted and admitted.reason == UNATTENDED),
            conversations=conversations_of(r.status.plan.effects) if r.status.plan is not None else frozenset(),
            taken_back=_taken_back(r),
        )
        for r in remediations
        if r.metadata.uid != but and is_true(r.status.conditions, ADMITTED)
        for target in [r.spec.target_ref]
        for admitted in [find(r.status.conditions, ADMITTED)]
    )


def _acted(remediation: Remediation) -> datetime | None:
    """When its effect took place, or may have: an intent without a result counts too."""
    times = [i.time for i in remediation.status.intents if i.effect == "Forward"]
    return times[-1] if times else None


def _taken_back(remediation: Remediation) -> TakenBack | None:
    """Who took it back, and when he or `act` said so last: the time of the mark is whatever its author wrote."""
    word, undone = taken_back_by(remediation), find(remediation.status.conditions, UNDONE)
    if word is None:
        return None
    seen = undone.last_transition_time if undone is not None and undone.status == "True" else None
    return TakenBack(word.by, max((t for t in (word.time, seen) if t is not None), default=None))
