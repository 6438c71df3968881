"""How much of the past a decision needs (pure): what no check can read is neither gathered nor kept.

A namespace may have seen thousands of actions, and the audit log keeps what each decision rested on.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from hemostat.api.gatepolicy import Scope
from hemostat.gate.input import GateInput, PastAction
from hemostat.gate.match import matching

MAX_PAST = 10_000
"""Actions of one decision. Beyond it the past counts as not known, which holds until enough of them are long ago."""
_NOTHING: frozenset[str] = frozenset()


def needed(facts: GateInput) -> GateInput:
    """Return what is known with only as much of the past as the checks can read: they say the same of it.

    That is what is not finished; what was done without a person within the longest cooldown or budget of the policies
    that match; and what people took back within their `humanEditSeconds`. Of what is finished only when, to which
    target and by whom: whom it touched besides matters while it is at work.
    """
    found, now = matching(facts), facts.now
    budgets = [p.spec.budget for p in found]
    alone = max((*(p.spec.cooldown_seconds for p in found), *(b.window_seconds for b in budgets)), default=0)
    everywhere = max((b.window_seconds for b in budgets if b.scope is Scope.CLUSTER), default=None)
    lately = now - timedelta(seconds=max((p.spec.human_edit_seconds for p in found), default=0))

    def here(action: PastAction) -> bool:
        back = action.taken_back is not None and action.taken_back.after(lately)
        return not action.finished or back or _alone_since(action, now - timedelta(seconds=alone))

    def there(action: PastAction) -> bool:
        if everywhere is None or not action.unattended:
            return False
        return not action.finished or _alone_since(action, now - timedelta(seconds=everywhere))

    return replace(facts, past=_kept(facts.past, here), elsewhere=_kept(facts.elsewhere, there))


def _alone_since(action: PastAction, since: datetime) -> bool:
    """Tell whether it was done without a person, after that."""
    return action.unattended and action.time is not None and action.time > since


def _kept(actions: Iterable[PastAction] | None, counts: Callable[[PastAction], bool]) -> tuple[PastAction, ...] | None:
    if actions is None:
        return None
    found = tuple(
        replace(a, conversations=_NOTHING, services=_NOTHING) if a.finished else a for a in actions if counts(a)
    )
    return found if len(found) <= MAX_PAST else None
