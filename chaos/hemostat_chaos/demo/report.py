"""What the demonstration writes down (pure)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hemostat_chaos.demo.owner import Proof
from hemostat_chaos.demo.tokens import words
from hemostat_chaos.experiment.record import Result

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class About:
    """Where it ran."""

    cluster_kind: str
    cluster_name: str
    versions: Mapping[str, str]


def report(
    about: About,
    results: Sequence[Result],
    proofs: Sequence[Proof],
    phases: Mapping[str, float],
    wanted: int,
    account: Json | None = None,
) -> Json:
    """Return report.json. Healed means: as many experiments as wanted passed and every proof holds.

    :param account: what the agents' loop cost, if they had a turn.
    """
    passed = len(results) == wanted and all(r.passed for r in results)
    return {
        "healed": passed and all(p.ok for p in proofs) and len(proofs) == wanted,
        "time_to_detect_seconds": _worst([r.time_to_detect_seconds for r in results]),
        "time_to_recover_seconds": _worst([r.time_to_recover_seconds for r in results]),
        "cluster": {"kind": about.cluster_kind, "name": about.cluster_name},
        "versions": dict(about.versions),
        "experiments": [r.report() for r in results],
        "agents": account,
        "owner_applies": [p.report() for p in proofs],
        "seconds": {name: round(seconds, 1) for name, seconds in phases.items()},
    }


def cluster_kind(nodes: Sequence[Mapping[str, Any]]) -> str:
    """Tell a kind cluster by its nodes' providerID."""
    ids = [str(n.get("spec", {}).get("providerID", "")) for n in nodes]
    return "kind" if ids and all(i.startswith("kind://") for i in ids) else "other"


def summary(whole: Mapping[str, Any]) -> list[str]:
    """Return the end of the demonstration as lines: every incident's timeline, then the figures."""
    lines: list[str] = []
    for e in whole["experiments"]:
        lines += ["", f"{e['name']}: incident {e['incident'] or 'none'} (seconds since the fault)"]
        lines += [f"  {t['seconds']:+7.1f} s  {_who(t['by']):<8} {t['message']}" for t in e["timeline"]]
    lines += ["", f"{'EXPERIMENT':<14} {'RESULT':<8} {'DETECTED AFTER':>15} {'RECOVERED AFTER':>16}  ACTION"]
    for e in whole["experiments"]:
        detect, recover = (_seconds(e[f"time_to_{k}_seconds"]) for k in ("detect", "recover"))
        word = "healed" if e["passed"] else "FAILED"
        lines.append(f"{e['name']:<14} {word:<8} {detect:>15} {recover:>16}  {e['action'] or '-'}")
        if not e["passed"]:
            lines.append(f"    {e['message']}")
    lines += [f"The owner after {p['workload']}: {p['message']}" for p in whole["owner_applies"]]
    if whole["agents"] is not None:
        lines.append(f"The agents' loop: {words(whole['agents'])}")
    phases = ", ".join(f"{k} {v:.0f} s" for k, v in whole["seconds"].items())
    return [*lines, f"Time: {phases}", "HEALED" if whole["healed"] else "NOT HEALED"]


def _worst(seconds: Sequence[float | None]) -> float | None:
    known = [s for s in seconds if s is not None]
    return round(max(known), 2) if known and len(known) == len(seconds) else None


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"


def _who(by: str) -> str:
    return by.removeprefix("hemostat-")
