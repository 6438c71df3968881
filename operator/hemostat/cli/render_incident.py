"""One Incident from beginning to end, as a person on call reads it (pure)."""

from collections.abc import Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.text import Text

from hemostat.api.approval import Approval
from hemostat.api.incident import RESOLVED, Cause, Diagnosis, Incident, SignalState, SignalStatus
from hemostat.api.meta import find
from hemostat.api.remediation import Remediation
from hemostat.cli import render_conversations, render_remediation
from hemostat.cli.render_opinion import opinion
from hemostat.cli.state import NO_DATA, is_resolved, seconds_to_resolve, state
from hemostat.cli.text import age, grid, offset, outcome, words
from hemostat.cli.timeline import Line, timeline, waiting_for_a_person
from hemostat.diagnosis.matcher import NO_RUNBOOKS
from hemostat.signals.sentence import named, sentence


def page(
    incident: Incident, remediations: Sequence[Remediation], approvals: Sequence[Approval], now: datetime
) -> RenderableType:
    """Return everything that is known about the Incident."""
    start = incident.spec.opened_time
    parts: list[RenderableType] = [header(incident, now)]
    parts += _section("Timeline (seconds since opening)", lines(timeline(incident, remediations), start))
    if incident.status.causes:
        parts += _section("Where it may have begun", causes(incident.status.causes))
    own = [s for s in incident.status.signals if _of_target(s, incident)]
    elsewhere = [s for s in incident.status.signals if not _of_target(s, incident)]
    if own:
        parts += _section("Signals", signals(own))
    if any(s.conversation is not None for s in incident.status.signals):
        talking = render_conversations.conversations(incident.status.signals, remediations)
        parts += _section("Conversations of agents", talking)
    if elsewhere:
        parts += _section("Who suffers from it", signals(elsewhere))
    if incident.status.evidence:
        parts += _section("Evidence", evidence(incident))
    if incident.status.diagnosis is not None and incident.status.diagnosis.hypotheses:
        parts += _section(f"Diagnosis by {incident.status.diagnosis.by}", diagnosis(incident.status.diagnosis))
    said = opinion(incident)
    if said is not None:
        parts += _section("What models say", said)
    diagnosed = find(incident.status.conditions, "Diagnosed")
    if diagnosed is not None and diagnosed.status != "True":
        style = "dim" if diagnosed.reason == NO_RUNBOOKS else "yellow"
        parts += _section("Not diagnosed", words(f"  {diagnosed.reason}: {diagnosed.message}", style))
    if remediations:
        blocks = [render_remediation.block(r, approvals, start) for r in remediations]
        parts += _section("Remediations", Group(*blocks))
    parts += [next_steps(incident, remediations)]
    return Group(*parts)


def _of_target(signal: SignalStatus, incident: Incident) -> bool:
    """Tell whether it is about the Incident's own target, whichever Watch saw it: that does not suffer from itself."""
    other, mine = signal.target_ref, incident.spec.target_ref
    return signal.watch_ref is None or (other is not None and (other.kind, other.name) == (mine.kind, mine.name))


def header(incident: Incident, now: datetime) -> RenderableType:
    """Return the title, where it is and how it stands."""
    spec = incident.spec
    said, style = state(incident)
    took = seconds_to_resolve(incident)
    first = words(f"Incident {incident.metadata.name}  ", "bold")
    first.append_text(outcome(incident.status.severity or "?"))
    first.append_text(words(f"  {said}" + (f" after {took:.1f} s" if took is not None else ""), style))
    where = f"namespace {incident.metadata.namespace}, {spec.target_ref.kind} {spec.target_ref.name}"
    opened = f"opened {spec.opened_time:%Y-%m-%d %H:%M:%SZ}, {age(spec.opened_time, now)} ago"
    lines = [
        first,
        words(incident.status.summary or spec.title),
        words(f"{where}, Watch {spec.watch_ref.name}, {opened}", "dim"),
    ]
    return Group(*lines, *(words(line, "yellow") for line in _relations(incident)))


