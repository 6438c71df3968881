"""Troubles come together: what is slow to hurt, or names only where it shows, must not hide what is to be done now."""

import pytest
from tests.unit.library.cases import _made, books

from hemostat.diagnosis.matcher import match

BAD = {"signals": [["ErrorRate", "frontend -> orders"]], "changes": [["Rollout", 60, "image shop:1 -> shop:2"]]}
LATE = [["Rollout", 700, "image shop:1 -> shop:2"]]
FULL = [["Saturation", "connections of pool orders"]]


def chosen(told):
    ref = match(books(), "Deployment", _made(told), ()).diagnosis.runbook_ref
    return ref.name if ref is not None else None


@pytest.mark.parametrize(
    "slow",
    [
        ["Exhaustion", "certificate orders-tls"],
        ["Exhaustion", "volume data-0"],
        ["Exhaustion", "QuotaNearlyUsed of orders"],
    ],
    ids=lambda s: s[1],
)
def test_a_bad_rollout_is_rolled_back_though_something_else_runs_out_in_days(slow):
    assert chosen({**BAD, "signals": [*BAD["signals"], slow]}) == "bad-rollout"


def test_a_bad_rollout_that_drives_the_autoscaler_to_its_maximum_is_not_scaled():
    assert chosen({**BAD, "aspects": ["AutoscalerAtMaximum"]}) == "bad-rollout"


@pytest.mark.parametrize(
    ("aspect", "trouble"),
    [
        ("ProbeFailed", "orders-5: ProbeFailed: runs for longer than pods need to start, its readiness probe fails"),
        ("CrashLoopBackOff", "orders-5: CrashLoopBackOff: container app crashes"),
        ("ImagePullBackOff", "orders-5: ImagePullBackOff: container app cannot pull its image"),
        ("OOMKilled", "orders-5: OOMKilled: container app was killed for lack of memory"),
    ],
)
@pytest.mark.parametrize("ready", [0, 2])
def test_a_rollout_that_is_stuck_is_to_blame_for_what_its_pods_show(aspect, trouble, ready):
    """Its progress deadline is ten minutes: by then no rollout is as recent as those Runbooks look back."""
    told = {"aspects": ["RolloutStuck", aspect], "troubles": [trouble], "changes": LATE, "desired": 3, "ready": ready}
    assert chosen(told) == "rollout-stuck"


def test_a_full_pool_of_connections_is_never_answered_with_more_pods():
    """Each of them takes more connections."""
    assert chosen({"signals": FULL, "changes": [["Rollout", 300, "env POOL_SIZE changed"]]}) is None
    assert chosen({"signals": FULL}) == "connection-pool-full"
