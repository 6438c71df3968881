"""Settings of all unit tests: property tests find the same examples every time, or, at night, others and many more."""

import os

from hypothesis import HealthCheck, settings

RUNS = os.environ.get("HEMOSTAT_FUZZ_RUNS")

settings.register_profile(
    "unit",
    derandomize=RUNS is None,
    deadline=None,
    max_examples=int(RUNS or 50),
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("unit")
