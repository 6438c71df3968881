"""Resolved Incidents are remembered, and those that are like an open one become evidence of it (shell).

What is in the cluster is remembered anew after a restart, so a memory that was lost comes back as far as Incidents do.
"""

import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from hemostat.api.identity import LESSON, LESSON_BY
from hemostat.api.incident import EvidenceKind, Incident
from hemostat.api.meta import Condition
from hemostat.api.remediation import Calibration
from hemostat.clock import Clock
from hemostat.diagnosis.evidence import Item
from hemostat.diagnosis.lesson import resolved_since
from hemostat.diagnosis.redact import redact
from hemostat.errors import HemostatError
from hemostat.handlers import key_of
from hemostat.memory.episode import Ending, Outcome, episode_of, text_of
from hemostat.memory.store import MAX_FOUND, Match, Memory
from hemostat.memory.telling import told
from hemostat.observe.store import Store
from hemostat.observe.worth import Worth
from hemostat.workqueue import WorkQueue

LOG = logging.getLogger(__name__)
Key = tuple[str, str]
MOST = 3
LEAST_SCORE = 0.5
"""Likeness below which two incidents have words in common and nothing else."""
MAX_KNOWN = 10_000
NOTHING = Outcome.NOT_APPLIED
"""The outcome that says nothing about an action."""


class Recollection:
    """Keeps episodes and finds them (thread-safe). Without the memory everything goes on."""

    def __init__(self, memory: Memory, store: Store, clock: Clock) -> None:
        self._memory, self._store, self._clock = memory, store, clock
        self._worth = Worth(memory, clock.now)
        self.queue: WorkQueue[Key] = WorkQueue("memory", self.keep)
        self._known: OrderedDict[tuple[str, datetime, str], None] = OrderedDict()
        """Uid, since when it is resolved, and the lesson that a person accepted, of what was remembered."""

    def note(self, body: Mapping[str, Any]) -> None:
        """Take note of an Incident that exists or was changed: one that is resolved is remembered soon."""
        since = resolved_since([Condition.model_validate(c) for c in body.get("status", {}).get("conditions", ())])
        meta = body["metadata"]
        if since is not None and (meta["uid"], since, accepted(meta.get("annotations") or {})) not in self._known:
            self.queue.add(key_of(body))

    def keep(self, key: Key) -> float | None:
        """Remember one Incident with what was tried. Raises what the memory raises: it is tried again later."""
        incident = self._store.incident(*key)
        if incident is None:
            return None
        lesson = accepted(incident.metadata.annotations)
        episode = episode_of(incident, self._store.remediations(incident), redact, lesson=lesson)
        if episode is None:
            return None
        self._memory.remember(episode)
        self._known[incident.metadata.uid, episode.resolved_time, lesson] = None
        while len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)
        return None

    def worth(self, namespace: str, by: str, percent: int, runbook: str) -> Calibration:
        """Return what a confidence of Matcher or Model in a Runbook was worth in this namespace."""
        return self._worth.of(namespace, by, percent, runbook)

    def similar(self, incident: Incident, most: int = MOST) -> Sequence[Item]:
        """Return past incidents of the namespace that are like this one, as evidence; none if they cannot be read.

        The most alike, and of the others those first from which something is to be learnt.
        """
        try:
            found = self._memory.similar(text_of(incident, redact), incident.metadata.namespace or "", MAX_FOUND)
        except HemostatError as error:
            LOG.warning("Incident %s is diagnosed without past ones: %s", incident.metadata.name, error)
            return ()
        now = self._clock.now()
        alike = [m for m in found if m.score >= LEAST_SCORE and m.episode.uid != incident.metadata.uid]
        return [
            Item(f"episode/{m.episode.uid}", EvidenceKind.EPISODE, f"{m.episode.kind} {m.episode.target}", told(m, now))
            for m in [*alike[:1], *sorted(alike[1:], key=_says_most)][:most]
        ]


def _says_most(match: Match) -> tuple[bool, bool]:
    """Order by what may be learnt, and else as they are: a lesson that a person accepted, then what came of a try."""
    past = match.episode
    learnt = past.ending in (Ending.HEALED, Ending.BY_PERSON) or any(t.outcome is not NOTHING for t in past.tries)
    return not past.lesson, not learnt


def accepted(annotations: Mapping[str, str]) -> str:
    """Return the lesson that a person accepted; a draft is none (the admission policy says who may write this)."""
    return annotations.get(LESSON, "") if annotations.get(LESSON_BY) else ""
