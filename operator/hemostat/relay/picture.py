"""A small picture of how the signal went, drawn from the plot that the evidence carries (pure: Pillow, no files)."""

import io
from collections.abc import Sequence
from datetime import timedelta

from PIL import Image, ImageDraw, ImageFont

from hemostat.api.incident import Evidence, EvidenceKind, Incident, Plot
from hemostat.signals.rules import one_line
from hemostat.signals.words import amount

WIDTH, HEIGHT = 720, 260
LEFT, RIGHT, TOP, BOTTOM = 84, 16, 34, 34
_KINDS = (EvidenceKind.SIGNAL, EvidenceKind.SERIES)
_WHITE, _GRID, _INK, _LINE, _BAND, _FIRED = "#ffffff", "#dddddd", "#333333", "#1f5fa8", "#d8eede", "#cc2222"


def pictured(incident: Incident) -> Evidence | None:
    """Return the evidence to be drawn: the measurement whose signal fired last, else the first one there is."""
    plots = [e for e in incident.status.evidence if e.plot is not None and len(e.plot.values) > 1]
    plots.sort(key=lambda e: e.kind not in _KINDS)
    fired = [e for e in plots if e.plot is not None and e.plot.fired_time is not None]
    return max(fired, key=lambda e: str(e.plot and e.plot.fired_time), default=plots[0] if plots else None)


def draw(plot: Plot, title: str) -> bytes:
    """Return a PNG of 720 by 260: the values, the band in which they are right, and when the signal fired."""
    image = Image.new("RGB", (WIDTH, HEIGHT), _WHITE)
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(13)
    values = [float(v) for v in plot.values]
    low, high = _reach(plot, values)
    span = max(plot.seconds[-1], 1)

    def x(seconds: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * min(max(seconds / span, 0.0), 1.0)

    def y(value: float) -> float:
        share = min(max((value - low) / (high - low), 0.0), 1.0)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share

    if plot.low is not None or plot.high is not None:
        top = y(float(plot.high)) if plot.high is not None else TOP
        end = y(float(plot.low)) if plot.low is not None else HEIGHT - BOTTOM
        pen.rectangle((LEFT, min(top, end), WIDTH - RIGHT, max(top, end)), fill=_BAND)
    for value in (low, (low + high) / 2, high):
        pen.line((LEFT, y(value), WIDTH - RIGHT, y(value)), fill=_GRID)
        pen.text((LEFT - 8, y(value)), amount(value, plot.unit), fill=_INK, font=font, anchor="rm")
    for share in (0.0, 0.5, 1.0):
        moment = plot.start_time + timedelta(seconds=span * share)
        anchor = "ls" if share == 0 else "rs" if share == 1 else "ms"
        pen.text((x(span * share), HEIGHT - 12), f"{moment:%H:%M:%S} UTC", fill=_INK, font=font, anchor=anchor)
    if plot.fired_time is not None:
        fired = x((plot.fired_time - plot.start_time).total_seconds())
        pen.line((fired, TOP, fired, HEIGHT - BOTTOM), fill=_FIRED, width=2)
    course = [(x(s), y(v)) for s, v in zip(plot.seconds, values, strict=True)]
    pen.line(course, fill=_LINE, width=2, joint="curve")
    pen.text((LEFT, 10), one_line(title, 90), fill=_INK, font=font)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def _reach(plot: Plot, values: Sequence[float]) -> tuple[float, float]:
    """Return the lowest and highest value shown; an end of the band that would squeeze the line flat is left out."""
    low, high = min(values), max(values)
    size = max(high - low, abs(high) * 0.02, 1e-9)
    ends = [float(e) for e in (plot.low, plot.high) if e is not None and low - size <= float(e) <= high + size]
    low, high = min((low, *ends)), max((high, *ends))
    margin = max((high - low) * 0.05, abs(high) * 0.01, 1e-9)
    return low - margin, high + margin
