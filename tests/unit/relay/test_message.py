"""What people see in Slack: all of it, bounded, and nothing that somebody else wrote is more than text."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.relay.conftest import changed, pressing, size, strings, types

from hemostat.action.contract import unified_diff
from hemostat.api.approval import Via
from hemostat.api.incident import Evidence, Hypothesis, Incident, SignalStatus
from hemostat.api.meta import set_condition
from hemostat.api.remediation import Check, GateOutcome, Remediation
from hemostat.relay.message import Button, Proposal, compose, waits
from hemostat.relay.modals import explanation
from hemostat.relay.rich import MAX_DIFF, escaped, fits, told
from hemostat.relay.ticket import parse

ALL = {button.value for button in Button}
SLACKS_LIMIT = 13_000
"""github.com/slackapi/bolt-js/issues/2509: from about there on `msg_blocks_too_long`."""
LITERAL = {"header", "rich_text", "rich_text_section", "rich_text_list", "rich_text_preformatted", "text"} | {
    *("actions", "button", "plain_text", "context"),
    "",
}
"""Types that show text as it is; `mrkdwn`, `link`, `user`, `broadcast` and their like are not among them."""


def test_it_says_what_is_wrong_why_and_what_is_proposed(incident, remediation):
    message = compose(incident, Proposal(remediation, "Medium", "1 of 2 people approved (ann)", ("ann", "ben")))
    said = "\n".join(strings(list(message.blocks)))
    for part in (
        "Critical: Deployment payment in shop",
        "58.3% of 36 calls checkout -> payment fail",
        "ErrorRate of checkout -> payment",
        "The newest rollout broke it.",
        "Rollout of revision 2 9 s before the incident opened: env SHOP_FAIL_PERCENT added",
        "not saturation: ",
        "required symptom not found: saturated",
        "Roll Deployment payment back to template 5d4f8c",
        "Medium",
        "replaces 2 pods, leaves 2 replicas; if it does not help: Undo",
        '-   "SHOP_FAIL_PERCENT"',
        "1 of 2 people approved (ann)",
        "ann, ben",
        "wants a person to decide",
    ):
        assert part in said, part
    assert "namespace shop is not protected" not in said  # what passed is told by Explain


def test_buttons_carry_exactly_what_was_shown(incident, remediation):
    buttons = pressing(compose(incident, Proposal(remediation)).blocks)
    assert set(buttons) == ALL
    for button in buttons.values():
        ticket = parse(button["value"])
        assert (ticket.uid, ticket.plan_hash) == (remediation.metadata.uid, remediation.status.plan_hash)
    assert "confirm" in buttons[Button.APPROVE]  # a thumb slips


def test_quorum_is_told_before_anybody_spoke(incident, remediation):
    two = changed(remediation, decision=remediation.status.decision.model_copy(update={"quorum": 2}))
    assert "0 of 2 people approved" in strings(list(compose(incident, Proposal(two)).blocks))


@pytest.mark.parametrize("outcome", [o for o in GateOutcome if o is not GateOutcome.NEEDS_APPROVAL])
def test_nobody_is_asked_where_nobody_decides(incident, remediation, outcome):
    other = changed(remediation, decision=remediation.status.decision.model_copy(update={"outcome": outcome}))
    assert set(pressing(compose(incident, Proposal(other)).blocks)) == {Button.EXPLAIN}


@pytest.mark.parametrize("kind", ["Admitted", "Finished"])
def test_what_is_decided_has_no_button_to_decide(incident, remediation, kind):
    done = set_condition(remediation.status.conditions, kind, True, "Healed", "", remediation.status.decision.time)
    assert set(pressing(compose(incident, Proposal(changed(remediation, conditions=done))).blocks)) == {Button.EXPLAIN}


def test_what_is_over_has_no_button_at_all(incident, remediation):
    over = set_condition(incident.status.conditions, "Resolved", True, "Healed", "", remediation.status.decision.time)
    message = compose(changed(incident, conditions=over), Proposal(remediation))
    assert pressing(message.blocks) == {}
    assert "resolved (Healed)" in message.text


def _with_diff(remediation, diff):
    return changed(remediation, plan=remediation.status.plan.model_copy(update={"diff": diff}))


@pytest.mark.parametrize(
    "diff",
    [
        "+" * (MAX_DIFF + 1),
        "+a\n" * 100,
        "-image: good\n+image: good\N{RIGHT-TO-LEFT OVERRIDE}live",
        "-a\r+b",
        "+\x1b[2Jb",
    ],
    ids=["long", "lines", "bidi", "carriage-return", "terminal"],
)
def test_a_diff_that_is_not_shown_whole_cannot_be_approved_here(incident, remediation, diff):
    """Else somebody approves what they have not seen; they are told how to see it."""
    message = compose(incident, Proposal(_with_diff(remediation, diff)))
    assert set(pressing(message.blocks)) == ALL - {Button.APPROVE}
    assert "kubectl hemostat approve -n shop payment-1a2b3c4d-rollback-0-1" in strings(list(message.blocks))


def test_where_slack_is_refused_it_is_said_and_there_is_no_button(incident, remediation):
    refused = remediation.status.decision.model_copy(update={"refused_channels": (Via.SLACK,)})
    message = compose(incident, Proposal(changed(remediation, decision=refused)))
    assert set(pressing(message.blocks)) == ALL - {Button.APPROVE}
    assert "A GatePolicy takes no approval of this by Slack" in strings(list(message.blocks))


def test_a_diff_that_fits_is_shown_to_the_letter(incident, remediation):
    diff = "--- a\n+++ b\n" + "\n".join(f"+\t line {i} <!channel> & ```" for i in range(70))
    assert fits(diff)
    message = compose(incident, Proposal(_with_diff(remediation, diff)))
    assert diff in strings(list(message.blocks))
    assert Button.APPROVE in pressing(message.blocks)


HOSTILE = "<!channel> <@U1> <https://evil|click> https://evil.example *b* ```x``` & \u202e\x1b[31m\n> \u0000"


def test_text_of_telemetry_is_text_whatever_is_in_it(raw):
    """Names of services, messages, causes and evidence are written by whoever sends telemetry."""
    raw["Incident"]["status"]["summary"] = HOSTILE
    raw["Incident"]["status"]["signals"][0]["subject"] = HOSTILE
    raw["Incident"]["status"]["evidence"][0]["summary"] = HOSTILE
    raw["Incident"]["status"]["diagnosis"]["cause"] = HOSTILE
    raw["Incident"]["status"]["diagnosis"]["hypotheses"][1]["ruledOut"] = HOSTILE
    raw["Remediation"]["status"]["plan"]["summary"] = HOSTILE
    message = compose(
        Incident.model_validate(raw["Incident"]), Proposal(Remediation.model_validate(raw["Remediation"]), HOSTILE)
    )
    assert types(list(message.blocks)) <= LITERAL
    said = strings(list(message.blocks))
    assert not any(c in s for s in said for c in "\u202e\x1b\x00")
    assert not any("https://" in s for s in said)  # nor does a client make a link of it
    assert any("<!channel>" in s for s in said)  # it is told, as what it is
    assert "<" not in message.text
    assert ">" not in message.text.replace("&gt;", "")


def test_what_is_mrkdwn_is_escaped():
    assert escaped("<!channel> a&b") == "&lt;!channel&gt; a&amp;b"
    assert told("see https://x\n<!here>", 100) == "see https:\u2060//x <!here>"


TEXT = st.text(max_size=1024)


@settings(max_examples=25, deadline=None)
@given(TEXT, st.text(max_size=5000), st.integers(0, 64))
def test_it_is_never_more_than_slack_takes(text, diff, many):
    message = _largest(text or "x", diff, many)
    assert size(list(message.blocks)) < SLACKS_LIMIT
    assert len(message.blocks) <= 50
    assert len(message.blocks[0]["text"]["text"]) <= 150
    assert all(s for s in strings(list(message.blocks)))  # Slack refuses empty text
    assert all(len(b["value"]) <= 2000 for b in pressing(message.blocks).values())


def test_the_largest_there_is_fits_too():
    message = _largest("w" * 1024, "d" * MAX_DIFF, 64)
    assert size(list(message.blocks)) < SLACKS_LIMIT
    assert "d" * MAX_DIFF in strings(list(message.blocks))
    assert Button.APPROVE in pressing(message.blocks)


def _largest(text, diff, many):
    import yaml
    from tests.unit.samples import SAMPLES

    raw = {item["kind"]: item for item in yaml.safe_load_all(SAMPLES.read_text(encoding="utf-8"))}
    raw["Incident"]["metadata"]["name"] = raw["Remediation"]["metadata"]["name"] = "n" * 120
    incident, found = Incident.model_validate(raw["Incident"]), Remediation.model_validate(raw["Remediation"])
    signal, fact = incident.status.signals[0], incident.status.evidence[0]
    hypothesis = incident.status.diagnosis.hypotheses[0]
    ids = [f"E{i + 1}" for i in range(many)]
    incident = changed(
        incident,
        summary=text[:256],
        signals=tuple(SignalStatus(**{**dict(signal), "key": f"k{i}", "subject": text[:256]}) for i in range(32)),
        evidence=tuple(Evidence(**{**dict(fact), "id": i, "summary": text}) for i in ids),
        diagnosis=incident.status.diagnosis.model_copy(
            update={
                "cause": text,
                "hypotheses": (
                    hypothesis.model_copy(update={"cites": tuple(ids)}),
                    *(
                        Hypothesis(runbook="r" * 200 + str(i), cause=text, confidence_percent=0, ruled_out=text or "x")
                        for i in range(15)
                    ),
                ),
            }
        ),
    )
    checks = tuple(Check(name=f"C{i}", outcome="Ask", message=text) for i in range(32))
    found = changed(
        found,
        plan=found.status.plan.model_copy(update={"diff": diff, "summary": text}),
        decision=found.status.decision.model_copy(update={"checks": checks}),
    )
    assert waits(found)
    return compose(incident, Proposal(found, text, text, tuple(f"{text[:200]}{i}" for i in range(256))), "06:00 UTC")


def test_what_changes_all_the_time_is_not_urgent(incident, remediation):
    """Else every new value of a signal would be an update, of which Slack takes 50 a minute."""
    one = compose(incident, Proposal(remediation))
    other = compose(changed(incident, summary="59.1% of 37 calls fail"), Proposal(remediation))
    assert one.blocks != other.blocks
    assert one.urgent == other.urgent
    heard = compose(incident, Proposal(remediation, heard="1 of 2 people approved (ann)"))
    assert heard.urgent != one.urgent


def test_a_message_is_json(incident):
    assert json.loads(json.dumps(compose(incident, None).blocks))


def test_nothing_secret_is_told(raw):
    """A channel has more readers than the cluster; a diff is a whole pod template, and a summary quotes telemetry."""
    secret = "password=zebraquagga"
    status = raw["Incident"]["status"]
    status["summary"] = status["diagnosis"]["cause"] = status["evidence"][0]["summary"] = secret
    status["diagnosis"]["hypotheses"][1]["ruledOut"] = raw["Incident"]["spec"]["title"] = secret
    raw["Remediation"]["status"]["plan"]["summary"] = secret
    raw["Remediation"]["status"]["decision"]["checks"][1]["message"] = secret
    incident, found = Incident.model_validate(raw["Incident"]), Remediation.model_validate(raw["Remediation"])
    message = compose(
        incident, Proposal(found, "Low", "1 of 2 people approved (ann@example.com)", ("ben@example.com",))
    )
    window = explanation(incident, found, ())
    assert "zebraquagga" not in json.dumps([message.text, *message.blocks, window])
    said = strings(list(message.blocks))
    assert any("ann@example.com" in s for s in said)  # whose word counts is to be read
    assert "ben@example.com" in said


ENV = [{"name": "A", "value": "1"}, {"name": "DB_PASSWORD", "value": "zebra"}]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (ENV, ENV[:1]),
        (ENV[:1], ENV),
        (ENV, [ENV[0], {"name": "DB_PASSWORD", "value": "okapi"}]),
        ([], [{"name": "URL", "value": "postgres://shop:zebra@db/shop"}]),
        (["--token", "zebra"], ["--token", "okapi"]),
    ],
    ids=["removed", "added", "changed", "address", "flag"],
)
def test_a_diff_with_something_secret_is_shown_without_it_and_not_approved_here(incident, remediation, before, after):
    """The value of the new side does not follow its name in the diff: the old value stands between them."""
    diff = unified_diff({"args": before}, {"args": after}, "Deployment/payment")
    assert "zebra" in diff
    message = compose(incident, Proposal(_with_diff(remediation, diff)))
    said = strings(list(message.blocks))
    assert not any("zebra" in s or "okapi" in s for s in said)
    assert any("[REDACTED:" in s and "Deployment/payment (after)" in s for s in said)
    assert set(pressing(message.blocks)) == ALL - {Button.APPROVE}
    assert "What is secret in its diff is not told here" in said
    assert "kubectl hemostat approve -n shop payment-1a2b3c4d-rollback-0-1" in said


def test_who_approved_is_told_by_name(incident, remediation):
    when = remediation.status.decision.time
    done = set_condition((), "Admitted", True, "Approved", "by ann@example.com (word-1)", when)
    said = strings(list(compose(incident, Proposal(changed(remediation, conditions=done))).blocks))
    assert "Admitted: Approved: by ann@example.com (word-1)" in said
