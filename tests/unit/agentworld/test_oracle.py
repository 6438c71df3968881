"""The truth follows from what can still happen, not from what a scenario was meant to show."""

from dataclasses import dataclass

from tests.bench.agentworld import oracle
from tests.bench.agentworld.oracle import explore, frees, judge
from tests.bench.agentworld.policy import Acquire, Ask, AskPerson, CallTool, Errand, HandOver, Plain, Think
from tests.bench.agentworld.scenarios.alone import Reader
from tests.bench.agentworld.scenarios.growth import Splitter
from tests.bench.agentworld.tools import Clock, Corpus, Outcome, Pages, Rubric, Shelf
from tests.unit.agentworld.worlds import Does, all_of, performed, world

USELESS = CallTool("clock", "input=0")
TOOLS = {"clock": Clock(), "shelf": Shelf()}


def verdict(one, seed=1):
    record = performed(one, seed)
    return judge(one, record), record


def listing(sticks):
    return world({"ann": Reader("list")}, {"list": Pages(4, sticks)}, passes=5)


def test_a_listing_that_sticks_is_a_repeated_step_since_the_last_page_that_was_new():
    said, record = verdict(listing(2))
    assert (said.kind, said.agents, said.cuts, said.period) == ("RepeatedStep", ("ann",), ((("ann", "list"),),), 1)
    assert said.started == record.calm_at > 1000.0
    assert record.calm.facts == {"page 0", "page 1"}
    assert len(said.repetitions) == 5
    assert all(a < b for a, b in zip(said.repetitions, said.repetitions[1:], strict=False))
    assert said.repetitions[0] > said.started


def test_a_flipped_fact_that_does_no_harm_is_no_trouble():
    assert verdict(listing(9))[0].kind == ""


def test_a_run_that_could_still_gain_something_is_no_trouble_though_nobody_watched_to_the_end():
    one = world({"ann": Does((USELESS,) * 30 + (CallTool("shelf", "q=1"),))}, TOOLS, steps=20)
    assert verdict(one)[0].kind == ""


def test_the_same_calls_for_ever_are_a_cycle_of_their_number():
    one = world({"ann": Does((USELESS, CallTool("clock", "input=1"), CallTool("clock", "input=2")), again=True)}, TOOLS)
    said, _ = verdict(one)
    assert (said.kind, said.period) == ("Cycle", 3)


def test_more_than_ten_steps_in_a_circle_are_no_cycle_anybody_would_see_but_a_run_over_its_turns():
    steps = tuple(CallTool("clock", f"input={at}") for at in range(11))
    assert verdict(world({"ann": Does(steps, again=True)}, TOOLS, passes=2))[0].kind == "TurnBudget"


def test_hand_overs_without_end_are_a_cycle_of_both_and_either_edge_may_be_cut():
    one = world({"ann": Does((HandOver("bob", "x=1"),)), "bob": Does((HandOver("ann", "x=1"),))})
    said, _ = verdict(one)
    assert (said.kind, said.agents, said.period) == ("Cycle", ("ann", "bob"), 2)
    assert said.cuts == ((("ann", "bob"),), (("bob", "ann"),))


def test_other_words_for_the_same_search_are_a_paraphrase_loop():
    one = world({"ann": Does((CallTool("s", "topic=x", reworded=True),), again=True)}, {"s": Corpus(0)})
    assert verdict(one)[0].kind == "ParaphraseLoop"


def test_drafts_that_grow_and_never_convince_burn_tokens():
    one = world({"ann": Does((Think("rubric", "d=1"),), again=True)}, {"rubric": Rubric(0)}, swell=1.5)
    assert verdict(one)[0].kind == "TokenBurn"


def test_parts_as_large_as_the_whole_descend_for_ever_and_smaller_ones_end():
    for shrinks, kind in ((True, ""), (False, "Recursion")):
        top = Does((Ask((Errand("ann", "part=0;size=3"),)),))
        one = world({"top": top, "ann": Splitter("ann", 1, shrinks)}, {"solve_part": Shelf()}, passes=4)
        said, _ = verdict(one)
        assert said.kind == kind
        assert len(said.repetitions) == (0 if shrinks else 4)


def test_a_person_who_is_away_is_waited_for_and_nothing_is_to_be_cut():
    asks = Does((AskPerson("may I"), CallTool("shelf", "q=1")))
    said, _ = verdict(world({"ann": asks}, person_present=False))
    assert (said.kind, said.cuts) == ("WaitingForPerson", ())
    assert verdict(world({"ann": asks}))[0].kind == ""


@dataclass(frozen=True)
class Prize:
    """Gives something to bob if he comes before ann."""

    def first(self):
        return "open"

    def call(self, state, name, about, rest):
        won = state == "open" and about == "who=bob"
        return "gone", Outcome("ok=true", fact="prize" if won else "")


def test_every_order_of_moves_is_tried():
    """Ann is first in every order but some; what can be gained in one of them can be gained."""
    takes = {name: Does((CallTool("prize", f"who={name}"), USELESS)) for name in ("ann", "bob")}
    lead = Does((all_of("ann", "bob"), USELESS), again=True)
    assert explore(world({"lead": lead, **takes}, {"prize": Prize(), "clock": Clock()})) == "progress"
    alone = Does((all_of("ann"), USELESS), again=True)
    assert explore(world({"lead": alone, **takes}, {"prize": Prize(), "clock": Clock()})) == "nothing"


def test_what_exceeds_the_budget_is_left_undecided(monkeypatch):
    @dataclass(frozen=True)
    class Counts(Plain):
        def begin(self, task, notes):
            return 0

        def decide(self, memory, seen):
            return memory + 1, CallTool("clock", "input=0")

    monkeypatch.setattr(oracle, "BUDGET", 50)
    assert verdict(world({"ann": Counts()}, TOOLS, steps=30))[0].kind == "?"


def test_a_cut_elsewhere_frees_nobody():
    one = world({"ann": Does((USELESS,), again=True), "bob": Does((USELESS,))}, TOOLS)
    assert frees(one, (("ann", "clock"),))
    assert not frees(one, (("bob", "clock"),))


def test_the_smallest_cut_of_a_ring_of_locks_is_one_edge_and_it_frees_the_others():
    names = ("ann", "bob", "cid")
    takers = {
        name: Does((Acquire(f"l{at}"), CallTool("shelf", f"q={at}"), Acquire(f"l{(at + 1) % 3}")))
        for at, name in enumerate(names)
    }
    said, record = verdict(world({"lead": Does((all_of(*names),)), **takers}, TOOLS))
    assert (said.kind, said.agents) == ("Deadlock", names)
    assert said.cuts == ((("ann", "bob"),), (("bob", "cid"),), (("cid", "ann"),))
    assert said.started == record.stuck_at
