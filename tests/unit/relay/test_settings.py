"""What is set for Slack, and how a mistake is told."""

import sys

import pytest

from hemostat import app
from hemostat.errors import Broken
from hemostat.relay.process import check
from hemostat.settings import Settings

WHOLE = {
    "HEMOSTAT_SLACK_BOT_TOKEN_FILE": "/bot",
    "HEMOSTAT_SLACK_APP_TOKEN_FILE": "/app",
    "HEMOSTAT_SLACK_CHANNELS": "C012AB3CD",
}


def test_one_channel_or_one_for_each_namespace():
    check(Settings.read(WHOLE))
    assert Settings.read(WHOLE).slack_channels == (("*", "C012AB3CD"),)
    several = Settings.read(WHOLE | {"HEMOSTAT_SLACK_CHANNELS": "shop=C1A, *=G2B"})
    assert several.slack_channels == (("shop", "C1A"), ("*", "G2B"))
    assert (
        Settings.read({"HEMOSTAT_SLACK_API_URL": "http://127.0.0.1:9/api"}).slack_api_url == "http://127.0.0.1:9/api/"
    )


@pytest.mark.parametrize("channels", ["#incidents", "shop=", "=C1A", "shop=incidents", "c012ab3cd", "C1A D2B"])
def test_what_is_no_channel_is_told(channels):
    with pytest.raises(Broken, match="HEMOSTAT_SLACK_CHANNELS must be the id of a channel"):
        Settings.read(WHOLE | {"HEMOSTAT_SLACK_CHANNELS": channels})


@pytest.mark.parametrize("missing", WHOLE)
def test_what_is_missing_is_named(missing):
    with pytest.raises(Broken, match=missing):
        check(Settings.read({k: v for k, v in WHOLE.items() if k != missing}))


def test_without_slacks_libraries_it_is_said_how_to_get_them(monkeypatch):
    """They are an extra: whoever installs without it is told, and nothing else misses them."""
    for name in [n for n in sys.modules if n.startswith(("hemostat.relay", "slack_"))]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("slack_bolt", "slack_sdk", "slack_sdk.errors"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(Broken, match=r"not installed: pip install \.\[slack\]"):
        app.relay()
