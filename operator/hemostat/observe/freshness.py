"""Whether what the watch streams told is the last word: lists are held against it (time comes from a Clock)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hemostat.clock import Clock

BEHIND = timedelta(seconds=10)
"""A list may know so much earlier than a stream tells; after that the stream is broken."""
UNCHECKED = timedelta(seconds=60)
"""Without a list for so long nobody knows whether the stream lives."""


@dataclass
class _Stream:
    checked: datetime | None = None
    complete: bool = False
    behind: dict[str, tuple[int, datetime]] = field(default_factory=dict)
    """uid to the version that a list showed and the stream has not told yet, and since when."""

    def read(self) -> bool:
        """Tell whether everything that some list showed was told of."""
        self.complete = self.complete or (self.checked is not None and not self.behind)
        return self.complete


class Freshness:
    """What is known of each kind's stream. Its owner locks."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._streams: dict[str, _Stream] = {}

    def seen(self, kind: str, uid: str, version: int) -> None:
        """The stream told of an object."""
        stream = self._streams.get(kind)
        if stream is not None and stream.behind and stream.behind.get(uid, (version + 1,))[0] <= version:
            del stream.behind[uid]

    def gone(self, kind: str, uid: str) -> None:
        """The stream told that an object was deleted."""
        stream = self._streams.get(kind)
        if stream is not None:
            stream.behind.pop(uid, None)

    def listed(self, kind: str, behind: Mapping[str, int], began: datetime) -> None:
        """A list was read; these are newer in it than in the cache."""
        stream = self._streams.setdefault(kind, _Stream())
        stream.read()
        stream.behind = {uid: stream.behind.get(uid, (version, began)) for uid, version in behind.items()}
        stream.checked = began
        stream.read()

    def settled(self, kind: str) -> bool:
        """Tell whether the cache had everything that the last list showed."""
        stream = self._streams.get(kind)
        return stream is not None and stream.checked is not None and not stream.behind

    def behind(self, kind: str) -> timedelta:
        """Return for how long the stream has not told what a list showed."""
        stream, now = self._streams.get(kind), self._clock.now()
        return now - min((since for _, since in stream.behind.values()), default=now) if stream else timedelta(0)

    def doubt(self, kinds: Collection[str]) -> str:
        """Return why what is cached of these kinds is not to be relied on; an empty text when it is."""
        now = self._clock.now()
        for kind in kinds:
            stream = self._streams.get(kind)
            if stream is None or stream.checked is None or not stream.read():
                return f"{kind}s are still being read"
            if now - stream.checked > UNCHECKED:
                return f"{kind}s could not be checked for {(now - stream.checked).total_seconds():.0f} s"
            if self.behind(kind) > BEHIND:
                return f"the watch stream of {kind}s is {self.behind(kind).total_seconds():.0f} s behind"
        return ""
