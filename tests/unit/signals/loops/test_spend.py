"""Money by agent and tenant over rolling windows, and what a Watch says of its budgets."""

import random
from datetime import UTC, datetime

import pytest
from tests.unit.signals.loops.talks import tool

from hemostat.api.watch import Budget, ConversationSignal, Legitimate
from hemostat.signals import budgets
from hemostat.signals.loops.cells import Cells
from hemostat.signals.loops.detect import Detector
from hemostat.signals.loops.spend import Spend
from hemostat.telemetry.prices import table
from hemostat.telemetry.steps import Failure, Operation

PRICES = table({"m": {"input_cost_per_token": 1e-3, "output_cost_per_token": 0.0}}, "ours 7")
START = 1_800_000_000.0
EACH, CRITIC = Budget(agent="", usd="5"), Budget(agent="critic", usd="5")


def chat(thousandths, agent="critic", **more):
    """Return an inference that costs so many thousandths of a dollar."""
    return tool(operation=Operation.CHAT, peer=more.pop("peer", "m"), agent=agent, tokens=thousandths, **more)


def spent(*costs, every=60.0, prices=PRICES):
    """Return the accounts after (agent, dollars) one after the other, and the time."""
    spend, now = Spend(prices), START
    for agent, dollars in costs:
        now += every
        spend.take(chat(int(dollars * 1000)), agent, now)
    return spend, now


def told(spend, now, budget=CRITIC, legitimate=()):
    signal = ConversationSignal(budgets=(budget,), legitimate=legitimate)
    (one,) = budgets.judge("c", signal, {budget: spend.against("team", budget, now)}, datetime.fromtimestamp(now, UTC))
    return one


def test_an_agent_over_its_budget_is_told_with_the_sum_the_limit_and_the_prices():
    one = told(*spent(("critic", 4.0), ("planner", 9.0), ("critic", 2.1)))
    assert one.wrong
    assert one.note == "agent critic spent $6.10 in the last hour, $5.00 are allowed (prices: ours 7)"
    assert (one.conversation.agents, one.conversation.advice) == (("critic",), "Notify")


def test_what_is_within_the_budget_is_health_with_a_forecast():
    one = told(*spent(*[("critic", 0.2)] * 15))
    assert one.wrong is False
    assert 5 * 60 <= one.left_seconds <= 15 * 60
    assert "at the pace of the last 10 min used up in" in one.note
    calm = told(*spent(*[("critic", 0.05)] * 59))
    assert (calm.wrong, calm.left_seconds) == (False, None), "what is spent leaves the hour as fast as more is"


def test_the_forecast_comes_true():
    spend, now = spent(*[("critic", 0.2)] * 15)
    said = now + told(spend, now).left_seconds
    while not told(spend, now).wrong:
        now += 60
        spend.take(chat(200), "critic", now)
    assert abs(now - said) <= 180


def test_money_of_an_hour_ago_does_not_count_any_more():
    spend, now = spent(("critic", 6.0))
    assert told(spend, now).wrong
    assert told(spend, now + 3500).wrong
    assert told(spend, now + 3700).wrong is False


@pytest.mark.parametrize("window", [60, 600, 3600, 7200, 86400])
def test_a_window_measures_what_was_spent_in_it(window):
    """Against the plain sum, with money spent evenly; what is uneven is off by a cell's at most."""
    budget, spend, now, log = Budget(agent="", usd="1", windowSeconds=window), Spend(PRICES), START, []
    for _ in range(int(1.5 * window / (pause := max(10.0, window / 400)))):
        now += pause
        spend.take(chat(100), "critic", now)
        log.append(now)
    exact = 0.1 * sum(at > now - window for at in log)
    (one,) = spend.against("team", budget, now).spent
    assert one.usd == pytest.approx(exact, rel=0.2 if window == 60 else 0.03)


