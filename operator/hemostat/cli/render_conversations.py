"""Trouble in conversations of AI agents: which ones, between whom, where it would be cut and where it is cut (pure)."""

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from hemostat.api.incident import Advice, ConversationStatus, SignalState, SignalStatus
from hemostat.api.remediation import Remediation
from hemostat.api.watch import SignalKind
from hemostat.cli.text import grid, outcome, words
from hemostat.lifecycle import held_until
from hemostat.signals.words import amount, counted


def conversations(signals: Sequence[SignalStatus], remediations: Sequence[Remediation]) -> RenderableType:
    """Return what is known of the conversations in trouble, and what was cut for it and until when."""
    out = grid()
    for signal in signals:
        if signal.conversation is not None:
            out.add_row("", outcome(signal.state), words(str(signal.conversation.kind), "bold"))
            for name, said in _facts(signal, signal.conversation):
                out.add_row("", words(name), words(said))
    for heading, what in _done(remediations):
        out.add_row("", heading, words(what))
    return out


def _facts(signal: SignalStatus, found: ConversationStatus) -> Iterator[tuple[str, str]]:
    if found.conversations:
        yield "conversation", _ids(found)
    if found.agents:
        yield "agents", ", ".join(found.agents)
    yield "to cut", _edge(signal, found)
    if found.open_tools:
        yield "at work", f"{', '.join(found.open_tools)}: broken off if a pod is deleted"
    yield "burnt", _burnt(signal, found)
    yield "visibility", f"{found.visibility}, {found.confidence_percent} % sure"


def _ids(found: ConversationStatus) -> str:
    ids = ", ".join(f"{c.id} (since {c.since_time:%H:%M:%SZ})" for c in found.conversations)
    more = found.affected - len(found.conversations)
    return ids + (f" and {more:,} more" if more > 0 else "")


def _edge(signal: SignalStatus, found: ConversationStatus) -> str:
    if not found.callee:
        return "no edge; a person must look"
    edge = f"{found.caller or 'anybody'} -> {found.callee}"
    if signal.state is not SignalState.FIRING:  # what it was worth at the end says nothing of what was done before
        return f"{edge}; nothing any more, it does not go on"
    if found.advice is Advice.CUT:
        return f"{edge}, by a Runbook or a person"
    return f"{edge}, by a person only: it costs too little so far, waits, or is not sure"


def _burnt(signal: SignalStatus, found: ConversationStatus) -> str:
    if found.kind is SignalKind.BUDGET and signal.value is not None:
        return amount(float(signal.value), signal.unit.strip())
    return f"{counted(found.tokens, 'token')} since it began" if found.tokens else "not told"


def _done(remediations: Sequence[Remediation]) -> Iterator[tuple[Text, str]]:
    """Yield what took effect: until when it holds, or when it was taken back."""
    for one in remediations:
        times = {result.effect: result.time for result in one.status.results}
        if one.status.plan is None or "Forward" not in times:
            continue
        said = f"{one.status.plan.summary}, at {times['Forward']:%H:%M:%SZ}"
        ends = held_until(one)
        if "Inverse" in times:
            yield words("restored", "green"), f"{said}, taken back at {times['Inverse']:%H:%M:%SZ}"
        elif ends is not None:
            yield words("cut now", "bold yellow"), f"{said}, until {ends:%H:%M:%SZ}"
        else:
            yield words("done", "yellow"), said
