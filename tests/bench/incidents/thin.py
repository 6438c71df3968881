"""Recorded Incidents with the evidence that decides taken out: whoever still answers, guesses."""

from collections.abc import Callable
from typing import Any

from tests.bench.incidents.recorded import Json, keep, read

NO_CHANGES, NO_SIGNAL = "no-changes-known", "no-deciding-signal"
CHANGES_FROM = (
    *("rollout-errors", "rollout-latency", "out-of-memory", "no-account"),
    *("bad-image", "crash-loop", "stuck-rollout"),
)
"""Of these the first recording, without what was changed."""
SIGNALS_FROM = (
    *(("traffic-burst", 1, "Saturation"), ("traffic-burst", 2, "Saturation"), ("ping-pong", 1, "Cycle")),
    *(("mutual-wait", 1, "Deadlock"), ("token-burn", 1, "TokenBurn"), ("provider-429", 1, "RetryStorm")),
)
"""Of these, without the signals of that kind."""


def thin() -> list[str]:
    """Write them all; return what could not be made, for there is no such recording."""
    lacking: list[str] = []
    for number, kind in enumerate(CHANGES_FROM, 1):
        _thin(NO_CHANGES, number, (kind, 1), without_changes, lacking)
    for number, (kind, of, signal) in enumerate(SIGNALS_FROM, 1):
        _thin(NO_SIGNAL, number, (kind, of), lambda i, signal=signal: without_signals(i, signal), lacking)
    return lacking


def without_changes(incident: Json) -> Json:
    """Return the Incident with nothing known of what was changed."""
    status = incident["status"]
    kept = [e for e in status["evidence"] if e["kind"] != "Change"]
    causes = [c | {"reasons": []} for c in status.get("causes", [])]  # they tell of the rollout too
    return incident | {"status": status | {"evidence": kept, "causes": causes}}


def without_signals(incident: Json, kind: str) -> Json:
    """Return the Incident without the signals of a kind, and what is known by them."""
    status = incident["status"]
    gone = {s["key"] for s in status["signals"] if s["kind"] == kind}
    told = {f"{prefix}/{key}" for key in gone for prefix in ("signal", "traces", "course")}
    kept = [e for e in status["evidence"] if e["key"].removesuffix("/Cut") not in told]
    signals = [s for s in status["signals"] if s["key"] not in gone]
    return incident | {"status": status | {"evidence": kept, "signals": signals}}


def _thin(kind: str, number: int, of: tuple[str, int], cut: Callable[[Any], Json], lacking: list[str]) -> None:
    try:
        told = read(*of)
    except FileNotFoundError:
        lacking.append(f"{kind}/{number}: there is no {of[0]}/{of[1]}")
        return
    keep(kind, number, f"{of[0]}/{of[1]}, thinned", cut(told["incident"]))
