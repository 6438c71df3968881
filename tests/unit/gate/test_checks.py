"""The gate: every check's every outcome, and what holds for the whole chain."""

import json
from dataclasses import fields, replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.unit.builders import (
    HASH,
    NAMESPACE,
    T0,
    TARGET,
    at,
    condition,
    deployment,
    incident,
    parameter,
    policy,
    remediation,
    runbook,
    signal,
    template,
)

from hemostat.action.contract import add, effect, once
from hemostat.action.contract import replace as patch
from hemostat.api.incident import ConversationStatus, SignalState
from hemostat.api.remediation import GateOutcome, Plan
from hemostat.clock import rfc3339
from hemostat.gate.checks import CHAIN, decide
from hemostat.gate.input import (
    ASK,
    DENY,
    HOLD,
    PASS,
    SHADOW,
    Edit,
    GateInput,
    Go,
    Outcome,
    PastAction,
    Room,
    TakenBack,
    TargetFacts,
)
from hemostat.gate.match import matching
from hemostat.guard.orders import CONFIG_MAP

WRITE = effect(deployment(), (patch("/spec/template", template("2")),))
PLAN = Plan(
    summary="roll back",
    steps=once(WRITE, WRITE),
    diff="",
    replaced_pods=3,
    replicas_after=3,
    on_ineffective="Undo",
    reads_digest=HASH,
)
FIRING = incident(signals=(signal(),))
OTHER_TARGET = TARGET.model_copy(update={"uid": "uid-other"}).wire()
GO = Go(begin=True, undo=True)
TOLD = TargetFacts({"tier": "gold"}, {}, ())
GOOD = GateInput(
    remediation=remediation(),
    plan=PLAN,
    go=GO,
    incident=FIRING,
    runbook=runbook(),
    policies=(policy(),),
    protected=False,
    target=TOLD,
    room=Room(0),
    ready_pods=3,
    corroboration="the API server confirms it",
    past=(),
    elsewhere=(),
    outcomes=(),
    now=T0,
)


def given_(**changed):
    return replace(GOOD, **changed)


def working(*services, settled=False):
    return PastAction("other", "uid-elsewhere", T0, False, True, frozenset(), settled, frozenset(services))


def edited(when, manager="kubectl"):
    return {"target": replace(TOLD, edits=(Edit(manager, at(when)),))}


def annotated(**said):
    return {"target": replace(TOLD, annotations={f"hemostat.dev/{key}": value for key, value in said.items()})}


def past(name="before", *, target="uid-payment", when=-10.0, finished=True, unattended=True, conversations=()):
    time = None if when is None else at(when)
    return PastAction(name, target, time, finished, unattended, frozenset(conversations))


def lifted(when, **more):
    return replace(past(**more), taken_back=TakenBack("ann@example.com", at(when)))


def outcome(name, facts):
    return dict(CHAIN)[name](facts, matching(facts))[0]


def test_everything_known_and_allowed_is_allowed():
    decision = decide(GOOD)
    assert decision.outcome is GateOutcome.ALLOW
    assert {c.outcome for c in decision.checks} == {PASS}
    assert [c.name for c in decision.checks] == [name for name, _ in CHAIN]
    assert (decision.policies, decision.time) == (("allow",), T0)
    assert all(c.message for c in decision.checks)


def replacing(pods):
    return PLAN.model_copy(update={"replaced_pods": pods})


BIG = {"blastRadius": {"maxPodsPercent": 50}}
FEW = {"blastRadius": {"maxReplicas": 2}}
CALLERS = {"blastRadius": {"maxCallers": 5}}


def called(by, when=-10.0):
    return incident(signals=(signal(),), callers={"total": by, "names": ["web"], "observedTime": rfc3339(at(when))})


def healed(number, failed=0):
    """Return so many outcomes, of which the last few did not heal."""
    return tuple(Outcome(f"i{n}", at(-n), n >= failed) for n in range(number))


