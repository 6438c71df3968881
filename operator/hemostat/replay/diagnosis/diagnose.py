"""From a recording to a diagnosis: signals, evidence and the matcher as in a live cluster, then the panel (shell)."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from hemostat.api.incident import Evidence, EvidenceKind, Incident, IncidentSpec, SignalStatus
from hemostat.api.meta import BoundTargetRef, LocalRef, ObjectMeta, TargetRef
from hemostat.api.runbook import Runbook
from hemostat.api.watch import AlertSignal, WatchSignal, WatchSpec, WorkloadSignal
from hemostat.diagnosis import lookups, redact
from hemostat.diagnosis.evidence import Facts, append, gather, number
from hemostat.diagnosis.matcher import Conclusion
from hemostat.diagnosis.panel.case import make_case
from hemostat.diagnosis.panel.conclude import Concluded, conclude
from hemostat.diagnosis.panel.consult import Panel
from hemostat.diagnosis.panel.tools import Pad
from hemostat.diagnosis.recall import Recalled
from hemostat.diagnosis.rehearsal import play
from hemostat.errors import Refused
from hemostat.observe.consultant import decided
from hemostat.replay.diagnosis.case import Recording
from hemostat.replay.diagnosis.exhibits import Exhibit, exhibits, opening, tools
from hemostat.replay.diagnosis.scene import Setting, setting
from hemostat.replay.diagnosis.target import NOBODY
from hemostat.signals.alert import Told
from hemostat.signals.correlate import summary
from hemostat.signals.evaluate import Inputs, WatchState, look
from hemostat.signals.rules import one_line
from hemostat.signals.sentence import sentence
from hemostat.telemetry.alerts import Alert, Standing

ALL = frozenset(EvidenceKind)
"""What may leave: who records a case and names a model lets it see all of it, redacted."""
_PODS, _ALERT = (
    WatchSignal(name="pods", workload=WorkloadSignal(for_seconds=0)),
    WatchSignal(name="alerts", alert=AlertSignal()),
)
"""What was recorded has lasted: nothing waits for a second look."""
_WORKLOAD = ("desired", "ready", "complete", "stuck")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was made of one recording."""

    name: str
    setting: Setting
    summary: str
    """What is wrong in one line, as an Incident would say it; empty where nothing is."""
    findings: tuple[str, ...]
    """What every signal that fires says."""
    concluded: Concluded
    evidence: tuple[Evidence, ...]
    not_known: tuple[str, ...]
    """What was not recorded, so that symptoms that ask for it are neither found nor missing."""
    open_to: tuple[str, ...]
    """Runbooks that the matcher might have chosen, were what was not recorded in their favour."""
    specialists: Mapping[str, str]
    """Specialists that were silent, and why."""

    @property
    def headline(self) -> str:
        """Return the cause, or what is wrong first; empty where nothing is known."""
        return next(filter(None, (self.concluded.conclusion.diagnosis.cause, *self.findings)), "")

    @property
    def answer(self) -> str:
        """Return all that is stated, for people and for a judge; the evidence itself is no answer."""
        diagnosis = self.concluded.conclusion.diagnosis
        chosen = diagnosis.runbook_ref.name if diagnosis.runbook_ref is not None else ""
        causes = [h.cause for h in diagnosis.hypotheses if h.runbook == chosen]
        said = list(filter(None, (*self.findings, diagnosis.cause, *causes, *(s.text for s in diagnosis.statements))))
        kind, namespace, name = self.setting.target
        known = said and self.setting.target != NOBODY
        about = [f"{kind} {name}" + (f" in namespace {namespace}" if namespace else "")] if known else []
        return "\n".join(dict.fromkeys((*about, *said)))


