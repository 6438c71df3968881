"""What the cluster itself cuts between agents: policies that are there for a time, and the pod that is given up."""

import json
from dataclasses import replace as changed

import pytest
from tests.unit.action.test_orders import plan, reason, trouble
from tests.unit.builders import NAMESPACE, T0, deployment, meta

from hemostat.action.contract import HOLD_ANNOTATION, World
from hemostat.action.effects import body_of, still_ours
from hemostat.api.identity import REMEDIATION_LABEL
from hemostat.api.incident import Conversation
from hemostat.api.remediation import Verb
from hemostat_remediations.cut_network import CUT_NETWORK
from hemostat_remediations.delete_pod import DELETE_POD
from hemostat_remediations.deny_call import DENY_CALL
from hemostat_remediations.limit_rate import LIMIT_RATE

LIMIT = {"route": "models", "limit": 60}


def workload(name, account=None, **labels):
    pod = {"metadata": {"labels": {"app": name} | labels}, "spec": {"serviceAccountName": account or name}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta(name),
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": name} | labels}, "template": pod},
    }


def pod(name, app, **metadata):
    return {"metadata": meta(name, labels={"app": app}, **metadata)}


def world(*troubles, deployments=None, policies=(), pods=None):
    return World(
        target=deployment(),
        conversations=troubles or (trouble("c1"),),
        proposed=T0,
        remediation="uid-r",
        name="payment-1-deny-call-0-1",
        deployments=[workload("planner"), workload("critic")] if deployments is None else deployments,
        pods=[pod("planner-x", "planner"), pod("critic-x", "critic")] if pods is None else pods,
        policies=policies,
    )


def spec_of(found):
    return body_of(found.steps[0].forward, NAMESPACE)["spec"]


@pytest.mark.parametrize(("action", "given"), [(DENY_CALL, {}), (CUT_NETWORK, {}), (LIMIT_RATE, LIMIT)])
def test_what_is_created_is_known_by_its_remediation_and_goes_with_it(action, given):
    found = plan(action, world(), holdSeconds=60, **given)
    made = body_of(found.steps[0].forward, NAMESPACE)
    assert (found.steps[0].forward.verb, found.steps[0].inverse.verb, found.hold_seconds) == (
        Verb.CREATE,
        Verb.DELETE,
        60,
    )
    assert found.steps[0].forward.name == found.steps[0].inverse.name == made["metadata"]["name"] == "hemostat-uid-r"
    assert made["metadata"]["labels"] == {REMEDIATION_LABEL: "uid-r"}
    assert made["metadata"]["annotations"] == {HOLD_ANNOTATION: "60"}
    assert made["metadata"]["ownerReferences"][0]["name"] == "payment-1-deny-call-0-1"
    assert (made["apiVersion"], made["kind"]) == action.creates
    assert found.replaced_pods == 0


def test_defaults_that_the_api_server_adds_keep_it_ours_and_other_words_do_not():
    found = plan(DENY_CALL, world())
    live = body_of(found.steps[0].forward, NAMESPACE)
    live["spec"] |= {"added": True}
    live["metadata"] |= {"uid": "u", "labels": live["metadata"]["labels"] | {"more": "x"}}
    assert still_ours(found.steps[0].forward, live)
    assert not still_ours(found.steps[0].inverse, live)
    assert still_ours(found.steps[0].inverse, None)
    assert not still_ours(found.steps[0].forward, None)
    live["spec"]["action"] = "ALLOW"
    assert not still_ours(found.steps[0].forward, live)


def test_the_mesh_denies_the_callers_account_the_callees_pods():
    found = plan(DENY_CALL, world(), trustDomain="example.org")
    assert spec_of(found) == {
        "selector": {"matchLabels": {"app": "critic"}},
        "action": "DENY",
        "rules": [{"from": [{"source": {"principals": [f"example.org/ns/{NAMESPACE}/sa/planner"]}}]}],
    }
    assert "planner -> critic" in found.summary


def test_all_callers_of_the_callee_are_denied_and_another_callee_is_another_remediation():
    three = [workload(n) for n in ("planner", "critic", "tester")]
    troubles = (trouble("c1"), trouble("c2", caller="tester"), trouble("c3", caller="critic", callee="planner"))
    (rule,) = spec_of(plan(DENY_CALL, world(*troubles, deployments=three)))["rules"]
    (source,) = rule["from"]
    assert [p.rsplit("/", 1)[1] for p in source["source"]["principals"]] == ["planner", "tester"]


