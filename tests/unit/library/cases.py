"""The cases of the library's Runbooks as facts; `cases.yaml` says what is real of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from tests.bench.incidents.recorded import Recorded, library, load

from hemostat.api.incident import EvidenceKind, SignalStatus
from hemostat.clock import parse_time
from hemostat.diagnosis.evidence import Change, Facts
from hemostat.diagnosis.recall import recall
from hemostat.signals.workload import WorkloadState

ROOT = Path(__file__).parents[3]
BEGAN = parse_time("2026-11-22T10:00:00Z")
_LISTS = ("signals", "changes", "calleeChanges", "aspects", "troubles")
Told = Mapping[str, Any]


@dataclass(frozen=True)
class Case:
    """What one Runbook is tried on."""

    runbook: str
    match: Facts
    near: Facts
    lacks: str
    """The one Required symptom that the near miss does not show."""


@cache
def recordings() -> dict[str, Recorded]:
    """Return every recorded Incident by kind and number."""
    return {one.id: one for one in load()}


@cache
def books():
    """Return the whole library."""
    return library(ROOT)


def cases() -> Iterator[Case]:
    """Yield the case of each Runbook."""
    for name, told in yaml.safe_load(Path(__file__).with_name("cases.yaml").read_text(encoding="utf-8")).items():
        match = _facts(told["match"], None)
        yield Case(name, match, _facts(told["near"], match), told["near"]["lacks"])


def _facts(told: Told, match: Facts | None) -> Facts:
    if "recorded" in told:
        incident = recordings()[told["recorded"]].incident
        out = {EvidenceKind(kind) for kind in told.get("taken-out", ())}
        kept = tuple(e for e in incident.status.evidence if e.kind not in out)
        assert not out or 0 < len(kept) < len(incident.status.evidence), told
        return recall(
            incident.model_copy(update={"status": incident.status.model_copy(update={"evidence": kept})})
        ).facts
    if "made" in told:
        return _made(told["made"])
    assert match is not None
    fewer = replace(match, **dict.fromkeys(told.get("minus", ()), ()))
    more = _made(told.get("plus", {}))
    return replace(
        fewer,
        signals=(*fewer.signals, *more.signals),
        changes=(*fewer.changes, *more.changes),
        aspects=(*fewer.aspects, *more.aspects),
    )


def _made(told: Told) -> Facts:
    target = {"kind": told.get("kind", "Deployment"), "name": "orders"}
    assert set(told) <= {"kind", "desired", "ready", *_LISTS}, told
    well = not told.get("aspects")
    desired = told.get("desired", 2)
    ready = told.get("ready", desired if well else 0)
    return Facts(
        target=target,
        signals=tuple(_signal(*s) for s in told.get("signals", ())),
        changes=tuple(_change(*c) for c in told.get("changes", ())),
        workload=WorkloadState(
            desired=desired, ready=ready, updated=desired, total=desired, complete=well, stuck=False
        ),
        troubles=tuple(told.get("troubles", ())),
        aspects=tuple(told.get("aspects", ())),
        callee_changes=tuple(_change(*c) for c in told.get("calleeChanges", ())),
    )


def _change(kind: str, age: float, detail: str) -> Change:
    return Change(kind, f"{kind} orders", BEGAN, float(age), detail)


def _signal(kind: str, subject: str, advice: str = "") -> SignalStatus:
    when = "2026-11-22T10:00:00Z"
    made: dict[str, Any] = {
        "key": f"made/{kind}/{subject}",
        "name": "made",
        "kind": kind,
        "source": "Prometheus",
        "subject": subject,
        "state": "Firing",
        "stateTime": when,
        "firstFiredTime": when,
        "observedTime": when,
        "severity": "Minor",
        "message": subject,
    }
    if advice:
        caller, _, callee = subject.partition(" -> ")
        talk = {"kind": kind, "caller": caller, "callee": callee, "advice": advice}
        made["conversation"] = talk | {"confidencePercent": 90, "visibility": "Full"}
    return SignalStatus.model_validate(made)
