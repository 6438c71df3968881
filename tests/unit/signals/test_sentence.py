"""Titles and timelines hold the sentence that people look for, bounded, on one line."""

import pytest
from tests.unit.builders import signal

from hemostat.api.incident import SignalSource
from hemostat.api.watch import SignalKind
from hemostat.signals.sentence import MAX_CELL, MAX_TITLE, brief, named, sentence, title

PODS = {"kind": SignalKind.WORKLOAD, "source": SignalSource.WORKLOAD, "subject": "CrashLoopBackOff of payment"}
ALERT = {"kind": SignalKind.ALERT, "source": SignalSource.ALERTMANAGER, "subject": "Slow"}
PROM = {"source": SignalSource.PROMETHEUS, "kind": SignalKind.EXHAUSTION, "subject": "volume data", "unit": "%"}


@pytest.mark.parametrize(
    ("found", "name", "said"),
    [
        (
            signal(**PODS, message="CrashLoopBackOff: exit code 1 (payment-a)"),
            "CrashLoopBackOff of payment",
            "CrashLoopBackOff: exit code 1 (payment-a)",
        ),
        (
            signal(**PROM, message="volume data is 80%, reaches 100% in 2 h"),
            "Exhaustion of volume data",
            "volume data is 80%, reaches 100% in 2 h",
        ),
        (signal(**ALERT, message="p95 is 2 s"), "alert Slow", "Slow: p95 is 2 s"),
        (signal(**ALERT, value="2"), "alert Slow", "alert Slow"),
        (
            signal(kind=SignalKind.OTHER, subject="high", value="12", threshold="10", unit=""),
            "high",
            "high is 12, limit 10",
        ),
        (signal(value="40", threshold=None), "ErrorRate of checkout -> payment", "checkout -> payment is 40%"),
        (signal(value=None), "ErrorRate of checkout -> payment", "ErrorRate of checkout -> payment"),
    ],
)
def test_a_signal_by_name_and_in_a_sentence(found, name, said):
    assert (named(found), sentence(found)) == (name, said)


def test_a_name_in_a_table_shows_the_first_labels_whole():
    """`kubectl get watch` broke its lines over a query that yields many labels."""
    labels = ", ".join(f"label{i}=value{i}" for i in range(9))
    shown = brief(signal(**PROM | {"kind": SignalKind.OTHER, "subject": f"errors{{{labels}}}"}))
    assert shown == "errors{label0=value0, label1=value1, label2=value2, label3=value3, …}"
    for subject in ("errors{pod=" + "x" * 200 + "}", "a, b" * 60, "errors{a=" + "x, " * 60):
        assert len(brief(signal(**PROM | {"subject": subject}))) <= MAX_CELL
    assert brief(signal()) == named(signal())


def test_a_title_is_one_short_line_whatever_others_say_and_counts_them():
    long = signal(**ALERT, message="x\ny " * 100)
    for others, end in ((0, "…"), (1, "… (+1 signal)"), (7, "… (+7 signals)")):
        found = title(long, others)
        assert found.endswith(end)
        assert "\n" not in found
        assert len(found) <= MAX_TITLE
