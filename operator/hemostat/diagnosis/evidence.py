"""Facts about an incident, numbered once and never renumbered (pure)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from hemostat.api.incident import (
    BEFORE,
    MAX_EVIDENCE,
    MAX_EVIDENCE_BYTES,
    Advice,
    Evidence,
    EvidenceKind,
    Plot,
    SignalState,
    SignalStatus,
)
from hemostat.api.watch import PresentRevision
from hemostat.diagnosis.alike import Wrong, alike
from hemostat.diagnosis.plots import plot, said, span
from hemostat.diagnosis.redact import told
from hemostat.signals.changes import RECENT, ChangeKind, Noted, by_others, rollouts
from hemostat.signals.course import Course
from hemostat.signals.sentence import named, sentence
from hemostat.signals.workload import Aspect, Scene, WorkloadState, state_of, troubles

MAX_NOTED = 12
"""Changes around the target, and as many at its callees, that become evidence: the newest."""
MAX_TROUBLES = 16
MAX_COURSES = 6
"""Signals whose course becomes evidence, the worst first."""
_LEAST_POINTS = 3
MAX_CHANGES, KEPT_CHANGES = 32, 16
"""Changes of an Incident that become evidence, and the newest that stay once it came back: what changes all the time
would leave no room for signals and outcomes."""
_LASTING = frozenset({EvidenceKind.CHANGE, EvidenceKind.OUTCOME, EvidenceKind.EPISODE})
"""Kinds of what was done, not of how it is."""
MAX_KEY = 512
MAX_TEXT = 8192
"""Characters that are looked through for secrets: more than are kept, for placeholders are shorter than secrets."""
_WITHOUT_REPLICAS = ("Job", "CronJob", "Node")
AFTERWARDS = timedelta(seconds=60)
"""Changes at other objects that came later than this after the incident opened caused nothing; some healed it."""
MAX_LATER = 12
"""Changes that others made at the target later than that, and that become evidence: the first of half an hour."""


@dataclass(frozen=True, slots=True)
class Change:
    """Something that was changed at the target before the incident."""

    kind: str
    subject: str
    time: datetime
    age_seconds: float
    """How long before the incident opened; negative if after."""
    detail: str

    @property
    def key(self) -> str:
        """Identity as evidence. A revision begins once; other objects may change again and again."""
        when = "" if self.kind == ChangeKind.ROLLOUT else f"/{self.time:%H%M%S}"
        return f"change/{self.kind}/{self.subject}{when}"


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything a Runbook's symptoms may ask about."""

    target: Mapping[str, str]
    signals: tuple[SignalStatus, ...]
    changes: tuple[Change, ...]
    """Of the target, its configuration, autoscalers, nodes and quotas."""
    workload: WorkloadState | None
    troubles: tuple[str, ...]
    aspects: tuple[str, ...] = ()
    """What is wrong in one word each, for example `OOMKilled`."""
    callee_changes: tuple[Change, ...] = ()
    """Of the services that the target calls."""
    wrong: tuple[Wrong, ...] = ()
    """The troubles, those of pods of one template together."""

    def cel(self) -> dict[str, Any]:
        """Return the CEL variables; of changes only those before the incident."""
        return {
            "target": dict(self.target),
            "signals": [_signal(s) for s in self.signals],
            "changes": _before(self.changes),
            "calleeChanges": _before(self.callee_changes),
            "workload": _workload(self.workload, self.troubles, self.aspects),
        }


CEL_VARIABLES = frozenset({"target", "signals", "changes", "calleeChanges", "workload"})


def rollout_changes(
    revisions: Sequence[Mapping[str, Any]], opened: datetime, present: PresentRevision | None = None
) -> tuple[Change, ...]:
    """Return the rollouts of the last half hour before `opened`, newest first, with what they changed.

    :param revisions: ReplicaSets of a Deployment, or ControllerRevisions.
    :param present: when the newest revision was seen to begin, if it is later than the revision itself says.
    """
    found = []
    for revision, began, detail in rollouts(revisions):
        time = began
        if present is not None and revision > int(present.number or 0):
            continue  # it has only just begun: the next look knows when
        if present is not None and str(revision) == present.number and present.since_time is not None:
            time = max(time, present.since_time)
        if opened - time <= RECENT:
            age = (opened - time).total_seconds()
            found.append(Change(ChangeKind.ROLLOUT, f"revision {revision}", time, age, detail))
    return tuple(found)


def noted_changes(noted: Sequence[Noted], opened: datetime) -> tuple[Change, ...]:
    """Return what was noted at the objects around a target, newest first; at most 12."""
    found = [_noted(n, opened) for n in noted if -AFTERWARDS <= opened - n.time <= RECENT]
    return tuple(sorted(found, key=lambda c: c.age_seconds))[:MAX_NOTED]


