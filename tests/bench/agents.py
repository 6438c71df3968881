"""Agents that cannot, or will not, come to an end: are they told, in time, and nobody else? -> build/bench/agents.json.

    python tests/bench/agents.py                  # all figures (half an hour)
    python tests/bench/agents.py --tuning         # the set thresholds are chosen on, to a table, nothing is written

Conversations come from `agentworld`, which was committed before any detector. Thresholds were chosen on its set
`tuning` and on others of its kind; figures are of `main` (another seed, with families, variants and conventions that
`tuning` never had) and of `quiet` (no trouble at all). What of these was looked at since, by other seeds, is reported
apart (`LOOKED_AT`). A conversation is right if a verdict of the right kind is told after the trouble began, or
none is told where there is no trouble. Of a pair whose members look the same for more than three rounds (`late`) the
healthy one may be notified of, not cut: nobody can know better in time.
"""

import argparse
import json
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from agents_run import Told, run_set
from agents_visible import Shows
from agentworld.distort import lose_events, lose_spans, sample_traces
from agentworld.sets import SETS
from agentworld.truth import Truth
from bounds import poisson_upper

from hemostat.signals.loops.verdict import Advice, Verdict

OUT = Path(__file__).resolve().parents[2] / "build" / "bench" / "agents.json"
LOOPS = {"RepeatedStep", "Cycle", "ParaphraseLoop"}
OPEN_ONLY = {"Deadlock", "Recursion", "WaitingForPerson"}
"""Trouble in which nothing ends: invisible without the guard."""
CURVE_GROUPS = 6
LOOKED_AT = ("quarrel", "outage", "ring/ring of 6")
"""Left out of `tuning`, and looked at since: held out no longer, but never by the seeds of `main` and `quiet`."""
SKEW = 0.03
"""Seconds by which a pod's clock is off, at most."""


def right(one: Told) -> bool:
    """Tell whether what was told of a conversation is the truth."""
    truth = one.truth
    if not truth.kind:
        return not any(v.advice is Advice.CUT or not truth.late for _, v in one.verdicts)
    return first(one) is not None


def first(one: Told) -> tuple[float, Verdict] | None:
    """Return the first verdict of the right kind, told after the trouble began."""
    after = [(at, v) for at, v in one.verdicts if v.kind.value == one.truth.kind and at >= one.truth.started]
    return min(after, key=lambda x: x[0]) if after else None


def seen(one: Told) -> bool:
    """Tell whether any trouble was told after it began; a loop by the name of another kind of loop counts."""
    return any(at >= one.truth.started for at, _ in one.verdicts)


def cut(one: Told) -> bool:
    """Tell whether a cut would have been made."""
    return any(v.advice is Advice.CUT for _, v in one.verdicts)


def edge_right(one: Told) -> bool | None:
    """Tell whether the edge is one of the smallest cuts; None where there is nothing to cut, or nothing was told."""
    found = first(one)
    if found is None or not one.truth.cuts or not any(found[1].edge):
        return None
    caller, callee = found[1].edge
    return any(len(c) == 1 and _is(caller, c[0][0]) and _is(callee, c[0][1]) for c in one.truth.cuts)


def _is(name: str, agent: str) -> bool:
    """A service that is one agent's alone names it; one that is several agents' does not. Any model is "model"."""
    return agent in ("*", "model", name) or name.endswith(f"-{agent}")


def repeats(one: Told) -> tuple[int, int, int] | None:
    """Return how many rounds the first verdict was built on, how many were complete at the end of the newest of its
    steps, and how many when it was told: batches of spans arrive seconds later than the steps in them.
    """
    found = first(one)
    if found is None or not one.truth.repetitions:
        return None
    at, verdict = found
    rounds = one.truth.repetitions
    return verdict.rounds, sum(r <= verdict.ended + 2 * SKEW for r in rounds), sum(r <= at for r in rounds)


def score(told: Iterable[Told]) -> dict[str, Any]:
    """Return the figures of some conversations."""
    decided = [one for one in told if one.truth.kind != "?"]
    troubled = [one for one in decided if one.truth.kind]
    healthy = [one for one in decided if not one.truth.kind]
    hits = sum(map(right, troubled))
    false = sum(not right(one) for one in healthy)
    counted = [r for one in troubled if (r := repeats(one)) is not None]
    edges = [e for one in troubled if (e := edge_right(one)) is not None]
    cuts = sum(map(cut, healthy))
    return {
        "conversations": len(decided),
        "troubled": len(troubled),
        "recall": _share(hits, len(troubled)),
        "seen_by_any_name": _share(sum(map(seen, troubled)), len(troubled)),
        "precision": _share(hits, hits + false),
        "false_alarms": false,
        "false_cuts": cuts,
        "false_cuts_per_1000": _per_1000(cuts, len(healthy)),
        "edge_right": _share(sum(edges), len(edges)),
        "rounds_in_evidence_median": median(r for r, _, _ in counted) if counted else None,
        "repeats_to_alarm_step_median": median(s for _, s, _ in counted) if counted else None,
        "repeats_to_alarm_median": median(c for _, _, c in counted) if counted else None,
        "pairs": pairs(decided),
    }


