"""What an Incident's status says after a look (pure)."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hemostat.api.incident import (
    CONSULTED,
    DETECTED,
    DIAGNOSED,
    MAX_CALLERS,
    MAX_TOLD,
    PART_OF,
    REMEDIATED,
    RESOLVED,
    WATCHED,
    Callers,
    Cause,
    ConversationStatus,
    Evidence,
    Incident,
    IncidentStatus,
    Reopening,
    Severity,
    SignalState,
    SignalStatus,
    Storm,
    TimelineEntry,
)
from hemostat.api.meta import LocalRef, find, is_true, set_condition
from hemostat.diagnosis.evidence import Facts, lasting, number
from hemostat.diagnosis.panel.conclude import Concluded
from hemostat.observe.store import BY
from hemostat.signals.correlate import Word, openings, own, summary
from hemostat.signals.evaluate import Look
from hemostat.signals.over import silent
from hemostat.signals.sentence import sentence
from hemostat.signals.severity import ORDER, WITH_REPLICAS, overall, worst

NUMBERS_TOLD = timedelta(seconds=10)
"""How long the same trouble with other numbers is no news: less than the time after which a signal is stale."""
CALLERS_TOLD = timedelta(minutes=1)
"""Who calls the target is told anew so often, though it is the same."""


def reopened(incident: Incident, seen: Look, now: datetime) -> IncidentStatus:
    """Return the status of a resolved Incident whose trouble came back: it is diagnosed anew."""
    firing, latest = seen.firing, {s.key: s.first_fired_time for s in seen.firing}
    status, count = incident.status, openings(incident) + 1
    resolved = find(status.conditions, RESOLVED)
    if resolved is not None:  # by another process' clock: it must be after that all the same
        now = max(now, resolved.last_transition_time + timedelta(microseconds=1))
    what = f": {sentence(firing[0])}" if firing else ""
    conditions = tuple(c for c in status.conditions if c.type not in (PART_OF, WATCHED))
    return status.model_copy(
        update={
            "reopened": Reopening(count=count, time=now),
            "part_of": None,
            "severity": None,
            "storm": None,
            "signals": tuple(
                s.model_copy(update={"first_fired_time": latest.get(s.key, s.first_fired_time)})
                for s in own(status.signals)
            ),
            "evidence": lasting(status.evidence),
            "summary": summary(firing) if firing else status.summary,
            "diagnosis": None,
            "conditions": set_condition(conditions, DIAGNOSED, "Unknown", "Reopened", "", now),
            "timeline": told(status.timeline, f"reopened/{count}", now, f"came back, {count}. time{what}"),
        }
    )


def described(
    incident: Incident,
    status: IncidentStatus,
    facts: Facts,
    signals: Sequence[SignalStatus],
    seen: Look,
    now: datetime,
    *,
    hold: bool = False,
) -> IncidentStatus:
    """Add what was seen: signals, numbered evidence, and what is new about them in the timeline.

    :param facts: about the target, its own signals among them.
    :param signals: all that the Incident shows: its own and those of others.
    :param seen: the look itself.
    :param hold: whether no evidence may be added now: somebody is reading it, and numbers go on where he stops.
    """
    conditions, timeline = status.conditions, status.timeline
    if not is_true(conditions, DETECTED):
        conditions = set_condition(conditions, DETECTED, True, "SignalFired", incident.spec.title, now)
        conditions = set_condition(conditions, DIAGNOSED, "Unknown", "NotYet", "", now)
        where = f"{incident.spec.target_ref.kind} {incident.spec.target_ref.name}"
        timeline = told(timeline, "detected", incident.spec.opened_time, f"opened: {where} is in trouble")
    firing = [s for s in own(signals) if s.state is SignalState.FIRING]
    for signal in firing:
        timeline = told(timeline, f"signal/{signal.key}", signal.first_fired_time, f"fires: {sentence(signal)}")
    for symptom in (s for s in signals if s.state is SignalState.FIRING and s.watch_ref is not None):
        timeline = _suffers(timeline, symptom, incident)
    elsewhere = (s for s in signals if s.watch_ref is not None)
    fires = [s for s in signals if s.state is SignalState.FIRING]
    how_bad = overall((*seen.signals, *elsewhere), facts.target["kind"], facts.workload)
    severity = worst(status.severity, how_bad)
    if severity is not None and severity is not status.severity:
        timeline = told(timeline, f"severity/{openings(incident)}/{severity}", now, _graded(severity, facts, fires))
    if status.part_of is None and (silence := silent(signals, now)):
        timeline = told(timeline, f"silent/{openings(incident)}", now, silence)
    return status.model_copy(
        update={
            "conditions": conditions,
            "signals": tuple(signals),
            "evidence": status.evidence if hold else number(status.evidence, facts, seen.traces, now, seen.courses),
            "summary": summary(firing) if firing else status.summary,
            "severity": severity,
            "timeline": timeline,
        }
    )


def _suffers(
    timeline: tuple[TimelineEntry, ...], symptom: SignalStatus, incident: Incident
) -> tuple[TimelineEntry, ...]:
    """Tell once what another Watch sees of another target; its own target does not suffer under itself."""
    target, mine = symptom.target_ref, incident.spec.target_ref
    if symptom.watch_ref is None or target is None or (target.kind, target.name) == (mine.kind, mine.name):
        return timeline
    message = f"{target.kind} {target.name} suffers: {sentence(symptom)}"
    return told(timeline, f"symptom/{symptom.watch_ref.name}", symptom.first_fired_time, message)


def grouped(status: IncidentStatus, word: Word, *, firing: bool, now: datetime) -> IncidentStatus:
    """Add what the others' looks say: where it began, whose part it is, what it stands for.

    :param firing: whether a signal of its own is wrong at present; while it clears the ranking stays as it was.
    """
    update: dict[str, object] = {}
    if word.causes and firing and _says_more(word.causes, status.causes):
        update["causes"] = word.causes  # else it says what was seen when it was laid, not how it clears
    if word.storm is not None:
        update["storm"] = word.storm
        update["timeline"] = told(status.timeline, f"storm/{size(word.storm)}", now, word.storm.words)
    if word.callers is not None:
        update["callers"] = _callers(status.callers, word.callers, now)
    status = status.model_copy(update=update)
    before = status.part_of.name if status.part_of is not None else ""
    if word.part_of == before:
        return status
    if word.part_of:
        message = f"Incident {word.part_of} is the cause of this one; what is to be done is proposed there"
        conditions = set_condition(status.conditions, PART_OF, True, "CauseElsewhere", message, now)
        entry = told(status.timeline, f"part-of/{word.part_of}", now, message)
        part_of = LocalRef(name=word.part_of)
    else:
        message = f"it still fires although Incident {before} is over: it stands on its own again"
        conditions = set_condition(status.conditions, PART_OF, False, "StandsAlone", message, now)
        entry = told(status.timeline, f"alone/{before}", now, message)
        part_of = None
    return status.model_copy(update={"part_of": part_of, "conditions": conditions, "timeline": entry})


def news(before: IncidentStatus, status: IncidentStatus, now: datetime) -> bool:
    """Tell whether the status is worth a write now: numbers that went on alone are told every ten seconds.

    Every write is a row of `kubectl get incident -w`. While an action is verified each number counts.
    """
    if is_true(status.conditions, REMEDIATED) and not is_true(status.conditions, RESOLVED):
        return status != before
    told_at = max((s.observed_time for s in before.signals), default=None)
    if told_at is None or not timedelta(0) <= now - told_at < NUMBERS_TOLD:
        return status != before
    return _without_numbers(status) != _without_numbers(before)


def _without_numbers(status: IncidentStatus) -> IncidentStatus:
    never = datetime.min.replace(tzinfo=UTC)
    still = {"value": None, "samples": 0, "observed_time": never}
    signals = tuple(
        s.model_copy(
            update=still | {"message": _blank(s.message), "conversation": s.conversation and _still(s.conversation)}
        )
        for s in status.signals
    )
    summary_ = _blank(status.summary) if status.summary is not None else None
    callers = status.callers.model_copy(update={"observed_time": never}) if status.callers is not None else None
    return status.model_copy(update={"signals": signals, "summary": summary_, "callers": callers})


def _blank(text: str) -> str:
    return re.sub(r"[\d.,]+", "0", text)


def _still(talk: ConversationStatus) -> ConversationStatus:
    return talk.model_copy(update={"tokens": 0})


def _callers(old: Callers | None, names: tuple[str, ...], now: datetime) -> Callers:
    """Tell who calls the target; the time moves on once a minute, so that nothing is written for it alone."""
    first = tuple(dict.fromkeys(n[:256] for n in names[:MAX_CALLERS]))
    new = Callers(total=len(names), names=first, observed_time=now)
    if old is None or (old.total, old.names) != (new.total, new.names):
        return new
    return old if timedelta(0) <= now - old.observed_time < CALLERS_TOLD else new


def consulting(status: IncidentStatus, now: datetime, *, anew: bool) -> IncidentStatus:
    """Say that a model is asked, and that nothing is decided until it has answered or its time is over.

    :param anew: whether what was decided before is in question.
    """
    conditions = status.conditions
    if anew or not is_true(conditions, DIAGNOSED):
        conditions = set_condition(conditions, DIAGNOSED, "Unknown", "Consulting", "a model is asked", now)
    conditions = set_condition(conditions, CONSULTED, "Unknown", "Consulting", "a model is asked", now)
    return status.model_copy(update={"conditions": conditions})


def consulted(
    status: IncidentStatus, concluded: Concluded, evidence: Sequence[Evidence], now: datetime
) -> IncidentStatus:
    """Say what came of asking a model, and add what was looked up for it."""
    conditions = set_condition(
        status.conditions, CONSULTED, concluded.consulted, concluded.reason, concluded.message, now
    )
    timeline = status.timeline
    if concluded.reason != "Decided":
        what = consulted_entry(status, concluded.reason).removeprefix(f"{BY}/")
        timeline = told(timeline, what, now, concluded.message)
    return status.model_copy(
        update={"conditions": conditions, "timeline": timeline, "evidence": (*status.evidence, *evidence)}
    )


def consulted_entry(status: IncidentStatus, reason: str) -> str:
    """Return the id of the entry of the timeline that tells first of what came of asking a model, in this opening."""
    return f"{BY}/consulted/{status.reopened.count if status.reopened is not None else 0}/{reason}"


def size(storm: Storm) -> int:
    """Return how large a storm is, in powers of two: it is told once at each."""
    return storm.targets.bit_length()


def abandoned(status: IncidentStatus, reason: str, message: str, now: datetime) -> IncidentStatus:
    """Say that nobody looks any more, and why."""
    conditions = set_condition(status.conditions, WATCHED, False, reason, message, now)
    entry = told(status.timeline, f"unwatched/{reason}", now, f"nobody looks any more: {message}")
    return status.model_copy(update={"conditions": conditions, "timeline": entry})


def _graded(severity: Severity, facts: Facts, firing: Sequence[SignalStatus]) -> str:
    """Say how bad it is, and why: pods that are missing or, where none is, the worst of the signals."""
    state = facts.workload if facts.target["kind"] in WITH_REPLICAS else None
    if state is not None and state.ready < state.desired:
        return f"severity {severity}: {state.readiness()}"
    worst_one = max(firing, key=lambda s: ORDER.index(s.severity), default=None)
    return f"severity {severity}" + (f": {sentence(worst_one)}" if worst_one is not None else "")


def _says_more(new: Sequence[Cause], old: Sequence[Cause]) -> bool:
    """Tell whether others are ranked, or more is said of them: who mends it must not take the reason away."""
    if [c.service for c in new] != [c.service for c in old]:
        return True
    return any(len(n.reasons) > len(o.reasons) for n, o in zip(new, old, strict=True))


def told(timeline: tuple[TimelineEntry, ...], what: str, time: datetime, message: str) -> tuple[TimelineEntry, ...]:
    """Add an entry unless it was told before, or enough was told."""
    entry_id = f"{BY}/{what}"[:253]
    if sum(e.by == BY for e in timeline) >= MAX_TOLD or any(e.id == entry_id for e in timeline):
        return timeline
    return (*timeline, TimelineEntry(id=entry_id, time=time, by=BY, message=message[:1024]))
