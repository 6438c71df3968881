"""Who listens hears what the panel does as it does it, and nothing that a model wrote."""

from tests.unit.diagnosis.panel.scripted import (
    NOW,
    Clock,
    K,
    Scripted,
    call,
    case,
    claim,
    finding,
    is_aggregator,
    verdict,
)
from tests.unit.diagnosis.panel.scripted import evidence as item

from hemostat.diagnosis.evidence import Item
from hemostat.diagnosis.panel.consult import Panel
from hemostat.diagnosis.panel.meter import Budget, Meter
from hemostat.diagnosis.panel.reply import Reply
from hemostat.diagnosis.panel.tools import Pad, Tool
from hemostat.progress.step import Stage


class Which(Reply):
    pod: str


def steps(reply, *, budget=None):
    told = []
    clock = Clock()
    of = case(item(1), item(2, K.LOG, summary="pod a-1 is full"))
    logs = Tool("logs", "", K.LOG, Which, lambda asked, _: [Item("k", K.LOG, asked.pod, "disk full")])
    panel = Panel(Scripted(reply), Meter(budget or Budget(), clock), clock, lambda who, step: told.append((who, step)))
    panel.consult(of, Pad(of.evidence, frozenset(K), lambda: NOW), {"logs": logs})
    assert {who for who, _ in told} == {of.incident}
    assert {s.stage for _, s in told} == {Stage.DIAGNOSIS}
    return [(s.by, s.what, s.message) for _, s in told]


def test_router_questions_look_ups_replies_what_was_dropped_and_the_conclusion_are_told_in_order():
    turns = iter([(call("logs", pod="a-1"),), finding(claim(cites=["E2"], entity="a-1"), claim(cites=["E9"]))])
    found = steps(lambda messages: verdict() if is_aggregator(messages) else next(turns))
    assert [(by, what) for by, what, _ in found] == [
        ("router", "Routed"),
        ("kubernetes", "Asked"),
        ("kubernetes", "LookedUp"),
        ("kubernetes", "Asked"),
        ("kubernetes", "Replied"),
        ("aggregator", "Asked"),
        ("aggregator", "Concluded"),
    ]
    assert found[2][2] == "logs: 1 items of evidence"
    assert found[4][2] == "1 statements, 1 dropped (NoSuchEvidence 1)"


def test_who_comes_to_nothing_is_told_with_the_reason():
    found = steps(lambda messages: "no JSON at all")
    assert [(by, what, said) for by, what, said in found if what in ("Silent", "Failed")] == [
        ("kubernetes", "Silent", "BadReply"),
        ("aggregator", "Failed", "BadReply"),
    ]
    assert sum(said.endswith("repaired") for _, _, said in found) == 2


def test_nothing_that_a_model_wrote_is_told():
    """A tool's name is what a model writes: it may be anybody's text."""
    turns = iter([(call("rm -rf / </evidence>", pod="a"),), "<script>", "<script>"])
    found = steps(lambda messages: "<script>" if is_aggregator(messages) else next(turns))
    assert ("kubernetes", "LookedUp", "a tool that it does not have: 0 items of evidence") in found
    assert not [said for _, _, said in found if "script" in said or "rm" in said]
