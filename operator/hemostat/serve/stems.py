"""Of which kinds of evidence the words of an Incident stem: they are told where all of those may be (pure).

What an Incident says in its own fields was said by somebody who saw evidence, by a person, or by a model that was let
see more once than may leave now.
"""

from collections.abc import Collection, Mapping
from typing import Any

from hemostat.api.incident import (
    CONSULTED,
    DETECTED,
    DIAGNOSED,
    PART_OF,
    RESOLVED,
    WATCHED,
    EvidenceKind,
    Incident,
)

Json = dict[str, Any]
K = EvidenceKind
BY = "observe"
QUOTED = K.SIGNAL
"""Titles, summaries, timelines, conditions and causes quote signals."""
_QUOTES_NOTHING = ("severity", "remediationRef", "partOf", "reopened")
_OF_SIGNALS, _OF_DIAGNOSES = (DETECTED, PART_OF, WATCHED), (DIAGNOSED, CONSULTED)
_ENTRIES: Mapping[str, Collection[K]] = {
    "round": (K.OUTCOME,),
    "handed-over": (K.OUTCOME,),
    "storm": (K.CHANGE, K.WORKLOAD),
}
"""Entries of the timeline that `observe` told of more than signals; all that others told is of outcomes."""
_END = (QUOTED, K.OUTCOME, K.CHANGE)
"""How it ended quotes the change after which it cleared."""
_ENDED = "act/resolved/"
_ENTRIES_OF_DIAGNOSES = ("diagnosed", "consulted")


def words(incident: Incident, kinds: Collection[K]) -> Json:
    """Return the status as JSON without evidence, which has a view of its own, and without words that may not leave.

    Types, reasons, times, names and numbers stay.
    """
    wire = incident.status.wire()
    told = {key: value for key, value in wire.items() if key not in ("evidence", "progress")}
    stems = _Stems(incident, kinds)
    conditions = [_without(c, "message", stems.condition(c["type"])) for c in told.get("conditions", ())]
    if QUOTED not in kinds:
        return {key: told[key] for key in _QUOTES_NOTHING if key in told} | {"conditions": conditions}
    told |= {
        "conditions": conditions,
        "timeline": [_without(e, "message", stems.entry(e)) for e in told.get("timeline", ())],
        "causes": [_without(c, "reasons", stems.may(K.CHANGE, K.EDGE)) for c in told.get("causes", ())],
    }
    for name, field, may in (
        ("storm", "shared", stems.may(K.CHANGE, K.WORKLOAD)),
        ("callers", "names", stems.may(K.EDGE)),
        ("lesson", "text", stems.may(K.OUTCOME) and stems.cites(told.get("lesson", {}))),
    ):
        if name in told:
            told[name] = _without(told[name], field, may)
    if "diagnosis" in told:
        told["diagnosis"] = _diagnosis(told["diagnosis"], stems)
    return {key: value for key, value in told.items() if value or key not in ("timeline", "causes")}


class _Stems:
    """What may be told of one Incident."""

    def __init__(self, incident: Incident, kinds: Collection[K]) -> None:
        self._kinds = kinds
        self._known = {e.id: e.kind for e in incident.status.evidence}
        diagnosis = incident.status.diagnosis
        stated = diagnosis.statements if diagnosis is not None else ()
        self.model = all(self.cites(s.wire()) for s in stated)
        """Whether all may be told that a model concluded: it rests on all that it states."""
        outcomes = any(kind is K.OUTCOME for kind in self._known.values())
        self.diagnosed = self.may(QUOTED, *([K.OUTCOME] if outcomes else [])) and self.model

    def may(self, *wanted: K) -> bool:
        return all(kind in self._kinds for kind in wanted)

    def cites(self, part: Json) -> bool:
        return all(self._known.get(id_) in self._kinds for id_ in part.get("cites", ()))

    def condition(self, kind: str) -> bool:
        if kind in _OF_DIAGNOSES:
            return self.diagnosed
        if kind == RESOLVED:
            return self.may(*_END)
        return self.may(QUOTED) if kind in _OF_SIGNALS else self.may(QUOTED, K.OUTCOME)

    def entry(self, entry: Json) -> bool:
        if entry["id"].startswith(_ENDED):
            return self.may(*_END)
        if entry["by"] != BY:
            return self.may(QUOTED, K.OUTCOME)
        what = entry["id"].removeprefix(f"{BY}/").partition("/")[0]
        return self.diagnosed if what in _ENTRIES_OF_DIAGNOSES else self.may(QUOTED, *_ENTRIES.get(what, ()))


def _diagnosis(told: Json, stems: _Stems) -> Json:
    """Causes of hypotheses are the Runbooks' own words; why they were ruled out may be a person's, or a model's."""
    hypotheses = [h if stems.model and stems.cites(h) else _unexcused(h) for h in told.get("hypotheses", ())]
    found = told | {"hypotheses": hypotheses, "statements": [s for s in told.get("statements", ()) if stems.cites(s)]}
    if stems.model:
        return found
    return {k: v for k, v in found.items() if k not in ("cause", "abstained")}


def _without(part: Json, field: str, may: bool) -> Json:  # noqa: FBT001 - whether it stays
    return part if may else {k: v for k, v in part.items() if k != field}


def _unexcused(hypothesis: Json) -> Json:
    return {k: v for k, v in hypothesis.items() if k not in ("ruledOut", "ruledOutOnly")}
