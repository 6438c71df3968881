"""What is wrong with several pods of one template is one fact, with an example and how many there are (pure).

Pods come and go with other names: were each a fact of its own, a crash that lasts would leave no room for any other.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hemostat.signals.workload import Scene, Trouble

_HASHES = ("pod-template-hash", "controller-revision-hash")


@dataclass(frozen=True, slots=True)
class Wrong:
    """One thing that is wrong with all pods of a template that it is wrong with, or with another object."""

    name: str
    """Its identity: what a trouble is called. What is said of it may vary: the scheduler never says the same twice."""
    subject: str
    """The first of them."""
    text: str
    """What is wrong with that one, and how many others there were when it was noted."""


def alike(scene: Scene, found: Sequence[Trouble]) -> tuple[Wrong, ...]:
    """Return the troubles of a scene, those of one template and one word together, in their order."""
    templates = dict(_templates(scene))
    together: dict[str, dict[str, Trouble]] = {}
    for trouble in found:
        name = f"{templates.get(trouble.subject, trouble.subject)}: {trouble.label or trouble.aspect}"
        together.setdefault(name, {}).setdefault(trouble.subject, trouble)
    return tuple(_wrong(name, list(of.values())) for name, of in together.items())


def _wrong(name: str, of: Sequence[Trouble]) -> Wrong:
    first, more = of[0], len(of) - 1
    others = f"{'; ' if first.words else ': '}{more} more like it" if more else ""
    return Wrong(name, first.subject, f"{first}{others}")


def _templates(scene: Scene) -> Iterator[tuple[str, str]]:
    """Yield what pods are made from, by their names. All runs of a CronJob are made from one template, its own."""
    runs = (scene.target or {}).get("kind") == "CronJob"
    for made in (*scene.pods, *(scene.owned if runs else ())):
        meta = made["metadata"]
        labels, owners = meta.get("labels") or {}, meta.get("ownerReferences") or ()
        known = next((labels[name] for name in _HASHES if name in labels), "")
        template = scene.name if runs else known or next((o["name"] for o in owners), "")
        if template:
            yield meta["name"], template
