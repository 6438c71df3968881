"""What presets know of a target, and what all of their rules have in common (pure)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hemostat.api.meta import TargetRef
from hemostat.api.watch import SignalKind
from hemostat.signals import podnames
from hemostat.signals.rules import Rule, exactly, quoted

SCRAPE_SECONDS = 10.0
"""Presets ask no more often: few scrape faster."""
MAX_NAMES = 32
"""Claims or Secrets of one target that are named in a query."""


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
    return f"namespace={quoted(target.namespace)},pod=~{quoted(podnames.pattern(target.ref))}"


def sent_by_pods(target: Target) -> str:
    """Return the matchers of the target's pods in series that came by OTLP, with the resource attributes as labels."""
    return pods_of(target).replace("namespace=", "k8s_namespace_name=", 1).replace(",pod=~", ",k8s_pod_name=~", 1)


def containers_of(target: Target) -> str:
    """Return the label matchers of the containers in the target's pods."""
    return pods_of(target) + ',container!="",container!="POD"'


def any_of(names: Sequence[str]) -> str:
    """Return a quoted pattern that matches these names and no other."""
    return quoted("|".join(exactly(name) for name in sorted(set(names))[:MAX_NAMES]))


def mounted(pods: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the claims and of the Secrets that pods mount, sorted."""
    claims, secrets = set(), set()
    for volume in _volumes(pods):
        claims.add((volume.get("persistentVolumeClaim") or {}).get("claimName"))
        secrets.add((volume.get("secret") or {}).get("secretName"))
    return _names(claims), _names(secrets)


def _volumes(pods: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for pod in pods:
        yield from (pod.get("spec") or {}).get("volumes") or ()


def _names(found: set[Any]) -> tuple[str, ...]:
    return tuple(sorted(name for name in found if isinstance(name, str)))[:MAX_NAMES]
