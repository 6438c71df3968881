"""A message of ours is known by its mark and its author, and reminders become rarer."""

import pytest

from hemostat.relay.mark import EVENT, Mark, due, root_of

MARK = Mark(incident="uid", namespace="shop", name="payment-1")


def message(**changed):
    return {"ts": "1.5", "bot_id": "B1", "metadata": MARK.metadata()} | changed


def test_what_was_posted_is_found_again():
    assert root_of(message(), "B1").mark == MARK
    assert root_of(message(thread_ts="1.5"), "B1").ts == "1.5"  # a message with replies is in its own thread


@pytest.mark.parametrize(
    "changed",
    [
        {"bot_id": "B2"},
        {"bot_id": None},
        {"thread_ts": "1.0"},
        {"metadata": None},
        {"metadata": "x"},
        {"metadata": {"event_type": "another", "event_payload": MARK.model_dump()}},
        {"metadata": {"event_type": EVENT}},
        {"metadata": {"event_type": EVENT, "event_payload": {"incident": ""}}},
        {"metadata": {"event_type": EVENT, "event_payload": {**MARK.model_dump(), "snoozed": "x"}}},
    ],
)
def test_what_is_not_ours_is_not_taken_for_it(changed):
    """Anybody may post a message with metadata; only the author tells."""
    assert root_of(message(**changed), "B1") is None


def test_reminders_come_after_15_30_60_minutes():
    mark, asked, times = MARK, 1000.0, []
    for _ in range(4):
        times.append(due(mark, asked, 900) - asked)
        mark = mark.model_copy(update={"reminded": int(times[-1] + asked)})
    assert times == [900, 1800, 3600, 7200]


def test_a_new_question_is_asked_anew_and_snoozing_puts_it_off():
    reminded = MARK.model_copy(update={"reminded": 5000})
    assert due(reminded, 6000.0, 900) == 6900
    assert due(reminded.model_copy(update={"snoozed": 9999}), 6000.0, 900) == 9999
