"""Which message of a channel is about which Incident: Slack's own history is the record (shell).

Nothing is kept elsewhere, so nothing can disagree with what people see, and `relay` needs no right to write in the
cluster for it. Of a post whose answer was lost, the history tells whether it arrived.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

from hemostat.errors import Retry
from hemostat.relay.mark import Root, root_of
from hemostat.relay.slack import Slack

MAX_ROOTS = 10_000
MAX_PAGES = 50
"""Of 200 messages each. An Incident whose message lies deeper is told anew."""
PAGES_AT_ONCE = 5
"""Then others have their turn, and whoever watches us sees that it goes on."""


@dataclass(slots=True)
class _Channel:
    read_from: float | None = None
    """Everything since then was read; None: nothing was."""
    oldest_ts: str = ""
    pages: int = 0
    """Read since `read_from`."""
    roots: OrderedDict[str, Root] = field(default_factory=OrderedDict)
    spare: list[str] = field(default_factory=list)
    """Messages about an Incident that has an older one."""


class History:
    """The messages of our bot by Incident. Used by one thread."""

    def __init__(self, slack: Slack) -> None:
        self._slack = slack
        self._channels: dict[str, _Channel] = {}

    def find(self, channel: str, incident: str, since: float) -> Root | None:
        """Return the message of an Incident that was posted at `since` (Unix seconds) or later, or None.

        Raises `Retry` while that is not known.
        """
        at = self._channels.setdefault(channel, _Channel())
        if incident not in at.roots and (at.read_from is None or since < at.read_from):
            self._read(channel, at, since)
        return at.roots.get(incident)

    def put(self, channel: str, root: Root) -> None:
        """Note a message that was posted or written over."""
        at = self._channels.setdefault(channel, _Channel())
        at.roots[root.mark.incident] = root
        at.roots.move_to_end(root.mark.incident)
        while len(at.roots) > MAX_ROOTS:
            at.roots.popitem(last=False)

    def forget(self, channel: str) -> None:
        """Read again: a message may be there that is not known of."""
        self._channels.pop(channel, None)

    def spare(self, channel: str) -> str | None:
        """Return a message that repeats an older one, once."""
        found = self._channels.get(channel)
        return found.spare.pop() if found is not None and found.spare else None

    def _read(self, channel: str, at: _Channel, since: float) -> None:
        """Read backwards from where it had come to. Raises `Retry` when that is not all yet."""
        cursor, latest, bot = "", at.oldest_ts, self._slack.bot()
        for _ in range(PAGES_AT_ONCE):
            messages, cursor = self._slack.history(channel, since, latest, cursor)
            at.pages += 1
            for message in messages:
                at.oldest_ts = str(message.get("ts", at.oldest_ts))
                self._note(at, root_of(message, bot))
            if not cursor or at.pages >= MAX_PAGES:
                at.read_from, at.pages = since, 0
                return
        raise Retry(f"the history of {channel} is being read", 0.2)

    def _note(self, at: _Channel, root: Root | None) -> None:
        """Of two messages about one Incident the older one counts."""
        if root is None:
            return
        known = at.roots.get(root.mark.incident)
        if known is None or known.ts == root.ts:
            at.roots[root.mark.incident] = root
        elif float(root.ts) < float(known.ts):
            at.roots[root.mark.incident] = root
            at.spare.append(known.ts)
        else:
            at.spare.append(root.ts)
