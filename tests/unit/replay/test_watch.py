"""Replaying a Watch: what would have fired and when, without looking ahead; nothing here asks a real Prometheus."""

from datetime import timedelta
from xml.etree import ElementTree

import pytest
from tests.unit.builders import T0, at, watch
from typer.testing import CliRunner

from hemostat.api.watch import Watch
from hemostat.cli.main import app
from hemostat.cli.manifest import load
from hemostat.errors import Refused, Retry
from hemostat.replay.picture import picture
from hemostat.replay.telling import moment, plain
from hemostat.replay.watch import Span, replay
from hemostat.signals.metric import MAX_SERIES
from hemostat.telemetry.prometheus import Prometheus
from hemostat.telemetry.sample import History

MINUTE = 60


class Past:
    """Keeps functions of time as if they were series."""

    def __init__(self, **series):
        self.series = series
        self.asked = []

    def between(self, query, start, end, step_seconds):
        self.asked.append((query, start, end))
        if query == "bad(":
            raise Refused("BadQuery", "parse error")
        found = self.series.get(query)
        if found is None:
            return []
        times = [start + timedelta(seconds=i) for i in range(0, int((end - start).total_seconds()) + 1, step_seconds)]
        points = [(t.timestamp(), value) for t in times if (value := found((t - T0).total_seconds())) is not None]
        return [History((("pod", "a"),), tuple(points))] if points else []


def span(seconds, step=MINUTE):
    return Span(T0, at(seconds), step)


def rule(query="errors", **how):
    return {"name": query, "metric": {"query": query, "forSeconds": 0, "clearSeconds": 0, **how}}


def test_a_bound_that_is_exceeded_for_a_while_is_one_alarm():
    past = Past(errors=lambda t: 9.0 if 600 <= t < 1200 else 1.0)
    found = replay(watch(signals=[rule(above="5")]), past, span(3600))
    (alarm,) = found.alarms
    assert (alarm.began, alarm.ended) == (at(600), at(1200))
    assert (alarm.worst, alarm.threshold) == (9.0, 5.0)
    assert alarm.key == "errors/metric{pod=a}"


def test_what_still_fires_at_the_end_has_no_end():
    found = replay(watch(signals=[rule(above="5")]), Past(errors=lambda t: 9.0 if t > 600 else 1.0), span(1200))
    assert [a.ended for a in found.alarms] == [None]


def test_nothing_is_looked_ahead():
    """What comes later must not change what was said before."""

    def calm(t):
        return 10.0 + int(t) * 7919 % 1000 / 1000  # noise

    spec = watch(signals=[rule(unusual={})])
    until = 6 * 3600
    short = replay(spec, Past(errors=calm), span(until))
    later = Past(errors=lambda t: calm(t) if t <= until else 1e6)
    long = replay(spec, later, span(2 * until))
    assert [a for a in long.alarms if a.began <= at(until)] == short.alarms == []
    assert long.alarms


def test_a_detector_has_learned_what_was_before_as_a_live_one_would_have():
    past = Past(errors=lambda t: 100.0 if 0 < t < 300 else 10.0 + int(t) * 7919 % 1000 / 1000)
    found = replay(watch(signals=[rule(unusual={})]), past, span(600))
    assert len(found.alarms) == 1
    assert min(start for _, start, _ in past.asked) < T0


def test_a_forecast_is_judged_however_long_the_steps_are():
    """With steps of 5 min and a history of 1 h it had too few points for ever, and said nothing."""
    past = Past(errors=lambda t: max(0.0, 1000.0 - (t + 86400) / 200) + int(t) * 7919 % 100 / 1000)
    found = replay(watch(signals=[rule(forecast={"limit": "0"})]), past, span(5 * 86400, step=300))
    assert len(found.alarms) == 1
    assert at(86400) < found.alarms[0].began < at(116400)


@pytest.fixture
def chunks(monkeypatch):
    monkeypatch.setattr("hemostat.replay.watch.CHUNK_POINTS", 50)
    return 50


def test_a_long_time_is_fetched_in_pieces_and_no_step_is_lost_or_doubled(chunks):
    seen = []
    past = Past(errors=lambda t: seen.append(t) or 1.0)
    steps = 2 * chunks + 7
    found = replay(watch(signals=[rule(above="5")]), past, span((steps - 1) * MINUTE))
    assert found.span.steps == steps
    assert seen == [i * MINUTE for i in range(steps)]


def test_a_query_that_is_refused_spoils_no_other(chunks):
    spec = watch(signals=[rule("bad(", above="1") | {"name": "bad"}, rule(above="5")])
    past = Past(errors=lambda _: 9.0)
    found = replay(spec, past, span(3 * chunks * MINUTE))
    assert found.problems == {"bad/metric": "parse error"}
    assert [a.name for a in found.alarms] == ["errors"]
    assert sum(query == "bad(" for query, _, _ in past.asked) == 1


def test_what_cannot_be_replayed_and_what_has_no_series_is_said():
    found = replay(watch(), Past(), span(600))
    assert [line.split(":")[0] for line in found.left_out] == ["calls", "pods", "metrics", "alerts", "agents"]
    assert "metrics/RequestErrors" in found.silent
    assert found.alarms == []


