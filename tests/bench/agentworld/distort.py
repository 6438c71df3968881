"""What may happen to telemetry on its way, and what must not change a verdict: pure functions over records.

All keep the order of arrival. Chance depends on the record's own ids, so a distortion is the same for every order.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from .dice import draw, seed_of
from .render import Pairs, Record


def _arrived(records: Iterable[Record]) -> list[Record]:
    return sorted(records, key=lambda record: record.arrival)


def _chance(record: Record, seed: int, what: str) -> float:
    return draw(seed_of(seed, what, record.span, record.event, record.start))


def lose_spans(records: Iterable[Record], share: float, seed: int) -> list[Record]:
    """Lose a share (0 to 1) of the spans; the guard's events are not spans and stay."""
    return [record for record in records if record.event or _chance(record, seed, "lose") >= share]


def lose_events(records: Iterable[Record], share: float, seed: int) -> list[Record]:
    """Lose a share of the guard's events."""
    return [record for record in records if not record.event or _chance(record, seed, "lose") >= share]


def sample_traces(records: Iterable[Record], share: float, seed: int) -> list[Record]:
    """Keep a share of the traces, whole; what the guard says of a trace that was not sampled is lost too."""
    return [record for record in records if draw(seed_of(seed, "sample", record.trace)) < share]


def duplicate(records: Iterable[Record], share: float, seed: int, delay: float = 5.0) -> list[Record]:
    """Deliver a share of the records a second time, up to `delay` seconds later (an exporter that tried again)."""
    kept = list(records)
    again = [
        replace(record, arrival=record.arrival + delay * _chance(record, seed, "delay"))
        for record in kept
        if _chance(record, seed, "again") < share
    ]
    return _arrived(kept + again)


def reorder(records: Iterable[Record], delay: float, seed: int) -> list[Record]:
    """Deliver every record up to `delay` seconds later than it would have been."""
    return _arrived(
        replace(record, arrival=record.arrival + delay * _chance(record, seed, "late")) for record in records
    )


def shift(records: Iterable[Record], seconds: float) -> list[Record]:
    """Let everything happen so many seconds later."""
    ns = round(seconds * 1e9)
    return [_shifted(record, seconds, ns) for record in records]


def _shifted(record: Record, seconds: float, ns: int) -> Record:
    keys = ("hemostat.span.start_time_unix_nano", "hemostat.span.end_time_unix_nano")
    attributes = tuple(
        (key, value + ns if key in keys and isinstance(value, int) else value) for key, value in record.attributes
    )
    end = record.end + ns if record.end else 0
    return replace(record, arrival=record.arrival + seconds, start=record.start + ns, end=end, attributes=attributes)


def interleave(*streams: Iterable[Record]) -> list[Record]:
    """Merge streams by arrival."""
    return _arrived(record for stream in streams for record in stream)


def rename(records: Iterable[Record], names: Mapping[str, str]) -> list[Record]:
    """Give agents, tools or locks other names, wherever they occur as whole words (see also Truth.renamed)."""
    words = re.compile(
        "|".join(rf"(?<![A-Za-z]){re.escape(name)}(?![A-Za-z])" for name in sorted(names, key=len)[::-1])
    )

    def said(text: str) -> str:
        return words.sub(lambda match: names[match.group()], text)

    def pairs(some: Pairs) -> Pairs:
        return tuple((key, said(value) if isinstance(value, str) else value) for key, value in some)

    return [
        replace(record, resource=pairs(record.resource), name=said(record.name), attributes=pairs(record.attributes))
        for record in records
    ]
