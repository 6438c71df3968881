"""One turn may be several requests: each is within the limits of its Incident."""

import pytest
from tests.unit.diagnosis.panel.scripted import Clock, case, evidence
from tests.unit.diagnosis.test_fallback import error, fallback

from hemostat.api.incident import EvidenceKind, Used
from hemostat.diagnosis.answer import Spent
from hemostat.diagnosis.fallback import TRIES
from hemostat.diagnosis.panel.consult import Panel
from hemostat.diagnosis.panel.meter import Budget, Meter, nowhere
from hemostat.diagnosis.panel.tools import Pad
from hemostat.errors import Retry

ALL = frozenset(EvidenceKind)


def consult(budget, spent, record=nowhere):
    """Consult a provider that never answers, and charges for that; return what came of it and what was sent."""
    empty = error("EmptyAnswer")
    empty.spent = spent
    asks, models, _ = fallback(("a/1",), a_1=[empty] * 99)
    clock = Clock()
    of = case(evidence(1))
    pad = Pad(of.evidence, ALL, lambda: of.since)
    heard = Panel(asks, Meter(budget, clock), clock).consult(of, pad, {}, Used(), record)
    return heard, models


@pytest.mark.parametrize("budget", [Budget(tokens=6000), Budget(usd=0.15)])
def test_no_request_is_sent_again_once_those_in_vain_used_all(budget):
    """A turn was held as one request and sent three: a limit was passed by as many."""
    heard, models = consult(budget, Spent(5000, 1000, 0.15))
    assert len(models.asked) == 1
    assert heard.failure[0] == "BudgetSpent"
    assert (heard.usage.tokens_in, heard.usage.usd) == (5000, 0.15), "counted once, although it was counted early"


def test_what_is_left_allows_another_and_what_was_in_vain_is_written_down_before_it():
    written = []
    heard, models = consult(Budget(tokens=100_000), Spent(5000, 1000, 0.001), lambda used: written.append(used.tokens))
    assert len(models.asked) == TRIES
    assert written[-1] == TRIES * 6000
    held = written[0]
    assert written[1:3] == [6000 + held, 12000 + held], "a process that ends now has not sent more than is written"
    assert heard.failure[0] == "NoProvider"


def test_what_cannot_be_written_down_is_not_sent_again():
    times = iter(range(99))

    def record(_):
        if next(times) == 1:
            raise Retry("not now")

    heard, models = consult(Budget(), Spent(50, 10, 0.001), record)
    assert (heard.failure[0], len(models.asked)) == ("NotCounted", 1)


def test_what_was_in_vain_is_written_down_once_though_no_other_request_may_be_sent():
    written = []
    consult(Budget(tokens=6000), Spent(5000, 1000, 0.15), written.append)
    assert (written[-1].tokens, float(written[-1].usd)) == (6000, 0.15)