def test_an_agent_of_another_name_than_its_workload_is_named_by_the_runbook():
    other = [workload("planner"), workload("review")]
    assert reason(DENY_CALL, world(deployments=other)) == "NoWorkload"
    found = plan(DENY_CALL, world(deployments=other), workloads="critic = review, x=y")
    assert spec_of(found)["selector"] == {"matchLabels": {"app": "review"}}
    assert reason(DENY_CALL, world(), workloads="critic") == "BadParameters"


def test_an_account_that_others_have_too_is_not_denied():
    shared = [workload("planner", "agents"), workload("critic", "agents"), workload("tester", "agents")]
    assert reason(DENY_CALL, world(deployments=shared)) == "SharedIdentity"
    assert reason(DENY_CALL, world(deployments=[workload("both")]), workloads="planner=both,critic=both") == (
        "SameWorkload"
    )


@pytest.mark.parametrize("action", [DENY_CALL, CUT_NETWORK])
def test_what_no_edge_tells_is_refused(action):
    assert reason(action, changed(world(), conversations=())) == "NothingToCut"
    assert reason(action, world(trouble("late", since=9))) == "NothingToCut"
    assert reason(action, world(trouble("c", callee="", caller=""))) == "NothingToCut"
    assert reason(action, world(trouble("c", caller="*", callee="critic"))) == "NoCaller"
    assert reason(action, changed(world(), policies=None)) == "NotInstalled"
    vague = workload("critic")
    vague["spec"]["selector"]["matchExpressions"] = [{"key": "x", "operator": "Exists"}]
    assert reason(action, world(deployments=[workload("planner"), vague])) == "Selector"


def test_the_network_lets_everybody_but_the_caller_in():
    found = plan(CUT_NETWORK, world(deployments=[workload("planner", tier="a"), workload("critic")]))
    (rule,) = spec_of(found)["ingress"]
    admitted = [
        any(_admits(peer, namespace, labels) for peer in rule["from"])
        for namespace, labels in (
            (NAMESPACE, {"app": "planner", "tier": "a"}),
            (NAMESPACE, {"app": "planner", "tier": "b"}),
            (NAMESPACE, {"app": "tester"}),
            ("elsewhere", {"app": "planner", "tier": "a"}),
        )
    ]
    assert admitted == [False, True, True, True]


def _admits(peer, namespace, labels):
    """What a network plug-in makes of a peer: NotIn holds for labels that are not there too."""
    if "podSelector" in peer:
        expressions, has = peer["podSelector"]["matchExpressions"], labels
        if namespace != NAMESPACE:
            return False  # without a namespaceSelector it is about the policy's own
    else:
        expressions = peer["namespaceSelector"]["matchExpressions"]
        has = {"kubernetes.io/metadata.name": namespace}
    return all(has.get(e["key"]) not in e["values"] for e in expressions if e["operator"] == "NotIn")


@pytest.mark.parametrize(
    ("spec", "refused"),
    [
        ({"podSelector": {}, "policyTypes": ["Ingress"]}, True),
        ({"podSelector": {"matchLabels": {"app": "critic"}}, "policyTypes": ["Ingress", "Egress"]}, True),
        ({"podSelector": {"matchLabels": {"app": "critic"}}}, True),
        ({"podSelector": {"matchLabels": {"app": "planner"}}, "policyTypes": ["Ingress"]}, False),
        ({"podSelector": {"matchLabels": {"app": "critic"}}, "policyTypes": ["Egress"]}, False),
    ],
)
def test_policies_add_up_so_that_one_more_would_open_what_another_closes(spec, refused):
    seen = world(policies=[{"metadata": meta("strict"), "spec": spec}])
    if refused:
        assert reason(CUT_NETWORK, seen) == "AlreadyRestricted"
    else:
        assert plan(CUT_NETWORK, seen)


def test_several_callers_cannot_be_left_out_by_one_network_policy():
    three = [workload(n) for n in ("planner", "critic", "tester")]
    assert reason(CUT_NETWORK, world(trouble("c1"), trouble("c2", caller="tester"), deployments=three)) == "TooMany"


