"""The series of a rule, each judged on its own: by a bound, or by what was learned of it (pure but for its memory)."""

import hashlib
import math
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from hemostat.api.incident import SignalSource
from hemostat.api.watch import SignalKind
from hemostat.signals.base import Observation, Timing
from hemostat.signals.confirm import compared
from hemostat.signals.detectors.base import RIGHT, UNKNOWN, WRONG, Floats, Rows, Verdicts
from hemostat.signals.detectors.blocks import RING
from hemostat.signals.detectors.changepoint import ChangePoint
from hemostat.signals.detectors.forecast import Forecast, Outlook
from hemostat.signals.detectors.table import SeriesTable
from hemostat.signals.detectors.unusual import Unusual
from hemostat.signals.rules import Rule, one_line, subject_of
from hemostat.signals.words import amount, duration
from hemostat.telemetry.sample import History, Series

MAX_SERIES = 2_000
"""Series of one rule that are judged; more are counted."""
MAX_PRESET_SERIES = 64
"""The same for a preset: they add up what they ask for, by container or volume."""
MAX_SHOWN = 8
"""Series of one rule that are shown as signals of their own; the others are counted."""
_ESCAPES = str.maketrans({c: "\\" + c for c in "\\,={}"})
"""Or the labels of two series could read as those of one."""
LEARNING = "still learning what is usual"
CHANGE_BLOCK_SECONDS = 30.0
PROBATION_SECONDS = 7200.0
"""How long `unusual` learns a series before it judges it."""


@dataclass(frozen=True, slots=True)
class Vector:
    """One answer of Prometheus, as it is read by whoever looks."""

    series: Sequence[Series]
    number: int
    """Counts the answers to this query: the same number twice is the same samples twice."""
    time: float
    """When it was asked, in seconds since 1970."""
    past: Sequence[History] = ()
    """What the series did before, for those who look back; only with the first answers."""
    left_out: int = 0
    """Series of the answer beyond these."""


Answer = tuple[int, float]
"""Number and time of an answer."""


class Bank(Protocol):
    """What the detectors have in common; see `detectors.base`."""

    def step(self, rows: Rows, values: Floats, now: float) -> Verdicts:
        """Take in one instant vector and judge it."""
        ...

    def forget(self, rows: Rows) -> None:
        """Make rows new."""
        ...


def bank_of(rule: Rule, capacity: int) -> Bank:
    """Return the detector of a rule that learns."""
    if rule.unusual is not None:
        return Unusual(capacity, PROBATION_SECONDS, rule.unusual.sensitivity, rule.unusual.direction)
    if rule.change_point is not None:
        share = rule.change_point.min_change_percent / 100
        return ChangePoint(capacity, _block(rule), share, rule.change_point.direction)
    wanted = rule.forecast
    assert wanted is not None, "a rule without a bound learns"
    return Forecast(capacity, float(wanted.limit), wanted.within_seconds, _history(rule, wanted.history_seconds))


def _block(rule: Rule) -> float:
    """Return the length of a change point's block: one that has no sample every time would never be judged."""
    return max(CHANGE_BLOCK_SECONDS, rule.every_seconds)


def _history(rule: Rule, wanted: float) -> float:
    """Return how far a forecast's trend looks back: a block of it has a sample every time."""
    return max(wanted, RING * rule.every_seconds)


def look_back(rule: Rule) -> float:
    """Return how many seconds of the past help a rule to judge at once."""
    if rule.unusual is not None:
        return 12 * PROBATION_SECONDS
    if rule.change_point is not None:
        return 60 * _block(rule)
    if rule.forecast is None:
        return 0.0
    history = _history(rule, rule.forecast.history_seconds)
    return max(history, min(12 * history, 86400.0))  # rises that turned are no trend to warn of


def timing(rule: Rule) -> Timing:
    """Return how long a series must be wrong or right."""
    return Timing(rule.for_seconds, rule.clear_seconds)


