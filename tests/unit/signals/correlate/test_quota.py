"""A full quota is one cause for a whole namespace, and hides nothing that it cannot explain."""

import pytest
from tests.unit.builders import T0, at, deployment, running_pod, signal
from tests.unit.signals.correlate.world import POD, call, incident_of, report

from hemostat.api.watch import SignalKind
from hemostat.signals.correlate import Board, quota_of
from hemostat.signals.correlate.board import OUTLIVES, STORM_LIMIT
from hemostat.signals.correlate.quota import CALMS_SECONDS
from hemostat.signals.workload import Scene
from hemostat.telemetry.graph import CallGraph, EdgeStats

LONG = OUTLIVES.total_seconds()
NAMES = [f"s{i}" for i in range(STORM_LIMIT + 3)]
NEAR = "QuotaNearlyUsed"


def fires(aspect, when=0.0):
    kind = {"kind": SignalKind.EXHAUSTION} if aspect == NEAR else {}
    times = {"first_fired_time": at(when), "state_time": at(when)}
    return signal(f"pods/{aspect}/x", **POD | kind | times | {"subject": f"{aspect} of x"})


ALL_READY = Scene(deployment(), pods=[running_pod(ready_since=-CALMS_SECONDS)])
LACKING = Scene(deployment(readyReplicas=2), pods=ALL_READY.pods)
JUST_READY = Scene(deployment(), pods=[running_pod(ready_since=-CALMS_SECONDS + 1)])


@pytest.mark.parametrize(
    ("scene", "signals", "cause", "explains", "harmless"),
    [
        (ALL_READY, [fires(NEAR)], True, True, True),
        (ALL_READY, [fires("QuotaExhausted"), fires("RolloutStuck")], True, True, True),
        (ALL_READY, [fires(NEAR), call("a", "x")], False, False, False),  # all its pods are there, and it fails
        (LACKING, [fires("QuotaExhausted"), call("a", "x"), fires("AutoscalerAtMaximum")], True, True, False),
        (JUST_READY, [fires(NEAR), call("a", "x")], True, True, False),  # calls are told of over a window
        (LACKING, [fires("QuotaExhausted"), fires("CrashLoopBackOff")], False, False, False),
        (LACKING, [fires("QuotaExhausted"), fires("ImagePullBackOff")], False, False, False),
        (ALL_READY, [], False, True, False),
        (LACKING, [call("a", "x")], False, True, False),  # nobody speaks of a quota
        (Scene(), [fires(NEAR), call("a", "x")], True, True, False),  # it is not known what is there
    ],
)
def test_a_full_quota_explains_what_comes_of_pods_that_cannot_be_made(scene, signals, cause, explains, harmless):
    found = quota_of(scene, signals, T0)
    assert (found.cause, found.explains, found.harmless) == (cause, explains, harmless)


# --- in a namespace ------------------------------------------------------------------------------------------


def graph(*pairs):
    return CallGraph(60, tuple(EdgeStats(a, b, 100, 0, 0.1, ()) for a, b in pairs))


class Namespace:
    """Watches on one board whose quota is full; who opens an Incident has it from then on."""

    def __init__(self, *calls):
        self.board, self.graph, self.opened = Board(), graph(*calls), {}
        self.trouble = {name: (ALL_READY, (fires(NEAR),)) for name in NAMES}
        self.parts = {}

    def run(self, start, stop):
        for second in range(start, stop):
            now = at(second)
            for name, (scene, signals) in self.trouble.items():
                quota = quota_of(scene, signals, now)
                self.board.report(report(name, *signals, quota=quota), now)
            self.words = {name: self.board.word(name, self.graph, now) for name in NAMES}
            for name in [n for n, w in self.words.items() if w.opens]:
                self.opened[name] = second
                self.board.opened(name, f"{name}-1", now)
            if second % 5 == 0:
                self.list(now)
        return self

    def list(self, now):
        self.parts = {n: w.part_of for n, w in self.words.items()}
        self.board.listed([incident_of(n, part_of=self.parts.get(n, "")) for n in self.opened], now)

    def symptoms(self, name):
        return [s.name for s in self.words[name].symptoms]


def test_a_full_quota_is_one_incident_however_many_watches_see_it():
    """They were as many as a storm may have, and one of them swallowed all else that failed in the namespace."""
    full = Namespace().run(0, 120)
    (leader,) = full.opened
    assert full.symptoms(leader) == [n for n in NAMES if n != leader]
    assert full.words[leader].storm is None


@pytest.mark.parametrize("fault", [fires("CrashLoopBackOff", 60), fires("ImagePullBackOff", 60), call("a", "s5", 60)])
def test_what_a_full_quota_does_not_explain_has_an_incident_of_its_own_at_once(fault):
    full = Namespace().run(0, 60)
    (leader,) = full.opened
    victim = next(n for n in NAMES if n != leader)
    full.trouble[victim] = ALL_READY, (fires(NEAR), fault)
    full.run(60, 120)
    assert full.opened[victim] == 60
    assert set(full.opened) == {leader, victim}
    assert victim not in full.symptoms(leader)
    assert full.words[victim].part_of == ""


def test_what_it_does_explain_joins():
    full = Namespace(("s1", "s2")).run(0, 60)
    (leader,) = full.opened
    short, caller = [n for n in NAMES if n != leader][:2]
    full.graph = graph((caller, short))
    full.trouble[short] = LACKING, (fires("QuotaExhausted", 60), fires("RolloutStuck", 60), call(caller, short, 60))
    full.trouble[caller] = ALL_READY, (fires(NEAR), call("user", caller, 62))
    full.run(60, 120)
    assert list(full.opened) == [leader]
    assert {short, caller} <= set(full.symptoms(leader))
    # the callee is well again: what is said of its caller lags behind, and is not another trouble yet
    full.trouble[short] = ALL_READY, (fires(NEAR),)
    full.run(120, 150)
    assert list(full.opened) == [leader]
    full.run(150, 121 + int(LONG))
    assert caller in full.opened


def test_a_callee_that_only_lacks_room_does_not_explain_who_calls_it():
    full = Namespace().run(0, 60)
    (leader,) = full.opened
    caller = next(n for n in NAMES if n != leader)
    full.graph = graph((caller, leader))
    full.trouble[caller] = ALL_READY, (fires(NEAR), call("user", caller, 60))
    full.run(60, 120)
    assert 60 < full.opened[caller] <= 66  # its callee was given time to say that it fails


def test_an_incident_that_was_part_of_the_quotas_stands_alone_once_there_is_more():
    full = Namespace().run(0, 60)
    (leader,) = full.opened
    victim = next(n for n in NAMES if n != leader)
    full.opened[victim] = 0
    full.run(60, 80)
    assert full.words[victim].part_of == f"{leader}-1"
    full.trouble[victim] = ALL_READY, (fires(NEAR), fires("CrashLoopBackOff", 80))
    full.run(80, 160)
    assert full.words[victim].part_of == ""
    assert victim not in full.symptoms(leader)


def test_a_storm_stays_a_storm_where_a_quota_is_full_too():
    full = Namespace()
    for name in NAMES:
        full.trouble[name] = ALL_READY, (fires(NEAR), fires("CrashLoopBackOff"))
    full.run(0, 180)
    assert len(full.opened) == STORM_LIMIT
