"""Open Incidents of a Watch about a target that is there no more (pure): nobody would ever see them clear."""

from collections.abc import Iterable, Iterator

from hemostat.api.incident import Incident
from hemostat.api.watch import Watch
from hemostat.signals.correlate import is_over

Stray = tuple[Incident, str, str]
"""The Incident, and why nobody looks any more: a reason and what to tell."""


def strays(incidents: Iterable[Incident], watch: Watch, print_: str) -> Iterator[Stray]:
    """Yield them.

    :param incidents: all of the Watch's namespace.
    :param print_: fingerprint of the target that there is now; empty if there is none.
    """
    target = watch.spec.target
    for incident in incidents:
        spec = incident.spec
        if spec.watch_ref.name != watch.metadata.name or spec.fingerprint == print_ or is_over(incident):
            continue
        was = f"{spec.target_ref.kind} {spec.target_ref.name}"
        if (spec.target_ref.kind, spec.target_ref.name) != (target.kind, target.name):
            yield incident, "Retargeted", f"the Watch looks at {target.kind} {target.name} now, no longer at {was}"
        elif print_:
            said = f"{was} was deleted and created anew; trouble of the new one is an Incident of its own"
            yield incident, "TargetReplaced", said
        else:
            yield incident, "TargetDeleted", f"{was} was deleted"
