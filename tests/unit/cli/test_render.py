from datetime import timedelta

import pytest
from tests.unit.builders import a_condition, policy

from hemostat.api.approval import Approval
from hemostat.api.gatepolicy import GatePolicyStatus
from hemostat.api.incident import (
    Advice,
    Cause,
    Conversation,
    ConversationStatus,
    Incident,
    Reopening,
    SignalState,
    Storm,
)
from hemostat.api.meta import LocalRef, TargetRef, set_condition
from hemostat.api.remediation import CheckOutcome, GateOutcome, Remediation
from hemostat.cli import render_explanation, render_incident, render_incidents


@pytest.fixture
def now(incident):
    return incident.spec.opened_time + timedelta(minutes=3)


def test_a_page_has_everything_a_person_on_call_needs(incident, remediation, approval, now, plain):
    text = plain(render_incident.page(incident, [remediation], [approval], now))
    for part in (
        "Incident payment-1a2b3c4d  Critical  Open: NEEDS APPROVAL",
        "opened 2026-11-21 06:00:00Z, 3m ago",
        "+1.0 s  observe  Runbook bad-rollout matches",
        "Firing  Critical  58.3% of 36 calls checkout -> payment fail (Traces)",
        "E2  Change    Rollout of revision 2 9 s before the incident",
        "=>  bad-rollout  100 %  The newest rollout broke it. (cites E1, E2)",
        "saturation   0 %    ruled out: required symptom not found: saturated",
        "Roll Deployment payment back to template 5d4f8c",
        '-   "SHOP_FAIL_PERCENT"',
        "sha256:" + "a" * 64,
        "Ask            Policy",
        "+5 s  Approve  sre@example.com  not heard yet: seen it",
        "kubectl hemostat approve payment-1a2b3c4d-rollback-0-1 -n shop",
    ):
        assert part in text


def test_a_denied_action_leaves_the_cause_as_it_was_found(raw, now, plain):
    """It was `0 % ruled out`, and what it rested on was gone."""
    diagnosis = raw["Incident"]["status"]["diagnosis"]
    del diagnosis["runbookRef"]
    diagnosis["hypotheses"][0] |= {"ruledOut": "rollback was denied by a person", "ruledOutOnly": "Action"}
    text = plain(render_incident.page(Incident.model_validate(raw["Incident"]), [], [], now))
    assert "bad-rollout  100 %  The newest rollout broke it. (cites E1, E2); not done: rollback was denied" in text


CONSULTED = {
    "type": "Consulted",
    "status": "True",
    "reason": "Doubts",
    "message": "the model names 'restart', which does not match",
    "lastTransitionTime": "2026-11-21T06:00:09Z",
}
SAID = {
    "cause": "The new version reads a setting that is not there.",
    "statements": [{"text": "it began 9 s after the rollout", "about": "payment", "cites": ["E1", "E2"]}],
    "abstained": {"by": "Model", "leastPercent": 30, "missing": ["a log of payment"]},
    "usage": {"models": ["openai/gpt-4.1"], "turns": 6, "tokensIn": 9120, "tokensOut": 812, "usd": "0.031000"},
}


def test_a_page_says_what_a_model_said_apart_from_what_the_matcher_found(raw, now, plain):
    """The cause and the statements of the model stood nowhere on the page, nor why it was not believed."""
    raw["Incident"]["status"]["conditions"].append(CONSULTED)
    raw["Incident"]["status"]["diagnosis"] |= SAID
    raw["Incident"]["status"]["usage"] = {"turns": 9, "tokens": 14000, "usd": "0.042000"}
    text = plain(render_incident.page(Incident.model_validate(raw["Incident"]), [], [], now))
    matcher, _, models = text.partition("What models say")
    assert "Diagnosis by Matcher" in matcher
    for part in (
        "Doubts: the model names 'restart', which does not match",
        "Cause, in its words: The new version reads a setting that is not there.",
        "-  payment: it began 9 s after the rollout (cites E1, E2)",
        "It would have to see: a log of payment",
        "This answer: openai/gpt-4.1; asked 6 times, 9120 tokens of questions, 812 of replies, 0.031000 USD",
        "All rounds together, with what was not answered: asked 9 times, 14000 tokens, 0.042000 USD",
    ):
        assert part in models


def test_where_no_model_is_set_nothing_is_said_of_models(incident, now, plain):
    assert "What models say" not in plain(render_incident.page(incident, [], [], now))


def test_text_from_telemetry_is_no_markup_and_no_control(incident, now, plain):
    text = plain(render_incident.page(incident, [], [], now))
    assert "[bold]traces?[31m" in text
    assert "\x1b" not in text


