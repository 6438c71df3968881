"""Do the detectors see the loops of real multi-agent runs (Who&When, ICML 2025)? -> build/bench/agents.json.

Run as `.venv/bin/python tests/bench/who_and_when.py`; data from $HEMOSTAT_BENCH_DATA (default ../shared/bench). 29 runs
have a label for each turn of their orchestrator: what its own model wrote when it was asked whether the run is in a
loop (silver labels, not human). A score at a turn knows what was answered before it and nothing later; scores and their
thresholds were fixed before any of them was held against a label, and not changed after:

- `verdict`: the confidence of what the product would say of the newest step, 0 if nothing; told: anything.
- `asked`: likeness of what was asked to the second likest of the last 12 requests to the same agent: a loop is three
  rounds. Told: from the likeness on that the product takes for the same.
- `asked_in_vain`: the same, of requests and answers, whichever is less alike.

Beside them baselines, with thresholds chosen on the other runs: words in common with an earlier instruction, the number
of the turn, and the length of the run. Long runs have loops and late turns are in them, so what counts is whether a
score tells turns apart *within* a run, and better than the turn's number does.
"""

import json
import os
import sys
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from who_and_when_runs import Exchange, Run, labelled, steps, unlabelled
from who_and_when_score import (
    Bools,
    Scored,
    auroc,
    balanced_accuracy,
    each_alone,
    f1,
    held_out,
    interval,
    turns,
    whole,
    within,
)

from hemostat.signals.loops.bank import Bank
from hemostat.signals.loops.detect import Detector
from hemostat.signals.loops.judge import judge
from hemostat.signals.loops.kernel.ring import ALIKE, SKETCH, SKETCHES
from hemostat.signals.loops.verdict import Advice, Verdict
from hemostat.telemetry.steps import Step
from hemostat.telemetry.steps.digest import similarity, sketch

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("HEMOSTAT_BENCH_DATA", ROOT.parent / "shared/bench")) / "who-and-when"
OUT = ROOT / "build/bench/agents.json"
KEY = "who_and_when"
RESAMPLES = 1_000
LOOPS = {"RepeatedStep", "Cycle", "ParaphraseLoop"}
SAME = ALIKE / SKETCH
"""Likeness from which on the product takes two requests for the same."""
KNOWN = {"turn_index_auroc": 0.672, "run_length_auroc": 0.90, "always_yes_f1": 0.465, "always_yes_run_f1": 0.766}
"""What the data's README gives: a scorer that finds something else is wrong."""
Score = Callable[[Run], list[float]]
TOLD_FROM = {"verdict": 1.0, "asked": SAME, "asked_in_vain": SAME}


