"""Checks by which people hold Hemostat back, or the place in which it would act does (pure)."""

from datetime import datetime, timedelta

from hemostat.api.gatepolicy import HumanEdits
from hemostat.api.identity import ACKNOWLEDGED, TAKEN_BACK_TIME
from hemostat.api.incident import Incident
from hemostat.gate.input import ASK, DENY, HOLD, PASS, GateInput, Matched, Verdict
from hemostat.gate.limits import callers_known

FORBIDDEN = "forbidden"
PREFIX, ALL = "hemostat.dev/", "all"


def stop_switch(facts: GateInput, _: Matched) -> Verdict:
    """Whether anything may be begun at all."""
    if facts.go is None:
        return HOLD, "the API server does not say whether anything may be begun (Role hemostat-go)"
    if not facts.go.begin:
        left = "what was done is still undone where it must be" if facts.go.undo else "nothing is undone either"
        return HOLD, f"Hemostat was stopped{facts.go.words}; {left} (kubectl hemostat status)"
    return PASS, "it is not stopped"


def forbidden(facts: GateInput, _: Matched) -> Verdict:
    """Whether the workload's owner forbids it: `hemostat.dev/<action>: forbidden`, or `hemostat.dev/all`."""
    annotations, action = facts.target.annotations, facts.remediation.spec.action
    if annotations is None:
        return ASK, "the annotations of the target could not be read"
    said = {key: annotations[key] for key in (f"{PREFIX}{ALL}", f"{PREFIX}{action}") if key in annotations}
    words = [f"{key}: {value[:64]}" for key, value in said.items()]
    if any(value.strip().lower() == FORBIDDEN for value in said.values()):
        return DENY, f"the target is annotated {', '.join(words)}"
    if said:
        return ASK, f"the target is annotated {', '.join(words)}; what is understood is {FORBIDDEN}"
    return PASS, "no annotation of the target forbids it"


def human_edit(facts: GateInput, found: Matched) -> Verdict:
    """Whether a person is at work on the target: then it is left to people."""
    if facts.target.edits is None:
        return ASK, "who wrote the target last cannot be told"
    seconds = max((p.spec.human_edit_seconds for p in found), default=0)
    anytime = any(p.spec.human_edits is HumanEdits.ANY for p in found)
    since = facts.now - timedelta(seconds=seconds)
    if not anytime and facts.incident is not None:
        since = max(since, _began(facts.incident))
    recent = [e for e in facts.target.edits if e.time > since]
    if recent:
        return ASK, f"{recent[0].manager} wrote the target at {recent[0].time:%H:%M:%S}: a person is at work on it"
    lately, uid = facts.now - timedelta(seconds=seconds), facts.remediation.spec.target_ref.uid
    for done in facts.past or ():
        back = done.taken_back
        if done.target_uid == uid and back is not None and back.after(lately):
            when = f"at {back.time:%H:%M:%S}" if back.time is not None else f"({TAKEN_BACK_TIME} does not say when)"
            return ASK, f"{back.manager[:128]} took {done.name} back {when}: a person is at work on the target"
    return PASS, f"no person wrote the target within {seconds} s" + ("" if anytime else " and since the trouble began")


def _began(incident: Incident) -> datetime:
    """Return when the trouble began, not after the Incident was created: that is the API server's word, the other is
    telemetry's. managedFields know whole seconds."""
    started = incident.spec.started_time
    known = min(started, incident.metadata.creation_timestamp or started)
    return known.replace(microsecond=0) - timedelta(seconds=1)


def acknowledged(facts: GateInput, _: Matched) -> Verdict:
    """Whether a person has taken the Incident on."""
    by = facts.incident.metadata.annotations.get(ACKNOWLEDGED) if facts.incident is not None else None
    if by is not None:
        return ASK, f"{by[:128]} has taken the Incident on (annotation {ACKNOWLEDGED})"
    return PASS, "nobody has acknowledged the Incident"


def callers_at_work(facts: GateInput, _: Matched) -> Verdict:
    """Whether something is being done to a caller of the target: nobody could tell what then helped."""
    if facts.past is None:
        return HOLD, "earlier actions could not be read"
    if facts.plan.hold_seconds is not None and not facts.plan.replaced_pods:
        return PASS, "it takes no pod away and ends by itself"
    uid = facts.remediation.spec.target_ref.uid
    others = [p for p in facts.past if not (p.finished or p.settled) and p.target_uid != uid and not p.conversations]
    if not others:
        return PASS, "nothing else is at work in this namespace"
    known, why = callers_known(facts)
    if known is None:
        return ASK, f"{others[0].name} is at work in this namespace, maybe on a caller of the target: {why}"
    unnamed = known.total > len(known.names)
    calling = [p for p in others if unnamed or p.services & set(known.names)]
    if calling:
        which = "what may be a caller" if unnamed else "a caller"
        return HOLD, f"Remediation {calling[0].name} is still at work on {which} of the target"
    return PASS, "no action is at work on a caller of the target, by the word of telemetry"
