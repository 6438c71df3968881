"""When is it the same question? An answer that is given again must fit the evidence as it is numbered now."""

from dataclasses import replace

import pytest
from tests.unit.builders import at, incident
from tests.unit.diagnosis.panel.scripted import NOW, K, case, evidence

from hemostat.api.incident import Diagnosis
from hemostat.clock import FakeClock, rfc3339
from hemostat.diagnosis.panel.case import make_case
from hemostat.diagnosis.panel.prompt import aggregator, items


def test_the_same_evidence_at_another_time_is_the_same_question():
    one = case(evidence(1), evidence(2, K.LOG))
    later = FakeClock(NOW).step(60)
    again = tuple(e.model_copy(update={"observed_time": later}) for e in one.evidence)
    assert replace(one, evidence=again).key == one.key


def test_other_evidence_runbooks_or_numbers_are_another_question():
    one = case(evidence(1), evidence(2, K.LOG))
    others = [
        case(evidence(1), evidence(2, K.LOG, summary="another line")),
        case(evidence(1), evidence(3, K.LOG, key="Log/2")),
        case(evidence(1), evidence(2, K.LOG), candidates=("bad-rollout", "saturation")),
        case(evidence(1), evidence(2, K.LOG), withheld={K.CHANGE: 1}),
        replace(one, incident="uid-2"),
    ]
    assert len({one.key, *(o.key for o in others)}) == 1 + len(others)


@pytest.mark.parametrize("kind", K)
def test_a_title_quotes_signals_and_leaves_where_they_may(kind):
    found = make_case(incident(), [evidence(1)], Diagnosis(by="Matcher"), [], frozenset({kind}))
    told = str(aggregator(found, {}))
    assert incident().spec.title
    assert (incident().spec.title in told) is (kind is K.SIGNAL)


def test_a_model_is_told_when_it_began_what_fires_now_and_when_each_thing_was_seen():
    """Trouble that came back was told with the numbers of its first time, and nothing said that they were old."""
    first = incident(summary="payment answers slowly")
    again = incident(summary="payment answers slowly", reopened={"count": 2, "time": rfc3339(at(600))})
    about = [aggregator(made(i), {})[1]["content"] for i in (first, again)]
    assert "it fails" in about[0]
    assert "came_back" not in about[0]
    assert "it fails" not in about[1]
    assert "payment answers slowly" in about[1]
    assert f'"since": "{at(600):%Y-%m-%d %H:%M:%S}", "came_back": "2 times' in about[1]
    assert f'"seen": "{NOW:%Y-%m-%d %H:%M:%S}"' in items([evidence(1)])


def made(found):
    nothing = Diagnosis(by="Matcher", hypotheses=())
    return make_case(found, [evidence(1)], nothing, [], frozenset(K))
