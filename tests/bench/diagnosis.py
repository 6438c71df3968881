"""What a diagnosis costs beside the model's own time: the panel through litellm to a provider on loopback that answers
at once, and the matcher. Adds `pipeline_overhead_ms`, `matcher_ms` and `prompt_tokens_median` to
build/bench/diagnosis.json.

    python tests/bench/diagnosis.py

Cases are made, of the sizes that Incidents of the chaos experiments have; tokens are counted as one for four letters,
all prompts of an incident together.
"""

import argparse
import json
import os
import random
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.api.frameworks import served  # noqa: E402
from tests.api.provider import Provider, of_schema, verdict  # noqa: E402

from hemostat.api.incident import Evidence, EvidenceKind, SignalSource, SignalState, SignalStatus  # noqa: E402
from hemostat.api.runbook import Runbook  # noqa: E402
from hemostat.diagnosis.evidence import Facts  # noqa: E402
from hemostat.diagnosis.matcher import match  # noqa: E402
from hemostat.diagnosis.model import connect  # noqa: E402
from hemostat.diagnosis.panel.case import Candidate, Case  # noqa: E402
from hemostat.diagnosis.panel.consult import Panel  # noqa: E402
from hemostat.diagnosis.panel.meter import Budget, Meter  # noqa: E402
from hemostat.diagnosis.panel.tools import Pad  # noqa: E402
from hemostat.settings import Settings  # noqa: E402
from hemostat.telemetry.prices import Prices  # noqa: E402

OUT = ROOT / "build/bench/diagnosis.json"
GOAL_MS, GOAL_MATCHER_MS, GOAL_TOKENS = 300.0, 50.0, 8000
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
    return Case(f"uid-{number}", "payment fails", "Deployment payment in namespace shop", evidence, {}, candidates)


def pipeline() -> dict[str, Any]:
    """Return what a consultation takes beside the provider's own time, and how much is sent."""
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
        for number in range(-1, RUNS):
            case = a_case(number)
            pad = Pad(case.evidence, frozenset(K), lambda: NOW)
            before, spent[0], begun = len(provider.requests), 0.0, time.perf_counter()
            heard = panel.consult(case, pad, {})
            took = time.perf_counter() - begun - spent[0]
            assert heard.verdict is not None, heard.failure
            if number >= 0:  # the first loads litellm
                times.append(1000 * took)
                sent = provider.requests[before:]
                tokens.append(sum(len(json.dumps(body["messages"])) for body in sent) // LETTERS_PER_TOKEN)
    return {
        "pipeline_overhead_ms": round(median(times), 1),
        "pipeline_overhead_ms_p95": round(quantiles(times, n=20)[-1], 1),
        "prompt_tokens_median": median(tokens),
        "runs": RUNS,
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
    found = pipeline() | {"matcher_ms": matcher()}
    OUT.parent.mkdir(parents=True, exist_ok=True)
    known = json.loads(OUT.read_text()) if OUT.exists() else {}
    OUT.write_text(json.dumps(known | found, indent=1) + "\n")
    print(json.dumps(found, indent=1))
    met = found["pipeline_overhead_ms"] <= GOAL_MS and found["matcher_ms"] <= GOAL_MATCHER_MS
    return 0 if met and found["prompt_tokens_median"] <= GOAL_TOKENS else 1


if __name__ == "__main__":
    sys.exit(main())
