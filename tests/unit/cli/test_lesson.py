"""A lesson as it is shown; accepting it, with and without the right, is tried in tests/api/test_rounds.py."""

import pytest
from tests.unit.cli.test_commands import FakeKube, call

from hemostat.cli.session import Session
from hemostat.errors import Refused


@pytest.fixture
def kube(raw, monkeypatch):
    fake = FakeKube(raw.values())
    monkeypatch.setattr(Session, "open", classmethod(lambda cls, scope: cls(fake, scope.namespace or "shop")))
    return fake


def test_neither_a_lesson_nor_what_it_cites_steers_the_terminal(kube):
    (incident,) = kube.list("/incidents")
    text = "The canary lies\x1b[2J [E1 E3]"
    incident["status"]["lesson"] = {"text": text, "cites": ["E1", "E3"], "resolvedTime": "2026-11-21T07:00:00Z"}
    shown = call("lesson", "show", incident["metadata"]["name"]).stdout
    assert "a draft, which nobody has accepted" in shown
    assert "The canary lies?[2J [E1 E3]" in shown
    assert "  E3 Exemplar: [bold]traces?[31m" in shown
    assert "E2" not in shown
    assert "\x1b" not in shown


def test_without_a_lesson_it_is_said_when_there_is_one(kube):
    (incident,) = kube.list("/incidents")
    found = call("lesson", "show", incident["metadata"]["name"])
    assert isinstance(found.exception, Refused)
    assert "drafted once the Incident is resolved" in str(found.exception)
