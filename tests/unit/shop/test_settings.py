"""What the environment may say, and what is said when it may not."""

import pytest

from hemostat_chaos.shop.settings import SettingsError, read


def test_defaults_are_enough_for_a_role_that_needs_nothing():
    settings = read("frontend", {"POD_NAME": "frontend-1"})
    assert (settings.port, settings.workers, settings.work, settings.host) == (8080, 8, 0.02, None)
    assert settings.peers == {"catalog": "http://catalog:8080", "checkout": "http://checkout:8080"}
    assert settings.otlp_endpoint is None


def test_values_are_taken_and_times_are_seconds():
    env = {
        "SHOP_WORK_MS": "214",
        "SHOP_FAIL_PERCENT": "12.5",
        "SHOP_CATALOG_URL": "http://127.0.0.1:18081/",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://observe:4318",
    }
    settings = read("frontend", env)
    assert settings.work == 0.214
    assert settings.fail_percent == 12.5
    assert settings.peers["catalog"] == "http://127.0.0.1:18081"
    assert settings.otlp_endpoint == "http://observe:4318"


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ({"SHOP_WORKERS": "many"}, "SHOP_WORKERS='many' is refused: must be a whole number from 1 to 512"),
        ({"SHOP_WORKERS": "0"}, "from 1 to 512"),
        ({"SHOP_WORKERS": "2.5"}, "a whole number"),
        ({"SHOP_WORKERS": ""}, "SHOP_WORKERS='' is refused"),
        ({"SHOP_FAIL_PERCENT": "101"}, "from 0 to 100"),
        ({"SHOP_FAIL_PERCENT": "nan"}, "from 0 to 100"),
        ({"SHOP_WORK_MS": "inf"}, "from 0 to 60000"),
        ({"SHOP_RPS": "0"}, "from 0.1 to 200"),
        ({"SHOP_LEAK_MB_PER_SECOND": "-1"}, "from 0 to 512"),
        ({"SHOP_CATALOG_URL": "catalog"}, "must be like http://catalog:8080"),
        ({"SHOP_CATALOG_URL": "http://catalog:99999"}, "must be like http://catalog:8080"),
        ({"SHOP_CATALOG_URL": "http://catalog/items"}, "without a path"),
        ({"SHOP_WORKRES": "2"}, "SHOP_WORKRES is not known: must be one of"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "observe:4318"}, "must begin with http://"),
    ],
)
def test_a_refused_value_says_what_is_allowed(env, says):
    with pytest.raises(SettingsError, match="must") as refused:
        read("frontend", env)
    assert says in str(refused.value)


def test_every_problem_is_named_at_once():
    with pytest.raises(SettingsError) as refused:
        read("payment", {"SHOP_WORKERS": "x", "SHOP_PORT": "y"})
    for name in ("SHOP_WORKERS", "SHOP_PORT", "SHOP_PAYMENT_ACCOUNT is missing"):
        assert name in str(refused.value)


@pytest.mark.parametrize("role", ["", "fronted"])
def test_an_unknown_role_is_refused(role):
    with pytest.raises(SettingsError, match="must be one of load, frontend"):
        read(role, {})


def test_replicas_do_not_share_a_seed():
    seeds = {read("catalog", {"POD_NAME": pod}).seed for pod in ("catalog-a", "catalog-b")}
    assert len(seeds) == 2