class MetricJudge:
    """Judges the vectors of one rule, in the order of time."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.dropped = 0
        """Series of the last vector that were not judged, because there were too many."""
        self.said: tuple[Sequence[Series], Verdicts] | None = None
        """The series of the last vector and the verdicts on them, in the same order; None while there was none."""
        self._most = MAX_SERIES if rule.expected else MAX_PRESET_SERIES
        self._memory: tuple[Bank, SeriesTable] | None = None
        """Made when there is something to remember: most presets never see a series."""
        self._seen: tuple[Answer, Verdicts] | None = None
        self._told: tuple[Answer | None, frozenset[str], list[Observation]] | None = None

    def judge(self, vector: Vector | None, tracked: Collection[str]) -> list[Observation]:
        """Return the observations of the series that are wrong or `tracked` (by key), else one for all of them.

        An empty vector, or None for a query that has no answer, is no evidence. Looks are more frequent than answers:
        the same answer is judged once.
        """
        answer, wanted = (vector.number, vector.time) if vector is not None else None, frozenset(tracked)
        if self._told is None or self._told[:2] != (answer, wanted):
            self._told = answer, wanted, self._judge(vector, wanted)
        return self._told[2]

    def _judge(self, vector: Vector | None, tracked: Collection[str]) -> list[Observation]:
        if vector is None or not vector.series:
            self.said = None
            return [self._all(None, 0)]
        series = vector.series[: self._most]
        self.dropped = len(vector.series) - len(series) + vector.left_out
        values = np.array([s.value for s in series])
        verdicts = self._verdicts(vector, series, values)
        self.said = (series, verdicts)
        keys = [series_key(self.rule, s) for s in series]
        order = np.lexsort((np.arange(len(series)), -verdicts.score, -verdicts.wrong))
        known = [i for i in order if keys[i] in tracked]
        shown = (known + [i for i in order if verdicts.wrong[i] == WRONG and keys[i] not in tracked])[:MAX_SHOWN]
        if not shown:
            return [self._worst(verdicts, series, order)]
        rest = int(np.count_nonzero(verdicts.wrong == WRONG)) - sum(verdicts.wrong[i] == WRONG for i in shown)
        found = [self._one(verdicts, int(i), keys[i], series[i], len(series)) for i in shown]
        if rest > 0:
            first = found[0]
            found[0] = replace(first, note=f"{first.note}; and {rest} more series")
        return found

    def _verdicts(self, vector: Vector, series: Sequence[Series], values: Floats) -> Verdicts:
        if self.rule.bound is not None:
            return fixed(self.rule, values)
        answer = (vector.number, vector.time)
        if self._seen is not None and self._seen[0] == answer:
            return self._seen[1]
        if self._seen is None and vector.past:
            self._warm(vector.past)
        verdicts = floored(self.rule, self._step([s.labels for s in series], values, vector.time), values)
        self._seen = (answer, verdicts)
        return verdicts

    def _step(self, keys: Sequence[Hashable], values: Floats, now: float) -> Verdicts:
        bank, table = self._memory = self._memory or (bank_of(self.rule, self._most), SeriesTable(self._most))
        rows, freed = table.rows(keys, now)
        bank.forget(freed)
        return bank.step(rows, values, now)

    def _warm(self, past: Sequence[History]) -> None:
        """Learn what was before the first look, as if it had been looked at."""
        steps: dict[float, list[tuple[Hashable, float]]] = {}
        for history in past[: self._most]:
            for time, value in history.points:
                steps.setdefault(time, []).append((history.labels, value))
        for time in sorted(steps):
            self._step([key for key, _ in steps[time]], np.array([v for _, v in steps[time]]), time)

    def _all(self, wrong: bool | None, samples: int, note: str = "") -> Observation:  # noqa: FBT001 - as Observation
        rule = self.rule
        return Observation(
            key=rule.key,
            name=rule.name,
            kind=rule.kind,
            source=SignalSource.PROMETHEUS,
            subject=subject_of(rule, {}) if not rule.subject or "$" not in rule.subject else rule.key,
            wrong=wrong,
            threshold=rule.bound,
            unit=rule.unit,
            samples=samples,
            note=note,
        )

    def _worst(self, verdicts: Verdicts, series: Sequence[Series], order: Rows) -> Observation:
        """Say of all series that none is wrong, and how the worst one stands."""
        if not np.any(verdicts.wrong != UNKNOWN):
            return self._all(None, len(series), "no trend known yet" if self.rule.forecast else LEARNING)
        worst = int(order[0])
        one = self._one(verdicts, worst, self.rule.key, series[worst], len(series))
        return one if len(series) == 1 else replace(one, note=f"{one.note} (the worst of {len(series)} series)")

    def _one(self, verdicts: Verdicts, at: int, key: str, one: Series, count: int) -> Observation:
        rule = self.rule
        return Observation(
            key=key,
            name=rule.name,
            kind=rule.kind,
            source=SignalSource.PROMETHEUS,
            subject=subject_of(rule, dict(one.labels)),
            wrong=verdicts.known(at),
            value=one.value,
            threshold=threshold(rule, verdicts, at, one.value),
            unit=rule.unit,
            usual=(_end(verdicts.low[at]), _end(verdicts.high[at])),
            samples=count,
            note=explain(rule, verdicts, at, one),
            left_seconds=left(rule, verdicts, at, one.value),
        )


def _end(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def fixed(rule: Rule, values: Floats) -> Verdicts:
    """Compare with a bound; the score says how far beyond, between 0 and 1, and orders the series."""
    bound = rule.bound
    assert bound is not None
    beyond = values - bound if rule.above is not None else bound - values
    wrong = np.where(beyond > 0, WRONG, RIGHT).astype(np.int8)
    with np.errstate(invalid="ignore"):
        score = np.where(np.isinf(beyond), np.where(beyond > 0, 1.0, 0.0), 0.5 + np.arctan(beyond) / np.pi)
    nothing = np.full(len(values), np.nan)
    low = np.full(len(values), bound if rule.above is None else -np.inf)
    high = np.full(len(values), bound if rule.above is not None else np.inf)
    return Verdicts(wrong, score, nothing, low, high)


def floored(rule: Rule, verdicts: Verdicts, values: Floats) -> Verdicts:
    """Let values below the rule's floor be right, however unusual they are."""
    if rule.floor is not None:
        verdicts.wrong[(verdicts.wrong == WRONG) & (values < rule.floor)] = RIGHT
    return verdicts