def test_a_resolved_incident_asks_nobody(incident, remediation, now, plain):
    conditions = set_condition(incident.status.conditions, "Resolved", True, "Healed", "", now)
    over = incident.model_copy(update={"status": incident.status.model_copy(update={"conditions": conditions})})
    text = plain(render_incident.page(over, [remediation], [], now))
    assert "Resolved: Healed after 180.0 s" in text
    assert "kubectl hemostat approve" not in text


def test_a_denial_that_ended_it_is_not_told_as_not_counted(raw, incident, now, plain):
    said = {"type": "Finished", "status": "True", "reason": "DeniedByPerson", "message": "sre@example.com: seen it"}
    raw["Remediation"]["status"]["conditions"].append(said | {"lastTransitionTime": "2026-11-21T06:00:30Z"})
    raw["Approval"]["spec"]["decision"] = "Deny"
    found = Remediation.model_validate(raw["Remediation"])
    denied = Approval.model_validate(raw["Approval"])
    other = denied.model_copy(update={"spec": denied.spec.model_copy(update={"approver": "late@example.com"})})
    text = plain(render_incident.page(incident, [found], [denied, other], now))
    assert "Deny  sre@example.com   ended it: seen it" in text
    assert "Deny  late@example.com  not counted: seen it" in text


def test_the_table_puts_open_incidents_first(incident, now, plain):
    conditions = set_condition((), "Resolved", True, "Healed", "", now)
    over = incident.model_copy(
        update={
            "metadata": incident.metadata.model_copy(update={"name": "old"}),
            "status": incident.status.model_copy(update={"conditions": conditions}),
        }
    )
    lines = plain(render_incidents.table([over, incident], now, everywhere=True)).splitlines()
    assert lines[0].split()[:3] == ["NAMESPACE", "NAME", "SEVERITY"]
    assert [line.split()[1] for line in lines[1:]] == ["payment-1a2b3c4d", "old"]
    assert "NAMESPACE" not in plain(render_incidents.table([], now, everywhere=False))


def test_who_took_it_back_is_said_whatever_it_ended_as(incident, raw, now, plain):
    raw["Remediation"]["metadata"]["annotations"] = {"hemostat.dev/taken-back-by": "ann@example.com"}
    page = plain(render_incident.page(incident, [Remediation.model_validate(raw["Remediation"])], [], now))
    assert "; ann@example.com took it back" in page


def test_explain_tells_every_check_and_what_to_do(remediation, approval, plain):
    text = plain(render_explanation.page(remediation, [approval]))
    assert "Policy               Ask    GatePolicy approve-rollbacks wants a person to decide" in text
    assert (
        "Together: NeedsApproval (a person must approve or deny it; GatePolicies that match: approve-rollbacks)" in text
    )
    assert "Now: it waits until a person decides: kubectl hemostat approve" in text


def test_explain_shows_what_changed_since_the_plan_before_this_one(remediation, plain):
    drift = a_condition("Finished", reason="Drifted").model_copy(update={"message": "it is void:\n- to 3\n+ to 4"})
    before = remediation.model_copy(
        update={"status": remediation.status.model_copy(update={"conditions": (drift,)}), "spec": remediation.spec}
    )
    lines = plain(render_explanation.page(remediation, [], None, before)).splitlines()
    start = lines.index(f"{remediation.metadata.name}: it is void:")
    assert lines[start + 1 : start + 3] == ["- to 3", "+ to 4"]
    assert "void" not in plain(render_explanation.page(remediation, []))


def test_explain_tells_what_is_wrong_with_a_policy(remediation, plain):
    """One that nobody can mean anything by looked as if it were about something else."""
    wrong = a_condition("Ready", "False", "UnknownAction").model_copy(update={"message": "no action rolback"})
    careful = policy("careful", decision="Deny", actions=["rolback"])
    careful = careful.model_copy(update={"status": GatePolicyStatus(conditions=(wrong,))})
    text = plain(render_explanation.page(remediation, [], [(careful, "it is about action rolback")]))
    assert "NOT READY: no action rolback; it is about action rolback" in text
    newer = careful.model_copy(update={"metadata": careful.metadata.model_copy(update={"generation": 2})})
    assert "NOT READY" not in plain(render_explanation.page(remediation, [], [(newer, "")])), "that was before"


def test_what_waits_for_rights_says_whose_they_are_to_give(remediation, plain):
    waits = a_condition("Admitted", "Unknown", "NotOptedIn").model_copy(update={"message": "bind ClusterRole x"})
    status = remediation.status.model_copy(update={"conditions": (waits,), "decision": None})
    text = plain(render_explanation.page(remediation.model_copy(update={"status": status}), []))
    assert "Now: it waits: bind ClusterRole x" in text


