"""Whatever is recorded, however few, large or odd the values: scores are shares, and nothing is raised."""

import itertools

import numpy as np
import pytest

from hemostat.signals.rootcause import rank
from hemostat.signals.rootcause.beginning import beginnings
from hemostat.signals.rootcause.series import Recorded, recording
from hemostat.signals.rootcause.shift import troubles

METRICS = ("cpu", "errors", "success", "requests", "source_latency_ms", "destination_latency_s", "restarts", "odd")
ODD = (0.0, -0.0, 1.0, -3.5, 5e-324, 1.7e308, -1.7e308)


def series(rng):
    times = np.unique(rng.choice([0.0, 1.0, 59.9, 60.0, 61.0, 120.0, 180.0, 240.0, 600.0, 900.0], rng.integers(0, 11)))
    values = np.where(rng.random(len(times)) < 0.5, rng.choice(ODD, len(times)), rng.normal(5, 2, len(times)))
    metric, service, peer = rng.choice(METRICS), rng.choice(list("abc")), rng.choice(["", "a", "b", "c"])
    return Recorded(str(metric), str(service), str(peer), "", times, values)


@pytest.mark.parametrize("seed", range(4))
def test_any_recording_is_ranked_and_searched(seed):
    rng = np.random.default_rng(seed)
    for _ in range(15):
        known = recording([series(rng) for _ in range(rng.integers(0, 9))])
        for candidate in rank(troubles(known, float(rng.choice([0.0, 60.0, 200.0, 1e6]))), known.edges, known.services):
            assert 0.0 <= candidate.score <= 1.0
        found = beginnings(known)
        assert all(b.began < b.noticed for b in found)
        assert all(one.noticed < other.noticed for one, other in itertools.pairwise(found))
