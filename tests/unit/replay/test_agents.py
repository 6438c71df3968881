"""What is said of a recording is what would have been said live: by the same detectors, at that step, from no more."""

import contextlib
import gzip
import json
import random
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from tests.bench.agentworld.case import deploy, simulate
from tests.bench.agentworld.dice import seed_of
from tests.bench.agentworld.encode import exports
from typer.testing import CliRunner

from hemostat.cli.replay_agents import agents
from hemostat.errors import Refused
from hemostat.replay.agents import QUIET_SECONDS, replay
from hemostat.replay.requests import read
from hemostat.signals.loops.verdict import Advice, Kind

START = 1_767_225_600.0


def nano(seconds):
    return str(round((START + seconds) * 1e9))


def value(what):
    return {"intValue": str(what)} if isinstance(what, int) else {"stringValue": what}


def pairs(attributes):
    return [{"key": key, "value": value(what)} for key, what in attributes.items()]


def line(*spans, service="shop"):
    resource = {"attributes": pairs({"service.name": service})}
    return json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": list(spans)}]}]})


def span(number, start, took, *, trace=1, parent=0, conversation="c", **attributes):
    named = {"gen_ai.conversation.id": conversation} if conversation else {}
    return {
        "traceId": f"{trace:032x}",
        "spanId": f"{trace:08x}{number:08x}",
        "parentSpanId": f"{trace:08x}{parent:08x}" if parent else "",
        "name": "x",
        "kind": 1,
        "startTimeUnixNano": nano(start),
        "endTimeUnixNano": nano(start + took),
        "attributes": pairs(named | {key.replace("__", "."): what for key, what in attributes.items()}),
    }


def call(number, result="none", tool="find", **more):
    """The `number`th call of a tool, every two seconds."""
    return span(
        number,
        2.0 * number,
        1.9,
        gen_ai__operation__name="execute_tool",
        gen_ai__agent__name="coder",
        gen_ai__tool__name=tool,
        gen_ai__tool__call__arguments='{"file": "a.py"}',
        gen_ai__tool__call__result=result,
        **more,
    )


def stuck(n=12, **more):
    """Two calls that do their work, then one that finds the same each time."""
    return [line(call(i, f"page {i}" if i < 3 else "none", **more)) for i in range(1, n + 1)]


def event(name, number, at, start, parent=0, **attributes):
    own = {"hemostat.span.name": "w", "hemostat.span.start_time_unix_nano": nano(start)}
    own |= {"hemostat.span.parent_id": f"{7:08x}{parent:08x}"} if parent else {}
    told = {key.replace("__", "."): what for key, what in attributes.items()}
    record = {
        "timeUnixNano": nano(at),
        "eventName": f"hemostat.span.{name}",
        "traceId": f"{7:032x}",
        "spanId": f"{7:08x}{number:08x}",
        "attributes": pairs({"gen_ai.conversation.id": "locks"} | own | told),
    }
    resource = {"attributes": pairs({"service.name": "shop"})}
    return json.dumps({"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": [record]}]}]})


def mutual_wait(until):
    """Two agents, each with a lock of its own, wait for the other's; the guard tells of it every five seconds."""
    at, told = 0.0, "start"
    while at <= until:
        for own, agent, other in ((1, "left", "right"), (2, "right", "left")):
            called = {"gen_ai__operation__name": "invoke_agent", "gen_ai__agent__name": agent}
            yield event(told, own, at, 0.0, **called)
            waits = {"hemostat__wait__for": f"{other}-lock", "hemostat__wait__kind": "lock"}
            yield event(told, own + 2, at, 0.0, parent=own, hemostat__wait__holder=other, **waits)
        at, told = at + 5.0, "heartbeat"


@pytest.fixture
def write(tmp_path):
    def written(lines, name="spans.jsonl"):
        path = tmp_path / name
        data = "".join(f"{one}\n" for one in lines).encode()
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    return written


@pytest.fixture
def run():
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(agents)

    def called(*arguments):
        return CliRunner().invoke(app, [str(a) for a in arguments])

    return called


def told(trouble):
    verdict = trouble.verdict
    return verdict.kind, verdict.advice, verdict.conversation, verdict.edge, trouble.first, trouble.alarm, trouble.cut


def test_a_stuck_tool_is_told_with_the_step_it_began_at_and_the_one_that_gave_the_alarm(write):
    found = replay(read([write(stuck())]))
    (trouble,) = found.troubles
    assert (trouble.verdict.kind, trouble.verdict.edge) == (Kind.REPEATED_STEP, ("coder", "find"))
    assert (trouble.first.step, trouble.first.time) == (3, pytest.approx(START + 6.0, abs=0.01))
    # The third round ended at 11.9 s and was held for 6 s: it is told right before the 8th step arrives.
    assert (trouble.alarm.step, trouble.alarm.time) == (7, pytest.approx(START + 17.9, abs=0.01))
    assert trouble.verdict.advice is Advice.CUT
    assert trouble.cut is not None
    assert trouble.alarm.step < trouble.cut.step <= 12
    assert (found.steps, found.conversations, found.silent) == (12, 1, 0)


