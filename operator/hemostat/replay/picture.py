"""A picture of a replay: per series its course, what was usual, and when it would have fired (pure SVG)."""

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

from hemostat.replay.tracks import BUCKETS, Track
from hemostat.replay.watch import Alarm, Replayed
from hemostat.signals.rules import one_line
from hemostat.signals.words import BYTES, amount, counted

WIDTH, HEIGHT, GAP = 1000, 130, 56
LEFT, RIGHT, TOP = 110, 20, 84
MAX_PANELS = 24
_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #222 } .title { font-size: 17px; font-weight: 600 }
.name { font-weight: 600 } .small { font-size: 11px; fill: #555 }
.line { fill: none; stroke: #1f5fa8; stroke-width: 1.3 }
.spread { fill: #1f5fa8; fill-opacity: .35; stroke: none } .band { fill: #3a9d5d; fill-opacity: .18; stroke: none }
.bound { stroke: #3a9d5d; stroke-width: 1; stroke-dasharray: 5 3; fill: none }
.limit { stroke: #b8860b; stroke-width: 1.3; stroke-dasharray: 2 3 }
.alarm { fill: #d22; fill-opacity: .22 } .edge { stroke: #c00; stroke-width: 1.4 } .grid { stroke: #ddd }
.frame { fill: none; stroke: #999 }
"""


def picture(replayed: Replayed, title: str) -> str:
    """Return the picture as SVG: series that would have fired first, then the others, at most `MAX_PANELS`."""
    alarms: dict[str, list[Alarm]] = {}
    for alarm in replayed.alarms:
        alarms.setdefault(alarm.key, []).append(alarm)
    tracks = sorted(replayed.tracks, key=lambda t: (t.key not in alarms, t.key))
    shown = tracks[:MAX_PANELS]
    wide, height = LEFT + WIDTH + RIGHT, TOP + max(1, len(shown)) * (HEIGHT + GAP) + 24
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{height}" viewBox="0 0 {wide} {height}">',
        f'<style>{_STYLE}</style><rect width="100%" height="100%" fill="#fff"/>',
        _text(LEFT, 26, title, "title"),
        _text(LEFT, 46, _summary(replayed, len(tracks) - len(shown)), "small"),
        *_legend(),
    ]
    for index, track in enumerate(shown):
        out += _panel(track, alarms.get(track.key, ()), replayed, TOP + 18 + index * (HEIGHT + GAP))
    if not shown:
        out.append(_text(LEFT, TOP + 40, "Prometheus has no series of any of the signals in this time."))
    return "\n".join([*out, "</svg>", ""])


def _summary(replayed: Replayed, hidden: int) -> str:
    count = len(replayed.alarms) + replayed.dropped_alarms
    span = replayed.span
    said = f"{span.start:%Y-%m-%d %H:%M} to {span.end:%Y-%m-%d %H:%M} UTC, every {span.step_seconds} s; "
    return said + counted(count, "alarm") + (f"; {hidden} more series not drawn" if hidden else "")


def _legend() -> Iterator[str]:
    """Yield a sample of everything that is drawn, with its name."""
    x, y = float(LEFT), 66.0
    for style, name in (("line", "value"), ("band", "usual or allowed"), ("limit", "limit"), ("alarm", "would fire")):
        if style in ("band", "alarm"):
            yield f'<rect class="{style}" x="{x}" y="{y - 9}" width="24" height="10"/>'
        else:
            yield f'<line class="{style}" x1="{x}" x2="{x + 24}" y1="{y - 4}" y2="{y - 4}"/>'
        yield _text(x + 30, y, name, "small")
        x += 150


def _panel(track: Track, alarms: Sequence[Alarm], replayed: Replayed, top: float) -> Iterator[str]:
    scale = _Scale(track, top)
    count = f" ({counted(len(alarms), 'alarm')})" if alarms else ""
    limit = f", limit {amount(track.limit, track.unit)}" if track.limit is not None else ""
    yield _text(LEFT, top - 6, one_line(f"{track.key.split('{', 1)[0]}: {track.subject}{limit}{count}", 150), "name")
    yield _upright(16, top + HEIGHT / 2, f"value in {track.unit}" if track.unit else "value")
    yield _text(LEFT - 24, top + HEIGHT + 14, "time (UTC)", "small", "end")
    for value in scale.ticks():
        y = scale.y(value)
        yield f'<line class="grid" x1="{LEFT}" x2="{LEFT + WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield _text(LEFT - 6, y + 4, amount(value, track.unit), "small", "end")
    for x, word in _times(replayed):
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{top + HEIGHT}"/>'
        yield _text(x, top + HEIGHT + 14, word, "small", "middle")
    yield from _band(track, scale)
    if track.limit is not None and scale.low <= track.limit <= scale.high:
        y = scale.y(track.limit)
        yield f'<line class="limit" x1="{LEFT}" x2="{LEFT + WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>'
    for alarm in alarms:
        yield from _alarm(alarm, replayed, top)
    yield from (f'<polyline class="line" points="{run}"/>' for run in _runs(scale, _middle(track)))
    yield from _areas(scale, track.lowest, track.highest, "spread")
    yield f'<rect class="frame" x="{LEFT}" y="{top}" width="{WIDTH}" height="{HEIGHT}"/>'


class _Scale:
    """Values to heights; the band is shown as far as it does not squeeze the values flat."""

    def __init__(self, track: Track, top: float) -> None:
        self._top = top
        self._unit = track.unit
        values = np.concatenate([track.lowest, track.highest])
        values = values[np.isfinite(values)]
        low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
        reach = max(high - low, abs(high) * 0.02, 1e-9)
        for end in (*track.low, *track.high, track.limit if track.limit is not None else math.nan):
            if low - 2 * reach <= end <= high + 2 * reach:
                values = np.append(values, end)
        low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
        margin = 0.06 * max(high - low, abs(high) * 0.02, 1e-9)
        self.low, self.high = low - margin, high + margin

    def y(self, value: float) -> float:
        """Return the height of a value, kept within the panel."""
        share = (value - self.low) / (self.high - self.low)
        return self._top + HEIGHT * (1.0 - max(0.0, min(1.0, share)))

    def ticks(self) -> list[float]:
        """Return two to five round numbers."""
        raw = (self.high - self.low) / 3
        if self._unit in BYTES:
            step = 2.0 ** math.ceil(math.log2(raw))
        else:
            size = 10.0 ** math.floor(math.log10(raw))
            step = next((size * m for m in (1, 2, 5) if size * m >= raw), 10 * size)
        first = math.ceil(self.low / step)
        return [i * step for i in range(first, math.floor(self.high / step) + 1)]


def _x(bucket: float) -> float:
    return LEFT + WIDTH * bucket / BUCKETS


def _middle(track: Track) -> NDArray[np.float64]:
    middle: NDArray[np.float64] = (track.lowest + track.highest) / 2
    return middle


def _known(values: NDArray[np.float64]) -> list[list[int]]:
    """Return the runs of buckets without a gap; buckets between two samples are none, unless there are many."""
    at = np.flatnonzero(np.isfinite(values))
    if len(at) == 0:
        return []
    usual = float(np.median(np.diff(at))) if len(at) > 1 else 1.0
    runs = [[int(at[0])]]
    for before, index in pairwise(at):
        if index - before > 3 * usual + 1:
            runs.append([])
        runs[-1].append(int(index))
    return runs


def _runs(scale: _Scale, values: NDArray[np.float64]) -> Iterator[str]:
    for run in _known(values):
        points = [*run, run[0]] if len(run) == 1 else run
        yield " ".join(f"{_x(i + 0.5):.1f},{scale.y(float(values[i])):.1f}" for i in points)


def _areas(scale: _Scale, low: NDArray[np.float64], high: NDArray[np.float64], style: str) -> Iterator[str]:
    for run in _known(low + high):
        up = [f"{_x(i + 0.5):.1f},{scale.y(float(high[i])):.1f}" for i in run]
        down = [f"{_x(i + 0.5):.1f},{scale.y(float(low[i])):.1f}" for i in reversed(run)]
        yield f'<polygon class="{style}" points="{" ".join(up + down)}"/>'


def _band(track: Track, scale: _Scale) -> Iterator[str]:
    """Fill what lies between two ends; a single end, as of a fixed bound, is a line with the allowed side filled."""
    open_low, open_high = ~np.isfinite(track.low), ~np.isfinite(track.high)
    known = np.isfinite(track.lowest) & ~(open_low & open_high)
    low = np.where(known, np.where(open_low, scale.low, track.low), np.nan)
    high = np.where(known, np.where(open_high, scale.high, track.high), np.nan)
    yield from _areas(scale, low, high, "band")
    for end in (track.low, track.high):
        inside = np.where((end > scale.low) & (end < scale.high), end, np.nan)
        yield from (f'<polyline class="bound" points="{run}"/>' for run in _runs(scale, inside))


def _alarm(alarm: Alarm, replayed: Replayed, top: float) -> Iterator[str]:
    tracks = replayed.tracks
    length = tracks.end - tracks.start
    ended = alarm.ended.timestamp() if alarm.ended is not None else tracks.end
    first = LEFT + WIDTH * (alarm.began.timestamp() - tracks.start) / length
    wide = max(2.0, WIDTH * (ended - alarm.began.timestamp()) / length)
    yield (
        f'<rect class="alarm" x="{first:.1f}" y="{top}" width="{wide:.1f}" height="{HEIGHT}">'
        f"<title>{escape(alarm.note)}</title></rect>"
        f'<line class="edge" x1="{first:.1f}" x2="{first:.1f}" y1="{top}" y2="{top + HEIGHT}"/>'
    )


def _times(replayed: Replayed) -> Iterator[tuple[float, str]]:
    """Yield the places of round times, four to nine of them."""
    start, end = replayed.tracks.start, replayed.tracks.end
    steps = (1, 5, 10, 30, 60, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 2592000)
    step = next((s for s in steps if (end - start) / s <= 9), steps[-1])
    first = math.ceil(start / step)
    for index in range(first, math.floor(end / step) + 1):
        moment = datetime.fromtimestamp(index * step, UTC)
        word = f"{moment:%d %b}" if step >= 86400 or index * step % 86400 == 0 else f"{moment:%H:%M:%S}"
        yield LEFT + WIDTH * (index * step - start) / (end - start), word.removesuffix(":00") if step >= 60 else word


def _text(x: float, y: float, text: str, style: str = "", anchor: str = "start") -> str:
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _upright(x: float, y: float, text: str) -> str:
    turned = f'transform="rotate(-90 {x:.1f} {y:.1f})"'
    return f'<text class="small" x="{x:.1f}" y="{y:.1f}" text-anchor="middle" {turned}>{escape(text)}</text>'