def later_changes(noted: Sequence[Noted], opened: datetime) -> tuple[Change, ...]:
    """Return what others than controllers changed while there was trouble, oldest first: it may be what healed it."""
    later = sorted((n for n in noted if n.time - opened > AFTERWARDS and by_others(n)), key=lambda n: n.time)
    return tuple(_noted(n, opened) for n in later[:MAX_LATER])


def _noted(n: Noted, opened: datetime) -> Change:
    return Change(n.kind, f"{n.ref.kind} {n.ref.name}", n.time, (opened - n.time).total_seconds(), str(n))


def gather(
    target: Mapping[str, str],
    signals: Sequence[SignalStatus],
    scene: Scene,
    opened: datetime,
    now: datetime,
    *,
    present: PresentRevision | None = None,
    noted: Sequence[Noted] = (),
    callees: Sequence[Noted] = (),
) -> Facts:
    """Put together what is known.

    :param present: the target's newest revision as the Watch saw it.
    :param noted: changes at the target and the objects it depends on.
    :param callees: changes at the services that the target calls.
    """
    found = troubles(scene, now)
    aspects = tuple(dict.fromkeys(t.aspect.value for t in found))
    state = state_of(scene.target) if scene.target is not None else None
    if state is not None and Aspect.ROLLOUT_STUCK in aspects:
        state = replace(state, stuck=True)
    return Facts(
        target=target,
        signals=tuple(signals),
        changes=(
            *rollout_changes(scene.revisions, opened, present),
            *noted_changes(noted, opened),
            *later_changes(noted, opened),
        ),
        workload=state,
        troubles=tuple(str(t) for t in found)[:MAX_TROUBLES],
        aspects=aspects,
        callee_changes=noted_changes(callees, opened),
        wrong=alike(scene, found)[:MAX_TROUBLES],
    )


@dataclass(frozen=True, slots=True)
class Item:
    """A fact that has no number yet. Its texts may hold anything: they are redacted when it becomes evidence."""

    key: str
    """Its identity: the same fact is listed once."""
    kind: EvidenceKind
    subject: str
    summary: str
    time: datetime | None = None
    """When it was observed; None: now."""
    plot: Plot | None = None

    @property
    def identity(self) -> str:
        """Its key as evidence has it: bounded, and without secrets and personal data."""
        return told(self.key[:MAX_TEXT])[:MAX_KEY]

    def numbered(self, number: int, now: datetime) -> Evidence:
        """Return it as evidence, bounded, and without secrets and personal data."""
        return Evidence(
            id=f"E{number}",
            key=self.identity,
            kind=self.kind,
            subject=told(self.subject[:MAX_TEXT])[:256],
            summary=told(self.summary[:MAX_TEXT])[:1024],
            observed_time=self.time or now,
            plot=self.plot,
        )


def number(
    known: Sequence[Evidence],
    facts: Facts,
    traces: Mapping[str, Sequence[str]],
    now: datetime,
    courses: Mapping[str, Course] | None = None,
) -> tuple[Evidence, ...]:
    """Append facts that are not listed yet, with the next free numbers, within the bounds of `append`.

    :param traces: ids of traces that show a signal, by its key.
    :param courses: how the values of signals went until they fired, by their keys.
    """
    return append(known, _items(facts, traces, courses or {}), now)


def append(
    known: Sequence[Evidence], items: Iterable[Item], now: datetime, most: int = MAX_EVIDENCE
) -> tuple[Evidence, ...]:
    """Append what is not listed yet, with the next free numbers.

    At most `most` in all, 32 changes among them, and 256 KiB of JSON.
    """
    listed = {e.key for e in known}
    fresh = {i.identity: i for i in items if i.identity not in listed}
    found = list(known)
    last = int(known[-1].id.removeprefix("E")) if known else 0
    room = MAX_EVIDENCE_BYTES - sum(map(_bytes, known)) if fresh else 0
    changes = sum(e.kind is EvidenceKind.CHANGE for e in known)
    for item in fresh.values():
        if len(found) >= most:
            break
        changes += item.kind is EvidenceKind.CHANGE
        if item.kind is EvidenceKind.CHANGE and changes > MAX_CHANGES:
            continue
        made = item.numbered(last + 1, now)
        room -= _bytes(made)
        if room < 0:
            break
        found.append(made)
        last += 1
    return tuple(found)


