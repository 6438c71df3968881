"""The stop switch as text: what is garbled or missing grants nothing."""

import pytest

from hemostat.api.stop import Level, binding, level_of, role, words


@pytest.mark.parametrize("level", list(Level))
def test_a_role_grants_what_its_level_says(level):
    assert level_of(role(level), binding()) is level


def rules(**changed):
    body = role(Level.RUNS)
    body["rules"][0] |= changed
    return body


@pytest.mark.parametrize(
    "found",
    [
        None,
        {},
        {"rules": None},
        {"rules": ["begin"]},
        rules(apiGroups=["apps"]),
        rules(resources=["deployments"]),
        rules(verbs=["Begin", "start"]),
        rules(verbs=None),
        rules(resourceNames=["one"]),
    ],
)
def test_what_does_not_grant_it_stops_everything(found):
    assert level_of(found, binding()) is Level.NOTHING


@pytest.mark.parametrize(
    "bound",
    [
        None,
        {},
        binding() | {"subjects": None},
        binding() | {"subjects": [{"kind": "ServiceAccount", "name": "other", "namespace": "hemostat-system"}]},
        binding() | {"roleRef": {"kind": "Role", "name": "another"}},
    ],
)
def test_what_is_not_bound_grants_nothing(bound):
    assert level_of(role(Level.RUNS), bound) is Level.NOTHING


def test_the_words_say_who_when_and_why():
    said = {
        "hemostat.dev/stopped-by": "eve",
        "hemostat.dev/stopped-time": "12:00",
        "hemostat.dev/stopped-reason": "sale",
    }
    assert words(said) == " by eve at 12:00: sale"
    assert words({}) == ""
