"""Builds steps of conversations."""

from itertools import count

from hemostat.telemetry.steps import Basis, Failure, Operation, Source, Step

_SPANS = count(1)


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
    **more,
):
    return Step(
        conversation=conversation,
        basis=more.pop("basis", Basis.SESSION),
        service="team",
        agent=agent,
        operation=operation,
        peer=peer,
        source=Source.GENAI,
        trace=more.pop("trace", conversation.encode().rjust(16, b"t")),
        span=more.pop("span", next(_SPANS).to_bytes(8, "big")),
        started=start,
        ended=None if ended is None else start + took,
        arguments=asked,
        about=about,
        result=result,
        tokens_in=tokens,
        tenant=more.pop("tenant", ""),
        failed=failed,
        sketch=sketch,
        **more,
    )


def steps(*changes, every=2.0):
    """Return a step for each set of changes, one after the other."""
    return [tool(**({"start": every * i} | change)) for i, change in enumerate(changes)]