def test_one_way_of_counting_requests_is_enough():
    class Counted(Past):
        def between(self, query, start, end, step_seconds):
            self.series = {query: lambda _: 1.0} if "grpc_server_handled_total" in query else {}
            return super().between(query, start, end, step_seconds)

    found = replay(watch(), Counted(), span(600))
    assert "metrics/RequestErrors" not in found.silent
    assert "metrics/RequestLatency" in found.silent


def test_an_objective_fires_and_its_refused_windows_are_said_once():
    slo = {"name": "good", "slo": {"objectivePercent": "99", "errorRatio": "ratio[$window]"}}

    class Ratio(Past):
        def between(self, query, start, end, step_seconds):
            self.series = {query: lambda t: 0.5 if 600 <= t < 1200 else 0.0}
            return super().between(query, start, end, step_seconds)

    found = replay(watch(signals=[slo]), Ratio(), span(3600))
    assert [(a.key, a.began) for a in found.alarms] == [("good/slo", at(600))]
    assert found.series == {"good/slo": 5}


@pytest.mark.parametrize(
    ("signals", "seconds", "reason"),
    [
        ([{"name": "calls", "trace": {}}], 600, "NothingToReplay"),
        ([rule(above="1")], 0, "BadTime"),
        ([rule(above="1")], 10**9, "TooLong"),
    ],
)
def test_what_makes_no_sense_is_refused(signals, seconds, reason):
    with pytest.raises(Refused) as refused:
        replay(watch(signals=signals), Past(), span(seconds))
    assert refused.value.reason == reason


def test_the_picture_is_well_formed_bounded_and_shows_alarms_whatever_the_labels():
    class Hostile(Past):
        def between(self, query, start, end, step_seconds):
            (found,) = super().between(query, start, end, step_seconds)
            names = ["<script>alert(1)</script>", '"&\n\x00\x1b[31m', *map(str, range(300))]
            return [History((("pod", name),), found.points) for name in names]

    past = Hostile(errors=lambda t: 9.0 if 600 <= t < 1200 else 1.0)
    found = replay(watch(signals=[rule(above="5")]), past, span(3600))
    drawn = picture(found, "a <title> & more")
    root = ElementTree.fromstring(drawn)
    assert len(drawn) < 2_000_000
    assert "<script" not in drawn
    assert len([e for e in root.iter() if e.get("class") == "alarm"]) == 8 + 1  # one in the legend
    assert len([e for e in root.iter() if e.get("class") == "frame"]) <= 24


def test_the_picture_names_its_axes_its_limit_and_what_is_drawn():
    past = Past(errors=lambda t: 4.0 + t / 3600, free=lambda t: 1000.0 - t / 60)
    far = rule("free", forecast={"limit": "-1000000"})
    root = ElementTree.fromstring(
        picture(replay(watch(signals=[rule(above="5", unit="%"), far]), past, span(7200)), "t")
    )
    written = [e.text for e in root.iter() if e.tag.endswith("text")]
    assert {"value in %", "value", "time (UTC)", "usual or allowed", "limit", "would fire"} <= set(written)
    assert any("limit 5%" in text and "(1 alarm)" in text for text in written)
    assert any("limit -1" in text for text in written)  # said, where it is too far away to be drawn
    assert len([e for e in root.iter() if e.get("class") == "limit"]) == 2  # one of them in the legend


@pytest.mark.parametrize(
    "values",
    [lambda _: 0.0, lambda _: 1e300, lambda _: float("inf"), lambda t: -1e-12 * t, lambda t: None if t % 600 else 5.0,
     lambda _: None, lambda t: (-1.0) ** (t // 60) * 1e308],
)  # fmt: skip
def test_any_course_can_be_drawn(values):
    found = replay(watch(signals=[rule(above="5")]), Past(errors=values), span(3600))
    ElementTree.fromstring(picture(found, "t"))


def test_series_that_are_not_judged_are_counted():
    class Many(Past):
        def between(self, query, start, end, step_seconds):
            return [History((("pod", str(n)),), ((start.timestamp(), 1.0),)) for n in range(MAX_SERIES + 1000)]

    found = replay(watch(signals=[rule(above="5")]), Many(), span(60))
    assert plain(found)["series"] == {"errors/metric": MAX_SERIES}
    assert plain(found)["seriesNotJudged"] == {"errors/metric": 1000}


def test_the_outcome_as_plain_values():
    found = replay(watch(signals=[rule(above="5")]), Past(errors=lambda t: 9.0 if t < 60 else 1.0), span(600))
    out = plain(found)
    (alarm,) = out["alarms"]
    assert (alarm["from"], alarm["to"]) == (T0.isoformat(), at(60).isoformat())
    assert out["series"] == {"errors/metric": 1}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("now", 0), ("-90s", -90), ("-7d", -604800), ("-2w", -1209600), ("2026-03-01T13:00:00+01:00", 0)],
)
def test_times_are_absolute_or_a_while_ago(text, seconds):
    assert moment(text, T0, "--from") == at(seconds)


