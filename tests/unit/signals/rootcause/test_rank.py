"""The ranking must find the cause where its symptoms are seen elsewhere, and must say why."""

import random
import time

import pytest

from hemostat.signals.rootcause import Sign, Trouble, rank

SHOP = [("frontend", "checkout"), ("frontend", "cart"), ("checkout", "payment"), ("checkout", "cart")]


def firing(sign, service, strength=1.0, caller="", since=None):
    return Trouble(sign, service, strength, f"{sign} of {service}", caller, since)


def test_errors_that_travel_up_point_at_the_bottom():
    found = rank([firing(Sign.ERRORS, s) for s in ("frontend", "checkout", "payment")], SHOP)
    assert found[0].service == "payment"
    assert [c.reasons[0].rpartition("(")[2] for c in found if c.service != "payment"] == [
        "may come from payment)",
        "may come from checkout)",
    ]


def test_a_service_without_telemetry_does_not_break_the_chain():
    found = rank([firing(Sign.LATENCY, "frontend"), firing(Sign.RESOURCE, "payment", 0.8)], SHOP)
    assert found[0].service == "payment"
    assert found[1].score < 0.4, "frontend is explained two hops away"


def test_a_resource_of_its_own_outweighs_latency_seen_above_and_below():
    troubles = [firing(Sign.LATENCY, "frontend"), firing(Sign.RESOURCE, "checkout"), firing(Sign.LATENCY, "payment")]
    assert rank(troubles, SHOP)[0].service == "checkout"


@pytest.mark.parametrize(
    ("slow", "cause"),
    [
        ([("checkout", "payment")], "payment"),
        ([("frontend", "cart"), ("checkout", "cart")], "cart"),
        ([("frontend", "checkout"), ("checkout", "payment"), ("checkout", "cart")], "checkout"),
    ],
)
def test_slow_edges_point_at_the_end_they_have_in_common(slow, cause):
    found = rank([firing(Sign.NETWORK, callee, caller=caller) for caller, callee in slow], SHOP)
    assert found[0].service == cause


def test_lost_traffic_is_explained_from_above():
    troubles = [firing(Sign.TRAFFIC, s) for s in ("checkout", "payment", "cart")]
    found = rank([*troubles, firing(Sign.WORKLOAD, "frontend")], SHOP)
    assert found[0].service == "frontend"
    assert all(c.score < 0.1 for c in found[1:])


def test_a_change_decides_between_equals_and_does_not_outweigh_trouble():
    troubles = [firing(Sign.ERRORS, "cart"), firing(Sign.ERRORS, "payment")]
    assert rank([*troubles, firing(Sign.CHANGE, "payment")], SHOP)[0].service == "payment"
    assert rank([firing(Sign.WORKLOAD, "cart"), firing(Sign.CHANGE, "payment")], SHOP)[0].service == "cart"


def test_a_change_that_trouble_cannot_come_from_weighs_less():
    troubles = [firing(Sign.ERRORS, "cart"), firing(Sign.CHANGE, "payment"), firing(Sign.CHANGE, "cart", 0.5)]
    scores = {c.service: c.score for c in rank(troubles, SHOP)}
    assert scores["payment"] == pytest.approx(0.35 * 0.3)


def test_the_earlier_of_equals_comes_first():
    found = rank([firing(Sign.RESOURCE, "cart", since=60.0), firing(Sign.RESOURCE, "payment", since=0.0)], SHOP)
    assert [c.service for c in found] == ["payment", "cart"]


def test_order_of_input_does_not_matter_and_scores_are_shares():
    troubles = [firing(sign, s, 0.1 * i) for i, sign in enumerate(Sign, 1) for s in ("cart", "payment", "frontend")]
    expected = rank(troubles, SHOP)
    shuffled = random.Random(7)
    for _ in range(20):
        some, graph = troubles[:], SHOP[:]
        shuffled.shuffle(some)
        shuffled.shuffle(graph)
        assert rank(some, graph) == expected
    assert all(0 <= c.score <= 1 for c in expected)


def test_a_cycle_ends_and_both_stay_suspects():
    found = rank([firing(Sign.LATENCY, "a"), firing(Sign.LATENCY, "b")], [("a", "b"), ("b", "a"), ("a", "a")])
    assert found[0].score == pytest.approx(found[1].score)


def test_nobody_in_trouble_is_listed_with_nothing():
    assert rank([], SHOP) == ()
    (one,) = rank([], SHOP, services=["cart"])
    assert (one.score, one.reasons) == (0.0, ())


def test_a_large_graph_is_quick():
    edges = [(f"s{i}", f"s{j}") for i in range(400) for j in range(i + 1, min(400, i + 12))]
    found = rank([firing(Sign.ERRORS, f"s{i}", 0.9) for i in range(400)], edges, top=3)
    assert len(found) == 3
    assert found[0].service == "s399"


def test_thousands_of_callers_that_complain_of_one_service_take_little_time():
    """Each was weighed against all others: two seconds at 8,000 of them, while nobody else got a word."""
    callers = [(f"c{i}", "db") for i in range(8_000)]
    troubles = [firing(Sign.ERRORS, "db", 0.9, caller) for caller, _ in callers]

    def seconds() -> float:
        began = time.thread_time()
        assert rank(troubles, callers)[0].service == "db"
        return time.thread_time() - began

    assert any(seconds() < 0.5 for _ in range(5))  # 0.1 s on the machine this was written on


def test_what_one_of_many_callers_sees_weighs_less_than_what_all_see():
    callers = [(f"c{i}", "db") for i in range(4)]
    one = rank([firing(Sign.LATENCY, "db", 0.8, "c0")], callers)[0].score
    every = rank([firing(Sign.LATENCY, "db", 0.8, caller) for caller, _ in callers], callers)[0].score
    only = rank([firing(Sign.LATENCY, "db", 0.8, "c0")], callers[:1])[0].score
    assert one < 0.6 * every
    assert every == pytest.approx(only)


def test_strengths_out_of_range_do_no_harm():
    found = rank([firing(Sign.LATENCY, "db", 0.0, "c0"), firing(Sign.ERRORS, "cart", 9.0)], [("c0", "db")])
    assert [(c.service, c.score) for c in found] == [("cart", pytest.approx(0.7))]
    assert rank([firing(Sign.NETWORK, "db", 0.0, "c0")], []) == ()
