"""A log is told by what it says, and how often: errors, news and rarities are not lost among ten thousand greetings."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemostat.diagnosis.logs.entry import parse
from hemostat.diagnosis.logs.fold import MAX_STACK, entries
from hemostat.diagnosis.logs.mask import masked
from hemostat.diagnosis.templates import MAX_CHARS, MAX_EXAMPLE, MAX_LINE, MAX_LINES, MAX_TEMPLATES, excerpt

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def at(second: float) -> str:
    return (NOON + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def calm(n: int) -> str:
    return f"{at(n)} INFO served GET /pay/{n} for 10.0.0.{n % 250} in {n % 90}.5ms status=200"


PYTHON = """Traceback (most recent call last):
  File "/app/pay.py", line 42, in pay
    total = price / count
            ~~~~~~^~~~~~~
KeyError: 'price'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/app/main.py", line 7, in <module>
    pay()
shop.errors.PaymentError: no price for order 4711""".splitlines()
JAVA = """java.lang.IllegalStateException: pool is closed
	at com.shop.Pool.get(Pool.java:128)
	at java.base/java.lang.Thread.run(Thread.java:840)
Caused by: java.net.ConnectException: Connection refused
	at java.base/sun.nio.ch.Net.connect0(Native Method)
	... 12 more""".splitlines()
GO = """panic: runtime error: invalid memory address or nil pointer dereference
[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x4a5b6c]

goroutine 1 [running]:
main.(*Server).handle(0xc000123456, {0x7f3a4c, 0x10})
	/src/main.go:42 +0x1d
main.main()
	/src/main.go:12 +0x25
exit status 2""".splitlines()
NODE = """TypeError: Cannot read properties of undefined (reading 'price')
    at pay (/app/pay.js:10:15)
    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)""".splitlines()


def test_a_needle_among_two_thousand_lines_comes_first():
    lines = [calm(n) for n in range(1_990)]
    lines.insert(1_000, f"{at(1_000)} ERROR order 17: card was declined by bank 4")
    found = excerpt(lines)
    first, *others = found.templates
    assert (first.text, first.count, first.error) == ("ERROR order <*>: card was declined by bank <*>", 1, True)
    assert [t.count for t in others] == [1_990]
    assert (others[0].first, others[0].last) == (NOON, NOON + timedelta(seconds=1_989))
    assert (found.lines, found.dropped, found.other) == (1_991, 0, 0)


def test_errors_then_news_then_rarities_then_the_rest():
    lines = [
        *(f"{at(n)} INFO heartbeat {n}" for n in range(50)),
        f"{at(10)} INFO configuration was read",
        *(f"{at(60 + n)} INFO queue is {n} long" for n in range(5)),
        *(f"{at(60 + n)} ERROR no answer from bank {n}" for n in range(3)),
        f"{at(5)} WARN cannot reach cache",
    ]
    found = excerpt(lines, since=NOON + timedelta(seconds=55))
    assert [(t.text.split()[1], t.error, t.new) for t in found.templates] == [
        ("no", True, True),
        ("cannot", True, False),
        ("queue", False, True),
        ("configuration", False, False),
        ("heartbeat", False, False),
    ]
    assert str(found.templates[0]) == "3x 12:01:00-12:01:02 error new ERROR no answer from bank <*>"


def test_what_differs_in_words_is_one_template_too():
    """Drain's similarity: names without a digit are no numbers, and still no reason for another template."""
    found = excerpt([f"user {name} has logged in from web" for name in ("ada", "grace", "edsger", "barbara")])
    assert [(t.text, t.count) for t in found.templates] == [("user <*> has logged in from web", 4)]


def test_what_says_something_else_is_another_template():
    found = excerpt(
        ["disk sda is full now", "disk was unmounted by root", "GET / HTTP/1.1 status=200", "GET / HTTP/1.1 status=503"]
    )
    assert len(found.templates) == 4
    assert found.templates[0].text.endswith("status=503")


