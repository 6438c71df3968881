"""The steps that an Incident itself tells: of both processes, and again after a restart (pure).

Keys are those of its timeline, or of a condition that waits, so that a step is told once however often it is read.
"""

import re
from collections.abc import Sequence

from hemostat.api.incident import DIAGNOSED, REMEDIATED, RESOLVED, VERIFIED, Incident, TimelineEntry
from hemostat.api.meta import Condition, find
from hemostat.api.remediation import WOULD_HAVE
from hemostat.progress.step import Stage, Step, Told, shortened
from hemostat.signals.correlate import is_over, openings

_OBSERVED = {
    "detected": (Stage.DETECTION, "Opened"),
    "signal": (Stage.DETECTION, "SignalFired"),
    "symptom": (Stage.DETECTION, "SymptomSeen"),
    "severity": (Stage.DETECTION, "Graded"),
    "silent": (Stage.DETECTION, "NoData"),
    "storm": (Stage.DETECTION, "Storm"),
    "part-of": (Stage.DETECTION, "PartOf"),
    "alone": (Stage.DETECTION, "StandsAlone"),
    "unwatched": (Stage.DETECTION, "Unwatched"),
    "reopened": (Stage.DETECTION, "Reopened"),
    "consulted": (Stage.DIAGNOSIS, "Consulted"),
    "diagnosed": (Stage.DIAGNOSIS, "Diagnosed"),
    "undiagnosed": (Stage.DIAGNOSIS, "NotDiagnosed"),
    "proposed": (Stage.GATE, "Proposed"),
    "handed-over": (Stage.GATE, "PersonNeeded"),
}
_ACTED = {
    "Planned": Stage.GATE,
    "Admitted": Stage.GATE,
    "Applied": Stage.ACTION,
    "Undone": Stage.ACTION,
    "Verified": Stage.VERIFICATION,
    "Finished": Stage.VERIFICATION,
}
_NOT_DONE = frozenset({"DeniedByPerson", "Denied", "NotNeeded", "Drifted", "Expired", WOULD_HAVE})
"""How a Remediation ends before anything of it is done: nothing is verified of it."""
_WAITING = {DIAGNOSED: Stage.DIAGNOSIS, REMEDIATED: Stage.GATE, VERIFIED: Stage.VERIFICATION}
_TOLD_ELSEWHERE = ("NotYet", "Reopened", "Proposed", "NeedsApproval", "Consulting")
"""Reasons of conditions that wait which say nothing new: the timeline or the panel tells it, or nothing happens."""
BEGINNINGS = ("Opened", "Reopened")
"""Steps of detection with which everything begins anew."""


def steps_of(incident: Incident) -> tuple[Step, ...]:
    """Return the steps that the Incident tells, in the order of time; what waits now is last."""
    told = [_entry(e) for e in incident.status.timeline]
    over = find(incident.status.conditions, RESOLVED)
    if over is not None and is_over(incident):  # not where it came back and `act` has yet to say so
        said = shortened(f"{over.reason}: {over.message}")
        key = f"act/resolved/{openings(incident)}"
        told.append(Step(Stage.RESOLUTION, "Resolved", said, "act", over.last_transition_time, key))
    ordered = sorted({s.key: s for s in told}.values(), key=_time)
    return (*ordered, *(_waiting(c) for c in incident.status.conditions if _waits(c)))


def present(told: Sequence[Told]) -> Told | None:
    """Return the step that it has come to: what is seen meanwhile does not hide that somebody is asked or at work.

    :param told: in the order in which it was told, which is not always that of time: that an Incident was opened is
        read out of it when the first specialist is at work already.
    """
    work = [t for t in told if t.step.stage is not Stage.DETECTION]
    began = [t for t in told if t.step.what in BEGINNINGS and t.step.stage is Stage.DETECTION]
    if work and not any(b.number > work[-1].number and b.time > work[-1].time for b in began):
        return work[-1]
    latest = began or told
    return latest[-1] if latest else None


def _time(step: Step) -> float:
    assert step.time is not None, "what is stored has a time"
    return step.time.timestamp()


def _entry(entry: TimelineEntry) -> Step:
    _, head, *rest = f"{entry.id}//".split("/")
    message = shortened(entry.message)
    if entry.by == "act" and head == "resolved":
        return Step(Stage.RESOLUTION, "Resolved", message, entry.by, entry.time, entry.id)
    if entry.by == "act":
        stage = Stage.GATE if rest[1] in _NOT_DONE else _ACTED.get(rest[0], Stage.ACTION)
        return Step(stage, _word(rest[1]), message, entry.by, entry.time, entry.id)
    stage, what = _OBSERVED.get(head, (Stage.DIAGNOSIS, _word(head)))
    return Step(stage, what, message, entry.by, entry.time, entry.id)


def _waits(condition: Condition) -> bool:
    return condition.type in _WAITING and condition.status == "Unknown" and condition.reason not in _TOLD_ELSEWHERE


def _waiting(condition: Condition) -> Step:
    """Return a step without a time: when the condition began to be Unknown is not when this reason came up."""
    key = f"waits/{condition.type}/{condition.reason}/{condition.last_transition_time.isoformat()}"
    by = "observe" if condition.type == DIAGNOSED else "act"
    return Step(_WAITING[condition.type], condition.reason, shortened(condition.message), by, None, key)


def _word(text: str) -> str:
    """Return a CamelCase word of whatever stands in an id."""
    return "".join(p[:1].upper() + p[1:] for p in re.findall(r"[A-Za-z0-9]+", text))[:63].lstrip("0123456789") or "Told"
