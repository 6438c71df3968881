"""What a Watch asks of Prometheus, as data: one `Rule` per query, whoever wrote it (pure)."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from string import Template
from unicodedata import category

from hemostat.api.watch import ChangePoint, Forecast, MetricSignal, SignalKind, Unusual

OWN = "metric"
"""Aspect of a rule that is the signal itself."""
MAX_SUBJECT = 160


@dataclass(frozen=True, slots=True)
class Rule:
    """A query and how each of its series is judged: exactly one of `above`, `below`, `unusual`, `change_point` and
    `forecast` is set.
    """

    name: str
    """Name of the signal in the Watch."""
    aspect: str
    """What of it: `OWN`, or the check of a preset."""
    query: str
    kind: SignalKind
    above: float | None = None
    below: float | None = None
    unusual: Unusual | None = None
    change_point: ChangePoint | None = None
    forecast: Forecast | None = None
    floor: float | None = None
    """Values below this are never wrong, however unusual."""
    unit: str = ""
    for_seconds: float = 10.0
    clear_seconds: float = 10.0
    subject: str = ""
    """For people, with labels as `$label`: "memory of container $container". The labels themselves when empty."""
    every_seconds: float = 0.0
    """How often it is asked; more often is pointless."""
    expected: bool = True
    """Whether it is worth telling that there are no data: not for a preset, which may ask for what nobody exports."""

    @property
    def key(self) -> str:
        """Identity within the Watch: `<signal>/<aspect>`."""
        return f"{self.name}/{self.aspect}"

    @property
    def bound(self) -> float | None:
        """The fixed bound, if it has one."""
        return self.above if self.above is not None else self.below


def of_metric(name: str, signal: MetricSignal) -> Rule:
    """Return the rule that a person wrote."""
    return Rule(
        name=name,
        aspect=OWN,
        query=signal.query,
        kind=signal.kind,
        above=None if signal.above is None else float(signal.above),
        below=None if signal.below is None else float(signal.below),
        unusual=signal.unusual,
        change_point=signal.change_point,
        forecast=signal.forecast,
        unit=signal.unit,
        for_seconds=signal.for_seconds,
        clear_seconds=signal.clear_seconds,
    )


def paced(rule: Rule, interval_seconds: float) -> Rule:
    """Return the rule as it is asked when a Watch looks so often."""
    return replace(rule, every_seconds=max(rule.every_seconds, interval_seconds))


def subject_of(rule: Rule, labels: Mapping[str, str]) -> str:
    """Name a series for people, in one line: labels come from anywhere."""
    if rule.subject:
        text = Template(rule.subject).safe_substitute(labels)
    else:
        shown = {k: v for k, v in labels.items() if k != "__name__"}
        text = rule.name + (f"{{{', '.join(f'{k}={v}' for k, v in shown.items())}}}" if shown else "")
    return one_line(text, MAX_SUBJECT)


def one_line(text: str, most: int) -> str:
    """Return the text without line breaks and unprintable characters, cut to `most` characters."""
    if len(text) <= most and text.isprintable() and "  " not in text and text == text.strip():
        return text
    kept = "".join(c if c.isprintable() else "" if category(c) == "Cf" else " " for c in text[: 4 * most])
    return cut(" ".join(kept.split()), most)


def cut(text: str, most: int) -> str:
    """Return the text, cut to `most` characters: the mark at its end says that what stands there may have gone on."""
    return text if len(text) <= most else text[: most - 1] + "…"


def quoted(text: str) -> str:
    """Return the text as a PromQL string, whatever is in it."""
    return json.dumps(text, ensure_ascii=False)


def exactly(text: str) -> str:
    """Return an RE2 pattern, not yet quoted, that matches this text alone."""
    return re.sub(r"([\\.+*?()|\[\]{}^$])", r"\\\1", text)


def fill(template: str, **parts: str) -> str:
    """Fill `$part`s of a PromQL template; the parts must already be PromQL."""
    return Template(" ".join(template.split())).substitute(parts)