def test_conversations_without_a_verdict_are_counted(write):
    fine = [line(call(i, f"page {i}", trace=2, conversation="fine")) for i in range(1, 9)]
    found = replay(read([write([*stuck(), *fine])]))
    assert (found.conversations, found.silent, [t.verdict.conversation for t in found.troubles]) == (2, 1, ["c"])


def test_a_verdict_never_depends_on_what_comes_later(write):
    lines = [*stuck(20), *mutual_wait(40.0)]
    whole = replay(read([write(lines)]))
    assert {t.verdict.kind for t in whole.troubles} == {Kind.REPEATED_STEP, Kind.DEADLOCK}
    for n in range(1, len(lines), 3):
        part = replay(read([write(lines[:n])]))
        known = [(t.verdict.kind, t.first, t.alarm) for t in part.troubles if t.alarm.time <= part.ended]
        assert known == [(t.verdict.kind, t.first, t.alarm) for t in whole.troubles if t.alarm.time <= part.ended]


def test_a_deadlock_is_told_by_what_stays_open_and_not_by_the_end_of_the_recording(write):
    (trouble,) = replay(read([write(mutual_wait(30.0))])).troubles
    assert (trouble.verdict.kind, set(trouble.verdict.agents)) == (Kind.DEADLOCK, {"left", "right"})
    assert START + 20.0 <= trouble.alarm.time <= START + 22.0
    assert (trouble.first.step, trouble.alarm.step) == (1, 4)
    assert not replay(read([write(mutual_wait(10.0))])).troubles


def test_files_of_traces_and_logs_are_read_side_by_side(write):
    spans, logs = stuck(20), list(mutual_wait(40.0))
    apart = replay(read([write(logs, "logs.jsonl.gz"), write(spans)]))
    ends = [(2.0 * i + 1.9, one) for i, one in enumerate(spans, 1)] + [
        (5.0 * (i // 4), one) for i, one in enumerate(logs)
    ]
    together = replay(read([write([one for _, one in sorted(ends, key=lambda x: x[0])], "both.jsonl")]))
    assert [told(t) for t in apart.troubles] == [told(t) for t in together.troubles]
    assert len(apart.troubles) == 2


def test_a_long_silence_costs_no_time_and_what_was_open_before_it_is_over(write):
    class Counting:
        looks = 0

        def take(self, steps, now):
            return []

        def look(self, now):
            self.looks += 1
            return []

    later = call(86_400 * 3_650 // 2, trace=9, conversation="later")
    detector = Counting()
    found = replay(read([write([*stuck(), line(later)])]), detector)
    assert found.conversations == 2
    assert 24 + QUIET_SECONDS <= detector.looks <= 24 + QUIET_SECONDS + 20


def test_one_record_of_a_clock_that_is_wrong_stops_nothing(write):
    """A day ahead: what comes after it is judged as if it had not been there."""
    lines = stuck(12)
    wrong = line(span(99, 86_400.0, 1.0, trace=9, conversation="other"))
    plain = replay(read([write(lines)]))
    found = replay(read([write([*lines[:2], wrong, *lines[2:]])]))
    assert [told(trouble) for trouble in found.troubles] == [told(trouble) for trouble in plain.troubles]
    assert found.troubles
    assert found.ended == plain.ended


def test_steps_that_come_too_late_to_be_put_in_order_are_counted(write):
    lines = stuck()
    assert replay(read([write(lines)])).late == 0
    assert replay(read([write(reversed(lines))])).late == 8  # all that ended 6 s and more before the newest


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "line 2: not an OTLP JSON request"),
        ("[]", "neither resourceSpans nor resourceLogs"),
        ("3", "line 2"),
        ('{"resourceSpans": [{"scopeSpans": [{"spans": [{"startTimeUnixNano": "soon"}]}]}]}', "soon"),
        ('{"resourceSpans": 3}', "line 2"),
        ('{"resourceLogs": [{"scopeLogs": [{"logRecords": [{"traceId": 3}]}]}]}', "line 2"),
        ('{"resourceSpans": [' + "{}," * (1 << 21) + "{}]}", "more than 2,097,152 objects"),
        ("[" * 100_000, "line 2"),
    ],
)
def test_a_bad_line_says_where_and_why(write, text, said):
    path = write([line(call(1)), text])
    with pytest.raises(Refused) as refused:
        replay(read([path]))
    assert str(path) in str(refused.value)
    assert said in str(refused.value)