@pytest.mark.parametrize("text", ["", "yesterday", "7d", "-7y", "-d", "2026-03-01", "2026-03-01T12:00:00", "-999999w",
                                  "9999-12-31T23:59:59-14:00"])  # fmt: skip
def test_other_times_are_refused_with_the_option_s_name(text):
    with pytest.raises(Refused, match="--from must look like"):
        moment(text, T0, "--from")


GOOD = """
apiVersion: v1
kind: Namespace
---
apiVersion: hemostat.dev/v1alpha1
kind: Watch
metadata: {name: payment, managedFields: [{manager: kubectl}]}
spec: {target: {name: payment}, signals: [{name: a, metric: {query: up, above: "1"}}]}
"""


def objective(percent):
    slo = f"slo: {{objectivePercent: '{percent}', errorRatio: 'x[$window]'}}"
    return GOOD.replace('metric: {query: up, above: "1"}', slo)


def test_an_objective_that_can_be_kept_is_taken(tmp_path):
    (tmp_path / "w.yaml").write_text(objective("99.9"))
    assert load(tmp_path / "w.yaml", Watch).spec.signals[0].slo.objective_percent == "99.9"


def test_the_one_watch_of_a_file_is_found(tmp_path):
    (tmp_path / "w.yaml").write_text(GOOD)
    assert load(tmp_path / "w.yaml", Watch).metadata.name == "payment"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "must hold one Watch, has 0"),
        (GOOD + "---" + GOOD.split("---")[1], "has 2: payment, payment"),
        ("{", "not YAML"),
        ("\xff\xfe\x00", "not YAML"),
        (GOOD.replace("target: {name: payment}", "target: {}"), "spec.target.name: Field required"),
        (GOOD.replace("above", "abve"), "signals.0.metric.abve: unknown field"),
        (GOOD.replace(', above: "1"', ""), "signals.0.metric: must set exactly one of"),
        (GOOD.replace('above: "1"', 'above: "1", unusual: {}'), "signals.0.metric: must set exactly one of"),
        (GOOD.replace("metric: {query", "trace: {}, metric: {query"), "signals.0: must set exactly one of"),
        (GOOD.replace("name: a, metric", "name: a, metrics"), "signals.0.metrics: unknown field"),
        (GOOD.replace("signals:", "signal:"), "spec.signal: unknown field"),
        (GOOD.replace("signals:", "interval_seconds: 5, signals:"), "spec.interval_seconds: unknown field"),
        (GOOD.replace('above: "1"', 'forecast: {limit: "1", within: 5}'), "forecast.within: unknown field"),
        (GOOD.replace('above: "1"', "unusual: {sense: High}"), "unusual.sense: unknown field"),
        (GOOD.replace('above: "1"', "1: 2"), "Keys should be strings"),
        (GOOD.replace("name: a, metric", "name: a, 1: a, metric"), "signals.0.1: Keys should be strings"),
        (GOOD.replace("}}]", "}}, {name: a, trace: {}}]"), "spec.signals: two of them are named a"),
        (GOOD.replace('above: "1"', 'above: "1", forSeconds: "5"'), "forSeconds: Input should be a valid integer"),
        (GOOD.replace("query: up", "query: !!binary dXA="), "no JSON value"),
        (GOOD.replace("v1alpha1", "v9"), "apiVersion must be hemostat.dev/v1alpha1"),
        (GOOD.replace("metadata: {name: payment", "metadata: [1"), "not YAML"),
        (GOOD.replace("metadata: {name: payment, managedFields: [{manager: kubectl}]}", "metadata: [1]"), "metadata: "),
        (GOOD.replace('"1"', "{a: " * 90 + "1" + "}" * 90), "metric.above: Input should be a valid string"),
        (GOOD.replace('"1"', "{a: " * 3000 + "1" + "}" * 3000), "not YAML"),
        (objective("100"), "signals.0.slo: objectivePercent must be more than 0 and less than 100"),
        (objective("-5"), "signals.0.slo: objectivePercent must be more than 0 and less than 100"),
        (GOOD.replace('"1"', '"1e9"'), "metric.above: String should match pattern"),
    ],
)
def test_a_bad_file_is_refused_with_the_place(tmp_path, text, said):
    path = tmp_path / "w.yaml"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(Refused) as refused:
        load(path, Watch)
    assert said in str(refused.value)
    assert str(path) in str(refused.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(Refused, match="No such file"):
        load(tmp_path / "none.yaml", Watch)


class Away:
    def between(self, *_):
        raise Retry("Prometheus at http://prometheus.monitoring:9090 cannot be reached: Name or service not known")


def test_a_prometheus_that_cannot_be_reached_is_told_with_what_to_set(tmp_path, monkeypatch):
    """A bare DNS error told nobody that the address of the default is inside the cluster."""
    monkeypatch.setattr(Prometheus, "connect", lambda *_: Away())
    (tmp_path / "w.yaml").write_text(GOOD)
    done = CliRunner().invoke(app, ["replay", "watch", str(tmp_path / "w.yaml")])
    assert isinstance(done.exception, Retry)
    assert "Name or service not known. Say where it is with --prometheus URL" in str(done.exception)