def test_why_a_word_was_not_counted_is_said_beside_it(remediation, approval, plain):
    """It was `not heard yet` for ever: its groups were left out."""
    said = f"a person decides; ignored {approval.metadata.name}: ada does not hold the verb approve; ignored other: x"
    waits = a_condition("Admitted", "Unknown", "NeedsApproval").model_copy(update={"message": said})
    status = remediation.status.model_copy(update={"conditions": (waits,), "approvals": ()})
    text = plain(render_explanation.page(remediation.model_copy(update={"status": status}), [approval]))
    assert "not counted: ada does not hold the verb approve" in text
    assert "ignored other" not in text.split("Approvals")[1]


def test_of_a_long_ending_the_headline_is_one_sentence(remediation, plain):
    drift = a_condition("Finished", reason="Drifted").model_copy(update={"message": "it is void:\n- to 3\n+ to 4"})
    found = remediation.model_copy(update={"status": remediation.status.model_copy(update={"conditions": (drift,)})})
    lines = plain(render_explanation.page(found, [])).splitlines()
    assert lines[0].endswith("Finished: Drifted: it is void:")
    assert [line.strip() for line in lines].count("- to 3") == 1


def test_explain_tells_which_policies_count_and_why_others_do_not(remediation, plain):
    pairs = [(policy("gold"), "its selector does not match the labels of the target"), (policy("ask"), "")]
    lines = plain(render_explanation.page(remediation, [], pairs)).splitlines()
    table = lines[next(i for i, line in enumerate(lines) if line.startswith("GATEPOLICY")) :]
    assert table[1].split() == ["ask", "Auto", "yes", "it", "matches"]
    assert table[2].endswith("no           its selector does not match the labels of the target")
    assert "There is no GatePolicy" in plain(render_explanation.page(remediation, [], []))


@pytest.mark.parametrize(
    ("conditions", "outcome", "said"),
    [
        ([], "Hold", "it waits for Policy and is asked again by itself; nobody can approve it meanwhile"),
        ([a_condition("Admitted")], "Allow", "it was admitted and goes on by itself"),
        ([a_condition("Admitted"), a_condition("Applied", "Unknown", "Stopped")], "Allow", "it was admitted; "),
        ([a_condition("Finished", reason="WouldHave")], "Shadow", "nothing; it ended as WouldHave. A GatePolicy is in"),
        ([a_condition("Finished", reason="Healed")], "Allow", "nothing; it ended as Healed."),
        ([a_condition("Planned")], None, "the gate looks at it in a moment"),
    ],
)
def test_what_is_to_be_done_next_is_said(remediation, conditions, outcome, said):
    decision = remediation.status.decision
    checks = tuple(c.model_copy(update={"name": "Policy", "outcome": CheckOutcome.HOLD}) for c in decision.checks[:1])
    changed = decision.model_copy(update={"outcome": GateOutcome(outcome), "checks": checks}) if outcome else None
    status = remediation.status.model_copy(update={"conditions": tuple(conditions), "decision": changed})
    assert render_explanation.what_next(remediation.model_copy(update={"status": status})).startswith(said)


def test_explain_before_the_gate_has_looked(remediation, plain):
    status = remediation.status.model_copy(update={"decision": None, "plan": None, "plan_hash": None})
    text = plain(render_explanation.page(remediation.model_copy(update={"status": status}), []))
    assert "no plan" in text
    assert "the gate has not looked at it yet" in text


def test_a_page_says_where_it_began_who_suffers_and_what_it_belongs_to(incident, now, plain):
    own = incident.status.signals[0]
    elsewhere = own.model_copy(
        update={
            "key": "frontend:x",
            "subject": "load -> frontend",
            "watch_ref": LocalRef(name="frontend"),
            "target_ref": TargetRef(name="frontend"),
        }
    )
    status = incident.status.model_copy(
        update={
            "signals": (own, elsewhere),
            "causes": (
                Cause(service="db", score_percent=71, reasons=("90 % of 50 calls fail",)),
                Cause(service="payment", watch_ref=LocalRef(name="payment"), score_percent=12, reasons=("slow",)),
            ),
            "part_of": LocalRef(name="db-1"),
            "reopened": Reopening(count=2, time=now),
            "storm": Storm(targets=7, signals=30, names=("Deployment a",), shared=("node n1",)),
        }
    )
    text = plain(render_incident.page(incident.model_copy(update={"status": status}), [], [], now))
    for part in (
        "part of Incident db-1: what is to be done is proposed there",
        "came back 2 times, last at 06:03:00Z",
        "stands for 7 other targets, 30 signals: Deployment a and 6 more; all of them share node n1",
        "71  db       90 % of 50 calls fail (nobody watches it)",
        "12  payment  slow\n",
        "at Deployment frontend)",
    ):
        assert part in text
    before, _, after = text.partition("Who suffers from it")
    assert "at Deployment frontend" in after
    assert "at Deployment frontend" not in before