def test_lines_of_metrics_are_passed_over_and_nothing_at_all_is_refused(write):
    metrics = '{"resourceMetrics": []}'
    assert replay(read([write([metrics, "", *stuck()])])).steps == 12
    with pytest.raises(Refused, match="no spans and no log records"):
        replay(read([write([metrics])]))
    with pytest.raises(Refused, match="No such file"):
        replay(read([Path("/nowhere/spans.jsonl")]))


@given(st.integers(0, 2000), st.binary(max_size=8))
def test_whatever_is_in_a_file_it_is_read_or_refused(at, damage):
    good = line(call(1), span(2, 9.0, 1.0)).encode()
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(Refused):
        path = Path(folder) / "spans.jsonl"
        path.write_bytes(good[:at] + damage + good[at + len(damage) :])
        assert replay(read([path])).records >= 0


def test_the_table_has_a_line_for_each_verdict_and_counts_the_rest(write, run):
    done = run(write(stuck()))
    assert done.exit_code == 0
    header, row, summary = done.stdout.splitlines()
    assert header.split()[:4] == ["CONVERSATION", "KIND", "ADVICE", "AGENTS"]
    cells = row.split("   ")
    assert [c.strip() for c in cells if c][:7] == [
        "c",
        "RepeatedStep",
        "Cut",
        "coder",
        "3 at 01-01 00:00:06",
        "7 at 01-01 00:00:17",
        "coder -> find",
    ]
    assert summary.startswith("1 verdict; 0 of 1 conversations without one; 12 steps in")


def test_json_and_yaml_say_the_same_and_hold_no_control_characters(write, run):
    import yaml

    path = write(stuck(conversation="c\x1b[31m"))
    found = json.loads(run(path, "-o", "json").stdout)
    assert yaml.safe_load(run(path, "-o", "yaml").stdout) == found
    (verdict,) = found["verdicts"]
    assert verdict["first"] == {"step": 3, "time": "2026-01-01T00:00:06.000Z"}
    assert verdict["edge"] == ["coder", "find"]
    assert "\x1b" not in verdict["conversation"]


def test_a_recording_without_agents_says_what_is_missing(write, run):
    done = run(write([line(span(1, 0.0, 1.0, conversation="", http__method="GET"))]))
    assert done.exit_code == 0
    assert "none of 1 spans and log records is a step of an agent" in done.stderr
    assert done.stdout.startswith("0 verdicts; 0 of 0 conversations")


def test_a_providers_storm_is_nobodys_own(write, run):
    lines = []
    for i in range(8):
        for client in range(1, 5):
            chat = span(
                i + 1,
                3.0 * i + 0.1 * client,
                0.5,
                trace=client,
                conversation=f"c{client}",
                gen_ai__operation__name="chat",
                gen_ai__request__model="gpt-4o",
                gen_ai__provider__name="openai",
                error__type="429",
            )
            lines.append(line(chat | {"status": {"code": 2}}))
    storms = [v for v in json.loads(run(write(lines), "-o", "json").stdout)["verdicts"] if v["kind"] == "RetryStorm"]
    (storm,) = storms
    assert (storm["conversation"], storm["conversations"]) == (None, ["c1", "c2", "c3", "c4"])
    assert storm["first"]["step"] is storm["alarm"]["step"] is None
    assert "4 of them" in run(write(lines)).stdout


@pytest.mark.parametrize("family", ["ring", "philosophers", "repair"])
def test_what_the_world_of_agents_sends_is_judged_as_its_oracle_does(write, family):
    """End to end: running code -> spans and events -> OTLP JSON -> verdict, for a trouble and its healthy twin."""
    seed = seed_of("replay", family)
    for flipped in (True, False):
        setting = deploy(seed, seed_of(seed, flipped), 1.0, ("otel",))
        setting = replace(setting, content=True, guard=True, identity="session")
        case = simulate(family, seed, flipped=flipped, start=START, setting=setting)
        path = write([e.line() for e in exports(case.records())], f"{flipped}.jsonl")
        found = replay(read([path]))
        assert found.conversations == 1
        kinds = {t.verdict.kind.value for t in found.troubles if t.alarm.time >= case.truth.started}
        assert case.truth.kind in kinds if flipped else not kinds
        assert all(t.first.step <= t.alarm.step for t in found.troubles)


def test_the_order_of_records_in_a_line_and_of_lines_at_one_time_does_not_matter(write):
    spans = [call(i, f"page {i}" if i < 3 else "none") for i in range(1, 13)]
    expected = told(replay(read([write([line(*spans[:6]), line(*spans[6:])])])).troubles[0])
    random.Random(1).shuffle(early := spans[:6])
    assert told(replay(read([write([line(*early), line(*spans[6:])])])).troubles[0]) == expected
