"""The model answers by script: whoever compares runs needs the same answer to the same conversation."""

import pytest

from hemostat_chaos.agents.script import Call, Message, Script, chosen, load

SCRIPTS = load("""
worker:
  turns:
    - [{tool: search, arguments: {query: clamps, page: "{n}"}}]
    - [{tool: price}, {tool: stock}]
  rounds: 2
  say: ["Found {n}.", "Again."]
debater: {say: ["No.", "Never.", "I said {n} times no."]}
writer: {turns: [[{tool: to_critic}]], rounds: 2, say: [written]}
critic: {turns: [[{tool: to_writer}]], rounds: 2, say: [criticised]}
""")


def grown(name: str, answers: int, **faults: int) -> list[Message]:
    """Return a conversation after so many answers of one script, each tool having answered `ok`."""
    messages = [Message("system", "be brief"), Message("user", "go")]
    for _ in range(answers):
        answer = SCRIPTS[name].answer(messages, **faults)
        messages.append(Message("assistant", answer.text, answer.calls))
        messages += [Message("tool", "ok") for _ in answer.calls]
    return messages


def spoken(messages: list[Message]) -> list[Message]:
    return [message for message in messages if message.role == "assistant"]


def test_it_calls_turn_by_turn_so_many_rounds_and_then_speaks():
    turns = spoken(grown("worker", 6))
    assert [[call.name for call in turn.calls] for turn in turns] == [
        *(["search"], ["price", "stock"]),
        *(["search"], ["price", "stock"]),
        *([], []),
    ]
    assert [turn.text for turn in turns[4:]] == ["Found 1.", "Again."]


def test_the_number_of_the_turn_can_be_in_an_argument():
    """Pagination, whose calls differ, is the legitimate twin of a stuck call."""
    searches = [turn.calls[0] for turn in spoken(grown("worker", 3))[::2]]
    assert searches == [
        Call("search", {"query": "clamps", "page": "1"}),
        Call("search", {"query": "clamps", "page": "3"}),
    ]


def test_the_same_conversation_gets_the_same_answer_and_an_answer_depends_on_nothing_else():
    conversation = grown("worker", 3)
    assert SCRIPTS["worker"].answer(conversation) == SCRIPTS["worker"].answer(list(conversation))
    SCRIPTS["worker"].answer(grown("worker", 1))
    assert SCRIPTS["worker"].answer(conversation).calls == spoken(grown("worker", 4))[-1].calls


def test_words_repeat_from_the_beginning_after_the_last():
    assert [message.text for message in spoken(grown("debater", 4))] == ["No.", "Never.", "I said 3 times no.", "No."]


def test_agents_that_share_a_conversation_each_find_their_own_place_in_it():
    messages = [Message("user", "go")]
    said = []
    for name in ["writer", "critic"] * 3:
        answer = SCRIPTS[name].answer(messages)
        said.append(answer.calls[0].name if answer.calls else answer.text)
        messages += [Message("assistant", answer.text, answer.calls), Message("tool", "transferred")]
    assert said == ["to_critic", "to_writer", "to_critic", "to_writer", "written", "criticised"]


def test_an_endless_script_never_speaks():
    assert all(message.calls for message in spoken(grown("worker", 30, endless=True)))
    assert Script(turns=SCRIPTS["writer"].turns, rounds=0).answer(grown("writer", 40)).calls


def test_growing_answers_are_longer_each_time():
    lengths = [len(message.text.split()) for message in spoken(grown("writer", 5, growing=10))]
    assert lengths == [10, 20, 31, 41, 51]


def test_a_mark_in_the_system_message_chooses_the_script_before_the_models_name():
    marked = [Message("system", "You write. [script: writer]"), Message("user", "[script: critic]")]
    assert chosen("worker", marked) == "writer"
    assert chosen("worker", marked[1:]) == "worker"


@pytest.mark.parametrize(
    "text", ["a: {turn: []}", "A B: {}", "a: {rounds: -1}", "a: {say: []}", "- a", "a: {turns: [[{}]]}"]
)
def test_a_script_that_says_something_unknown_is_refused(text):
    with pytest.raises(ValueError, match="validation error"):
        load(text)
