"""Who is served by a service."""

from hemostat.telemetry.graph import CallGraph, EdgeStats


def graph(*edges):
    return CallGraph(60.0, tuple(EdgeStats(a, b, 1, 0, 0.0, ()) for a, b in sorted(edges)))


def test_callers_come_nearest_first_and_each_once():
    found = graph(("web", "app"), ("app", "db"), ("jobs", "db"), ("cron", "jobs"), ("web", "jobs"))
    assert found.upstream("db") == ("app", "jobs", "web", "cron")


def test_a_circle_of_calls_ends_and_nobody_calls_himself():
    assert graph(("a", "b"), ("b", "c"), ("c", "a"), ("a", "a")).upstream("a") == ("c", "b")


def test_nobody_calls_it_and_it_is_not_known_are_two_answers():
    assert graph(("web", "db")).upstream("web") == ()
    assert graph(("web", "db")).upstream("cache") is None
