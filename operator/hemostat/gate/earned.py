"""Whether an action has earned that no person is asked: what came of it before, as `act`'s own Remediations say (pure).

Wilson's score interval (J. Am. Stat. Assoc. 22, 1927), its lower end alone: with 95 % confidence the action heals in at
least this share of cases. It is defined for one case as for many, and one failure more always lowers it.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import sqrt

from hemostat.api.meta import find, is_true
from hemostat.api.remediation import APPLIED, FINISHED, Remediation
from hemostat.gate.input import ASK, PASS, GateInput, Matched, Outcome, Verdict

MAX_OUTCOMES = 50
"""Only the newest count: what was earned long ago is not what happens now."""
_Z = 1.6448536
"""The normal distribution's 95 % quantile."""
_HEALED = "Healed"


def outcomes_of(
    remediations: Iterable[Remediation], like: Remediation, openings: Mapping[str, int]
) -> tuple[Outcome, ...]:
    """Return what came of this action before, the newest first.

    The same Runbook (by uid), action and parameters, and it was applied. An Incident counts once, by the worst that
    came of it, and as not healed where it was opened again: else one that comes and goes would earn trust by itself.
    That it was, Incidents tell, and Remediations of any action: another step may have answered.

    :param openings: how often Incidents came back, by uid, as far as they are there. It is the word of telemetry, and
        only ever counts against the action.
    """
    last = dict(openings)
    incidents: dict[str, list[Remediation]] = {}
    for remediation in (*remediations, like):
        uid = remediation.spec.incident_ref.uid or ""
        last[uid] = max(last.get(uid, 0), remediation.spec.opening)
        if _alike(remediation, like) and remediation.metadata.uid != like.metadata.uid:
            incidents.setdefault(uid, []).append(remediation)
    found = [_outcome(uid, group, last[uid]) for uid, group in incidents.items()]
    return tuple(sorted(found, key=lambda o: (o.time, o.incident), reverse=True)[:MAX_OUTCOMES])


def _alike(one: Remediation, other: Remediation) -> bool:
    a, b, done = one.spec, other.spec, one.status.conditions
    same = (a.runbook_ref.uid, a.action) == (b.runbook_ref.uid, b.action) and set(a.parameters) == set(b.parameters)
    return same and is_true(done, APPLIED) and is_true(done, FINISHED)


def _outcome(incident: str, group: Sequence[Remediation], last_opening: int) -> Outcome:
    ends = [end for r in group if (end := find(r.status.conditions, FINISHED)) is not None]
    lasted = min(r.spec.opening for r in group) == last_opening
    healed = lasted and all(end.reason == _HEALED for end in ends)
    return Outcome(incident, max(end.last_transition_time for end in ends), healed)


def least_share(healed: int, number: int) -> float:
    """Return the lower end of Wilson's interval for a share, 0 to 1; 0 of nothing, and of none."""
    if not healed:
        return 0.0  # which it is, but for rounding
    share, z2 = healed / number, _Z * _Z
    half = _Z * sqrt(share * (1 - share) / number + z2 / (4 * number * number))
    return max(0.0, (share + z2 / (2 * number) - half) / (1 + z2 / number))


def earned(facts: GateInput, found: Matched) -> Verdict:
    """Whether what came of it before allows that no person is asked."""
    if facts.outcomes is None:
        return ASK, "what came of this action before could not be read"
    wanted = [p.spec.earned for p in found if p.spec.earned is not None]
    if not wanted:
        return PASS, "no GatePolicy asks what came of it before"
    number, healed = len(facts.outcomes), sum(o.healed for o in facts.outcomes)
    few, least = max(w.min_outcomes for w in wanted), max(w.min_healed_percent for w in wanted)
    share = int(100 * least_share(healed, number))
    said = f"it healed {healed} of the last {number} Incidents here: {share} % at least"
    if number < few:
        return ASK, f"{said}; {few} of them must be known"
    return (ASK, f"{said}, and {least} % must be earned") if share < least else (PASS, f"{said}, {least} % are earned")