def _relations(incident: Incident) -> list[str]:
    """Say what it has to do with others, and with itself before."""
    status, out = incident.status, []
    if status.part_of is not None:
        out.append(f"part of Incident {status.part_of.name}: what is to be done is proposed there")
    if status.reopened is not None:
        out.append(f"came back {_times(status.reopened.count)}, last at {status.reopened.time:%H:%M:%SZ}")
    if status.storm is not None:
        out.append(status.storm.words)
    resolved = find(status.conditions, RESOLVED)
    if resolved is not None and resolved.reason == NO_DATA and not is_resolved(incident):
        out.append(resolved.message)
    return out


def lines(entries: Sequence[Line], start: datetime) -> RenderableType:
    """Return the timeline."""
    out = grid()
    for entry in entries:
        when = words(f"{offset(entry.time, start):>9}")
        out.add_row("", when, words(_who(entry.by), "cyan"), words(entry.message))
    return out


def line(entry: Line, start: datetime) -> Text:
    """Return one entry of the timeline on one line, for live output."""
    out = words(f"{offset(entry.time, start):>9}  ")
    out.append_text(words(f"{_who(entry.by):<8} ", "cyan"))
    out.append_text(words(entry.message))
    return out


def causes(found: Sequence[Cause]) -> RenderableType:
    """Return the ranking over the call graph: how much points at each service, and why."""
    out = grid()
    for cause in found:
        watched = "" if cause.watch_ref is not None else " (nobody watches it)"
        reasons = "; ".join(cause.reasons) or "nothing points at it"
        out.add_row("", words(f"{cause.score_percent}"), words(cause.service, "bold"), words(reasons + watched))
    return out


def signals(found: Sequence[SignalStatus]) -> RenderableType:
    """Return the signals as last observed."""
    out = grid()
    for s in found:
        at = f" at {s.target_ref.kind} {s.target_ref.name}" if s.target_ref is not None else ""
        fires = s.state is SignalState.FIRING
        said = sentence(s) if fires else f"{named(s)}, since {s.state_time:%H:%M:%SZ}"
        out.add_row("", outcome(s.state), outcome(s.severity if fires else ""), words(f"{said} ({s.source}{at})"))
    return out


def evidence(incident: Incident) -> RenderableType:
    """Return the numbered facts."""
    out = grid()
    for item in incident.status.evidence:
        out.add_row("", words(item.id, "bold"), words(item.kind), words(item.summary))
    return out


def diagnosis(found: Diagnosis) -> RenderableType:
    """Return every hypothesis: the chosen one marked, the others with why they were ruled out."""
    out = grid()
    chosen = found.runbook_ref.name if found.runbook_ref else None
    for h in found.hypotheses:
        mine = h.runbook == chosen
        cites = f" (cites {', '.join(h.cites)})" if h.cites else ""
        why = f"{h.cause}{cites}"
        if h.ruled_out:
            why = f"{why}; not done: {h.ruled_out}" if h.ruled_out_only else f"ruled out: {h.ruled_out}"
        mark = words("=>", "bold green") if mine else words("")
        out.add_row("", mark, words(h.runbook, "bold" if mine else ""), words(f"{h.confidence_percent} %"), words(why))
    return out


def next_steps(incident: Incident, remediations: Sequence[Remediation]) -> RenderableType:
    """Return what a person can do now, if anything waits for one."""
    namespace = incident.metadata.namespace
    waiting = [r.metadata.name for r in remediations if waiting_for_a_person(r)]
    if waiting and not is_resolved(incident):
        name = waiting[-1]
        return Group(
            words("A person must decide:", "bold yellow"),
            words(f"  kubectl hemostat approve {name} -n {namespace}"),
            words(f"  kubectl hemostat deny {name} -n {namespace} --reason ..."),
        )
    return words("")


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _section(title: str, body: RenderableType) -> list[RenderableType]:
    return [words(""), words(title, "bold underline"), body]


def _who(by: str) -> str:
    return by.removeprefix("hemostat-")
