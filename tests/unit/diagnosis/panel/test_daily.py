"""A namespace with a thousand Incidents a day is bounded too: each within its own limits, all of them in none."""

from dataclasses import replace
from datetime import date

import pytest
from tests.unit.builders import at, condition, incident
from tests.unit.diagnosis.panel.scripted import Clock, Scripted, case, evidence, finding, is_aggregator, verdict

from hemostat import metrics
from hemostat.api.incident import EvidenceKind
from hemostat.diagnosis.panel.consult import Panel
from hemostat.diagnosis.panel.daily import MAX_NAMESPACES, Bound, Daily, told_of
from hemostat.diagnosis.panel.meter import Budget, Meter
from hemostat.diagnosis.panel.tools import Pad
from hemostat.errors import Retry

DAY = date(2026, 11, 22)
ONE_DAY = 86_400.0


class Today:
    """Asks about one Incident after the other, each of which alone is far within its limits."""

    def __init__(self, bound, earlier=lambda _: (0, 0.0), tokens=(9_000, 1_000), usd=0.1):
        self.clock, self.earlier, self.count = Clock(), earlier, 0
        self.model = Scripted(lambda m: verdict() if is_aggregator(m) else finding(), tokens=tokens, usd=usd)
        self.panel = Panel(self.model, Meter(Budget(), self.clock, bound), self.clock)

    def ask(self, namespace="shop"):
        """Return why nobody could be asked about another Incident; empty where a model concluded."""
        self.count += 1
        of = replace(case(evidence(1)), incident=f"uid-{self.count}")
        pad = Pad(of.evidence, frozenset(EvidenceKind), lambda: of.since)
        heard = self.panel.consult(of, pad, {}, namespace=namespace, earlier=self.earlier)
        return heard.failure[0] if heard.failure is not None else ""


@pytest.mark.parametrize("bound", [Bound(tokens=44_000), Bound(usd=0.44)])
def test_all_incidents_of_a_namespace_are_within_the_bound_of_the_day_together(bound):
    today = Today(bound)
    refused = metrics.MODEL_DAY_SPENT.labels("shop")._value.get
    before = refused()
    said = [today.ask() for _ in range(8)]
    assert said == [""] * 4 + ["DayBudgetSpent"] * 4
    assert len(today.model.asked) == 4
    assert refused() == before + 4
    assert today.ask("other") == "", "each namespace has its own"
    today.clock.now += ONE_DAY
    assert today.ask() == "", "and each day"


def test_what_another_process_used_today_counts():
    asked = []

    def earlier(day):
        asked.append(day)
        return 1_499_999, 1.0

    today = Today(Bound(), earlier)
    assert today.ask() == "DayBudgetSpent"
    assert today.ask() == "DayBudgetSpent"
    assert len(asked) == 1


def test_where_that_cannot_be_read_nobody_is_asked():
    def earlier(_):
        raise Retry("the API server does not answer")

    today = Today(Bound(), earlier)
    assert today.ask() == "NotCounted"
    assert today.model.asked == []


def test_incidents_say_what_was_used_about_them():
    def one(when, tokens):
        said = [condition("Consulted", True, when=when)]
        return incident(usage={"turns": 1, "tokens": tokens, "usd": "0.25"}, conditions=said)

    day = at(0).date()
    found = [one(0, 100), one(60, 20), one(-2 * ONE_DAY, 3), incident()]
    assert told_of(found, day) == (120, 0.5)


def test_namespaces_are_bounded():
    daily = Daily(Bound())
    for n in range(MAX_NAMESPACES + 10):
        daily.count(f"n{n}", DAY, 1, 0.0)
    assert not daily.knows("n0")
    assert daily.knows(f"n{MAX_NAMESPACES}")


def test_a_small_bound_of_the_day_lets_the_first_answer_tell_what_a_token_costs():
    """Until then a token counts as a dear one: a model that costs nothing was never asked, on no day."""
    free = Today(Bound(usd=0.1), usd=0.0)
    assert [free.ask() for _ in range(3)] == ["", "", ""]
    assert Today(Bound(usd=0.0), usd=0.0).ask() == "DayBudgetSpent"
