"""Settings of all unit tests: property tests try the same few examples every time; `make fuzz` tries many more."""

import gc
import os

from hypothesis import HealthCheck, settings

RUNS = os.environ.get("HEMOSTAT_FUZZ_RUNS")

settings.register_profile(
    "unit",
    derandomize=RUNS is None,
    deadline=None,
    max_examples=int(RUNS or 25),
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("unit")
gc.disable()


def pytest_collection_finish():
    """What was imported and collected stays: the garbage collector need not go through it again and again."""
    gc.freeze()
    gc.enable()
