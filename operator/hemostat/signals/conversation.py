"""Conversations of AI agents that do not come to an end: verdicts of the detectors as signals of a Watch (pure).

One observation per kind and edge, whatever the number of conversations: what is cut is an edge. A verdict that was not
found again for a while is over, and that is health only while the agents still tell of themselves.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from hemostat.api.incident import Conversation, ConversationStatus, Severity, SignalSource
from hemostat.api.watch import Budget, ConversationSignal, Legitimate, SignalKind
from hemostat.signals import budgets, covered
from hemostat.signals.base import Observation, Timing
from hemostat.signals.loops.coverage import Coverage
from hemostat.signals.loops.spend import Standing
from hemostat.signals.loops.verdict import Advice, Verdict, Visibility
from hemostat.signals.rules import one_line

TIMING = Timing(for_seconds=0, clear_seconds=10)
"""The detectors have waited long enough already."""
MAX_CONVERSATIONS = 16
"""Conversations that a signal names."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A verdict about the target's conversations, and whether it still holds."""

    verdict: Verdict
    goes_on: bool
    since: datetime
    """When it was first found."""


@dataclass(frozen=True, slots=True)
class Talk:
    """What is known of the target's conversations."""

    troubles: Sequence[Trouble] = ()
    steps: int = 0
    """Steps of its agents that came within the last minute."""
    heard: bool = False
    """Whether any ever came."""
    budgets: Mapping[Budget, Standing] = field(default_factory=dict)
    """How those of the Watch stand."""
    coverage: Coverage = field(default_factory=Coverage)
    """How much of what its agents do arrives."""


def judge(name: str, signal: ConversationSignal, talk: Talk, now: datetime) -> Iterator[Observation]:
    """Yield an observation for every kind and edge in trouble, and one for all that is well."""
    groups: dict[tuple[str, str], list[Trouble]] = {}
    for trouble in talk.troubles:
        verdict = trouble.verdict
        wanted = not signal.kinds or verdict.kind.value in signal.kinds
        if wanted and verdict.confidence >= signal.min_confidence_percent and not _excused(verdict, signal, now):
            groups.setdefault((verdict.kind.value, _subject(verdict)), []).append(trouble)
    for (_, subject), troubles in groups.items():
        yield _observation(name, subject, troubles, talk)
    if talk.heard:
        yield from budgets.judge(name, signal, talk.budgets, now)
        yield Observation(
            key=f"{name}/all",
            name=name,
            kind=SignalKind.AGENT,
            source=SignalSource.TRACES,
            subject="conversations",
            wrong=False if talk.steps else None,
            samples=talk.steps,
            note=covered.words(talk.coverage) if talk.steps else "",
        )


def _observation(name: str, subject: str, troubles: Sequence[Trouble], talk: Talk) -> Observation:
    worst = max(troubles, key=lambda t: (t.goes_on, t.verdict.advice is Advice.CUT, t.verdict.rounds)).verdict
    going = any(t.goes_on for t in troubles)
    cut = any(t.goes_on and t.verdict.advice is Advice.CUT for t in troubles)
    since = {c: t.since for t in troubles if t.goes_on or not going for c in _conversations(t.verdict)}
    visibility = _visibility(worst, talk)
    first = sorted(since, key=lambda c: (since[c], c))[:MAX_CONVERSATIONS]
    return Observation(
        key=f"{name}/{worst.kind.value}/{subject}",
        name=name,
        kind=SignalKind(worst.kind.value),
        source=SignalSource.TRACES,
        subject=subject,
        wrong=True if going else (False if talk.steps else None),
        value=float(worst.rounds),
        unit=" rounds",
        samples=max(1, len(since)) if going else talk.steps,
        stated=Severity.MAJOR if cut else Severity.MINOR,
        note=one_line(f"{'' if going else 'over: '}{worst.words} (visibility: {visibility.value.lower()})", 900),
        conversation=ConversationStatus(
            kind=SignalKind(worst.kind.value),
            agents=tuple(a[:253] for a in worst.agents[:16]),
            caller=worst.edge[0][:253],
            callee=worst.edge[1][:253],
            conversations=tuple(Conversation(id=c[:253], since_time=since[c]) for c in first),
            affected=len(since),
            tokens=sum(t.verdict.tokens for t in troubles if t.goes_on or not going),
            open_tools=tuple(sorted({o[:253] for t in troubles if t.goes_on for o in t.verdict.open_tools}))[:16],
            confidence_percent=worst.confidence,
            visibility=visibility.value,
            advice=Advice.CUT if cut else Advice.NOTIFY,
        ),
    )


def _visibility(verdict: Verdict, talk: Talk) -> Visibility:
    """Where spans are missing nothing is seen in full."""
    less = verdict.visibility is Visibility.FULL and covered.lacking(talk.coverage)
    return Visibility.PARTIAL if less else verdict.visibility


def _conversations(verdict: Verdict) -> tuple[str, ...]:
    return verdict.conversations or ((verdict.conversation,) if verdict.conversation else ())


def _subject(verdict: Verdict) -> str:
    """The edge, or who is in it where there is none to cut."""
    caller, callee = verdict.edge
    return one_line(f"{caller} -> {callee}" if callee else ", ".join(verdict.agents), 250)


def _excused(verdict: Verdict, signal: ConversationSignal, now: datetime) -> bool:
    return any(_covers(word, verdict) and now < word.until_time for word in signal.legitimate)


def _covers(word: Legitimate, verdict: Verdict) -> bool:
    return (
        word.kind.value == verdict.kind.value
        and (word.caller in ("", verdict.edge[0]) or (not any(verdict.edge) and word.caller in verdict.agents))
        and word.callee in ("", verdict.edge[1])
    )
