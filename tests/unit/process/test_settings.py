"""Settings: defaults that work, and errors that name the variable."""

import pytest

from hemostat.errors import Broken
from hemostat.settings import Settings

NUMBERS = {
    "HEMOSTAT_PROMETHEUS_TIMEOUT_SECONDS": (0.1, 60),
    "HEMOSTAT_HTTP_PORT": (1, 65535),
    "HEMOSTAT_OTLP_PORT": (1, 65535),
    "HEMOSTAT_OTLP_GRPC_PORT": (1, 65535),
    "HEMOSTAT_OTLP_MAX_BYTES": (1024, 1 << 26),
    "HEMOSTAT_WORKERS": (1, 64),
    "HEMOSTAT_AGENT_HOLD_SECONDS": (1, 60),
}


def test_without_any_variable_the_defaults_hold():
    assert Settings.read({}) == Settings()


def test_every_variable_is_read():
    found = Settings.read(
        {
            "HEMOSTAT_PROMETHEUS_URL": "http://mimir/prometheus",
            "HEMOSTAT_PROMETHEUS_TIMEOUT_SECONDS": "0.5",
            "HEMOSTAT_HTTP_PORT": "1",
            "HEMOSTAT_OTLP_PORT": "2",
            "HEMOSTAT_OTLP_GRPC_PORT": "4",
            "HEMOSTAT_OTLP_MAX_BYTES": "2048",
            "HEMOSTAT_WORKERS": "3",
            "HEMOSTAT_ACTIONS": " scale, rollback ,",
            "HEMOSTAT_PROMETHEUS_HEADERS": "X-Scope-OrgID: team-a; X-Other:b:c ;",
            "HEMOSTAT_PROMETHEUS_TOKEN_FILE": "/var/run/token",
            "HEMOSTAT_PRICES_FILE": "/etc/prices.json",
            "HEMOSTAT_MODELS": " openai/gpt-x, vllm/y,,openai/gpt-x",
        }
    )
    headers = (("X-Scope-OrgID", "team-a"), ("X-Other", "b:c"))
    expected = Settings(
        prometheus_url="http://mimir/prometheus",
        prometheus_timeout_seconds=0.5,
        http_port=1,
        otlp_port=2,
        otlp_grpc_port=4,
        otlp_max_bytes=2048,
        workers=3,
        actions=("scale", "rollback"),
        prometheus_headers=headers,
        prometheus_token_file="/var/run/token",
        prices_file="/etc/prices.json",
        models=("openai/gpt-x", "vllm/y"),
    )
    assert found == expected


@pytest.mark.parametrize("text", ["X-Tenant", "a b: c", ": x", "a: b\r\nEvil: yes", "a: \x00"])
def test_headers_that_are_none_are_refused_without_showing_them(text):
    with pytest.raises(Broken, match="HEMOSTAT_PROMETHEUS_HEADERS must look like") as refused:
        Settings.read({"HEMOSTAT_PROMETHEUS_HEADERS": text})
    assert text not in str(refused.value)


@pytest.mark.parametrize(("text", "actions"), [("", ()), (",", ()), ("scale", ("scale",))])
def test_an_empty_list_of_actions_allows_none(text, actions):
    assert Settings.read({"HEMOSTAT_ACTIONS": text}).actions == actions


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("text", ["", "many", "1e999", "nan", "-1", "0", "0x10"])
def test_what_cannot_be_understood_is_named(name, text):
    with pytest.raises(Broken, match=name):
        Settings.read({name: text})


@pytest.mark.parametrize(("name", "bounds"), NUMBERS.items())
def test_the_bounds_are_allowed_and_no_more(name, bounds):
    for value in bounds:
        Settings.read({name: str(value)})
    with pytest.raises(Broken, match=name):
        Settings.read({name: str(bounds[1] + 1)})


def test_two_servers_cannot_share_a_port():
    with pytest.raises(Broken, match="HEMOSTAT_OTLP_GRPC_PORT must differ"):
        Settings.read({"HEMOSTAT_HTTP_PORT": "4318"})


def test_a_list_of_models_has_an_end():
    with pytest.raises(Broken, match="HEMOSTAT_MODELS"):
        Settings.read({"HEMOSTAT_MODELS": ",".join(f"openai/{n}" for n in range(9))})