def lasting(known: Sequence[Evidence]) -> tuple[Evidence, ...]:
    """Return what still holds once trouble came back: what was changed, what came of actions, and past incidents.

    What was seen of the trouble before is seen anew if it is there. The last item stays in any case, under another
    key, as one that is past: numbers go on from it, and none is given twice.
    """
    if not known:
        return ()
    *rest, last = known
    if last.kind not in _LASTING:
        text = f"before it came back: {last.summary}"[:1024]
        last = last.model_copy(update={"key": f"{BEFORE}{last.key}"[:MAX_KEY], "summary": text})
    changes = [e.id for e in rest if e.kind is EvidenceKind.CHANGE]
    old = set(changes[:-KEPT_CHANGES])
    return (*(e for e in rest if e.kind in _LASTING and e.id not in old), last)


def _bytes(evidence: Evidence) -> int:
    return len(evidence.model_dump_json(by_alias=True, exclude_none=True).encode()) + 1


def _items(facts: Facts, traces: Mapping[str, Sequence[str]], courses: Mapping[str, Course]) -> list[Item]:
    items: list[Item] = []
    firing = [s for s in facts.signals if s.state is SignalState.FIRING]  # witnesses that are well prove no trouble
    for s in firing:
        text = f"{sentence(s)} (from {s.source})"
        items.append(Item(f"signal/{s.key}{_raised(s)}", EvidenceKind.SIGNAL, s.subject, text, s.first_fired_time))
        if shown := traces.get(s.key):
            items.append(Item(f"traces/{s.key}", EvidenceKind.EXEMPLAR, s.subject, f"traces {', '.join(shown)}"))
    items += [_changed(c, "") for c in facts.changes]
    items += [Item(f"pod/{w.name}", EvidenceKind.WORKLOAD, w.subject, w.text) for w in facts.wrong]
    items += [_changed(c, "at a callee, ") for c in facts.callee_changes]
    if facts.workload is not None and facts.target["kind"] not in _WITHOUT_REPLICAS:
        w = facts.workload
        text = f"{w.readiness()}, {w.updated} of the newest template"
        items.append(Item("workload", EvidenceKind.WORKLOAD, facts.target["name"], text))
    return items + [item for s in firing[:MAX_COURSES] if s.key in courses for item in _went(s, courses[s.key])]


def _went(signal: SignalStatus, course: Course) -> Iterator[Item]:
    """Yield how it went until it fired: what came later is what was done about it."""
    fired = signal.first_fired_time
    before = replace(course, points=tuple(p for p in course.points if p[0] <= fired.timestamp()))
    if len(before.points) >= _LEAST_POINTS:
        text = f"{named(signal)}, the {span(before.points)} until it fired: {said(before, fired.timestamp())}"
        yield Item(f"course/{signal.key}", EvidenceKind.SERIES, signal.subject, text, None, plot(before, fired))


def _raised(signal: SignalStatus) -> str:
    """That trouble may be cut by now is another fact than that there is trouble."""
    cut = signal.conversation is not None and signal.conversation.advice is Advice.CUT
    return f"/{Advice.CUT}" if cut else ""


def _changed(c: Change, where: str) -> Item:
    when = f"{abs(c.age_seconds):.0f} s {'before' if c.age_seconds >= 0 else 'after'} the incident opened"
    what = f"{c.kind} of {c.subject}" if c.kind == ChangeKind.ROLLOUT else f"{c.subject} was changed"
    return Item(c.key, EvidenceKind.CHANGE, c.subject, f"{what} {where}{when}: {c.detail}", c.time)


def _before(changes: Sequence[Change]) -> list[dict[str, Any]]:
    return [_change(c) for c in changes if c.age_seconds >= 0][:32]


def _signal(s: SignalStatus) -> dict[str, Any]:
    return {
        "name": s.name,
        "kind": s.kind.value,
        "source": s.source.value,
        "subject": s.subject,
        "state": s.state.value,
        "value": float(s.value) if s.value is not None else 0.0,
        "threshold": float(s.threshold) if s.threshold is not None else 0.0,
        "advice": s.conversation.advice.value if s.conversation is not None else "",
    }


def _change(c: Change) -> dict[str, Any]:
    return {"kind": str(c.kind), "subject": c.subject, "ageSeconds": c.age_seconds, "detail": c.detail}


def _workload(state: WorkloadState | None, troubles: Sequence[str], aspects: Sequence[str]) -> dict[str, Any]:
    return {
        "desired": state.desired if state is not None else 0,
        "ready": state.ready if state is not None else 0,
        "complete": state is not None and state.complete,
        "stuck": state is not None and state.stuck,
        "troubles": list(troubles),
        "aspects": list(aspects),
    }
