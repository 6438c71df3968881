"""What is remembered of an incident: enough to know it again, nothing secret, and what came of each Remediation."""

import pytest
from tests.unit.builders import at, condition, incident, remediation, signal

from hemostat.api.identity import MAX_LESSON
from hemostat.api.incident import SignalSource, SignalState
from hemostat.api.watch import SignalKind
from hemostat.clock import rfc3339
from hemostat.memory.episode import MAX_TEXT, MAX_TRIES, Ending, Episode, Outcome, episode_of, text_of

HEALED = condition("Resolved", True, "Healed", 300)


def same(text):
    return text


def evidence(*items):
    return [
        {"id": f"E{i}", "key": key, "kind": kind, "subject": "s", "summary": summary, "observedTime": rfc3339(at(0))}
        for i, (key, kind, summary) in enumerate(items, start=1)
    ]


def finished(name, reason, opening=0, step=0, applied=True, **spec):
    conditions = [condition("Applied", applied), condition("Finished", True, reason)]
    return remediation(name, {"conditions": conditions}, opening=opening, step=step, **spec)


def resolved(*remediations, conditions=(HEALED,), redact=same, by_person=False, lesson="", **status):
    case = incident(conditions=conditions, **status)
    return episode_of(case, remediations, redact, by_person=by_person, lesson=lesson)


def test_the_text_says_what_fired_what_was_wrong_and_what_had_changed():
    crash = signal(
        "crash", kind=SignalKind.OTHER, source=SignalSource.WORKLOAD, subject="OOMKilled of payment", message="killed"
    )
    case = incident(
        signals=(signal("errors", state=SignalState.CLEAR), crash),
        evidence=evidence(
            ("signal/errors", "Signal", "checkout -> payment is 40 % (from Traces)"),
            ("signal/errors/Cut", "Signal", "checkout -> payment may be cut"),
            ("signal/crash", "Signal", "OOMKilled of payment: killed"),
            ("signal/gone", "Signal", "something that is no longer listed"),
            ("traces/errors", "Exemplar", "traces 0af7651916cd43dd"),
            ("change/1", "Change", "rollout of revision 7: image payment:2 -> payment:3"),
            ("pod/1", "Workload", "payment-1: OOMKilled"),
        ),
    )
    assert text_of(case, same).splitlines() == [
        "ErrorRate of checkout -> payment: checkout -> payment is 40 % (from Traces)",
        "ErrorRate of checkout -> payment: checkout -> payment may be cut",
        "OOMKilled of payment: killed",
        "something that is no longer listed",
        "rollout of revision 7: image payment:2 -> payment:3",
        "payment-1: OOMKilled",
    ]


def test_without_evidence_the_title_is_all_there_is():
    assert text_of(incident(), same) == "it fails"


def test_what_an_open_incident_looks_like_does_not_change_when_it_is_resolved():
    items = evidence(("signal/calls/errors/checkout->payment", "Signal", "40 %"), ("pod/1", "Workload", "p: OOMKilled"))
    firing = incident(signals=(signal(),), evidence=items)
    clear = incident(signals=(signal(state=SignalState.CLEAR, value="0"),), conditions=(HEALED,), evidence=items)
    found = episode_of(clear, (), same)
    assert found is not None
    assert found.text == text_of(firing, same)


def test_what_is_remembered_is_redacted_everywhere():
    secret = "hunter2-canary"
    found = resolved(
        lesson=f"the password was {secret}",
        summary=f"login as {secret} fails",
        evidence=evidence(("pod/1", "Workload", f"env PASSWORD={secret}"), ("c", "Change", f"data {secret} -> x")),
        redact=lambda text: text.replace(secret, "[secret]"),
    )
    assert found is not None
    assert secret not in found.model_dump_json()
    assert found.model_dump_json().count("[secret]") == 4


def test_a_title_that_was_never_summed_up_is_redacted_too():
    found = resolved(redact=lambda text: text.replace("fails", "[gone]"))
    assert found is not None
    assert (found.title, found.text) == ("it [gone]", "it [gone]")


def test_an_open_incident_is_no_episode_yet():
    assert resolved(conditions=()) is None
    assert resolved(conditions=(condition("Resolved", False, "InProgress"),)) is None


