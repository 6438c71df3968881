"""Builds steps of conversations."""

from hemostat.telemetry.steps import Basis, Failure, Operation, Source, Step


def tool(
    *,
    agent="a",
    peer="search",
    conversation="c",
    start=0.0,
    took=1.0,
    ended=0.0,
    asked=1,
    about=1,
    result=1,
    tokens=0,
    failed=Failure.NONE,
    operation=Operation.TOOL,
    sketch=b"",
):
    return Step(
        conversation=conversation,
        basis=Basis.SESSION,
        service="team",
        agent=agent,
        operation=operation,
        peer=peer,
        source=Source.GENAI,
        trace=b"t" * 16,
        span=b"s" * 8,
        started=start,
        ended=None if ended is None else start + took,
        arguments=asked,
        about=about,
        result=result,
        tokens_in=tokens,
        failed=failed,
        sketch=sketch,
    )


def steps(*changes, every=2.0):
    """Return a step for each set of changes, one after the other."""
    return [tool(**({"start": every * i} | change)) for i, change in enumerate(changes)]