def test_what_another_watch_sees_of_the_same_target_is_its_own_trouble(incident, now, plain):
    own = incident.status.signals[0]
    target = TargetRef(kind=incident.spec.target_ref.kind, name=incident.spec.target_ref.name)
    again = own.model_copy(update={"key": "other:x", "watch_ref": LocalRef(name="other"), "target_ref": target})
    status = incident.status.model_copy(update={"signals": (own, again)})
    assert "Who suffers" not in plain(render_incident.page(incident.model_copy(update={"status": status}), [], [], now))


def test_who_waits_for_data_is_told_so_and_nobody_is_called(incident, now, plain):
    conditions = set_condition(incident.status.conditions, "Resolved", False, "NoData", "no calls since 12:03", now)
    mute = incident.model_copy(update={"status": incident.status.model_copy(update={"conditions": conditions})})
    text = plain(render_incident.page(mute, [], [], now))
    assert "Open: waits for data" in text
    assert "no calls since 12:03" in text
    assert "PERSON NEEDED" not in text


def talking(incident, **changed):
    loop = ConversationStatus(
        kind="Cycle",
        agents=("planner", "critic"),
        caller="critic",
        callee="planner",
        conversations=(Conversation(id="debate-1", since_time=incident.spec.opened_time),),
        affected=3,
        tokens=12_000,
        confidence_percent=92,
        visibility="Partial",
        advice="Cut",
    )
    signal = incident.status.signals[0].model_copy(update={"conversation": loop.model_copy(update=changed)})
    return incident.model_copy(update={"status": incident.status.model_copy(update={"signals": (signal,)})})


def test_the_page_of_agents_names_the_conversations_and_the_edge_to_cut(incident, now, plain):
    """A loop without the name of its conversation is a loop that nobody can look up."""
    text = plain(render_incident.page(talking(incident), [], [], now))
    for part in (
        "Firing        Cycle",
        "conversation  debate-1 (since 06:00:00Z) and 2 more",
        "agents        planner, critic",
        "to cut        critic -> planner, by a Runbook or a person",
        "burnt         12,000 tokens since it began",
        "visibility    Partial, 92 % sure",
    ):
        assert part in text
    assert "Conversations of agents" not in plain(render_incident.page(incident, [], [], now))


def test_the_page_of_agents_says_why_only_a_person_cuts_and_what_is_not_known(incident, now, plain):
    told = talking(incident, advice=Advice.NOTIFY, tokens=0)
    text = plain(render_incident.page(told, [], [], now))
    assert "critic -> planner, by a person only: it costs too little so far, waits, or is not sure" in text
    assert "burnt         not told" in text
    over = talking(incident, advice=Advice.NOTIFY)
    calm = tuple(s.model_copy(update={"state": SignalState.CLEAR}) for s in over.status.signals)
    over = over.model_copy(update={"status": over.status.model_copy(update={"signals": calm})})
    text = plain(render_incident.page(over, [], [], now))
    assert "critic -> planner; nothing any more, it does not go on" in text
    assert "by a person only" not in text, "of a loop that was cut it would be wrong"
    whole = talking(incident, caller="", callee="")
    assert "to cut        no edge; a person must look" in plain(render_incident.page(whole, [], [], now))


def test_the_page_of_agents_says_what_is_cut_until_when_and_what_was_restored(incident, raw, now, plain):
    summary = "Cut critic -> planner for 300 s"
    raw["Remediation"]["status"]["plan"] |= {"summary": summary, "holdSeconds": 300}
    forward = {"effect": "Forward", "time": "2026-11-21T06:00:10Z", "resourceVersion": "7", "generation": 1}
    raw["Remediation"]["status"]["results"] = [forward | {"proof": "Content"}]
    cut = Remediation.model_validate(raw["Remediation"])
    page = plain(render_incident.page(talking(incident), [cut], [], now))
    assert f"cut now       {summary}, at 06:00:10Z, until 06:05:10Z" in page
    back = {"effect": "Inverse", "time": "2026-11-21T06:02:00Z", "resourceVersion": "8", "generation": 1}
    raw["Remediation"]["status"]["results"].append(back | {"proof": "Content"})
    restored = Remediation.model_validate(raw["Remediation"])
    page = plain(render_incident.page(talking(incident), [restored], [], now))
    assert f"restored      {summary}, at 06:00:10Z, taken back at 06:02:00Z" in page
