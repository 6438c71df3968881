"""The catalogue: actions found by entry point, checked once at start."""

from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from hemostat.action.contract import Action
from hemostat.action.sound import faults
from hemostat.errors import Broken

ENTRY_POINTS = "hemostat.remediations"
Catalogue = Mapping[str, Action[Any]]


def discover(allowed: Iterable[str] | None = None) -> Catalogue:
    """Load every action of the entry-point group, or only the `allowed` names.

    Raises `Broken` when one cannot be loaded, is not an Action, is not sound, bears another name than its entry point
    or that of another one, or is allowed and not there. A safety organ does not start with half a catalogue.
    """
    wanted = None if allowed is None else frozenset(allowed)
    points: dict[str, EntryPoint] = {}
    for point in entry_points(group=ENTRY_POINTS):
        if wanted is not None and point.name not in wanted:
            continue
        if point.name in points:
            both = " and ".join(sorted(map(_whose, (points[point.name], point))))
            raise Broken(f"two packages provide the remediation {point.name}: {both}; uninstall one of them")
        points[point.name] = point
    missing = sorted((wanted or frozenset()) - points.keys())
    if missing:
        raise Broken(f"no installed package provides the remediations {', '.join(missing)}")
    return {name: _load(point) for name, point in points.items()}


def installed() -> frozenset[str]:
    """Return the names of all actions that are installed, those that may not be used here included."""
    return frozenset(point.name for point in entry_points(group=ENTRY_POINTS))


def _load(point: EntryPoint) -> Action[Any]:
    whose = f"remediation {point.name} of {_whose(point)}"
    try:
        action = point.load()
    except (Exception, SystemExit) as error:  # whatever somebody's module does as it is imported
        raise Broken(f"{whose} cannot be loaded: {type(error).__name__}: {error}; {_ADVICE}") from error
    if not isinstance(action, Action) or action.name != point.name:
        raise Broken(f"{whose} is not an Action of that name; {_ADVICE}")
    if wrong := "; ".join(faults(action)):
        raise Broken(f"{whose}: {wrong}; {_ADVICE}")
    return action


_ADVICE = "mend it, uninstall it, or leave it out of HEMOSTAT_ACTIONS"


def _whose(point: EntryPoint) -> str:
    package = f"package {point.dist.name} " if point.dist is not None else ""
    return f"{package}({point.value})"