def test_each_agent_has_a_budget_of_its_own_and_one_signal_names_all_who_are_over():
    one = told(*spent(("critic", 6.0), ("planner", 4.0), ("tester", 7.0)), budget=EACH)
    assert one.wrong
    assert "tester spent $7.00" in one.note
    assert "so did critic $6.00" in one.note
    assert "planner" not in one.note
    assert one.conversation.agents == ("tester", "critic")


def test_a_tenant_s_budget_is_for_all_agents_that_work_for_it():
    spend = Spend(PRICES)
    for agent in ("critic", "planner"):
        spend.take(chat(3000, payer="acme"), agent, START)
        spend.take(chat(3000, payer=""), agent, START)
    one = told(spend, START, Budget(tenant="", usd="5"))
    assert "tenant acme spent $6.00" in one.note
    assert told(spend, START, Budget(tenant="other", usd="5")).wrong is None


def test_a_model_without_a_price_is_named_and_is_no_zero():
    spend = Spend(PRICES)
    spend.take(chat(1000, peer="secret"), "critic", START)
    one = told(spend, START)
    assert (one.wrong, one.samples) == (None, 0), "nothing is known, which is no health"
    assert "no price for secret: not counted" in one.note
    spend.take(chat(1000), "critic", START)
    assert told(spend, START).wrong is False
    assert "secret" in told(spend, START).note
    assert "secret" not in told(spend, START + 4000).note
    assert (spend.usd, spend.unpriced) == (1.0, 1)


def test_an_inference_that_told_no_tokens_is_not_counted_and_one_that_failed_costs_nothing():
    spend = Spend(PRICES)
    spend.take(chat(0), "critic", START)
    assert spend.unpriced == 1
    spend.take(chat(0, failed=Failure.RATE_LIMITED), "critic", START)
    assert spend.unpriced == 1


def test_what_a_person_called_legitimate_is_not_told_until_then():
    spend, now = spent(("critic", 6.0), ("planner", 7.0))
    word = Legitimate(kind="Budget", caller="planner", until_time=datetime.fromtimestamp(now + 60, UTC))
    one = told(spend, now, EACH, (word,))
    assert one.wrong
    assert one.conversation.agents == ("critic",)
    anyone = word.model_copy(update={"caller": ""})
    assert not told(spend, now, EACH, (anyone,)).wrong
    assert told(spend, now + 61, EACH, (anyone,)).wrong


def test_accounts_are_bounded_and_those_used_last_stay():
    spend = Spend(PRICES, most=3)
    for i in range(50):
        spend.take(chat(6000), f"agent{i}", START + i)
    assert [s.who for s in spend.against("team", EACH, START + 50).spent] == ["agent47", "agent48", "agent49"]
    for i in range(50):
        spend.take(chat(1, peer=f"model{i}"), "agent49", START + 60)
    assert len(spend.against("team", EACH, START + 60).unpriced) <= 4


def test_a_clock_that_is_set_back_or_far_ahead_breaks_nothing():
    cells = Cells(60.0, 61)
    for now in (START, START - 1e6, START + 30):
        cells.add(1.0, now)
    assert sum(cells.last(3600, START + 30)) == 3.0
    cells.add(1.0, START + 1e9)
    assert sum(cells.last(3600, START + 1e9)) == 1.0


def test_cells_agree_with_a_plain_sum_at_random():
    rng, cells, now, log = random.Random(5), Cells(60.0, 61), START, []
    for _ in range(300):
        now += rng.expovariate(1 / 40)
        cells.add(1.0, now)
        log.append(now)
        exact = sum(at > now - 3600 for at in log)
        assert abs(sum(cells.last(3600, now)) - exact) <= 8


def test_the_detector_counts_each_inference_once_whoever_tells_of_it():
    detector = Detector(prices=PRICES, delay=0.0)
    step = chat(1000, start=START, span=b"sameSPAN")
    for _ in range(3):
        detector.take([step], START + 10)
    assert detector.spend.usd == pytest.approx(1.0)