TRIED = {"policies": (policy(earned={"minOutcomes": 10, "minHealedPercent": 75}),)}
MORE = policy("b", earned={"minOutcomes": 13})
TAKEN = FIRING.model_copy(
    update={"metadata": FIRING.metadata.model_copy(update={"annotations": {"hemostat.dev/acknowledged-by": "eve"}})}
)
FORGED = FIRING.model_copy(
    update={"metadata": FIRING.metadata.model_copy(update={"creation_timestamp": at(-90)})}
)  # it says that the trouble began after it was created
GOLD = {"selector": {"matchLabels": {"tier": "gold"}}}
SILVER = {"selector": {"matchLabels": {"tier": "silver"}}}
NAMELESS = {"target": TargetFacts(None, None, None)}
RESOLVED = incident(signals=(signal(),), conditions=(condition("Resolved", True),))
QUIET = incident(signals=(signal(state=SignalState.CLEAR),))
SILENT = incident(signals=(signal(state=SignalState.NO_DATA),))
BUDGET = (policy(budget={"maxActions": 2, "windowSeconds": 600}),)
CLUSTER = (policy("c", budget={"maxActions": 2, "windowSeconds": 600, "scope": "Cluster"}),)
TWO = tuple(past(f"p{i}", target="uid-elsewhere", when=-60) for i in range(2))
PLANNED = {"action": "scale", "parameters": [{"name": "factorPercent", "value": "200"}]}