@pytest.mark.parametrize(
    ("trace", "message"),
    [
        (PYTHON, "shop.errors.PaymentError: no price for order 4711"),
        (JAVA, "java.lang.IllegalStateException: pool is closed <- java.net.ConnectException: Connection refused"),
        (GO, "panic: runtime error: invalid memory address or nil pointer dereference"),
        (NODE, NODE[0]),
    ],
    ids=["python", "java", "go", "node"],
)
@pytest.mark.parametrize("stamped", [False, True])
def test_a_stack_trace_is_one_entry(trace, message, stamped):
    """Also where the container's runtime has put its time before every line."""
    lines = ["INFO starting", *trace, "INFO stopping", "INFO stopped"]
    found = entries(f"{at(n)} {line}" if stamped else line for n, line in enumerate(lines))
    assert [e.message for e in found] == ["INFO starting", message, "INFO stopping", "INFO stopped"]
    assert found[1].error
    assert len(found[1].stack) >= len([line for line in trace if line]) - 1
    assert found[1].time == (NOON + timedelta(seconds=1) if stamped else None)


@pytest.mark.parametrize("trace", [PYTHON, JAVA])
def test_a_stack_trace_belongs_to_the_error_that_was_logged_with_it(trace):
    first, second = entries(
        ["2026-11-22 12:00:00,123 ERROR payment failed", *trace, "2026-11-22 12:00:01,000 INFO next"]
    )
    assert first.message.startswith("ERROR payment failed: ")
    assert trace[1] in first.stack
    assert second.message == "INFO next"


def test_the_same_trace_twice_counts_twice():
    found = excerpt([*PYTHON, "INFO retrying", *[line.replace("4711", "4712") for line in PYTHON]])
    assert (found.templates[0].text, found.templates[0].count) == (
        "shop.errors.PaymentError: no price for order <*>",
        2,
    )
    assert "/app/main.py" in found.templates[0].example


def test_a_long_trace_keeps_both_ends():
    text = str(
        entries(["Traceback (most recent call last):", *(f"  frame {n}" for n in range(100)), "ValueError: x"])[0]
    )
    assert "frame 0" in text
    assert "frame 99" in text
    assert "92 more lines" in text


@pytest.mark.parametrize(
    ("line", "message", "level", "when"),
    [
        ('{"level":"error","msg":"no bank","err":"timeout","ts":1795348800.5}', "no bank: timeout", "ERROR", 0.5),
        ('{"severity":"WARNING","message":"slow","time":"2026-11-22T12:00:01Z"}', "slow", "WARNING", 1),
        ('{"level":50,"time":1795348802000,"msg":"pino"}', "pino", "ERROR", 2),
        ('{"message":"boom","error":{"message":"broken pipe"}}', "boom: broken pipe", "", None),
        ('{"path":"/pay","took":12,"error":null,"level":"info"}', "path=/pay took=12", "INFO", None),
        ('{"a":null}', '{"a":null}', "", None),
        ('{"msg":', '{"msg":', "", None),
        (
            'time=2026-11-22T12:00:03Z level=error msg="no bank" err="i/o timeout"',
            "no bank: i/o timeout",
            "ERROR",
            None,
        ),
        ("E1122 12:00:04.000000       1 reflector.go:12] watch failed", "reflector.go:12] watch failed", "ERROR", None),
        ("[2026-11-22 13:00:05 +0100] [error] worker died", "[error] worker died", "ERROR", 5),
        ("2026-99-99T99:99:99Z what", "2026-99-99T99:99:99Z what", "", None),
    ],
)
def test_a_line_is_read_for_what_it_is(line, message, level, when):
    found = parse(line)
    assert (found.message, found.level) == (message, level)
    assert found.time == (None if when is None else NOON + timedelta(seconds=when))


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("connection refused", True),
        ("upstream timed out", True),
        ("INFO 0 errors, none failed", False),
        ('10.0.0.1 - - "GET /" 502 17', True),
        ('10.0.0.1 - - "GET /" 200 502', False),
        ("java.io.IOException happened", True),
        ("all is well", False),
    ],
)
def test_trouble_is_known_by_level_or_words(line, error):
    assert parse(line).error is error


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("took 12.5ms at 10.0.0.1:8080 on 2026-11-22", "took <*>ms at <*> on <*>"),
        ("id 550e8400-e29b-41d4-a716-446655440000 4bf92f3577b34da6a3ce929d0e0e4736 0xc0001", "id <*> <*> <*>"),
        ("pod payment-7d9f8b6c5-x2x4z is gone", "pod payment<*> is gone"),
        ('secret "db-creds" not found, don\'t retry', "secret <*> not found, don't retry"),
        ("exit code 137, HTTP/1.1 p99 utf8", "exit code 137, HTTP/1.1 p99 utf8"),
        ("dial [fd00::1]:53 or fe80::1", "dial <*> or <*>"),
    ],
)
def test_what_varies_is_masked(text, expected):
    assert masked(text) == expected