def say(line: str) -> None:
    """Print a line."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def at_turns(run: Run, scored: Iterator[tuple[Exchange, float]]) -> list[float]:
    """Return for each turn of a run the score of the newest exchange that is over by then; 0 before the first."""
    found = [(exchange.until, score) for exchange, score in scored]
    return [next((score for until, score in reversed(found) if until <= turn), 0.0) for turn in run.turns]


def verdict(run: Run) -> list[float]:
    """Score by what the product says of the newest step."""
    bank = Bank(1)

    def told(step: Step) -> float:
        verdicts = [v for cycle in bank.take([step], step.ended or 0.0) if (v := judge(cycle)) is not None]
        return float(max((v.confidence for v in verdicts), default=0))

    return at_turns(run, ((exchange, told(step)) for exchange, step in steps(run)))


def asked(run: Run) -> list[float]:
    """Score by the likeness of requests."""
    return at_turns(run, _likeness(run, lambda now, before: similarity(now[0], before[0])))


def asked_in_vain(run: Run) -> list[float]:
    """Score by the likeness of requests and answers."""
    return at_turns(run, _likeness(run, lambda now, before: min(map(similarity, now, before))))


def _likeness(
    run: Run, alike: Callable[[tuple[bytes, bytes], tuple[bytes, bytes]], float]
) -> Iterator[tuple[Exchange, float]]:
    """Compare each exchange with the last ones that are remembered of the same caller and callee."""
    remembered: dict[tuple[str, str], deque[tuple[bytes, bytes]]] = defaultdict(lambda: deque(maxlen=SKETCHES))
    for exchange, step in steps(run):
        known, now = remembered[(exchange.caller, exchange.callee)], (step.sketch, sketch(exchange.answered))
        second = sorted((alike(now, before) for before in known), reverse=True)[1:2]
        yield exchange, second[0] if second else 0.0
        known.append(now)


def words_in_common(run: Run) -> list[float]:
    """Baseline: the highest share of words (Jaccard) that the newest instruction has in common with an earlier one."""

    def scored() -> Iterator[tuple[Exchange, float]]:
        earlier: list[set[str]] = []
        for exchange in run.exchanges:
            now = set(exchange.asked.lower().split())
            yield exchange, max((len(now & e) / max(1, len(now | e)) for e in earlier), default=0.0)
            earlier.append(now)

    return at_turns(run, scored())


def turn_index(run: Run) -> list[float]:
    """Baseline: where in the run the turn is."""
    return [float(turn) for turn in run.turns]


def run_length(run: Run) -> list[float]:
    """Baseline, not streaming: how many messages the run has in all."""
    return [float(run.messages)] * len(run.turns)


SCORES: dict[str, Score] = {"verdict": verdict, "asked": asked, "asked_in_vain": asked_in_vain}
BASELINES: dict[str, Score] = {
    "words_in_common": words_in_common,
    "turn_index": turn_index,
    "run_length": run_length,
}


def figures(name: str, runs: Sequence[Scored]) -> dict[str, Any]:
    """Return all figures of one score."""
    flat, best, mean = turns(runs), whole(runs), whole(runs, "mean")
    found: dict[str, Any] = {
        "turn_auroc": auroc(flat.scores, flat.labels),
        "within_run_auroc": within(runs),
        "run_auroc_of_highest": auroc(best.scores, best.labels),
        "run_auroc_of_mean": auroc(mean.scores, mean.labels),
        "turn": {"held_out_threshold": _told(held_out(runs), flat.labels)},
        "run": {"held_out_threshold": _told(held_out(each_alone(best)), best.labels)},
    }
    if name in TOLD_FROM:
        for key, one in (("turn", flat), ("run", best)):
            found[key] |= {"as_the_product_tells": _told(one.scores >= TOLD_FROM[name], one.labels)}
    return _rounded(found)


def _told(told: Bools, labels: Bools) -> dict[str, float]:
    return {
        "balanced_accuracy": balanced_accuracy(told, labels),
        "f1": f1(told, labels),
        "told": int(told.sum()),
        "right": int((told & labels).sum()),
    }


def intervals(scored: dict[str, list[Scored]]) -> dict[str, dict[str, list[float]]]:
    """Return 95 % intervals by resampling whole runs; differences are of the same resample."""
    rng = np.random.default_rng(20261121)
    size = len(next(iter(scored.values())))
    drawn: dict[str, dict[str, list[float]]] = {name: defaultdict(list) for name in scored}
    for _ in range(RESAMPLES):
        chosen = rng.integers(0, size, size)
        now: dict[str, dict[str, float]] = {}
        for name, runs in scored.items():
            some = [runs[i] for i in chosen]
            flat, best = turns(some), whole(some)
            now[name] = {
                "turn_auroc": auroc(flat.scores, flat.labels),
                "within_run_auroc": within(some),
                "run_auroc_of_highest": auroc(best.scores, best.labels),
            }
            if name in TOLD_FROM:
                now[name]["turn_balanced_accuracy"] = balanced_accuracy(flat.scores >= TOLD_FROM[name], flat.labels)
                now[name]["run_balanced_accuracy"] = balanced_accuracy(best.scores >= TOLD_FROM[name], best.labels)
        for name, values in now.items():
            for key, value in values.items():
                drawn[name][key].append(value)
            for key in ("turn_auroc", "within_run_auroc"):
                drawn[name][f"{key}_above_turn_index"].append(values[key] - now["turn_index"][key])
    return {name: {key: interval(some) for key, some in values.items()} for name, values in drawn.items()}


def background(runs: Sequence[Run]) -> dict[str, Any]:
    """Return what all detectors tell of runs about whose loops nothing is known: mostly none, by their reasons."""
    notified, cut = set(), set()
    kinds: dict[str, int] = defaultdict(int)
    for run in runs:
        for found in _verdicts(run):
            kinds[found.kind.value] += 1
            notified.add(run.name)
            if found.advice is Advice.CUT:
                cut.add(run.name)
    return {"runs": len(runs), "with_a_verdict": len(notified), "with_a_cut": len(cut), "verdicts": dict(kinds)}


def _verdicts(run: Run) -> Iterator[Verdict]:
    detector = Detector(1, delay=0.0)
    for _, step in steps(run):
        yield from (v for v in detector.take([step], step.ended or 0.0) if v.kind.value in LOOPS)


def check(scored: dict[str, list[Scored]]) -> dict[str, float]:
    """Score what the data's README scores; raises SystemExit when that differs."""
    flat, best = turns(scored["turn_index"]), whole(scored["run_length"])
    found = {
        "turn_index_auroc": auroc(flat.scores, flat.labels),
        "run_length_auroc": auroc(best.scores, best.labels),
        "always_yes_f1": f1(np.ones_like(flat.labels), flat.labels),
        "always_yes_run_f1": f1(np.ones_like(best.labels), best.labels),
    }
    if any(abs(found[name] - value) > 0.0051 for name, value in KNOWN.items()):
        raise SystemExit(f"the scorer is wrong: it finds {found}, known are {KNOWN}")
    return found


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    return round(value, 3) if isinstance(value, float) else value


def main() -> None:
    """Measure, and write beside what `agents.py` wrote."""
    if not DATA.is_dir():
        say(f"who_and_when: skipped, no data in {DATA} (HEMOSTAT_BENCH_DATA)")
        return
    runs = labelled(DATA)
    labels = [np.array(run.labels, np.bool_) for run in runs]
    scored = {
        name: [Scored(np.array(score(run)), label) for run, label in zip(runs, labels, strict=True)]
        for name, score in (SCORES | BASELINES).items()
    }
    flat = turns(scored["verdict"])
    result = {
        "runs": len(runs),
        "runs_with_a_loop": int(sum(label.any() for label in labels)),
        "turns": len(flat.labels),
        "turns_in_a_loop": int(flat.labels.sum()),
        "scorer_on_known_baselines": _rounded(check(scored)),
        "scores": {name: figures(name, scored[name]) for name in SCORES},
        "baselines": {name: figures(name, scored[name]) for name in BASELINES},
        "bootstrap_over_runs_95_percent": intervals(scored),
        "background_algorithm_generated": background(unlabelled(DATA)),
        "background_hand_crafted": background(runs),
    }
    OUT.parent.mkdir(parents=True, exist_ok=True)
    known = json.loads(OUT.read_text()) if OUT.is_file() else {}
    OUT.write_text(json.dumps(known | {KEY: result}, indent=1) + "\n")
    say(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
