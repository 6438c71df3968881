"""What an inference costs: cache, long inputs, snapshots, what is unknown; and which tables are refused, and how."""

import json
from importlib import metadata

import pytest

from hemostat.errors import Broken
from hemostat.telemetry import pricelist
from hemostat.telemetry.prices import Prices, Usage, table, usable

MILLION = 1_000_000
CHEAP = {"input_cost_per_token": 1e-6, "output_cost_per_token": 4e-6}
CACHING = CHEAP | {"cache_read_input_token_cost": 1e-7, "cache_creation_input_token_cost": 2e-6}


def cost(fields, *usage):
    return table({"m": fields}, "v").of("m").cost(Usage(*usage))


def test_tokens_of_the_cache_have_their_own_prices_and_are_part_of_the_input():
    assert cost(CHEAP, MILLION, MILLION) == pytest.approx(5.0)
    assert cost(CACHING, MILLION, 0, MILLION // 2) == pytest.approx(0.55)
    assert cost(CACHING, MILLION, 0, 0, MILLION // 2) == pytest.approx(1.5)


def test_a_cache_larger_than_the_input_was_counted_beside_it():
    assert cost(CACHING, 1000, 0, MILLION) == pytest.approx(0.001 + 0.1)


def test_the_cache_costs_what_any_input_costs_where_nothing_is_said():
    assert cost(CHEAP, MILLION, 0, MILLION // 2, MILLION // 2) == pytest.approx(1.0)


def test_a_long_input_makes_the_whole_inference_dearer():
    long = CACHING | {
        "input_cost_per_token_above_200k_tokens": 2e-6,
        "output_cost_per_token_above_200k_tokens": 8e-6,
    }
    assert cost(long, 200_000, 1000) == pytest.approx(0.2 + 0.004)
    assert cost(long, 200_001, 1000) == pytest.approx(0.400002 + 0.008)


def test_the_provider_s_own_price_comes_first_and_a_snapshot_costs_what_its_model_costs():
    prices = table(
        {"m": CHEAP, "azure/m": {"input_cost_per_token": 2e-6, "output_cost_per_token": 0}, "groq/g": CHEAP}, "v"
    )
    assert prices.of("m", "azure.ai.openai").rate.fresh == 2e-6
    assert prices.of("m", "openai").rate.fresh == 1e-6
    assert prices.of("m-2026-01-31", "openai") == prices.of("m")
    assert prices.of("models/m@20260131") == prices.of("m")
    assert prices.of("g", "groq") is not None


@pytest.mark.parametrize("model", ["g", "m-mini", "", "m-2026", "M"])
def test_a_model_that_is_not_in_the_table_has_no_price_which_is_not_zero(model):
    assert table({"m": CHEAP, "groq/g": CHEAP}, "v").of(model, "openai") is None


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        (3, "'m' must be an object"),
        ({}, "neither"),
        ({"input_cost_per_token": 1e-6}, "must both be there"),
        (CHEAP | {"output_cost_per_token": "4e-6"}, "output_cost_per_token must be a number"),
        (CHEAP | {"output_cost_per_token": True}, "output_cost_per_token must be a number"),
        (CHEAP | {"input_cost_per_token": -1}, "from 0 to 1 US dollars a token"),
        (CHEAP | {"input_cost_per_token": 15}, "from 0 to 1 US dollars a token"),
        (CHEAP | {"input_cost_per_token": float("nan")}, "must be a number"),
        (CHEAP | {"cache_read_input_token_cost": []}, "cache_read_input_token_cost"),
        (CHEAP | {"max_input_tokens": "many"}, "max_input_tokens must be a number of tokens"),
    ],
)
def test_a_table_that_is_wrong_names_the_model_and_the_field(fields, says):
    with pytest.raises(ValueError, match=says) as error:
        table({"m": fields}, "v")
    assert "'m'" in str(error.value)


def test_of_a_table_of_all_sorts_what_is_usable_is_used():
    found = usable({"m": CHEAP, "image": {"x": 1}, "sample": CHEAP | {"max_input_tokens": "words"}}, "v")
    assert set(found.prices) == {"m"}


def test_a_person_s_prices_count_over_those_that_are_shipped():
    shipped = table({"m": CHEAP, "n": CHEAP | {"max_input_tokens": 10}}, "litellm 1")
    both = table({"m": CACHING, "own": CHEAP}, "ours 2").over(shipped)
    assert (both.of("m").rate.cached, set(both.prices)) == (1e-7, {"m", "n", "own"})
    assert (both.version, both.windows) == ("litellm 1 + ours 2", {"n": 10})


def test_litellm_s_table_is_read_without_litellm_and_knows_today_s_models():
    """Also that its format is still what we read; the values are theirs and change."""
    prices = pricelist.load()
    assert prices.version == f"litellm {metadata.version('litellm')}"
    gpt, claude = prices.of("gpt-4o", "openai"), prices.of("claude-sonnet-4-5", "anthropic")
    assert 0 < gpt.rate.cached < gpt.rate.fresh < gpt.rate.output
    assert claude.rate.stored > claude.rate.fresh
    assert prices.windows["gpt-4o"] == 128_000
    assert "sample_spec" not in prices.prices


def test_without_the_package_nothing_has_a_price_and_it_is_said(caplog):
    assert pricelist.of_package("hemostat-has-no-such-package") == Prices()
    assert "HEMOSTAT_PRICES_FILE" in caplog.text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[]", "must be a JSON object"),
        ("{", "cannot be used"),
        ("{}", "no model"),
        (json.dumps({"m": {"input": 1}}), "model 'm'"),
        (None, "No such file"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_by_the_name_of_its_setting(tmp_path, text, says):
    path = tmp_path / "prices.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(Broken, match=says) as error:
        pricelist.load(str(path))
    assert "HEMOSTAT_PRICES_FILE" in str(error.value)


def test_a_file_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(pricelist, "MAX_BYTES", 10)
    (path := tmp_path / "prices.json").write_text(json.dumps({"m": CHEAP}))
    with pytest.raises(Broken, match="more than 10"):
        pricelist.of_file(path)
