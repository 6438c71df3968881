"""Whether what the watch streams told is the last word: lists are held against it (time comes from a Clock)."""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hemostat.clock import Clock

LOG = logging.getLogger(__name__)
BEHIND = timedelta(seconds=10)
"""A list may know so much earlier than a stream tells; after that the stream is broken."""
UNCHECKED = timedelta(seconds=60)
"""Without a list for so long nobody knows whether the stream lives."""

MAX_GONE = 20_000


@dataclass
class _Stream:
    checked: datetime | None = None
    complete: bool = False
    behind: dict[str, tuple[int, datetime]] = field(default_factory=dict)
    """uid to the version that a list showed and the stream has not told yet, and since when."""
    gone: set[str] = field(default_factory=set)
    """Told to be deleted since the last list: a list that was asked for before that shows them, and nobody tells of
    them again."""
    failure: str = ""
    """Why the last list could not be read."""
    told: bool = False
    """Whether the log says that the stream is in doubt."""

    def read(self) -> bool:
        """Tell whether everything that some list showed was told of."""
        self.complete = self.complete or (self.checked is not None and not self.behind)
        return self.complete

    @property
    def since(self) -> datetime | None:
        """Since when it has not told what a list showed."""
        return min((since for _, since in self.behind.values()), default=None)


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
            if len(stream.gone) < MAX_GONE:
                stream.gone.add(uid)

    def listed(self, kind: str, behind: Mapping[str, int], began: datetime) -> None:
        """A list was read; these are newer in it than in the cache."""
        stream = self._stream(kind)
        stream.read()
        late = {uid: version for uid, version in behind.items() if uid not in stream.gone}
        stream.behind = {uid: stream.behind.get(uid, (version, began)) for uid, version in late.items()}
        stream.checked, stream.failure = began, ""
        stream.gone.clear()
        stream.read()

    def failed(self, kind: str, why: str) -> None:
        """A list could not be read."""
        self._stream(kind).failure = why

    def settled(self, kind: str) -> bool:
        """Tell whether the cache had everything that the last list showed."""
        stream = self._streams.get(kind)
        return stream is not None and stream.checked is not None and not stream.behind

    def behind(self, kind: str) -> timedelta:
        """Return for how long the stream has not told what a list showed."""
        since = self._stream(kind).since
        return self._clock.now() - since if since is not None else timedelta(0)

    def doubt(self, kinds: Collection[str]) -> str:
        """Return what cached kinds are not to be relied on, since when and why; an empty text when all are.

        It stays the same while nothing new is known, and when it begins and ends the log says so, once.
        """
        said = [words for kind in kinds if (words := self._doubt(kind, self._stream(kind)))]
        return "; ".join(said)

    def _doubt(self, kind: str, stream: _Stream) -> str:
        began = stream.read()
        words = self._words(kind, stream)
        if began and bool(words) != stream.told:
            stream.told = bool(words)
            if words:
                LOG.warning("no verdicts on what rests on %ss: %s", kind, words)
            else:
                LOG.info("%ss are up to date again", kind)
        return words

    def _words(self, kind: str, stream: _Stream) -> str:
        now, why = self._clock.now(), f": {stream.failure}" if stream.failure else ""
        if stream.checked is None or not stream.complete:
            left = f", {len(stream.behind)} are yet to come" if stream.behind else ""
            return f"{kind}s are still being read for the first time{left}{why}"
        if now - stream.checked > UNCHECKED:
            return f"{kind}s were last compared with the API server at {_time(stream.checked)}{why or ': it is slow'}"
        if stream.since is not None and now - stream.since > BEHIND:
            late = f"{len(stream.behind)} changed since {_time(stream.since)} and it has not told"
            return f"the watch stream of {kind}s is behind: {late}; they are being read"
        return ""

    def _stream(self, kind: str) -> _Stream:
        return self._streams.setdefault(kind, _Stream())


def _time(moment: datetime) -> str:
    return f"{moment:%H:%M:%S} UTC"
