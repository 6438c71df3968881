"""What Slack tells of clicks is read with suspicion: whatever it is, it is a click of ours or none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.relay.conftest import pressing

from hemostat.relay.message import Button, Proposal, compose
from hemostat.relay.modals import DENIAL, REASON, denial, explanation
from hemostat.relay.payload import Press, Private, pressed, submitted
from hemostat.relay.ticket import Ticket, parse, ticket


def a_press(button=Button.APPROVE, value="{}", **changed):
    body = {
        "type": "block_actions",
        "user": {"id": "U1", "team_id": "T1"},
        "channel": {"id": "C1"},
        "message": {"ts": "1700000000.000100", "bot_id": "B1"},
        "trigger_id": "1.2.3",
        "actions": [{"action_id": str(button), "action_ts": "1700000001.5", "value": value, "type": "button"}],
    }
    return body | changed


@pytest.mark.parametrize(
    ("button", "press"),
    [
        (Button.APPROVE, Press.APPROVE),
        (Button.DENY, Press.ASK_REASON),
        (Button.SNOOZE, Press.SNOOZE),
        (Button.EXPLAIN, Press.EXPLAIN),
    ],
)
def test_a_press_of_each_button(incident, remediation, button, press):
    buttons = pressing(compose(incident, Proposal(remediation)).blocks)
    click = pressed(a_press(button, buttons[button]["value"]), "B1")
    assert (click.press, click.user, click.channel, click.at) == (press, "U1", "C1", 1700000001.5)
    assert click.ticket == ticket(incident, remediation)


@pytest.mark.parametrize(
    "value",
    [
        *("", "{}", "null", "x" * 2000, '{"namespace": "shop"}', '{"namespace": "shop", "incident": "../x"}'),
        '{"namespace": "shop", "incident": "a", "uid": 7}',
        '{"namespace": "shop", "incident": "a", "more": "x"}',
        '{"namespace": "shop/../kube-system", "incident": "a"}',
        '{"namespace": "shop", "incident": "a", "remediation": "a/../../b"}',
        '{"namespace": "shop", "incident": "a", "plan_hash": "sha256:xyz"}',
    ],
)
def test_a_forged_value_is_no_ticket(value):
    assert pressed(a_press(value=value), "B1").ticket is None


def test_a_button_on_a_message_of_another_bot_is_none_of_ours(incident, remediation):
    """Whoever may post as an app could show another diff beside a button of the same name."""
    value = ticket(incident, remediation).text()
    assert pressed(a_press(value=value, message={"ts": "1.0", "bot_id": "B2"}), "B1").ticket is None
    assert pressed(a_press(value=value, message={"ts": "1.0"}), "B1").ticket is None


@pytest.mark.parametrize(
    "changed",
    [
        {"user": {}},
        {"user": "U1"},
        {"channel": None},
        {"actions": []},
        {"actions": [{"action_id": "somebody_elses", "action_ts": "1", "value": "{}"}]},
        {"actions": [{"action_id": "hemostat_approve", "action_ts": "soon", "value": "{}"}]},
        {"actions": [{"action_id": "hemostat_approve", "action_ts": "1"}] * 2},
        {"message": {"ts": "1" * 100}},
    ],
)
def test_what_cannot_be_answered_is_passed_over(changed):
    assert pressed(a_press(**changed), "B1") is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(["user", "channel", "message", "actions", "view", "trigger_id"]), JSON))
def test_nothing_that_slack_could_send_breaks_the_reading(body):
    assert pressed(body, "B1") is None
    assert submitted(body, 0.0) is None
    partly = pressed(a_press() | body, "B1")
    assert partly is None or partly.ticket is None


def test_a_reason_is_read_from_the_window_that_was_opened(incident, remediation):
    private = Private(ticket=ticket(incident, remediation).text(), channel="C1", ts="1.0", at=5.0)
    view = denial(remediation.metadata.name, private.text())
    assert len(view["private_metadata"]) <= 3000
    sent = {
        **view,
        "id": "V1",
        "state": {"values": {REASON: {REASON: {"type": "plain_text_input", "value": " not today \n"}}}},
    }
    click = submitted({"type": "view_submission", "user": {"id": "U1"}, "view": sent}, 7.0)
    assert (click.press, click.reason, click.id, click.at) == (Press.DENY, "not today", "V1", 7.0)
    assert click.ticket == ticket(incident, remediation)
    other = {**sent, "callback_id": "another"}
    assert submitted({"user": {"id": "U1"}, "view": other}, 7.0) is None
    assert submitted({"user": {"id": "U1"}, "view": {**sent, "private_metadata": "{}"}}, 7.0) is None
    assert sent["callback_id"] == DENIAL


def test_the_longest_names_there_are_fit_a_button():
    longest = Ticket(
        namespace="n" * 63, incident="i" * 253, remediation="r" * 253, uid="u" * 64, plan_hash="sha256:" + "a" * 64
    )
    assert parse(longest.text()) == longest
    assert len(longest.text()) < 2000
    assert len(Private(ticket=longest.text(), channel="C" * 12, ts="1" * 17, at=1e9).text()) < 3000


def test_the_explanation_is_bounded(incident, remediation, approval):
    view = explanation(incident, remediation, [approval] * 100)
    assert len(view["blocks"]) <= 100
    assert explanation(incident, None, ())["blocks"]