def series_key(rule: Rule, series: Series) -> str:
    """Return the identity of a series within the Watch; bounded, whatever the labels are."""
    if not series.labels:
        return rule.key
    text = ",".join(f"{k}={v.translate(_ESCAPES)}" for k, v in series.labels)
    line = one_line(text, 200)
    if line != text:
        line += "#" + hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:12]
    return f"{rule.key}{{{line}}}"


def threshold(rule: Rule, verdicts: Verdicts, at: int, value: float) -> float | None:
    """Return the bound that the value is compared with: fixed, the limit, or the nearer end of the usual band."""
    if rule.forecast is not None:
        return float(rule.forecast.limit)
    if rule.bound is not None:
        return rule.bound
    end = float(verdicts.high[at] if value >= verdicts.expected[at] else verdicts.low[at])
    return end if math.isfinite(end) else None


def left(rule: Rule, verdicts: Verdicts, at: int, value: float) -> float | None:
    """Return the seconds until it is exhausted, where that is forecast or is what the rule measures."""
    if isinstance(verdicts, Outlook):
        seconds = float(verdicts.seconds_left[at])
        return None if math.isnan(seconds) else seconds
    return value if rule.kind is SignalKind.EXHAUSTION and rule.unit == "s" else None


def explain(rule: Rule, verdicts: Verdicts, at: int, series: Series) -> str:
    """Say for people how a series stands: value, what is usual, how much time is left."""
    said = f"{subject_of(rule, dict(series.labels))} is {amount(series.value, rule.unit)}"
    if rule.bound is not None:
        return compared(rule, series)
    if isinstance(verdicts, Outlook):
        limit = amount(float(rule.forecast.limit if rule.forecast else 0), rule.unit)
        left = float(verdicts.seconds_left[at])
        if math.isnan(left):
            return f"{said}; no trend known yet, limit {limit}"
        return (
            f"{said}, reaches {limit} in {duration(left)}" if math.isfinite(left) else f"{said}, does not reach {limit}"
        )
    if not math.isfinite(verdicts.low[at]):
        return f"{said}; {LEARNING}"
    usual = f"{amount(float(verdicts.low[at]), rule.unit)} to {amount(float(verdicts.high[at]), rule.unit)}"
    return f"{said}, usual is {usual}"
