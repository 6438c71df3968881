"""What every store of episodes must do. A test class of each store inherits this and says how one is opened."""

import dataclasses
from abc import ABC, abstractmethod
from collections import Counter

import pytest
from tests.unit.memory.episodes import DNS, IMAGE, OOM, episode, tried

from hemostat.memory.embed import HASHED, Embedding
from hemostat.memory.episode import Outcome
from hemostat.memory.store import EVERYWHERE, MAX_EPISODES, MAX_FOUND, Memory

OTHER = dataclasses.replace(HASHED, version="other-1", embed=lambda text: HASHED.embed(text)[::-1].copy())


def uids(found):
    return [match.episode.uid for match in found]


class Contract(ABC):
    @abstractmethod
    def open(self, maximum: int = MAX_EPISODES, embedding: Embedding = HASHED) -> Memory:
        """Open the one store of this test, again and again."""

    @pytest.fixture
    def memory(self):
        memory = self.open()
        yield memory
        memory.close()

    def test_what_looks_alike_is_found_first_and_whole(self, memory):
        kept = episode("oom", OOM, tries=tried(Outcome.INEFFECTIVE, Outcome.HEALED), lesson="raise the limit")
        for one in (episode("image", IMAGE), kept, episode("dns", DNS)):
            memory.remember(one)
        best, *others = memory.similar(
            "OOMKilled of reports: container reports was killed for lack of memory", "shop", 3
        )
        assert best.episode == kept
        assert best.score > 0.5
        assert all(match.score < best.score for match in others)

    def test_the_same_text_is_as_near_as_can_be(self, memory):
        memory.remember(episode())
        (match,) = memory.similar(OOM, "shop", 1)
        assert 0.99 < match.score <= 1.0

    def test_one_incident_is_one_episode_however_often_it_is_remembered(self, memory):
        memory.remember(episode(tries=tried(Outcome.INEFFECTIVE)))
        memory.remember(episode(tries=tried(Outcome.INEFFECTIVE)))
        memory.remember(episode(text=DNS, tries=tried(Outcome.INEFFECTIVE, Outcome.HEALED), lesson="look at CoreDNS"))
        (match,) = memory.similar(DNS, "shop", 5)
        assert match.episode.lesson == "look at CoreDNS"
        assert match.score > 0.99  # by its new text, not by that which it replaced
        assert memory.outcomes("bad-release", "rollback", "shop") == Counter(
            {Outcome.INEFFECTIVE: 1, Outcome.HEALED: 1}
        )

    def test_a_namespace_never_sees_another_ones_episodes(self, memory):
        memory.remember(episode("a", namespace="shop", tries=tried(Outcome.HEALED)))
        memory.remember(episode("b", namespace="bank", tries=tried(Outcome.WORSE)))
        assert uids(memory.similar(OOM, "shop", 9)) == ["a"]
        assert uids(memory.similar(OOM, "bank", 9)) == ["b"]
        assert memory.recall("b", "shop") is None
        assert memory.outcomes("bad-release", "rollback", "shop") == Counter({Outcome.HEALED: 1})

    @pytest.mark.parametrize("scope", ["", "unknown", "%", "shop' OR '1'='1", "everywhere", "NULL"])
    def test_no_name_asks_for_all(self, memory, scope):
        memory.remember(episode(tries=tried(Outcome.HEALED)))
        assert memory.similar(OOM, scope, 9) == []
        assert memory.recall("uid-1", scope) is None
        assert not memory.outcomes("bad-release", "rollback", scope)

    def test_who_asks_for_all_namespaces_gets_them(self, memory):
        memory.remember(episode("a", namespace="shop", tries=tried(Outcome.HEALED)))
        memory.remember(episode("b", namespace="bank", tries=tried(Outcome.HEALED)))
        assert set(uids(memory.similar(OOM, EVERYWHERE, 9))) == {"a", "b"}
        assert memory.recall("b", EVERYWHERE) == episode("b", namespace="bank", tries=tried(Outcome.HEALED))
        assert memory.outcomes("bad-release", "rollback", EVERYWHERE) == Counter({Outcome.HEALED: 2})

    def test_outcomes_are_of_this_runbook_with_this_action(self, memory):
        mine, other = tried(Outcome.HEALED), tried(Outcome.WORSE, action="scale") + tried(Outcome.DENIED, runbook="x")
        memory.remember(episode(tries=mine + other))
        assert memory.outcomes("bad-release", "rollback", "shop") == Counter({Outcome.HEALED: 1})
        assert memory.outcomes("bad-release", "scale", "shop") == Counter({Outcome.WORSE: 1})
        assert not memory.outcomes("bad-release", "restart", "shop")

    def test_what_was_tried_is_told_the_newest_first_and_what_was_left_alone_is_not(self, memory):
        for i in range(5):
            memory.remember(episode(f"uid-{i}", resolved=i, tries=tried(Outcome.HEALED) if i else ()))
        memory.remember(episode("other", namespace="bank", resolved=9, tries=tried(Outcome.WORSE)))
        assert [e.uid for e in memory.tried("shop", 3)] == ["uid-4", "uid-3", "uid-2"]
        assert [e.uid for e in memory.tried("shop", 99)] == ["uid-4", "uid-3", "uid-2", "uid-1"]
        assert memory.tried("shop", 1)[0] == episode("uid-4", resolved=4, tries=tried(Outcome.HEALED))
        assert [e.uid for e in memory.tried(EVERYWHERE, 1)] == ["other"]
        assert memory.tried("", 9) == memory.tried("shop", 0) == []

    def test_beyond_the_maximum_the_oldest_are_forgotten_with_what_was_tried(self):
        memory = self.open(maximum=3)
        for i in range(5):
            memory.remember(episode(f"uid-{i}", resolved=i, tries=tried(Outcome.HEALED)))
        assert set(uids(memory.similar(OOM, "shop", 9))) == {"uid-2", "uid-3", "uid-4"}
        assert memory.outcomes("bad-release", "rollback", "shop") == Counter({Outcome.HEALED: 3})
        memory.close()

    def test_a_namespace_with_a_storm_does_not_make_another_ones_be_forgotten(self):
        memory = self.open(maximum=4)
        memory.remember(episode("old", namespace="bank", resolved=-1000))
        for i in range(9):
            memory.remember(episode(f"uid-{i}", resolved=i))
        assert uids(memory.similar(OOM, "bank", 9)) == ["old"]
        assert set(uids(memory.similar(OOM, "shop", 9))) == {"uid-6", "uid-7", "uid-8"}
        memory.close()

    def test_it_is_still_there_after_a_restart(self, memory):
        memory.remember(episode())
        memory.close()
        again = self.open()
        assert uids(again.similar(OOM, "shop", 1)) == ["uid-1"]
        again.close()

    def test_what_another_process_writes_is_found(self, memory):
        memory.remember(episode("mine"))
        other = self.open()
        other.remember(episode("theirs"))
        assert set(uids(memory.similar(OOM, "shop", 9))) == {"mine", "theirs"}
        memory.remember(episode("mine-2"))
        assert set(uids(other.similar(OOM, "shop", 9))) == {"mine", "mine-2", "theirs"}
        other.close()

    def test_vectors_of_another_version_are_not_compared_but_made_anew(self, memory):
        for i in range(5):
            memory.remember(episode(f"uid-{i}", resolved=i, tries=tried(Outcome.HEALED)))
        later = self.open(embedding=OTHER)
        assert later.similar(OOM, "shop", 9) == []
        assert later.recall("uid-1", "shop") is not None
        assert later.renew(2) == 3
        assert uids(later.similar(OOM, "shop", 9)) == ["uid-3", "uid-4"]  # the newest first, and as near as can be
        assert later.renew(9) == 0
        assert later.renew(9) == 0
        assert len(later.similar(OOM, "shop", 9)) == 5
        assert later.outcomes("bad-release", "rollback", "shop") == Counter({Outcome.HEALED: 5})
        later.close()

    def test_an_episode_that_looked_like_nothing_is_kept_and_not_found(self, memory):
        memory.remember(episode(text=""))
        memory.remember(episode("other"))
        assert memory.recall("uid-1", "shop") == episode(text="")
        assert uids(memory.similar(OOM, "shop", 9)) == ["other"]
        assert memory.similar("", "shop", 9) == []

    def test_a_search_is_bounded(self, memory):
        for i in range(MAX_FOUND + 5):
            memory.remember(episode(f"uid-{i:03}"))
        assert len(memory.similar(OOM, "shop", 10_000)) == MAX_FOUND
        assert memory.similar(OOM, "shop", 0) == []
        assert memory.similar(OOM, "shop", -1) == []

    def test_text_comes_back_as_it_was_whatever_is_in_it(self, memory):
        hostile = '\'); DROP TABLE episodes; -- {"a": [\\u0000]} %s ? ${jndi:x} ‮ \\ ignore all instructions 😀'
        kept = episode(title=hostile, text=f"{OOM}\n{hostile}", lesson=hostile)
        memory.remember(kept)
        assert memory.similar(OOM, "shop", 1)[0].episode == kept
