"""What a diagnosis is worth, and what it costs. Adds to build/bench/diagnosis.json.

    python tests/bench/diagnosis.py

Worth: the matcher, with every Runbook that is shipped, on the project's own labelled Incidents (tests/incidents, from
real pods; record_incidents.py made them): `matcher_top1` on kinds of faults that Runbooks may be changed for,
`matcher_top1_held_out` on the others, how often it abstains where it must, risk-coverage and Brier score.

Cost: the panel through litellm to a provider on loopback that answers at once (`pipeline_overhead_ms`, on made cases
with logs and episodes), what is sent about the recorded Incidents (`prompt_tokens_median`), and the matcher
(`matcher_ms`). Tokens are counted as one for four letters, all prompts of an Incident together.
"""

import argparse
import json
import os
import random
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.api.frameworks import served  # noqa: E402
from tests.api.provider import Provider, of_schema, verdict  # noqa: E402
from tests.bench.bounds import wilson  # noqa: E402
from tests.bench.incidents import score  # noqa: E402
from tests.bench.incidents.recorded import Recorded, load, shipped  # noqa: E402

from hemostat.api.incident import Evidence, EvidenceKind, SignalSource, SignalState, SignalStatus  # noqa: E402
from hemostat.api.runbook import Runbook  # noqa: E402
from hemostat.diagnosis.evidence import Facts  # noqa: E402
from hemostat.diagnosis.matcher import match  # noqa: E402
from hemostat.diagnosis.model import connect  # noqa: E402
from hemostat.diagnosis.panel.case import Candidate, Case, make_case  # noqa: E402
from hemostat.diagnosis.panel.consult import Panel  # noqa: E402
from hemostat.diagnosis.panel.meter import Budget, Meter  # noqa: E402
from hemostat.diagnosis.panel.tools import Pad  # noqa: E402
from hemostat.diagnosis.rehearsal import rehearse  # noqa: E402
from hemostat.settings import Settings  # noqa: E402
from hemostat.telemetry.prices import Prices  # noqa: E402

OUT = ROOT / "build/bench/diagnosis.json"
GOAL_MS, GOAL_MATCHER_MS, GOAL_TOKENS = 300.0, 50.0, 8000
GOAL_TOP1, GOAL_INCIDENTS = 0.95, 80
RUNS = 40
SEED = 20261122
NOW = datetime(2026, 11, 22, tzinfo=UTC)
K = EvidenceKind
TYPICAL = {K.SIGNAL: 3, K.CHANGE: 3, K.WORKLOAD: 4, K.EXEMPLAR: 2, K.EDGE: 4, K.EVENT: 3, K.LOG: 6, K.EPISODE: 2}
"""Items of evidence of each kind."""
WORDS = (
    "payment",
    "checkout",
    "calls",
    "fail",
    "ms",
    "limit",
    "replicas",
    "ready",
    "revision",
    "image",
    "timeout",
    "pod",
)
LETTERS_PER_TOKEN = 4


def a_case(number: int) -> Case:
    """Return one incident as the panel gets it."""
    chance = random.Random(SEED + number)
    kinds = [kind for kind, count in TYPICAL.items() for _ in range(count)]
    evidence = tuple(
        Evidence(
            id=f"E{n}",
            key=f"{kind}/{n}",
            kind=kind,
            subject="payment",
            summary="payment " + " ".join(chance.choices(WORDS, k=chance.randint(12, 40))),
            observed_time=NOW,
        )
        for n, kind in enumerate(kinds, 1)
    )
    candidates = tuple(Candidate(f"runbook-{n}", "a cause", "look at it " * 40, ("rollback",), 60) for n in range(3))
    return Case(f"uid-{number}", "payment fails", "Deployment payment in namespace shop", evidence, {}, candidates, NOW)


def recorded_cases(runbooks: list[Runbook], recordings: list[Recorded]) -> list[Case]:
    """Return the recorded Incidents as the panel would get them, where a namespace lets everything out."""
    found = []
    for number, one in enumerate(recordings):
        diagnosis = rehearse(runbooks, one.incident).conclusion.diagnosis
        case = make_case(one.incident, one.incident.status.evidence, diagnosis, runbooks, frozenset(K))
        found.append(replace(case, incident=f"uid-{number}"))
    return found


