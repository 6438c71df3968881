"""What presets know of a target, and what all of their rules have in common (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass

from hemostat.api.meta import TargetRef
from hemostat.api.watch import SignalKind
from hemostat.signals.rules import Rule, exactly, quoted

SCRAPE_SECONDS = 10.0
"""Presets ask no more often: few scrape faster."""
MAX_NAMES = 32
"""Claims or Secrets of one target that are named in a query."""
_POD_NAMES = {
    "Deployment": "-[a-z0-9]{1,10}-[a-z0-9]{5}",
    "StatefulSet": "-[0-9]+",
    "DaemonSet": "-[a-z0-9]{5}",
    "Job": "(-[0-9]+)?-[a-z0-9]{5}",
    "CronJob": "-[0-9]+(-[0-9]+)?-[a-z0-9]{5}",
}
_GENERATED = 46
"""Names of workloads longer than this are cut in the names of their pods."""


@dataclass(frozen=True, slots=True)
class Target:
    """What presets must know of a target."""

    namespace: str
    ref: TargetRef
    claims: tuple[str, ...] = ()
    """Names of the PersistentVolumeClaims that its pods mount."""
    secrets: tuple[str, ...] = ()
    """Names of the Secrets that its pods mount: certificates are kept in them."""


def preset(name: str, aspect: str, kind: SignalKind, query: str, subject: str, **how: object) -> Rule:
    """Return a rule of a preset: silent where nothing is exported, and slow enough for what scrapers do."""
    shared = {"every_seconds": SCRAPE_SECONDS, "expected": False, "for_seconds": 30.0, "clear_seconds": 30.0}
    return Rule(name=name, aspect=aspect, kind=kind, query=query, subject=subject, **(shared | how))  # type: ignore[arg-type]


def pods_of(target: Target) -> str:
    """Return the label matchers, in PromQL, of the target's pods."""
    short = target.ref.name[:_GENERATED]
    pattern = exactly(short) + (_POD_NAMES.get(target.ref.kind, "-.+") if short == target.ref.name else ".*")
    return f"namespace={quoted(target.namespace)},pod=~{quoted(pattern)}"


def containers_of(target: Target) -> str:
    """Return the label matchers of the containers in the target's pods."""
    return pods_of(target) + ',container!="",container!="POD"'


def any_of(names: Sequence[str]) -> str:
    """Return a quoted pattern that matches these names and no other."""
    return quoted("|".join(exactly(name) for name in sorted(set(names))[:MAX_NAMES]))