def pairs(told: Iterable[Told]) -> dict[str, Any]:
    """Return the share of pairs of which both members are right; those nobody can tell apart are left out."""
    members: dict[str, list[Told]] = defaultdict(list)
    for one in told:
        if one.truth.pair and not one.truth.blind:
            members[one.truth.pair].append(one)
    whole = [both for both in members.values() if len(both) == 2]
    return {"n": len(whole), "both_right": _share(sum(all(map(right, both)) for both in whole), len(whole))}


def rows(told: Iterable[Told], key: Callable[[Truth], str]) -> dict[str, dict[str, Any]]:
    """Return a row of figures for each value of `key`."""
    by: dict[str, list[Told]] = defaultdict(list)
    for one in told:
        by[key(one.truth)].append(one)
    return {name: score(some) for name, some in sorted(by.items())}


def kinds(told: list[Told]) -> dict[str, dict[str, Any]]:
    """Return a row for each kind of trouble, with the healthy members of its pairs."""
    kind_of = kinds_of_pairs(told)
    return rows(told, lambda t: t.kind or kind_of.get(t.pair, "none"))


def kinds_of_pairs(told: Iterable[Told]) -> dict[str, str]:
    """Return the trouble of each pair's member that is in trouble."""
    return {one.truth.pair: one.truth.kind for one in told if one.truth.pair and one.truth.kind}


def peer_rows(told: list[Told]) -> dict[str, dict[str, Any]]:
    """Return how the peers' rules do on the same conversations, by kind: they see all content, within one agent."""
    kind_of = kinds_of_pairs(told)
    found: dict[str, dict[str, Any]] = {}
    for name in told[0].peers if told else ():
        by: dict[str, Counter[str]] = defaultdict(Counter)
        steps: dict[str, list[int]] = defaultdict(list)
        for one in told:
            kind = one.truth.kind or kind_of.get(one.truth.pair, "none")
            alarm = one.peers[name]
            hit = alarm is not None and (not one.truth.kind or alarm.at >= one.truth.started)
            by[kind]["troubled" if one.truth.kind else "healthy"] += 1
            by[kind]["hits" if one.truth.kind else "false"] += hit
            if hit and one.truth.kind and alarm is not None:
                steps[kind].append(alarm.calls)
        found[name] = {
            kind: {
                "recall": _share(c["hits"], c["troubled"]),
                "precision": _share(c["hits"], c["hits"] + c["false"]),
                "false_alarms": c["false"],
                "calls_to_alarm_median": median(steps[kind]) if steps[kind] else None,
            }
            for kind, c in sorted(by.items())
        }
        total = sum((c for kind, c in by.items()), Counter())
        found[name]["all"] = {
            "recall": _share(total["hits"], total["troubled"]),
            "precision": _share(total["hits"], total["hits"] + total["false"]),
        }
    return found


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _per_1000(events: int, n: int) -> dict[str, float] | None:
    if not n:
        return None
    return {"n": n, "rate": round(1000 * events / n, 3), "upper_95": round(1000 * poisson_upper(events, n), 3)}


def curves() -> dict[str, dict[str, Any]]:
    """Return figures of the first groups of `main` as telemetry is lost."""
    ways: dict[str, Callable[..., Any]] = {
        "spans_lost": lose_spans,
        "events_lost": lose_events,
        "head_sampled": sample_traces,
    }
    found: dict[str, dict[str, Any]] = {}
    for name, way in ways.items():
        for share in (0.5, 0.25, 0.1) if way is sample_traces else (0.05, 0.1, 0.25, 0.5):
            told = run_set(SETS["main"], partial(way, share=share, seed=5), CURVE_GROUPS)
            found[f"{name} {share}"] = _short(score(told))
    return found


def _short(figures: dict[str, Any]) -> dict[str, Any]:
    return {k: figures[k] for k in ("conversations", "recall", "precision", "false_alarms", "false_cuts", "edge_right")}