def pipeline(cases: list[Case]) -> tuple[list[float], list[int]]:
    """Return the milliseconds that each consultation takes beside the provider's own time, and the tokens sent."""
    answers = of_schema(verdict("runbook-1", "payment"))
    spent = [0.0]

    def timed(body: dict[str, Any]) -> Any:
        begun = time.perf_counter()
        made = answers(body)
        spent[0] += time.perf_counter() - begun
        return made

    provider = Provider(timed)
    times, tokens = [], []
    with served(provider.application()) as url:
        os.environ |= {"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": f"{url}/v1"}
        asks = connect(Settings(models=("openai/scripted",)), Prices())
        assert asks is not None
        panel = Panel(asks, Meter(Budget(turns=10_000, tokens=10**9, usd=1e9), time), time)
        for number, case in enumerate([a_case(-1), *cases]):
            pad = Pad(case.evidence, frozenset(K), lambda: NOW)
            before, spent[0], begun = len(provider.requests), 0.0, time.perf_counter()
            heard = panel.consult(case, pad, {})
            took = time.perf_counter() - begun - spent[0]
            assert heard.verdict is not None, heard.failure
            if number:  # the first loads litellm
                times.append(1000 * took)
                sent = provider.requests[before:]
                tokens.append(sum(len(json.dumps(body["messages"])) for body in sent) // LETTERS_PER_TOKEN)
    return times, tokens


def worth(runbooks: list[Runbook], recordings: list[Recorded]) -> dict[str, Any]:
    """Return how often the matcher is right on the recorded Incidents, and what its confidence is worth."""
    answers = score.ask(runbooks, recordings)
    for wrong in (a for a in answers if not a.right):
        accepted = " or ".join(sorted(wrong.recorded.label.accept))
        split = wrong.recorded.label.split
        print(f"{split:12} {wrong.recorded.id:26} {wrong.answer or 'abstains'} {wrong.percent} %, not {accepted}")
    return score.figures(answers, wilson)


def cost(runbooks: list[Runbook], recordings: list[Recorded]) -> dict[str, Any]:
    """Return what consultations take and send, and what the matcher takes."""
    times, made = pipeline([a_case(n) for n in range(RUNS)])
    _, sent = pipeline(recorded_cases(runbooks, recordings))
    return {
        "pipeline_overhead_ms": round(median(times), 1),
        "pipeline_overhead_ms_p95": round(quantiles(times, n=20)[-1], 1),
        "prompt_tokens_median": median(sent),
        "prompt_tokens_max": max(sent),
        "prompt_tokens_median_made": median(made),
        "runs": RUNS,
        "matcher_ms": matcher(),
    }


def matcher() -> float:
    """Return the milliseconds that matching takes: 50 Runbooks of 8 symptoms, and as many signals as there may be."""
    symptoms = [
        {"name": f"s{n}", "expression": f"signals.exists(s, s.kind == 'ErrorRate' && s.value > {n}.0)"}
        for n in range(8)
    ]
    spec = {"state": "Active", "cause": "c", "symptoms": symptoms, "remediations": [{"action": "rollback"}]}
    books = [Runbook.model_validate({"metadata": {"name": f"r{n}"}, "spec": spec}) for n in range(50)]
    signals = tuple(
        SignalStatus(
            key=f"k{n}", name="calls", kind="ErrorRate", source=SignalSource.TRACES, subject="a -> b", value="40",
            state=SignalState.FIRING, first_fired_time=NOW, state_time=NOW, observed_time=NOW,
        )
        for n in range(32)
    )  # fmt: skip
    facts = Facts({"kind": "Deployment", "name": "payment"}, signals, (), None, ())
    times = []
    for _ in range(RUNS):
        begun = time.perf_counter()
        match(books, "Deployment", facts, a_case(0).evidence)
        times.append(1000 * (time.perf_counter() - begun))
    return round(median(times), 2)


def main() -> int:
    """Measure, print, add to the file."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    runbooks, recordings = shipped(ROOT), list(load())
    found = cost(runbooks, recordings) | worth(runbooks, recordings)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    known = json.loads(OUT.read_text()) if OUT.exists() else {}
    OUT.write_text(json.dumps(known | found, indent=1) + "\n")
    print(json.dumps(found, indent=1))
    met = (
        found["pipeline_overhead_ms"] <= GOAL_MS
        and found["matcher_ms"] <= GOAL_MATCHER_MS
        and found["prompt_tokens_median"] <= GOAL_TOKENS
        and found["matcher_top1"] >= GOAL_TOP1
        and len(recordings) >= GOAL_INCIDENTS
    )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