def test_it_says_which_incident_it_was_and_when():
    found = resolved()
    assert found is not None
    assert (found.uid, found.namespace, found.name) == ("uid-payment-1", "shop", "payment-1")
    assert (found.kind, found.target) == ("Deployment", "payment")
    assert (found.opened_time, found.resolved_time) == (at(0), at(300))


@pytest.mark.parametrize(
    ("reason", "ending"),
    [
        ("Healed", Ending.HEALED),
        ("Cleared", Ending.BY_ITSELF),
        ("ClearedByItself", Ending.BY_ITSELF),
        ("ClearedAfterChange", Ending.BY_PERSON),
        ("CauseResolved", Ending.WITH_CAUSE),
        ("WatchDeleted", Ending.ABANDONED),
        ("TargetGone", Ending.ABANDONED),
    ],
)
def test_it_says_how_it_ended(reason, ending):
    found = resolved(conditions=(condition("Resolved", True, reason),))
    assert found is not None
    assert found.ending is ending


def test_what_a_person_did_by_hand_is_not_said_to_have_ended_by_itself():
    found = resolved(conditions=(condition("Resolved", True, "ClearedByItself"),), by_person=True)
    assert found is not None
    assert found.ending is Ending.BY_PERSON


@pytest.mark.parametrize(
    ("reason", "applied", "outcome"),
    [
        ("Healed", True, Outcome.HEALED),
        ("Ineffective", True, Outcome.INEFFECTIVE),
        ("Worse", True, Outcome.WORSE),
        ("Undecided", True, Outcome.UNKNOWN),
        ("NoData", True, Outcome.UNKNOWN),
        ("UndoBlocked", True, Outcome.UNKNOWN),
        ("DeniedByPerson", False, Outcome.DENIED),
        ("Drifted", False, Outcome.NOT_APPLIED),
        ("NoGuard", False, Outcome.NOT_APPLIED),
        ("NotNeeded", False, Outcome.NOT_APPLIED),
    ],
)
def test_what_came_of_a_remediation(reason, applied, outcome):
    found = resolved(finished("r", reason, applied=applied))
    assert found is not None
    assert [(t.runbook, t.action, t.outcome) for t in found.tries] == [("bad-release", "rollback", outcome)]


def test_what_healed_only_for_a_while_did_not_heal():
    again = {"reopened": {"count": 1, "time": rfc3339(at(100))}}
    found = resolved(
        finished("second", "Healed", opening=1, step=1, action="scale"), finished("first", "Healed"), **again
    )
    assert found is not None
    assert [(t.action, t.outcome) for t in found.tries] == [("rollback", Outcome.RELAPSED), ("scale", Outcome.HEALED)]


def test_only_what_was_done_about_this_incident_counts_and_only_when_it_is_over():
    other = finished("other", "Healed", incidentRef={"name": "payment-1", "uid": "uid-of-an-older-one"})
    at_work = remediation("at-work", {"conditions": [condition("Applied")]})
    found = resolved(other, at_work)
    assert found is not None
    assert found.tries == ()


def test_an_episode_is_bounded_whatever_the_incident_holds():
    many = evidence(*((f"pod/{i}", "Workload", "x" * 1024) for i in range(64)))
    found = resolved(
        *(finished(f"r-{i}", "Ineffective", step=i % 8, attempt=1 + i // 8) for i in range(40)),
        lesson="\n" * 5000,
        evidence=many,
        summary="s" * 256,
        redact=lambda text: text * 3,
    )
    assert found is not None
    assert len(found.text) == MAX_TEXT
    assert len(found.tries) == MAX_TRIES
    assert len(found.lesson) <= MAX_LESSON
    assert len(found.title) == 256
    assert Episode.model_validate_json(found.model_dump_json(by_alias=True)) == found


def test_a_past_episode_that_is_evidence_is_not_remembered_as_how_this_one_looked():
    case = incident(evidence=evidence(("pod/1", "Workload", "p: OOMKilled"), ("x", "Exemplar", "an older one")))
    of_the_past = case.status.evidence[1].model_construct(**{**dict(case.status.evidence[1]), "kind": _Kind("Episode")})
    status = case.status.model_copy(update={"evidence": (case.status.evidence[0], of_the_past)})
    assert text_of(case.model_copy(update={"status": status}), same) == "p: OOMKilled"


class _Kind(str):
    __slots__ = ()

    @property
    def value(self):
        return str(self)
