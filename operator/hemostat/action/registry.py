"""The catalogue: actions found by entry point, checked once at start."""

from collections.abc import Iterable, Mapping
from importlib.metadata import entry_points
from typing import Any

from hemostat.action.contract import Action
from hemostat.errors import Broken

ENTRY_POINTS = "hemostat.remediations"
Catalogue = Mapping[str, Action[Any]]


def discover(allowed: Iterable[str] | None = None) -> Catalogue:
    """Load every action of the entry-point group, or only the `allowed` names.

    Raises `Broken` when one cannot be loaded, is not an Action, bears another name than its entry point, or is
    allowed and not there. A safety organ does not start with half a catalogue.
    """
    wanted = None if allowed is None else frozenset(allowed)
    found: dict[str, Action[Any]] = {}
    for point in entry_points(group=ENTRY_POINTS):
        if wanted is not None and point.name not in wanted:
            continue
        try:
            action = point.load()
        except (ImportError, AttributeError) as error:
            raise Broken(f"remediation {point.name} ({point.value}) cannot be loaded: {error}") from error
        if not isinstance(action, Action) or action.name != point.name:
            raise Broken(f"entry point {point.name} ({point.value}) is not an Action of that name")
        if point.name in found:
            raise Broken(f"two packages provide the remediation {point.name}")
        found[point.name] = action
    missing = sorted((wanted or frozenset()) - found.keys())
    if missing:
        raise Broken(f"no installed package provides the remediations {', '.join(missing)}")
    return found