class Diagnoser:
    """Diagnoses recordings.

    :param runbooks: those that may be chosen, drafts as if they were Active.
    :param panel: asks models; None where none is configured.
    """

    def __init__(self, runbooks: Sequence[Runbook], panel: Panel | None) -> None:
        self._runbooks = runbooks
        self._panel = panel

    def diagnose(self, recording: Recording) -> Outcome:
        """Return the diagnosis. Raises `Refused` where objects were recorded that no API server would write."""
        try:
            seen = setting(recording)
            facts = _facts(recording, seen)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            said = f"{recording.name}: a recorded object is not as the API server writes it ({type(error).__name__})"
            raise Refused("UnknownFormat", said) from error
        shown = exhibits(recording.outputs)
        evidence = number((), facts, {}, seen.now)
        evidence = append(evidence, [*lookups.events(seen.scene.events, seen.now), *opening(shown)], seen.now)
        known = Recalled(facts, _unknown(seen), ())
        played = play(self._runbooks, seen.target[0], known, evidence)
        told = one_line(redact.told(summary(facts.signals)), 256) if facts.signals else ""
        concluded, looked_up, silent = self._consulted(recording, seen, told, evidence, played.conclusion, shown)
        return Outcome(
            name=recording.name,
            setting=seen,
            summary=told,
            findings=tuple(redact.told(sentence(s)) for s in facts.signals),
            concluded=concluded,
            evidence=(*evidence, *looked_up),
            not_known=tuple(sorted(known.unknown)),
            open_to=played.open_to,
            specialists=silent,
        )

    def _consulted(
        self,
        recording: Recording,
        seen: Setting,
        told: str,
        evidence: Sequence[Evidence],
        matched: Conclusion,
        shown: Sequence[Exhibit],
    ) -> tuple[Concluded, Sequence[Evidence], Mapping[str, str]]:
        """Return the diagnosis with what a model has to say, what it looked up, and which specialists were silent."""
        if self._panel is None:
            return Concluded(matched, False, "NoModel", "HEMOSTAT_MODELS names no model: the matcher's answer"), (), {}
        if decided(matched):
            message = "every symptom of one Runbook was found and no other matches: no model is asked"
            return Concluded(matched, False, "Decided", message), (), {}
        pad = Pad(evidence, ALL, lambda: seen.now)
        case = make_case(_incident(recording, seen, told), evidence, matched.diagnosis, self._runbooks, ALL)
        heard = self._panel.consult(case, pad, tools(shown))
        refs = {r.metadata.name: LocalRef(name=r.metadata.name, uid=r.metadata.uid or None) for r in self._runbooks}
        return conclude(matched, heard, refs), heard.looked_up, heard.silent


def _facts(recording: Recording, seen: Setting) -> Facts:
    kind, namespace, name = seen.target
    spec = WatchSpec(target=TargetRef(kind=kind, name=name), signals=(_PODS, _ALERT))
    inputs = Inputs(scene=seen.scene, alerts={_ALERT.name: _alerts(recording, namespace)})
    signals: tuple[SignalStatus, ...] = look(spec, inputs, WatchState(), seen.now).firing
    facts = gather({"kind": kind, "name": name}, signals, seen.scene, seen.now, seen.now)
    return facts if seen.recorded else replace(facts, workload=None, callee_changes=())


def _alerts(recording: Recording, namespace: str) -> list[Told]:
    if not recording.title:
        return []
    labels = (("alertname", one_line(recording.title, 128)), ("namespace", namespace))
    return [(Alert("0" * 16, labels, False, None, one_line(recording.description, 256)), Standing.FIRING)]


def _unknown(seen: Setting) -> frozenset[str]:
    """Return what of the CEL variables was not recorded."""
    found = {"calleeChanges"}
    if not seen.revisions:
        found.add("changes")
    if not seen.recorded:
        found |= {f"workload.{name}" for name in _WORKLOAD}
    return frozenset(found)


def _incident(recording: Recording, seen: Setting, told: str) -> Incident:
    """Return an Incident as it would have been opened; its uid is a digest: names of cases may give the answer away."""
    kind, namespace, name = seen.target
    uid = hashlib.sha256(recording.name.encode()).hexdigest()[:16]
    title = one_line(f"{recording.title} {recording.description}", 256) or told or f"What is wrong with {kind} {name}?"
    return Incident(
        metadata=ObjectMeta(name="recorded", namespace=namespace or "unknown", uid=uid),
        spec=IncidentSpec(
            watch_ref=LocalRef(name="recorded"),
            target_ref=BoundTargetRef(kind=kind, name=name, uid=uid),
            fingerprint=uid,
            title=title,
            started_time=seen.now,
            opened_time=seen.now,
        ),
    )
