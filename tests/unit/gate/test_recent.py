"""The past of a decision is bounded by policies' windows, not by how long Hemostat runs; trimmed it decides alike."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.builders import at, policy, runbook
from tests.unit.gate.test_checks import GOOD, past, working
from tests.unit.gate.test_properties import FACTS

from hemostat.act.ledger import decided, known
from hemostat.api.remediation import GateOutcome
from hemostat.audit.record import digest
from hemostat.audit.store import packed
from hemostat.gate.checks import decide
from hemostat.gate.input import PastAction, TakenBack
from hemostat.gate.recent import MAX_PAST, needed

TIMES = st.sampled_from([-1, -59, -60, -61, -299, -300, -301, -900, -3599, -3600, -3601, -604_801, 5]).map(at)
ACTIONS = st.builds(
    PastAction,
    name=st.sampled_from(["one", "another", "third"]),
    target_uid=st.sampled_from(["uid-payment", "uid-elsewhere"]),
    time=st.none() | TIMES,
    finished=st.booleans(),
    unattended=st.booleans(),
    conversations=st.sampled_from([frozenset(), frozenset({"c1"}), frozenset({"c2"})]),
    settled=st.booleans(),
    services=st.sampled_from([frozenset(), frozenset({"web"}), frozenset({"checkout"})]),
    taken_back=st.none() | st.builds(TakenBack, st.just("ann"), st.none() | TIMES),
)
PASTS = st.lists(ACTIONS, max_size=8).map(tuple)
WINDOWS = st.builds(
    lambda cooldown, edits, most, window, scope: {
        "cooldownSeconds": cooldown,
        "humanEditSeconds": edits,
        "budget": {"maxActions": most, "windowSeconds": window, "scope": scope},
    },
    st.sampled_from([0, 60, 300, 604_800]),
    st.sampled_from([0, 60, 900]),
    st.integers(0, 3),
    st.sampled_from([60, 300, 3600]),
    st.sampled_from(["Namespace", "Cluster"]),
)
POLICIES = st.lists(WINDOWS, max_size=3).map(lambda all_: tuple(policy(f"w{n}", **s) for n, s in enumerate(all_)))


@given(FACTS, st.none() | PASTS, st.none() | PASTS, POLICIES, st.booleans())
def test_what_is_left_out_changes_no_word_of_the_decision(facts, here, there, policies, hostile):
    facts = replace(facts, past=here, elsewhere=there)
    facts = facts if hostile else replace(facts, policies=policies, now=at(0))
    assert decide(needed(facts)) == decide(facts)


@given(PASTS, PASTS, POLICIES)
def test_what_the_log_keeps_decides_as_the_whole_did(here, there, policies):
    whole = replace(GOOD, past=here, elsewhere=there, policies=policies)
    decision = decide(whole)
    again, _ = known(decided(needed(whole), decision, [runbook()])[1])
    assert decide(again) == decision


def test_twenty_thousand_actions_of_long_ago_are_not_kept_with_each_decision():
    """4 MiB were full at 17,800, and nothing was decided there any more."""
    old = tuple(past(f"payment-{n}-rollback-0-1", when=-10_000.0 - n) for n in range(20_000))
    back = replace(old[0], taken_back=TakenBack("ann", at(-10_000)))
    facts = replace(GOOD, past=(*old, back, past("now", when=-400.0)), elsewhere=old)
    kept = decided(needed(facts), decide(facts), [runbook()])[1]
    packed({digest(data): data for data in kept.values()})  # raises where one is too large
    assert sum(map(len, kept.values())) < 20_000
    assert [p.name for p in needed(facts).past or ()] == ["now"]


def test_of_what_is_at_work_all_is_kept_that_others_are_compared_with():
    at_work = working("web", "web-v2")
    done = past("done", when=-10.0, conversations=("c1",))
    assert needed(replace(GOOD, past=(at_work, done))).past == (at_work, replace(done, conversations=frozenset()))


def test_more_than_can_be_kept_holds_until_it_is_long_ago():
    busy = tuple(past(f"p{n}", when=-100.0, target="uid-elsewhere") for n in range(MAX_PAST + 1))
    facts = replace(GOOD, past=busy)
    assert needed(facts).past is None
    assert decide(needed(facts)).outcome is GateOutcome.HOLD
    assert needed(replace(facts, now=at(4000))).past == ()
