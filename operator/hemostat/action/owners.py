"""Who else writes the fields that a plan writes, and would put them back (pure).

Fighting another controller heals nothing and rolls the pods twice. So the plan goes to the owner's knob, which is the
action's own affair (autoscalers), or it is refused with what to change where, or a person decides; see
operator/designs/0020-owners.md. Every plan passes here, whatever package its action comes from.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hemostat.action.effects import at, value_of
from hemostat.action.ownership import wrote
from hemostat.api.remediation import Effect, Verb
from hemostat.errors import Refused

Json = Mapping[str, Any]
BUILT_IN = frozenset({"", "apps", "batch"})
"""API groups whose controllers make objects and leave what others write to them."""
KUSTOMIZE, HELM = "kustomize.toolkit.fluxcd.io", "helm.toolkit.fluxcd.io"
KUSTOMIZE_MANAGER, HELM_MANAGER = "kustomize-controller", "helm-controller"
TRACKING, INSTANCE = "argocd.argoproj.io/tracking-id", "argocd.argoproj.io/instance"
ARGO_MANAGERS = ("argocd-controller", "argocd-application-controller")
"""Of server-side and client-side apply by Argo CD, whose own name for it is `ArgoCDSSAManager`."""
RELEASE = "meta.helm.sh/release-name"
LEFT_ALONE = frozenset({"Ignore", "IfNotPresent"})
"""Values of `kustomize.toolkit.fluxcd.io/ssa` with which Flux applies an object no more.
https://fluxcd.io/flux/components/kustomize/kustomizations/#controlling-the-apply-behavior-of-resources"""
MAX_TOLD = 6


@dataclass(frozen=True, slots=True)
class Owner:
    """Somebody else who writes the same fields."""

    name: str
    """Kind and name, as people call it."""
    reverts: bool
    """It puts back whatever others write; else that is not known."""
    advice: str
    """What a person can do."""


def heeded(effects: Sequence[Effect], objects: Sequence[Json]) -> tuple[Owner, ...]:
    """Return who may put back what the effects write, each once.

    Raises `Refused` (OwnedByOperator, OwnedByGitOps) where somebody surely does.

    :param objects: what the plan looked at; of those that it patches the live ones are found there.
    """
    live = {o.get("metadata", {}).get("uid"): o for o in objects}
    found: dict[str, Owner] = {}
    for effect in effects:
        if effect.verb is not Verb.PATCH or effect.uid not in live:
            continue
        paths = [op.path for op in effect.ops]
        for owner in owners(live[effect.uid], paths):
            if owner.reverts:
                _refuse(effect, live[effect.uid], owner)
            found[owner.name] = owner
    return tuple(found.values())


def owners(live: Json, paths: Sequence[str]) -> Iterator[Owner]:
    """Yield who else writes at or under these JSON pointers of a live object."""
    meta = live["metadata"]
    labels, notes = meta.get("labels") or {}, meta.get("annotations") or {}
    for ref in meta.get("ownerReferences") or ():
        if ref.get("controller") and str(ref.get("apiVersion", "")).rpartition("/")[0] not in BUILT_IN:
            kind = f"{ref.get('kind')} {ref.get('name')}"
            yield Owner(kind, reverts=True, advice=f"its operator makes the object from {kind}: change it there")
    if f"{KUSTOMIZE}/name" in labels and wrote(live, (KUSTOMIZE_MANAGER,), paths) and not _released(labels, notes):
        yield Owner(
            f"Flux Kustomization {labels.get(f'{KUSTOMIZE}/namespace', '')}/{labels[f'{KUSTOMIZE}/name']}",
            reverts=True,
            advice=f"or annotate it {KUSTOMIZE}/reconcile=disabled first, for as long as that is to hold",
        )
    if f"{HELM}/name" in labels and wrote(live, (HELM_MANAGER,), paths):
        yield Owner(
            f"Flux HelmRelease {labels.get(f'{HELM}/namespace', '')}/{labels[f'{HELM}/name']}",
            reverts=False,
            advice="it puts it back with its next upgrade, or soon if its driftDetection is enabled",
        )
    if (app := notes.get(TRACKING) or labels.get(INSTANCE)) and wrote(live, ARGO_MANAGERS, paths):
        yield Owner(
            f"Argo CD application {str(app).partition(':')[0]}",
            reverts=False,
            advice="it puts it back with its next sync, or within seconds if it heals itself (selfHeal)",
        )


def release_of(live: Json) -> str:
    """Return the Helm release that the object belongs to; empty if to none. Helm writes only when people tell it to."""
    meta = live["metadata"]
    labels, notes = meta.get("labels") or {}, meta.get("annotations") or {}
    tracked = notes.get(TRACKING) or f"{HELM}/name" in labels or f"{KUSTOMIZE}/name" in labels
    return "" if tracked else str(notes.get(RELEASE, ""))


def _released(labels: Mapping[str, str], notes: Mapping[str, str]) -> bool:
    """Tell whether Flux was told to leave the object alone, by a label or an annotation."""
    key = f"{KUSTOMIZE}/reconcile"
    disabled = "disabled" in (str(labels.get(key)).lower(), str(notes.get(key)).lower())
    return disabled or notes.get(f"{KUSTOMIZE}/ssa") in LEFT_ALONE


def _refuse(effect: Effect, live: Json, owner: Owner) -> None:
    git = owner.name.startswith("Flux")
    what = "; ".join(_wanted(effect, live))
    where = f"put this into its repository: {what}; {owner.advice}" if git else f"{owner.advice} ({what})"
    raise Refused(
        "OwnedByGitOps" if git else "OwnedByOperator",
        f"{effect.kind} {effect.name} is written by {owner.name}, which would put it back: {where}"[:1000],
    )


def _wanted(effect: Effect, live: Json) -> list[str]:
    """Say which fields are to have which values, a few of them, as a person finds them in a manifest."""
    told = [
        words
        for op in effect.ops
        for words in differences(
            at(live, op.path), value_of(op), op.path.strip("/").replace("/", ".").replace("~1", "/")
        )
    ]
    return told[:MAX_TOLD] + ([f"and {len(told) - MAX_TOLD} more"] if len(told) > MAX_TOLD else [])


def differences(before: Any, after: Any, path: str) -> Iterator[str]:
    """Yield the fields that differ with their new values; values of variables may be secrets and are not told."""
    if before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys((*before, *after)):
            yield from differences(before.get(key), after.get(key), f"{path}.{key}")
    elif _named(before) and _named(after):
        old, new = ({item["name"]: item for item in items} for items in (before, after))
        for key in dict.fromkeys((*old, *new)):
            yield from differences(old.get(key), new.get(key), f"{path}[{key}]")
    elif after is None:
        yield f"without {path}"
    elif ".env[" in path:
        yield f"{path} as it was"
    else:
        yield f"{path}: {json.dumps(after)[:200]}"


def _named(items: Any) -> bool:
    return isinstance(items, list) and all(isinstance(item, Mapping) and "name" in item for item in items)
