"""For whom a person is paged: what waits for one, and since when. A page that names what was answered, or none for what
was not, is worse than none.
"""

import random

import pytest
from tests.unit.builders import at

from hemostat.act.waiting import MAX_KEPT, MAX_NAMESPACES, OTHERS, Waiting
from hemostat.api.remediation import RemediationStatus
from hemostat.gate.asking import asking
from hemostat.metrics import REGISTRY

T0 = 1_790_000_000


def moment(second):
    return f"2026-09-21T{14 + second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}.000000Z"


def remediation(name, *conditions, namespace="shop", incident="i"):
    meta = {"name": name, "namespace": namespace}
    return {"metadata": meta, "spec": {"incidentRef": {"name": incident}}, "status": {"conditions": list(conditions)}}


def admitted(second=0, status="Unknown", reason="NeedsApproval"):
    return {"type": "Admitted", "status": status, "reason": reason, "lastTransitionTime": moment(second)}


def incident(name, annotations=None, namespace="shop"):
    return {"metadata": {"name": name, "namespace": namespace, "annotations": annotations}}


@pytest.fixture
def waiting():
    return Waiting()


def names(waiting):
    return [labels[:2] for labels, _ in waiting.oldest()]


def test_the_one_that_waits_longest_is_named_with_its_incident(waiting):
    waiting.put(remediation("later", admitted(5)))
    waiting.put(remediation("first", admitted(2), incident="payment-1"))
    waiting.put(remediation("other", admitted(3), namespace="crm"))
    assert sorted(waiting.oldest()) == [
        (("crm", "other", "i"), pytest.approx(waiting.oldest()[0][1] + 1)),
        (("shop", "first", "payment-1"), waiting.oldest()[0][1]),
    ]
    assert sorted(waiting.counts()) == [(("crm",), 1.0), (("shop",), 2.0)]


@pytest.mark.parametrize(
    "conditions",
    [
        (),
        (admitted(reason="Held"),),  # a freeze: nobody is asked
        (admitted(reason="NotOptedIn"),),
        (admitted(status="True", reason="Approved"),),
        (admitted(), {"type": "Finished", "status": "True", "reason": "Denied"}),
    ],
)
def test_what_is_answered_or_asks_nobody_does_not_wait(waiting, conditions):
    waiting.put(remediation("a", admitted()))
    waiting.put(remediation("a", *conditions))
    assert (waiting.oldest(), waiting.counts()) == ([], [])


def test_only_the_time_in_which_a_person_could_have_answered_counts(waiting):
    """Seen: who was asked after a night of freeze was paged at once, for 15 minutes that nobody could have used."""
    body = remediation("a", admitted(0))
    waiting.put(body)
    ((_, first),) = waiting.oldest()
    body["status"]["asked"] = {"sinceTime": moment(7200), "seconds": 100}
    waiting.put(body)
    assert waiting.oldest()[0][1] == first + 7100


def test_what_it_is_held_back_in_between_is_left_out_and_what_was_asked_before_is_not():
    status, told = RemediationStatus(), []
    for second, asks in ((0, False), (10, True), (20, True), (70, False), (5000, False), (6000, True), (6030, False)):
        status = asking(status, at(second), asks=asks)
        told.append((status.asked.since_time, status.asked.seconds) if status.asked is not None else None)
    assert told == [None, (at(10), 0), (at(10), 0), (None, 60), (None, 60), (at(6000), 60), (None, 90)]
    assert asking(status, at(9000), asks=False) is status, "nothing is written"
    assert asking(asking(status, at(9000), asks=True), at(8000), asks=False).asked.seconds == 90, "a clock set back"


def test_an_object_without_a_status_yet_does_not_wait(waiting):
    body = remediation("a")
    del body["status"]
    waiting.put(body)
    assert waiting.counts() == []


def test_what_was_deleted_is_forgotten_told_or_not(waiting):
    waiting.put(remediation("told", admitted(1)))
    waiting.put(remediation("untold", admitted(2)))
    waiting.put(remediation("there", admitted(3)))
    waiting.remove(remediation("told", admitted(1)))
    look = waiting.told({("shop", "untold"): None, ("shop", "there"): 5.0}.__getitem__)
    assert (look(("shop", "untold")), look(("shop", "there"))) == (None, 5.0)
    assert names(waiting) == [("shop", "there")]


def test_nobody_is_paged_for_what_somebody_has_taken_on(waiting):
    waiting.put(remediation("a", admitted(1), incident="mine"))
    waiting.put(remediation("b", admitted(2), incident="nobodys"))
    waiting.incident(incident("mine", {"hemostat.dev/acknowledged-by": "ann@example.com"}))
    waiting.incident(incident("nobodys", {"hemostat.dev/other": "x"}))
    assert names(waiting) == [("shop", "b")]
    assert waiting.counts() == [(("shop",), 2.0)]
    waiting.incident(incident("mine"))  # given back
    assert names(waiting) == [("shop", "a")]


def test_an_acknowledged_incident_that_is_gone_leaves_nothing_behind(waiting):
    waiting.put(remediation("a", admitted(1), incident="mine"))
    waiting.incident(incident("mine", {"hemostat.dev/acknowledged-by": "ann@example.com"}))
    waiting.incident_gone(incident("mine"))
    assert names(waiting) == [("shop", "a")]


def test_a_thousand_namespaces_are_a_hundred_series_and_those_that_waited_longest_are_among_them(waiting):
    order = list(range(1000))
    random.Random(0).shuffle(order)
    for i in order:
        waiting.put(remediation("r", admitted(i), namespace=f"n{i}"))
    assert names(waiting) == [(f"n{i}", "r") for i in range(MAX_NAMESPACES)]
    counts = {labels[0]: value for labels, value in waiting.counts()}
    assert (len(counts), counts[OTHERS], counts["n0"]) == (MAX_NAMESPACES + 1, 900.0, 1.0)


def test_it_is_bounded_and_those_that_came_first_are_kept(waiting):
    for i in range(MAX_KEPT + 5):
        waiting.put(remediation(f"r{i}", admitted(i % 3600)))
        waiting.incident(incident(f"i{i}", {"hemostat.dev/acknowledged-by": "x"}))
    assert waiting.counts() == [(("shop",), float(MAX_KEPT))]
    waiting.put(remediation("r0", admitted(3000)))  # what is known is kept up to date
    assert names(waiting) == [("shop", "r3600")]


def test_it_is_what_prometheus_reads(waiting):
    waiting.put(remediation("a", admitted(7), incident="payment-1"))
    series = "hemostat_approval_waiting_since_timestamp_seconds"
    labels = {"target_namespace": "shop", "remediation": "a", "incident": "payment-1"}
    assert REGISTRY.get_sample_value(series, labels) == waiting.oldest()[0][1]
    waiting.forget(("shop", "a"))
    assert REGISTRY.get_sample_value(series, labels) is None
