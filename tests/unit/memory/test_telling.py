"""What is shown of a past incident: all that matters of it, on one line."""

from tests.unit.builders import at
from tests.unit.memory.episodes import episode, tried

from hemostat.memory.episode import Ending, Outcome
from hemostat.memory.store import Match
from hemostat.memory.telling import MAX_WORDS, told


def test_it_says_what_was_wrong_what_was_tried_and_what_came_of_it():
    past = episode(title="pods are killed", tries=tried(Outcome.INEFFECTIVE, Outcome.HEALED), lesson="raise the limit")
    assert told(Match(past, 0.874), at(7200)) == (
        "incident-uid-1, 2 h ago, 87 % alike: Deployment catalog: pods are killed; "
        "tried rollback of bad-release: Ineffective, rollback of bad-release: Healed; healed; lesson: raise the limit"
    )


def test_it_says_that_nothing_was_tried():
    past = episode(ending=Ending.BY_PERSON)
    assert told(Match(past, 1.0), at(30)).endswith("it fails; nothing was tried; resolved by a person")


def test_it_is_one_short_line_whatever_was_remembered():
    past = episode(title="a\nb", tries=tried(*[Outcome.UNKNOWN] * 16, runbook="r" * 253), lesson="l\n\n" * 300)
    line = told(Match(past, 0.5), at(-60))  # another clock than this one resolved it
    assert len(line) == MAX_WORDS
    assert line.isprintable()