def test_requests_or_tokens_are_limited_in_the_conversations_in_trouble_if_the_gateway_knows_them():
    (rule,) = spec_of(plan(LIMIT_RATE, world(), **LIMIT))["rateLimit"]["local"]["rules"]
    assert rule == {"limit": {"requests": 60, "unit": "Minute"}}
    seen = world(trouble("c2", "c1"))
    rules = spec_of(plan(LIMIT_RATE, seen, **LIMIT, tokenKey="total", conversationHeader="x-session"))["rateLimit"][
        "global"
    ]["rules"]
    assert [r["clientSelectors"][0]["headers"][0]["value"] for r in rules] == ["c1", "c2"]
    assert all(r["cost"]["response"]["metadata"]["key"] == "total" for r in rules)
    assert reason(LIMIT_RATE, seen) == "BadParameters"
    many = world(trouble("c1", affected=99))
    (rule,) = spec_of(plan(LIMIT_RATE, many, **LIMIT, conversationHeader="x"))["rateLimit"]["local"]["rules"]
    assert "clientSelectors" not in rule


@pytest.mark.parametrize(
    ("spec", "refused"),
    [
        ({"targetRefs": [{"kind": "HTTPRoute", "name": "models"}]}, True),
        ({"targetRef": {"kind": "HTTPRoute", "name": "models"}}, True),
        ({"targetSelectors": [{"kind": "HTTPRoute", "matchLabels": {"a": "b"}}]}, True),
        ({"targetRefs": [{"kind": "HTTPRoute", "name": "other"}]}, False),
        ({"targetRefs": [{"kind": "Gateway", "name": "models"}]}, False),
    ],
)
def test_of_two_policies_for_a_route_the_older_counts_so_ours_would_do_nothing(spec, refused):
    seen = world(policies=[{"metadata": meta("theirs"), "spec": spec}])
    if refused:
        assert reason(LIMIT_RATE, seen, **LIMIT) == "AlreadyLimited"
    else:
        assert plan(LIMIT_RATE, seen, **LIMIT)


def deadlock(**more):
    return trouble("c1", kind="Deadlock").model_copy(update=more)


def test_the_pod_of_who_waits_shortest_is_evicted_and_nothing_undoes_it():
    found = plan(DELETE_POD, world(deadlock()))
    assert (found.steps[0].forward.verb, found.steps[0].forward.subresource, found.steps[0].forward.uid) == (
        Verb.DELETE,
        "eviction",
        "uid-planner-x",
    )
    assert (found.steps[0].inverse, found.hold_seconds, found.replaced_pods, found.on_ineffective) == (
        None,
        None,
        1,
        "Keep",
    )


def test_a_tool_at_work_that_the_runbook_does_not_call_safe_is_not_broken_off():
    seen = world(deadlock(open_tools=("pay", "search")))
    assert reason(DELETE_POD, seen, safeTools="search") == "SideEffects"
    assert plan(DELETE_POD, seen, safeTools="search, pay")


def test_without_certainty_which_pod_and_what_for_none_is_deleted():
    twins = [pod("planner-x", "planner"), pod("planner-y", "planner")]
    leaving = [pod("planner-x", "planner"), pod("planner-y", "planner", deletionTimestamp="2026-03-01T12:00:00Z")]
    assert plan(DELETE_POD, world(deadlock(), pods=leaving)).steps[0].forward.name == "planner-x"
    assert reason(DELETE_POD, world(deadlock(), pods=twins)) == "WhichPod"
    assert reason(DELETE_POD, world(deadlock(), pods=[])) == "WhichPod"
    assert reason(DELETE_POD, world(trouble("c1"))) == "NoDeadlock"
    assert reason(DELETE_POD, world(deadlock(visibility="Partial"))) == "NoDeadlock"
    late = Conversation(id="late", since_time=T0.replace(year=2027))
    assert reason(DELETE_POD, world(deadlock(conversations=(late,)))) == "NoDeadlock"


def test_plans_say_what_they_rest_on():
    """Who joins the trouble later, or an unrelated Deployment, makes no other plan of it."""
    before = plan(DENY_CALL, world())
    assert before == plan(DENY_CALL, world(deployments=[workload("planner"), workload("critic"), workload("more")]))
    assert before != plan(DENY_CALL, world(deployments=[workload("planner", "other"), workload("critic")]))
    assert json.loads(before.steps[0].forward.ops[-1].value) == spec_of(before)