def test_no_secret_is_shown_by_template_or_example():
    lines = [
        f"ERROR login of ada{n}@example.com with password=hunter{n} refused, token glpat-12345-abcdefghijklm{n}"
        for n in range(5)
    ]
    (found,) = excerpt(lines).templates
    for secret in ("hunter", "abcdefghijklm", "ada"):
        assert secret not in found.text + found.example
    assert found.count == 5


def test_everything_is_bounded():
    lines = [
        f"ERROR {'abcdefghij'[n % 10]}{'klmnopqrst'[n // 10 % 10]} {'x' * (n % 50)} {'y ' * (n % 40)}"
        for n in range(MAX_LINES + 7)
    ]
    lines += ["z" * (10 * MAX_LINE), *["    frame"] * 3_000]
    found = excerpt(lines)
    assert found.lines == MAX_LINES
    assert found.dropped == len(lines) - MAX_LINES
    assert len(found.templates) <= MAX_TEMPLATES
    assert sum(len(t.text) + len(t.example) for t in found.templates) <= MAX_CHARS
    assert max(len(t.example) for t in found.templates) <= MAX_EXAMPLE
    assert max(len(e.stack) for e in entries(lines)) <= MAX_STACK
    assert found.other + sum(t.count for t in found.templates) == len(
        entries(line[:MAX_LINE] for line in lines[-MAX_LINES:])
    )


def test_nothing_said_is_nothing_shown():
    assert excerpt([]).templates == ()
    assert excerpt(["", "   "]).templates == ()


@given(st.lists(st.text(max_size=60) | st.sampled_from([*PYTHON, *JAVA, *GO, *NODE, "{", "[]", '{"msg":1}'])))
def test_any_text_is_a_log_and_always_the_same(lines):
    found = excerpt(lines)
    assert found == excerpt(list(lines))
    assert all(t.count >= 1 for t in found.templates)


@pytest.mark.parametrize(
    "piece", ['"', '\\"', "'", "`", "a", "1", "0x", "::", ":1", "a.", "a.A", "-", " at a(", "msg=", "{", "["]
)
def test_time_is_linear_in_hostile_lines(piece):
    def seconds(size: int) -> float:
        line = piece * (size // len(piece))
        began = time.process_time()
        excerpt([line] * 8)
        return time.process_time() - began

    assert any(seconds(4_000) < 12 * seconds(800) + 0.02 for _ in range(5))


@pytest.mark.parametrize("stamp", ["", "2026-11-22T00:00:01.123Z "])
def test_no_line_of_a_private_key_is_shown(stamp):
    """A log is read line by line, and the last line of a key is too short to be known for one."""
    key = [
        "-----BEGIN RSA PRIVATE KEY-----",
        "MIIEpAIBAAKCAQEA7VJTUt9Us8cKjMzEfYyjiWA4R4",
        "qL8xZebra",
        "-----END RSA PRIVATE KEY-----",
    ]
    found = excerpt([stamp + line for line in ["reading key", *key, "connection refused"]])
    said = " ".join(f"{t.text} {t.example}" for t in found.templates)
    assert "Zebra" not in said
    assert "MIIE" not in said
    assert "reading key" in said
    assert "connection refused" in said, "what comes after a key is read again"
