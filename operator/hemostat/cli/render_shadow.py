"""What would have been done beside what people did (pure)."""

from collections import Counter
from collections.abc import Sequence

from rich.console import Group, RenderableType

from hemostat.cli.text import columns, words
from hemostat.gate.shadow import Afterwards, Compared, asks
from hemostat.signals.words import counted

_SAID = {
    Afterwards.SAME: ("the same was done", "green"),
    Afterwards.OTHER: ("something else was done", "yellow"),
    Afterwards.NOTHING: ("nothing was done", ""),
    Afterwards.UNKNOWN: ("cannot be told", "dim"),
}


def page(found: Sequence[Compared], *, everywhere: bool) -> RenderableType:
    """Return one row for each Remediation in shadow, and how often people did the same."""
    if not found:
        return words("No Remediation ended in shadow: no GatePolicy with decision Shadow matched one.", "yellow")
    names = ("REMEDIATION", "WOULD HAVE", "PEOPLE", "BECAUSE")
    table = columns(*(("NAMESPACE", *names) if everywhere else names))
    for one in found:
        said, style = _SAID[one.afterwards]
        meta, plan = one.remediation.metadata, one.remediation.status.plan
        would = f"{'asked: ' if asks(one.remediation) else ''}{plan.summary if plan is not None else '?'}"
        row = [words(meta.name, "bold"), words(would), words(said, style), words(one.message)]
        table.add_row(*([words(meta.namespace or "")] if everywhere else []), *row)
    counts = Counter(one.afterwards for one in found)
    told = "; ".join(f"{counts[a]}: {_SAID[a][0]}" for a in Afterwards if counts[a])
    alone = sum(not asks(one.remediation) for one in found)
    return Group(table, words(""), words(f"{counted(len(found), 'action')}, {alone} without a person. {told}", "bold"))
