"""Of many targets in trouble one is the cause, and two faults that do not explain each other are two."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.builders import at
from tests.unit.signals.correlate.world import CPU, POD, call, sick

from hemostat.api.incident import MAX_CAUSES, ConversationStatus, SignalSource
from hemostat.signals.correlate import cases
from hemostat.signals.correlate.components import components
from hemostat.signals.rootcause import Sign, Trouble

CHAIN = [("load", "frontend"), ("frontend", "checkout"), ("checkout", "payment"), ("frontend", "ads")]


def led(suspects, edges, **more):
    """Return {cause: its symptoms} by name."""
    return {c.cause.name: {s.name for s in c.symptoms} for c in cases(suspects, edges, **more)}


def test_the_deepest_callee_in_trouble_is_the_cause_of_its_callers():
    suspects = [
        sick("frontend", call("load", "frontend")),
        sick("checkout", call("frontend", "checkout")),
        sick("payment", call("checkout", "payment")),
    ]
    (case,) = cases(suspects, CHAIN)
    assert case.cause.name == "payment"
    assert {s.name for s in case.symptoms} == {"frontend", "checkout"}
    assert [c.service for c in case.ranking] == ["payment", "checkout", "frontend"]
    assert case.ranking[0].reasons == ("checkout -> payment is 40%, limit 5%",)
    assert "may come from" in case.ranking[1].reasons[0]


def test_the_order_in_which_they_are_given_does_not_matter():
    suspects = [sick(n, call(c, n)) for c, n in CHAIN]
    wanted = cases(suspects, CHAIN)
    for seed in range(5):
        random.Random(seed).shuffle(suspects)
        assert cases(suspects, CHAIN) == wanted


def test_two_faults_that_share_only_a_caller_are_two_cases():
    assert led([sick("payment"), sick("ads")], CHAIN) == {"payment": set(), "ads": set()}
    both = led([sick("payment"), sick("ads"), sick("frontend", call("load", "frontend"))], CHAIN)
    assert set(both) == {"payment", "ads"}  # frontend is shown in one of them, and is no third
    assert sum("frontend" in symptoms for symptoms in both.values()) == 1


def test_trouble_does_not_travel_through_a_service_that_is_seen_to_be_well():
    suspects = [sick("frontend"), sick("payment")]
    assert led(suspects, CHAIN) == {"payment": {"frontend"}}  # nobody watches checkout
    assert led(suspects, CHAIN, quiet=["checkout"]) == {"payment": set(), "frontend": set()}


def test_a_circle_of_calls_has_one_cause():
    ring = [("a", "b"), ("b", "c"), ("c", "a")]
    found = led([sick(n, call(c, n)) for c, n in ring], ring)
    assert len(found) == 1


def test_in_a_circle_the_one_with_an_incident_stays_the_cause():
    ring = [("a", "b"), ("b", "a")]
    suspects = [sick("a", call("b", "a")), sick("b", call("a", "b"), incident="b-1")]
    assert led(suspects, ring) == {"b": {"a"}}


def test_whoever_was_found_to_be_part_of_another_does_not_lead_again():
    ring = [("a", "b"), ("b", "a")]
    pods = call("x", "a", **POD)
    suspects = [sick("a", call("b", "a"), pods, incident="a-1", part_of="b-1"), sick("b", call("a", "b"))]
    assert led(suspects, ring) == {"b": {"a"}}


def test_pods_in_trouble_right_after_a_rollout_are_nobody_elses_fault():
    crash = call("x", "checkout", when=60, **POD)
    released = sick("checkout", crash, changed=at(30))
    assert led([released, sick("payment")], CHAIN) == {"checkout": set(), "payment": set()}
    long_ago = sick("checkout", crash, changed=at(-3600))
    assert led([long_ago, sick("payment")], CHAIN) == {"payment": {"checkout"}}


@pytest.mark.parametrize(("callee", "wanted"), [("tool", {"b": set(), "a": set()}), ("", {"a": {"b"}})])
def test_a_loop_between_agents_is_where_its_edge_is(callee, wanted):
    """What is merely told of another conversation took the loop into its Incident, and nobody cut it."""
    loop = ConversationStatus(kind="Cycle", callee=callee, confidence_percent=90, visibility="Full")
    suspects = [sick("a", incident="a-1"), sick("b", call("x", "b", when=9, kind="Cycle", conversation=loop))]
    assert led(suspects, [("b", "a")]) == wanted


def test_a_caller_with_trouble_of_its_own_may_be_why_it_alone_sees_its_callee_slow():
    callers = [*CHAIN, ("batch", "payment"), ("admin", "payment")]
    slow = sick("payment", call("checkout", "payment"))
    starved = sick("checkout", call("frontend", "checkout"), call("", "", **CPU))
    assert led([slow, starved], callers) == {"checkout": {"payment"}}
    everybody = sick("payment", *(call(c, "payment") for c in ("checkout", "batch", "admin")))
    assert led([everybody, starved], callers) == {"payment": {"checkout"}}


def test_a_trace_that_claims_to_be_local_trouble_does_not_shift_the_blame_to_the_caller():
    forged = call("", "", source=SignalSource.TRACES, subject="cpu")
    suspects = [sick("payment", call("checkout", "payment")), sick("checkout", forged)]
    assert led(suspects, CHAIN) == {"payment": {"checkout"}}


def test_who_share_a_target_an_owner_or_a_sick_node_are_one_case():
    assert len(led([sick("a", ties=frozenset({"node/n1"})), sick("b", ties=frozenset({"node/n1"}))], [])) == 1
    assert len(led([sick("a", ties=frozenset({"node/n1"})), sick("b", ties=frozenset({"node/n2"}))], [])) == 2


@pytest.mark.parametrize("node", ["a-node", "z-node"])
def test_a_sick_node_that_is_watched_itself_is_the_cause_whatever_was_rolled_out_there(node):
    tie = frozenset({"NodeNotReady/n1"})
    itself = sick(node, when=1.0, ties=tie)
    itself = replace(itself, target=itself.target.model_copy(update={"kind": "Node", "api_version": "v1"}))
    there = [sick("b", ties=tie, changed=at(-5)), sick("c", ties=tie, incident="c-1")]
    elsewhere = sick("d", ties=frozenset({"NodeNotReady/n2"}))
    assert led([*there, itself, elsewhere], []) == {node: {"b", "c"}, "d": set()}
    assert led([elsewhere, itself, *there], []) == {node: {"b", "c"}, "d": set()}


def test_a_service_nobody_watches_is_named_and_its_callers_are_one_case():
    edges = [("a", "db"), ("b", "db"), ("front", "a")]
    hint = Trouble(Sign.ERRORS, "db", 0.9, "90 % of the calls of a fail", caller="a")
    (case,) = cases([sick("a"), sick("b"), sick("front", call("x", "front"))], edges, hints=[hint])
    assert case.cause.name in ("a", "b")
    named = {c.service: c.watch_ref for c in case.ranking}
    assert named["db"] is None
    assert named["a"] is not None


def test_a_recent_rollout_is_a_reason():
    (case,) = cases([sick("payment", when=60, changed=at(25))], [])
    assert "rolled out 35 s before" in case.ranking[0].reasons
    (case,) = cases([sick("payment", when=60, changed=at(-3600))], [])
    assert len(case.ranking[0].reasons) == 1


NAMES = [f"n{i}" for i in range(12)]
GRAPHS = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), max_size=60)


@given(GRAPHS, st.sets(st.sampled_from(NAMES), min_size=1), st.integers(0, 5))
def test_everybody_is_in_exactly_one_case_and_causes_do_not_explain_each_other(edges, names, seed):
    rnd = random.Random(seed)
    suspects = [sick(n, call(rnd.choice(NAMES), n, when=rnd.random())) for n in sorted(names)]
    found = cases(suspects, edges)
    members = [s.name for c in found for s in (c.cause, *c.symptoms)]
    assert sorted(members) == sorted(names)
    assert all(1 <= len(c.ranking) <= MAX_CAUSES for c in found)
    assert all(c.cause.service in [r.service for r in c.ranking] for c in found)
    reach = reachable(edges)
    for one in found:
        for other in found:
            if one is not other:  # nobody who leads a case is explained by another who does, unless they explain it too
                assert not (other.cause.name in reach[one.cause.name] and one.cause.name not in reach[other.cause.name])
        for symptom in one.symptoms:
            assert one.cause.name in reach[symptom.name]


def reachable(edges):
    near = {n: {b for a, b in edges if a == n} for n in NAMES}
    for k in NAMES:
        for n in NAMES:
            if k in near[n]:
                near[n] = near[n] | near[k]
    return near


@given(GRAPHS)
def test_components_are_those_of_mutual_reachability_callees_first(edges):
    graph = {n: {b for a, b in edges if a == n} for n in NAMES}
    reach = reachable(edges)
    found = components(graph)
    place = {n: i for i, c in enumerate(found) for n in c}
    for a in NAMES:
        for b in NAMES:
            together = a == b or (b in reach[a] and a in reach[b])
            assert (place[a] == place[b]) == together
            if b in reach[a]:
                assert place[b] <= place[a]


def test_a_chain_of_ten_thousand_does_not_overflow():
    graph = {f"{i:05}": {f"{i + 1:05}"} for i in range(10_000)}
    assert len(components(graph)) == 10_001


def test_what_began_minutes_later_is_not_the_cause():
    """An older Incident of a caller is about something else than what its callee suffers now."""
    early = sick("checkout", call("frontend", "checkout", when=0))
    for when, wanted in ((90, {"payment": {"checkout"}}), (300, {"payment": set(), "checkout": set()})):
        assert led([early, sick("payment", call("checkout", "payment", when=when))], CHAIN) == wanted
