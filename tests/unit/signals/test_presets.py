"""Presets: PromQL made of a Watch's names, and nothing else; every query is asked of a real Prometheus in tests/api."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.builders import watch

from hemostat.api.meta import TargetRef
from hemostat.signals.presets import MAX_RULES, Target, missing, rules_of
from hemostat.signals.presets.target import pods_of
from hemostat.signals.rules import exactly, quoted

PAYMENT = Target("shop", TargetRef(name="payment"), ("data",), ("payment-tls",))


def rules(target=PAYMENT, **signal):
    return rules_of(watch(signals=[{"name": "s", **signal}]).spec, target)


def outside_strings(promql):
    """Return PromQL without its string literals."""
    return re.sub(r'"(?:[^"\\]|\\.)*"', '""', promql)


NAMES = st.text(min_size=1, max_size=249).filter(lambda s: not re.search("[\ud800-\udfff]", s))
EVIL = 'x"} or vector(1) or up{a="\\'


@given(NAMES)
def test_a_hostile_name_changes_no_more_than_a_string(name):
    """Who may write a Watch may not thereby ask Prometheus for what he likes under our name."""
    for system in ("Kafka", "RabbitMQ"):
        tame = rules(queue={"system": system, "name": "q", "deadLetter": "d"})
        wild = rules(queue={"system": system, "name": name, "deadLetter": name})
        assert [outside_strings(r.query) for r in wild] == [outside_strings(r.query) for r in tame]
    for system in ("Argo", "Temporal"):
        tame = rules(workflow={"system": system, "name": "q"})
        wild = rules(workflow={"system": system, "name": name})
        assert [outside_strings(r.query) for r in wild] == [outside_strings(r.query) for r in tame]


def test_a_hostile_claim_or_secret_changes_no_more_than_a_string():
    wild = Target("shop", PAYMENT.ref, (EVIL, "b|c"), (EVIL,))
    for tame, found in zip(rules(standard={}), rules(wild, standard={}), strict=True):
        assert outside_strings(tame.query) == outside_strings(found.query)


@pytest.mark.parametrize(
    ("text", "literal"), [("a", '"a"'), ('a"b', r'"a\"b"'), ("a\\b", r'"a\\b"'), ("a\nb", r'"a\nb"'), ("ä$", '"ä$"')]
)
def test_a_text_becomes_a_promql_string(text, literal):
    assert quoted(text) == literal


@given(st.text(alphabet=st.characters(max_codepoint=126), max_size=30))
def test_a_name_as_a_pattern_matches_itself_alone(text):
    assert re.fullmatch(exactly(text), text, re.DOTALL)
    assert not re.fullmatch(exactly(text), text + "x")


@pytest.mark.parametrize(
    ("kind", "own", "others"),
    [
        (
            "Deployment",
            ["payment-7d9f8b6c5d-abcde"],
            ["payment-api-7d9f8b6c5d-abcde", "payment-0", "xpayment-7d9-abcde"],
        ),
        ("StatefulSet", ["payment-0", "payment-12"], ["payment-abcde", "payment-api-0"]),
        ("DaemonSet", ["payment-abcde"], ["payment-7d9f8b6c5d-abcde", "payment-0"]),
        ("Job", ["payment-abcde", "payment-3-abcde"], ["payment-0", "payment-api-abcde"]),
        ("CronJob", ["payment-29401234-abcde"], ["payment-abcde"]),
    ],
)
def test_the_target_s_pods_are_told_by_their_names(kind, own, others):
    found = re.search(r'pod=~"(.*)"', pods_of(Target("shop", TargetRef(kind=kind, name="payment"))))
    pattern = found[1].replace("\\\\", "\\")
    for name in own:
        assert re.fullmatch(pattern, name), name
    for name in others:
        assert not re.fullmatch(pattern, name), name


def test_the_names_of_pods_of_a_workload_with_a_long_name_are_cut():
    found = pods_of(Target("shop", TargetRef(name="a" * 60)))
    assert re.search(r'pod=~"(.*)"', found)[1] == "a" * 46 + ".*"


def test_every_rule_is_judged_in_exactly_one_way_and_has_its_own_key():
    found = [
        *rules_of(watch().spec, PAYMENT),
        *rules(queue={"system": "Kafka", "name": "q", "deadLetter": "d"}),
        *rules(queue={"system": "RabbitMQ", "name": "q", "deadLetter": "d"}),
        *rules(workflow={"system": "Argo"}),
        *rules(workflow={"system": "Temporal"}),
    ]
    for rule in found:
        ways = (rule.above, rule.below, rule.unusual, rule.change_point, rule.forecast)
        assert sum(way is not None for way in ways) == 1, rule.key
        assert not re.search(r"\$(?!1)", rule.query), rule.key
    default = [rule.key for rule in rules_of(watch().spec, PAYMENT)]
    assert len(default) == len(set(default))


def test_what_the_pods_do_not_mount_is_not_asked_for():
    nothing = {r.aspect for r in rules(Target("shop", PAYMENT.ref), standard={})}
    everything = {r.aspect for r in rules(standard={})}
    assert everything - nothing == {"VolumeExhaustion", "VolumeFull", "CertificateExpiry"}


def test_checks_can_be_chosen():
    assert {r.aspect for r in rules(standard={"checks": ["Restarts"]})} == {"Restarts"}


def test_dead_letters_are_asked_for_where_there_are_any():
    for system in ("Kafka", "RabbitMQ"):
        without = {r.aspect for r in rules(queue={"system": system, "name": "q"})}
        assert {"Backlog", "Stalled"} <= without
        assert {r.aspect for r in rules(queue={"system": system, "name": "q", "deadLetter": "d"})} - without == {
            "DeadLetters"
        }


KAFKA_WORDS = {
    "kafka_exporter": {
        "kafka_consumergroup_lag": "LAG",
        "kafka_consumergroup_current_offset": "COMMITTED",
        "kafka_topic_partition_current_offset": "END",
        "consumergroup": "GROUP",
    },
    "Collector": {
        "kafka_consumer_group_lag_ratio": "LAG",
        "kafka_consumer_group_offset_ratio": "COMMITTED",
        "kafka_partition_current_offset_ratio": "END",
        "group": "GROUP",
    },
    "Collector without suffixes": {
        "kafka_consumer_group_lag": "LAG",
        "kafka_consumer_group_offset": "COMMITTED",
        "kafka_partition_current_offset": "END",
        "group": "GROUP",
    },
}


def test_kafka_is_judged_alike_whichever_exporter_speaks():
    """A word of one exporter in another's question would never answer, and that rule would be silent for ever."""
    for rule in rules(queue={"system": "Kafka", "name": "q", "deadLetter": "d"}):
        questions = rule.query.split(" or ")
        assert len(questions) == len(KAFKA_WORDS)
        meant = set()
        for question, words in zip(questions, KAFKA_WORDS.values(), strict=True):
            found = set(re.findall(r"kafka_\w+|\b\w*group(?==)", question))
            assert found <= set(words), rule.key
            meant.add(re.sub(r"\b(" + "|".join(words) + r")\b", lambda m, w=words: w[m[1]], question))
        assert len(meant) == 1, rule.key


def test_a_preset_asks_no_more_often_than_people_scrape_and_a_person_s_query_is_asked_as_wanted():
    assert all(r.every_seconds >= 10 for r in rules(standard={}))
    (mine,) = rules(metric={"query": "up", "above": "1"})
    assert mine.every_seconds == watch().spec.interval_seconds


def test_the_rules_of_one_watch_are_bounded():
    signals = [{"name": f"s{i}", "standard": {}} for i in range(32)]
    assert len(rules_of(watch(signals=signals).spec, PAYMENT)) == MAX_RULES


def test_of_the_ways_to_count_the_same_one_that_has_data_is_enough():
    found = rules(standard={"checks": ["RequestErrors", "Restarts"]})
    assert missing(found, ()) == ["s/RequestErrors", "s/Restarts"]
    assert missing(found, {"s/RequestErrorsGrpc"}) == ["s/Restarts"]