HELD = PLAN.model_copy(update={"hold_seconds": 60})
HELD_ALONE = HELD.model_copy(update={"replaced_pods": 0})
GUARDS = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": CONFIG_MAP, "uid": "uid-map"}}
ORDER = json.dumps({"order": "Halt", "conversation": "c1", "until": 1, "reason": "loop"})
CORDON = effect({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n", "uid": "uid-n"}}, (add("/spec/a", 1),))
CUTS = HELD.model_copy(update={"steps": once(effect(GUARDS, (add("/data/uid-0", ORDER),)))})
ALONE = {"onTelemetryAlone": "AllowTimeLimited"}


TRUSTING = {"onUncalibrated": "Allow"}


def worth(percent, **spec):
    """Return a Remediation whose confidence outcomes have judged; None: too few of them."""
    judged = {"by": "Matcher", "outcomes": 30 if percent is not None else 3}
    return remediation(calibration=judged | ({"percent": percent} if percent is not None else {}), **spec)


NEVER_TRIED = remediation(calibration=None)
BY_HAND = remediation(requestedBy="mallory")
"""Whoever may patch the target may propose: the gate must not take his own word for a diagnosis."""


def looping(*, cut):
    """Return an Incident of a loop between agents that may be cut, or may only be told of."""
    said = ConversationStatus(kind="Cycle", confidence_percent=90, visibility="Full", advice="Cut" if cut else "Notify")
    return incident(signals=(signal().model_copy(update={"conversation": said}),))


LOOP, DOUBT = looping(cut=True), looping(cut=False)
BOTH = incident(signals=(*DOUBT.status.signals, *LOOP.status.signals))
TABLE = [
    ("StopSwitch", {}, PASS),
    ("StopSwitch", {"go": None}, HOLD),
    ("StopSwitch", {"go": Go(begin=False, undo=True)}, HOLD),
    ("StopSwitch", {"go": Go(begin=False, undo=False)}, HOLD),
    ("ProtectedNamespace", {}, PASS),
    ("ProtectedNamespace", {"protected": True}, DENY),
    ("ProtectedNamespace", {"protected": None}, DENY),
    ("IncidentOpen", {}, PASS),
    ("IncidentOpen", {"incident": None}, DENY),
    ("IncidentOpen", {"incident": incident("another", signals=(signal(),))}, DENY),
    ("IncidentOpen", {"incident": RESOLVED}, DENY),
    ("IncidentOpen", {"remediation": remediation(targetRef=OTHER_TARGET)}, DENY),
    ("IncidentOpen", {"incident": QUIET}, HOLD),
    ("IncidentOpen", {"incident": SILENT}, HOLD),
    ("IncidentOpen", {"incident": incident()}, HOLD),
    ("RunbookLists", {}, PASS),
    ("RunbookLists", {"runbook": None}, DENY),
    ("RunbookLists", {"runbook": runbook("another")}, DENY),
    ("RunbookLists", {"runbook": runbook(state="Draft")}, DENY),
    ("RunbookLists", {"remediation": remediation(step=1)}, DENY),
    ("RunbookLists", {"remediation": remediation(action="scale")}, DENY),
    ("RunbookLists", {"remediation": remediation(parameters=[parameter("x", "1").wire()])}, DENY),
    ("RunbookLists", {"runbook": runbook(remediations=[PLANNED]), "remediation": remediation(**PLANNED)}, PASS),
    ("RunbookLists", {"runbook": runbook(remediations=[PLANNED]), "remediation": remediation(action="scale")}, DENY),
    ("Policy", {}, PASS),
    ("Policy", {"policies": ()}, ASK),
    ("Policy", {"policies": None}, HOLD),
    ("Policy", {"policies": (policy(decision="Approve"),)}, ASK),
    ("Policy", {"policies": (policy(decision="Deny"),)}, DENY),
    ("Policy", {"policies": (policy(), policy("ask", decision="Approve"))}, ASK),
    ("Policy", {"policies": (policy(), policy("ask", decision="Approve"), policy("no", decision="Deny"))}, DENY),
    ("Policy", {"policies": (policy(), policy("no", decision="Deny", namespaces=["elsewhere"]))}, PASS),
    ("Policy", {"policies": (policy(**GOLD),)}, PASS),
    ("Policy", {"policies": (policy(**SILVER),)}, ASK),
    ("Policy", {"policies": (policy(), policy("no", decision="Deny", **SILVER))}, PASS),
    ("Policy", {"policies": (policy(), policy("no", decision="Deny", **GOLD))}, DENY),
    ("Policy", {"policies": (policy(**GOLD),), **NAMELESS}, ASK),
    ("Policy", {"policies": (policy(), policy("b", **SILVER)), **NAMELESS}, ASK),
    ("Policy", {"policies": (policy(**GOLD), policy("no", decision="Deny")), **NAMELESS}, DENY),
    ("Policy", {"policies": (policy(), policy("no", decision="Deny", **SILVER)), **NAMELESS}, DENY),
    ("Policy", NAMELESS, PASS),
    ("Policy", {"policies": (policy(decision="Shadow"),)}, PASS),
    ("Shadow", {}, PASS),
    ("Shadow", {"policies": (policy(), policy("s", decision="Shadow"))}, SHADOW),
    ("Shadow", {"policies": (policy(), policy("s", decision="Shadow", namespaces=["elsewhere"]))}, PASS),
    ("Confidence", {"remediation": remediation(confidencePercent=50)}, PASS),
    ("Confidence", {"remediation": remediation(confidencePercent=49)}, ASK),
    ("Confidence", {"policies": (policy(), policy("b", minConfidencePercent=100))}, PASS),
    (
        "Confidence",
        {
            "remediation": remediation(confidencePercent=99),
            "policies": (policy(), policy("b", minConfidencePercent=100)),
        },
        ASK,
    ),
    ("Confidence", {"remediation": remediation(confidencePercent=99), "policies": ()}, ASK),
    ("Confidence", {"remediation": worth(50)}, PASS),
    ("Confidence", {"remediation": worth(49)}, ASK),
    ("Confidence", {"remediation": worth(100, confidencePercent=20)}, ASK),
    ("Confidence", {"remediation": worth(None)}, ASK),
    ("Confidence", {"remediation": NEVER_TRIED}, ASK),
    ("Confidence", {"remediation": NEVER_TRIED, "policies": (policy(**TRUSTING),)}, PASS),
    ("Confidence", {"remediation": NEVER_TRIED, "policies": (policy(**TRUSTING), policy("b"))}, ASK),
    ("Confidence", {"remediation": NEVER_TRIED, "policies": ()}, ASK),
    ("Confidence", {"remediation": worth(None, confidencePercent=49), "policies": (policy(**TRUSTING),)}, ASK),
    ("Confidence", {"remediation": worth(10), "policies": (policy(**TRUSTING),)}, ASK),
    ("Confidence", {"remediation": NEVER_TRIED, "policies": (policy(minConfidencePercent=0),)}, PASS),
    ("Confidence", {"remediation": worth(100, requestedBy="mallory")}, ASK),
    ("Confidence", {"remediation": BY_HAND, "policies": (policy(minConfidencePercent=0),)}, ASK),
    ("Ordered", {}, PASS),
    ("Ordered", {"remediation": remediation(ranking="Tied")}, ASK),
    ("Ordered", {"remediation": remediation(ranking="Tied"), "policies": (policy(**TRUSTING),)}, ASK),
    ("Earned", {}, PASS),
    ("Earned", {"outcomes": None}, ASK),
    ("Earned", {"outcomes": healed(10), **TRIED}, PASS),
    ("Earned", {"outcomes": healed(9), **TRIED}, ASK),
    ("Earned", {"outcomes": healed(10, 1), **TRIED}, ASK),
    ("Earned", {"outcomes": healed(40, 4), **TRIED}, PASS),
    ("Earned", {"outcomes": healed(40, 7), **TRIED}, ASK),
    ("Earned", {"outcomes": (), **TRIED}, ASK),
    (
        "Earned",
        {"outcomes": healed(12), "policies": (*TRIED["policies"], policy("b", earned={"minOutcomes": 13}))},
        ASK,
    ),
    ("BlastRadius", {}, PASS),
    ("BlastRadius", {"ready_pods": None}, ASK),
    ("BlastRadius", {"policies": ()}, ASK),
    ("BlastRadius", {"policies": (policy(**BIG),)}, ASK),
    ("BlastRadius", {"policies": (policy(**BIG),), "ready_pods": 6}, PASS),
    ("BlastRadius", {"policies": (policy(**BIG),), "ready_pods": 5}, ASK),
    ("BlastRadius", {"policies": (policy(**BIG),), "ready_pods": 0}, ASK),
    ("BlastRadius", {"policies": (policy(**BIG),), "ready_pods": 100, "plan": replacing(50)}, PASS),
    ("BlastRadius", {"policies": (policy(**BIG),), "ready_pods": 100, "plan": replacing(51)}, ASK),
    (
        "BlastRadius",
        {"policies": (policy(**BIG),), "ready_pods": 0, "plan": PLAN.model_copy(update={"replaced_pods": 0})},
        PASS,
    ),
    ("BlastRadius", {"policies": (policy(), policy("b", **BIG))}, ASK),
    ("BlastRadius", {"policies": (policy(**FEW),)}, ASK),
    ("BlastRadius", {"policies": (policy(), policy("b", **CALLERS))}, ASK),
    ("BlastRadius", {"policies": (policy(**CALLERS),), "incident": called(5)}, PASS),
    ("BlastRadius", {"policies": (policy(**CALLERS),), "incident": called(6)}, ASK),
    ("BlastRadius", {"policies": (policy(**CALLERS),), "incident": called(1, when=-301)}, ASK),
    ("BlastRadius", {"policies": (policy(**CALLERS),), "incident": called(1, when=301)}, ASK),
    ("BlastRadius", {"policies": (policy(**CALLERS),), "incident": None}, ASK),
    ("BlastRadius", {"incident": called(1000)}, PASS),
    ("Reversible", {}, PASS),
    ("Reversible", {"plan": PLAN.model_copy(update={"steps": once(WRITE)})}, ASK),
    ("Owner", {}, PASS),
    ("Owner", {"plan": PLAN.model_copy(update={"overwritten_by": ("Argo CD application shop",)})}, ASK),
    ("Reach", {}, PASS),
    ("Reach", {"plan": PLAN.model_copy(update={"steps": once(CORDON, CORDON)})}, ASK),
    ("Corroboration", {}, PASS),
    ("Corroboration", {"corroboration": None}, ASK),
    ("Corroboration", {"corroboration": None, "plan": HELD}, ASK),
    ("Corroboration", {"corroboration": None, "policies": (policy(**ALONE),)}, ASK),
    ("Corroboration", {"corroboration": None, "plan": HELD, "policies": (policy(**ALONE),)}, PASS),
    ("Corroboration", {"corroboration": None, "plan": HELD, "policies": (policy(**ALONE), policy("b"))}, ASK),
    ("Corroboration", {"corroboration": None, "plan": HELD, "policies": ()}, ASK),
    ("Corroboration", {"corroboration": None, "plan": HELD, "policies": None}, ASK),
    ("Agents", {}, PASS),
    ("Agents", {"plan": HELD}, ASK),
    ("Agents", {"plan": HELD, "incident": None}, ASK),
    ("Agents", {"plan": HELD, "incident": LOOP}, PASS),
    ("Agents", {"plan": HELD, "incident": DOUBT}, ASK),
    ("Agents", {"plan": HELD, "incident": BOTH}, PASS),  # the plan is about the sure one alone
    ("Agents", {"incident": DOUBT}, PASS),
    ("Forbidden", {}, PASS),
    ("Forbidden", {"target": replace(TOLD, annotations=None)}, ASK),
    ("Forbidden", annotated(rollback="forbidden"), DENY),
    ("Forbidden", annotated(rollback=" Forbidden "), DENY),
    ("Forbidden", annotated(all="forbidden"), DENY),
    ("Forbidden", annotated(all="allowed", rollback="forbidden"), DENY),
    ("Forbidden", annotated(scale="forbidden"), PASS),
    ("Forbidden", annotated(rollback="not on Fridays"), ASK),
    ("Forbidden", annotated(rollback=""), ASK),
    ("RoomForMore", {}, PASS),
    ("RoomForMore", {"room": Room(None, 9, 9)}, ASK),
    ("RoomForMore", {"room": Room(2, 2, 2)}, PASS),
    ("RoomForMore", {"room": Room(2, 1, 9)}, ASK),
    ("RoomForMore", {"room": Room(2, 9, 1)}, ASK),
    ("RoomForMore", {"room": Room(2, None, 9)}, ASK),
    ("RoomForMore", {"room": Room(2, 9, None)}, ASK),
    ("HumanEdit", {}, PASS),
    ("HumanEdit", {"target": replace(TOLD, edits=None)}, ASK),
    ("HumanEdit", {**edited(60), "now": at(90)}, ASK),
    ("HumanEdit", {**edited(60), "now": at(961)}, PASS),
    ("HumanEdit", {**edited(-60), "now": at(90)}, PASS),  # that may be what caused it
    ("HumanEdit", {**edited(-60), "now": at(90), "policies": (policy(humanEdits="Any"),)}, ASK),
    ("HumanEdit", {**edited(-60), "now": at(90), "incident": None}, ASK),
    ("HumanEdit", {**edited(60), "now": at(90), "policies": (policy(humanEditSeconds=0),)}, PASS),
    ("HumanEdit", {**edited(60), "now": at(90), "policies": (policy(humanEditSeconds=0), policy("b"))}, ASK),
    ("HumanEdit", {**edited(-60), "now": at(90), "incident": FORGED}, ASK),
    ("HumanEdit", {**edited(3600), "now": at(90)}, ASK),  # whose clock is wrong?
    ("HumanEdit", {"past": (lifted(-60),)}, ASK),  # also when the trouble began later: he took it back all the same
    ("HumanEdit", {"past": (lifted(-60, target="uid-elsewhere"),)}, PASS),
    ("HumanEdit", {"past": (lifted(-901),)}, PASS),
    ("Acknowledged", {}, PASS),
    ("Acknowledged", {"incident": None}, PASS),
    ("Acknowledged", {"incident": TAKEN}, ASK),
    ("OneAtATime", {}, PASS),
    ("CallersAtWork", {}, PASS),
    ("CallersAtWork", {"past": None}, HOLD),
    ("CallersAtWork", {"past": (working("web"),)}, ASK),
    ("CallersAtWork", {"past": (working("web"),), "incident": called(1)}, HOLD),
    ("CallersAtWork", {"past": (working("web"),), "incident": called(1), "plan": HELD}, HOLD),
    ("CallersAtWork", {"past": (working("web"),), "plan": HELD_ALONE}, PASS),
    ("CallersAtWork", {"past": (working("db"),), "incident": called(1)}, PASS),
    ("CallersAtWork", {"past": (working("db"),), "incident": called(99)}, HOLD),  # not all of them are named
    ("CallersAtWork", {"past": (working("db"),), "incident": called(1, when=-301)}, ASK),
    ("CallersAtWork", {"past": (working("web", settled=True),), "incident": called(1)}, PASS),
    ("CallersAtWork", {"past": (past(target="uid-elsewhere"),), "incident": called(1)}, PASS),
    ("CallersAtWork", {"past": (past(finished=False),)}, PASS),  # that is the target itself
    ("OneAtATime", {"past": None}, HOLD),
    ("OneAtATime", {"past": (past(finished=False),)}, HOLD),
    ("OneAtATime", {"past": (past(when=None, finished=False),)}, HOLD),
    ("OneAtATime", {"past": (past(finished=False, target="uid-elsewhere"),)}, PASS),
    ("OneAtATime", {"past": (past(finished=True),)}, PASS),
    ("OneAtATime", {"plan": CUTS, "past": (past(finished=False, conversations={"c2"}),)}, PASS),
    ("OneAtATime", {"plan": CUTS, "past": (past(finished=False, conversations={"c2", "c1"}),)}, HOLD),
    ("OneAtATime", {"plan": CUTS, "past": (past(finished=False),)}, HOLD),
    ("OneAtATime", {"past": (past(finished=False, conversations={"c2"}),)}, HOLD),
    ("Cooldown", {}, PASS),
    ("Cooldown", {"past": (past(when=-299),)}, ASK),
    ("Cooldown", {"past": (past(when=-301),)}, PASS),
    ("Cooldown", {"past": (past(unattended=False),)}, PASS),
    ("Cooldown", {"past": (past(target="uid-elsewhere"),)}, PASS),
    ("Cooldown", {"past": (past(when=-400),), "policies": (policy(), policy("b", cooldownSeconds=500))}, ASK),
    ("Budget", {}, PASS),
    ("Budget", {"policies": BUDGET, "past": TWO[:1]}, PASS),
    ("Budget", {"policies": BUDGET, "past": TWO}, ASK),
    ("Budget", {"policies": BUDGET, "past": (*TWO[:1], past(when=-601))}, PASS),
    ("Budget", {"policies": BUDGET, "past": (*TWO[:1], past(unattended=False))}, PASS),
    ("Budget", {"policies": BUDGET, "past": (*TWO[:1], past(when=None, finished=False))}, ASK),
    ("Budget", {"policies": BUDGET, "past": (*TWO[:1], past(when=None, finished=True))}, PASS),
    ("Budget", {"policies": (policy(budget={"maxActions": 0}),)}, ASK),
    ("Budget", {"elsewhere": None}, HOLD),
    ("Budget", {"policies": BUDGET, "elsewhere": TWO}, PASS),
    ("Budget", {"policies": CLUSTER, "elsewhere": TWO}, ASK),
    ("Budget", {"policies": CLUSTER, "elsewhere": TWO[:1]}, PASS),
    ("Budget", {"policies": CLUSTER, "elsewhere": TWO[:1], "past": TWO[1:]}, ASK),
    ("Budget", {"policies": (policy(), *CLUSTER), "elsewhere": TWO}, ASK),
    ("Budget", {"policies": (policy(), policy("b", budget={"maxActions": 2})), "past": TWO}, ASK),
]


@pytest.mark.parametrize(("name", "changed", "wanted"), TABLE)
def test_check(name, changed, wanted):
    assert outcome(name, given_(**changed)) is wanted


def test_every_check_is_in_the_table_with_every_outcome_it_can_have():
    assert {name for name, _, _ in TABLE} == {name for name, _ in CHAIN}
    for name, _ in CHAIN:
        assert {PASS} < {o for n, _, o in TABLE if n == name}


@pytest.mark.parametrize(
    ("changed", "wanted"),
    [
        ({"policies": ()}, GateOutcome.NEEDS_APPROVAL),
        ({"corroboration": None}, GateOutcome.NEEDS_APPROVAL),
        ({"policies": (), "past": None}, GateOutcome.HOLD),
        ({"policies": (), "past": None, "protected": True}, GateOutcome.DENY),
        ({"policies": (policy(), policy("no", decision="Deny"))}, GateOutcome.DENY),
        ({"policies": (policy(decision="Shadow"),)}, GateOutcome.SHADOW),
        ({"policies": (policy(decision="Shadow"), policy("ask", decision="Approve"))}, GateOutcome.SHADOW),
        ({"policies": (policy(decision="Shadow"), policy("no", decision="Deny"))}, GateOutcome.DENY),
        ({"policies": (policy(decision="Shadow"),), "past": None}, GateOutcome.HOLD),
    ],
)
def test_the_strictest_check_decides(changed, wanted):
    assert decide(given_(**changed)).outcome is wanted


@pytest.mark.parametrize(
    ("spec", "matches"),
    [
        ({}, True),
        ({"namespaces": [NAMESPACE]}, True),
        ({"namespaces": ["elsewhere"]}, False),
        ({"actions": ["rollback", "scale"]}, True),
        ({"actions": ["scale"]}, False),
        ({"risks": ["Medium"]}, True),
        ({"risks": ["Low", "High"]}, False),
        ({"namespaces": [NAMESPACE], "actions": ["scale"]}, False),
    ],
)
def test_a_policy_matches_what_it_names_and_empty_means_all(spec, matches):
    assert bool(matching(given_(policies=(policy(**spec),)))) is matches


NOON = T0.replace(hour=12, minute=0, second=0, microsecond=0)
NOW_OPEN = {"schedule": "0 12 * * *", "durationSeconds": 3600}
LATER = {"schedule": "0 15 * * *", "durationSeconds": 3600}
UNREADABLE = {"schedule": "at lunch, or so", "durationSeconds": 3600}


@pytest.mark.parametrize(
    ("when", "decision", "wanted", "said"),
    [
        ([NOW_OPEN], "Deny", GateOutcome.HOLD, "freeze (until "),
        ([LATER], "Deny", GateOutcome.ALLOW, "without a person"),
        ([LATER, NOW_OPEN], "Deny", GateOutcome.HOLD, "freeze (until "),
        ([UNREADABLE], "Deny", GateOutcome.HOLD, "its times cannot be read"),
        ([NOW_OPEN], "Approve", GateOutcome.NEEDS_APPROVAL, "wants a person to decide"),
        ([UNREADABLE], "Approve", GateOutcome.NEEDS_APPROVAL, "its times cannot be read"),
    ],
)
def test_a_change_freeze_is_a_policy_that_is_in_force_at_times(when, decision, wanted, said):
    freeze = policy("freeze", decision=decision, when=when)
    found = decide(given_(policies=(policy(), freeze), now=NOON))
    assert found.outcome is wanted
    assert said in next(c.message for c in found.checks if c.name == "Policy")


@pytest.mark.parametrize("when", [[LATER], [UNREADABLE]])
def test_what_is_allowed_at_other_times_only_or_nobody_knows_when_a_person_decides(when):
    assert decide(given_(policies=(policy(when=when),), now=NOON)).outcome is GateOutcome.NEEDS_APPROVAL


# --- properties --------------------------------------------------------------------------------------------

DECISIONS = st.sampled_from(["Auto", "Shadow", "Approve", "Deny"])
POLICIES = st.lists(
    st.builds(
        policy,
        st.sampled_from(["a", "b", "c"]),
        decision=DECISIONS,
        namespaces=st.sampled_from([[], [NAMESPACE], ["elsewhere"]]),
        actions=st.sampled_from([[], ["rollback"], ["scale"]]),
        selector=st.sampled_from([{}, GOLD["selector"], SILVER["selector"]]),
        minConfidencePercent=st.integers(0, 100),
        onUncalibrated=st.sampled_from(["Approve", "Allow"]),
        cooldownSeconds=st.integers(0, 600),
        when=st.sampled_from([[], [UNREADABLE], [NOW_OPEN], [LATER]]),
        earned=st.none() | st.builds(dict, minOutcomes=st.integers(1, 10), minHealedPercent=st.integers(1, 80)),
        budget=st.builds(dict, maxActions=st.integers(0, 3), scope=st.sampled_from(["Namespace", "Cluster"])),
    ),
    max_size=4,
).map(tuple)
PAST = st.lists(
    st.builds(
        PastAction,
        st.sampled_from(["p1", "p2"]),
        st.sampled_from(["uid-payment", "uid-elsewhere"]),
        st.none() | st.integers(-4000, 0).map(at),
        st.booleans(),
        st.booleans(),
    ),
    max_size=4,
).map(tuple)
INPUTS = st.builds(
    GateInput,
    remediation=st.builds(
        remediation,
        confidencePercent=st.integers(0, 100),
        calibration=st.none() | st.builds(dict, by=st.just("Model"), percent=st.integers(0, 100), outcomes=st.just(12)),
    ),
    plan=st.just(PLAN),
    go=st.sampled_from([GO, Go(begin=False, undo=True), Go(begin=False, undo=False)]),
    incident=st.sampled_from([FIRING, QUIET, RESOLVED]),
    runbook=st.sampled_from([runbook(), runbook(state="Draft"), runbook("another")]),
    policies=POLICIES,
    room=st.builds(Room, *(st.none() | st.integers(0, 3) for _ in range(3))),
    protected=st.booleans(),
    target=st.sampled_from(
        [TargetFacts({"tier": "gold"}, {}, ()), TargetFacts({}, {}, ()), TargetFacts(None, None, None)]
    ),
    ready_pods=st.integers(0, 10),
    corroboration=st.just("confirmed"),
    past=PAST,
    elsewhere=PAST,
    outcomes=st.integers(0, 12).flatmap(lambda n: st.sampled_from([healed(n), healed(n, 1)])),
    now=st.just(T0),
)
FREEDOM = {
    GateOutcome.DENY: 0,
    GateOutcome.HOLD: 0,
    GateOutcome.SHADOW: 0,
    GateOutcome.NEEDS_APPROVAL: 1,
    GateOutcome.ALLOW: 2,
}
"""What may follow: nothing, an action if a person agrees, an action."""
OPTIONAL = [f.name for f in fields(GateInput) if "None" in str(f.type)]


@given(INPUTS, st.sets(st.sampled_from(OPTIONAL), min_size=1))
@example(given_(policies=(policy("no", decision="Deny"),)), {"policies"})
@example(given_(past=(past(when=-10),)), {"past"})
def test_what_cannot_be_read_never_sets_anything_free(facts, unknown):
    known, blind = decide(facts), decide(replace(facts, **dict.fromkeys(unknown)))
    assert FREEDOM[blind.outcome] <= FREEDOM[known.outcome]
    assert blind.outcome is not GateOutcome.ALLOW


def test_the_property_is_about_every_fact_that_may_be_missing():
    assert set(OPTIONAL) == {
        "go",
        "incident",
        "runbook",
        "policies",
        "protected",
        "ready_pods",
        "corroboration",
        "past",
        "elsewhere",
        "outcomes",
    }


@given(INPUTS)
def test_without_a_policy_that_says_auto_nothing_is_allowed(facts):
    found = decide(facts)
    decisions = {p.spec.decision.value for p in matching(facts)}
    if found.outcome is GateOutcome.ALLOW:
        assert decisions == {"Auto"}
    if "Deny" in decisions:
        assert found.outcome in (GateOutcome.DENY, GateOutcome.HOLD)
    if any(p.spec.decision.value == "Deny" and not p.spec.when for p in matching(facts)):
        assert found.outcome is GateOutcome.DENY


@given(INPUTS, DECISIONS)
def test_one_policy_more_never_loosens(facts, decision):
    more = replace(facts, policies=(*facts.policies, policy("more", decision=decision)))
    if matching(facts):
        assert FREEDOM[decide(more).outcome] <= FREEDOM[decide(facts).outcome]


def test_which_policies_match_is_worked_out_once(monkeypatch):
    """With a hundred policies and their windows, every check that asked again took as long as all others together."""
    asked = []
    monkeypatch.setattr("hemostat.gate.checks.matching", lambda facts: asked.append(facts) or matching(facts))
    assert decide(GOOD).outcome is GateOutcome.ALLOW
    assert asked == [GOOD]


def test_messages_and_lists_fit_the_schema():
    many = tuple(policy(f"{'p' * 60}{i:03}") for i in range(40))
    found = decide(given_(policies=many))
    assert len(found.policies) == 16
    assert all(len(c.message) <= 1024 for c in found.checks)


def test_an_incident_whose_cause_is_elsewhere_waits_for_what_is_done_there():
    part = incident(signals=(signal(),), partOf={"name": "db-1"})
    assert decide(given_(incident=part)).outcome is GateOutcome.HOLD


def test_symptoms_elsewhere_are_no_reason_to_touch_the_target():
    elsewhere = signal("checkout:a", watch_ref={"name": "checkout"})
    clear = signal(state=SignalState.CLEAR)
    assert decide(given_(incident=incident(signals=(clear, elsewhere)))).outcome is GateOutcome.HOLD


def test_a_reopened_incident_is_not_taken_for_resolved():
    resolved = (condition("Resolved", True, when=10),)
    back = incident(signals=(signal(),), conditions=resolved, reopened={"count": 1, "time": rfc3339(at(20))})
    assert decide(given_(incident=back)).outcome is GateOutcome.ALLOW


@given(INPUTS)
def test_confidence_that_no_outcome_confirms_frees_nothing_unless_a_policy_says_so(facts):
    never = replace(
        facts,
        remediation=facts.remediation.model_copy(
            update={"spec": facts.remediation.spec.model_copy(update={"calibration": None})}
        ),
    )
    trusted = all(p.spec.on_uncalibrated == "Allow" for p in matching(facts))
    if decide(never).outcome is GateOutcome.ALLOW and any(p.spec.min_confidence_percent for p in matching(facts)):
        assert trusted


def test_of_several_policies_the_most_people_are_asked_and_every_refused_way_is_refused():
    policies = (policy("a", quorum=2), policy("b", refusedChannels=["Slack"]), policy("c", actions=["scale"], quorum=5))
    decision = decide(given_(policies=policies))
    assert (decision.quorum, decision.refused_channels) == (2, ("Slack",))