def figures(told: list[Told], quiet: list[Told]) -> dict[str, Any]:
    """Return all figures of recall and precision."""
    whole = score(told)
    healthy = [one for one in (*told, *quiet) if not one.truth.kind]
    return {
        "precision": whole["precision"],
        "recall": whole["recall"],
        "repeats_to_alarm_median": whole["repeats_to_alarm_median"],
        "repeats_to_alarm_step_median": whole["repeats_to_alarm_step_median"],
        "rounds_in_evidence_median": whole["rounds_in_evidence_median"],
        "pairs_both_right": whole["pairs"]["both_right"],
        "undecided": sum(one.truth.kind == "?" for one in told),
        "false_cuts_per_1000": _per_1000(sum(map(cut, healthy)), len(healthy)),
        "false_alarms_quiet": _per_1000(sum(not right(one) for one in quiet), len(quiet)),
        "all": whole,
        "kinds": kinds(told),
        "kinds_visible": kinds([one for one in told if one.truth.content and one.truth.guard]),
        "content_and_guard": rows(told, _sees),
        "visible": score(visible(told)),
        "visible_kinds": kinds(visible(told)),
        "visible_as_the_guard_is_there": score(seeable(told)),
        "what_shows": by_what_shows(told),
        "tuned_and_held_out": rows(told, held_out),
        "seeable_tuned_and_held_out": rows(seeable(told), held_out),
        "families": rows(told, lambda t: f"{t.family} ({held_out(t)})"),
        "seeable_families": rows(seeable(told), lambda t: f"{t.family} ({held_out(t)})"),
        "conventions": rows(told, lambda t: t.convention),
        "identity": rows(told, lambda t: t.identity),
        "peers": peer_rows(told),
        "peers_on_loops": _loops_beside_peers(told),
    }


def visible(told: Iterable[Told]) -> list[Told]:
    """Return the conversations whose telemetry tells them from their twins by something that is done or answered."""
    return [one for one in told if one.shows in (None, Shows.DEEDS)]


def held_out(truth: Truth) -> str:
    """Tell whether thresholds were chosen on conversations of this family and variant."""
    if not truth.novel:
        return "tuned"
    return "looked at" if {truth.family, f"{truth.family}/{truth.variant}"} & set(LOOKED_AT) else "held out"


def seeable(told: list[Told]) -> list[Told]:
    """Return the same without the pairs of what only open spans show, where no guard tells of them."""
    kind_of = kinds_of_pairs(told)
    return [one for one in visible(told) if one.truth.guard or kind_of.get(one.truth.pair) not in OPEN_ONLY]


def by_what_shows(told: Iterable[Told]) -> dict[str, dict[str, Any]]:
    """Return figures of pairs by what is told of them, and by what tells their members apart: no detector does better.

    `deeds`: the difference is told. `numbers`, `length`: only tokens or times, or only that one goes on, differ.
    `silence`: what differs is not told at all.
    """
    told = [one for one in told if one.shows]
    kind_of = kinds_of_pairs(told)
    by: dict[str, dict[str, list[Told]]] = defaultdict(lambda: defaultdict(list))
    for one in told:
        by[f"{kind_of.get(one.truth.pair, 'none')}; {_sees(one.truth)}"][str(one.shows)].append(one)
    return {
        name: {
            what: {"pairs": len(some) // 2, "recall": (found := score(some))["recall"], "precision": found["precision"]}
            for what, some in sorted(shows.items())
        }
        for name, shows in sorted(by.items())
    }


def _sees(truth: Truth) -> str:
    return f"{'content' if truth.content else 'names'}, {'guard' if truth.guard else 'no guard'}"


def _loops_beside_peers(told: list[Told]) -> dict[str, Any]:
    """Return our own figures on what the peers look for, where content is sent to us as it is shown to them."""
    loops = {one.truth.pair for one in told if one.truth.kind in LOOPS}
    ours = [one for one in told if one.truth.pair in loops and one.truth.content]
    return {"hemostat": score(ours), **{name: rows["all"] for name, rows in peer_rows(ours).items()}}


def speed() -> dict[str, Any]:
    """Return steps a second and memory, measured in a process of its own."""
    script = Path(__file__).with_name("agents_speed.py")
    done = subprocess.run([sys.executable, str(script)], check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _write(found: dict[str, Any]) -> None:
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(found, indent=1) + "\n")


def main() -> int:
    """Run the bench."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tuning", action="store_true")
    if parser.parse_args().tuning:
        told = run_set(SETS["tuning"])
        print(
            json.dumps(
                {"all": score(told), "kinds": kinds(told), "sees": rows(told, _sees), "shows": by_what_shows(told)},
                indent=1,
            )
        )
        return 0
    begun = time.monotonic()
    told = run_set(SETS["main"], with_peers=True)
    found = figures(told, run_set(SETS["quiet"]))
    for name, part in (("speed", speed), ("curves", curves)):
        _write(found)
        found[name] = part()
    found["seconds"] = round(time.monotonic() - begun)
    _write(found)
    print(json.dumps({k: found[k] for k in ("precision", "recall", "repeats_to_alarm_median", "pairs_both_right")}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
