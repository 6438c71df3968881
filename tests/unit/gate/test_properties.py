"""Whatever is unknown, missing, contradictory or hostile: nothing is allowed that should not be, and strictness only
tightens. What must hold for an action without a person is said here once more, apart from the checks."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.builders import NAMESPACE, at, incident, policy, remediation, runbook, signal
from tests.unit.gate.test_checks import (
    FREEDOM,
    GO,
    GOOD,
    HELD,
    OTHER_TARGET,
    PLAN,
    RESOLVED,
    TAKEN,
    called,
    healed,
    looping,
    past,
    working,
)

from hemostat.action.contract import once
from hemostat.api.gatepolicy import Decision, GatePolicy
from hemostat.api.incident import SignalState
from hemostat.api.remediation import GateOutcome
from hemostat.gate.checks import decide
from hemostat.gate.input import Connections, Edit, Go, Room, TakenBack, TargetFacts
from hemostat.gate.match import matching

HOSTILE = ["", "\x00", "forbidden\n", "🤖" * 50, "';--", "None", "false", "0", "FORBIDDEN", "{{}}", "a" * 4096]
TEXTS = st.dictionaries(
    st.sampled_from(["tier", "hemostat.dev/rollback", "hemostat.dev/all", "hemostat.dev/", "x"]),
    st.sampled_from([*HOSTILE, "gold", "forbidden"]),
    max_size=3,
)
EDITS = st.lists(st.builds(Edit, st.sampled_from(["kubectl", *HOSTILE]), st.integers(-4000, 4000).map(at)), max_size=3)
TIMES = st.integers(-4000, 10_000_000).map(at)
LOOSE = {"blastRadius": {"maxPodsPercent": 100, "maxReplicas": 10_000}, "cooldownSeconds": 0, "humanEditSeconds": 0}
SPECS = st.fixed_dictionaries(
    {"decision": st.sampled_from(["Auto", "Auto", "Auto", "Shadow", "Approve", "Deny"])},
    optional={
        "namespaces": st.sampled_from([[], [NAMESPACE], ["elsewhere"]]),
        "actions": st.sampled_from([[], ["rollback"], ["scale"]]),
        "selector": st.sampled_from(
            [
                {},
                {"matchLabels": {"tier": "gold"}},
                {"matchExpressions": [{"key": "x", "operator": "NotIn", "values": ["gold"]}]},
                {"matchExpressions": [{"key": "x", "operator": "In"}]},  # contradicts itself: the CRD refuses it
            ]
        ),
        "when": st.sampled_from(
            [
                [],
                [{"schedule": "0 12 * * *", "durationSeconds": 3600}],
                [{"schedule": "99 99 * * *", "durationSeconds": 60}],
                [{"schedule": "* * * * *", "timeZone": "Mars/Olympus", "durationSeconds": 60}],
            ]
        ),
        "quorum": st.integers(1, 8),
        "blastRadius": st.fixed_dictionaries(
            {},
            optional={
                "maxPodsPercent": st.integers(0, 100),
                "maxReplicas": st.integers(1, 20),
                "maxCallers": st.none() | st.integers(0, 10),
            },
        ),
        "cooldownSeconds": st.integers(0, 1000),
        "humanEditSeconds": st.integers(0, 4000),
        "humanEdits": st.sampled_from(["SinceTrouble", "Any"]),
        "earned": st.none() | st.fixed_dictionaries({"minOutcomes": st.integers(1, 50)}),
        "budget": st.fixed_dictionaries(
            {"maxActions": st.integers(0, 4), "scope": st.sampled_from(["Namespace", "Cluster"])}
        ),
        "minConfidencePercent": st.integers(0, 100),
        "onUncalibrated": st.sampled_from(["Approve", "Allow"]),
        "onTelemetryAlone": st.sampled_from(["Approve", "AllowTimeLimited"]),
    },
)
POLICIES = st.lists(SPECS, max_size=3).map(lambda specs: tuple(policy(f"p{n}", **s) for n, s in enumerate(specs)))
LOOSE_POLICIES = st.just((policy("loose", **LOOSE),))
INCIDENTS = [
    GOOD.incident,
    GOOD.incident,
    None,
    RESOLVED,
    TAKEN,
    incident(),
    incident("another", signals=(signal(),)),
    incident(signals=(signal(state=SignalState.CLEAR),)),
    incident(signals=(signal(),), partOf={"name": "db-1"}),
    looping(cut=True),
    looping(cut=False),
    called(3),
    called(1_000_000_000),
    called(3, when=1e7),
]
PASTS = st.lists(
    st.sampled_from(
        [
            past(when=-10),
            past(when=1e6),
            past(when=None, finished=False),
            working("web"),
            working(*HOSTILE),
            replace(past(when=-10), taken_back=TakenBack(HOSTILE[-1], at(-10))),
            replace(past(when=-10), taken_back=TakenBack(HOSTILE[-1], None)),
        ]
    ),
    max_size=3,
).map(tuple)
CONNECTIONS = st.builds(Connections, st.sampled_from(["db", *HOSTILE]), *(st.integers(0, 3) for _ in range(4)))
FACTS = st.fixed_dictionaries(
    {},
    optional={
        "remediation": st.sampled_from(
            [
                remediation(calibration=None),
                remediation(confidencePercent=0),
                remediation(targetRef=OTHER_TARGET),
                remediation(step=7),
                remediation(calibration={"by": "Model", "percent": 0, "outcomes": 1_000_000_000}),
            ]
        ),
        "plan": st.sampled_from(
            [
                PLAN.model_copy(update={"steps": once(PLAN.steps[0].forward)}),
                HELD,
                PLAN.model_copy(update={"replaced_pods": 1_000_000_000}),
                PLAN.model_copy(update={"replicas_after": 1_000_000_000}),
            ]
        ),
        "go": st.sampled_from([None, GO, Go(begin=False, undo=True), Go(begin=False, undo=False, words="\x00")]),
        "incident": st.sampled_from(INCIDENTS),
        "runbook": st.sampled_from([None, runbook(), runbook("another"), runbook(state="Draft"), runbook(risk="High")]),
        "policies": st.none() | POLICIES | LOOSE_POLICIES,
        "protected": st.none() | st.booleans(),
        "target": st.builds(TargetFacts, st.none() | TEXTS, st.none() | TEXTS, st.none() | EDITS.map(tuple)),
        "room": st.builds(
            Room,
            *(st.none() | st.integers(0, 3) for _ in range(3)),
            st.none() | st.lists(CONNECTIONS, max_size=2).map(tuple),
            st.none() | st.lists(st.sampled_from(["db", *HOSTILE]), max_size=2).map(tuple),
        ),
        "ready_pods": st.none() | st.integers(-1, 1000),
        "corroboration": st.none() | st.sampled_from(["", "confirmed"]),
        "past": st.none() | PASTS,
        "elsewhere": st.none() | PASTS,
        "outcomes": st.none() | st.sampled_from([(), healed(1), healed(50), healed(50, 49)]),
        "now": TIMES,
    },
).map(lambda changed: replace(GOOD, **changed))


def obstacles(facts):
    """Name what forbids an action without a person, from the facts alone: written without a look at the checks."""
    spec, seen, told = facts.remediation.spec, facts.incident, facts.target
    found = matching(facts)
    read = (facts.go, facts.runbook, facts.policies, facts.protected, facts.ready_pods, facts.past, facts.elsewhere)
    patience = timedelta(seconds=max((p.spec.human_edit_seconds for p in found), default=0))
    yield "unknown", any(value is None for value in (*read, facts.outcomes, told.annotations, told.edits))
    yield "labels unknown", told.labels is None and any(p.spec.selector.match_labels for p in facts.policies or ())
    yield "stopped", facts.go is not None and not facts.go.begin
    yield "protected", facts.protected is not False
    yield "no incident", seen is None or seen.metadata.uid != spec.incident_ref.uid
    yield "another target", seen is not None and seen.spec.target_ref.uid != spec.target_ref.uid
    yield "nothing fires", seen is not None and not any(s.state is SignalState.FIRING for s in seen.status.signals)
    yield "runbook", facts.runbook is None or facts.runbook.spec.state != "Active"
    yield "no policy", not found
    yield "not auto", any(p.spec.decision is not Decision.AUTO for p in found)
    yield "irreversible", facts.plan.steps[0].inverse is None
    yield "alone", not facts.corroboration and facts.plan.hold_seconds is None
    yield "taken on", seen is not None and "hemostat.dev/acknowledged-by" in seen.metadata.annotations
    yield "annotated", bool({"hemostat.dev/rollback", "hemostat.dev/all"} & set(told.annotations or {}))
    yield "at work", any(p.target_uid == spec.target_ref.uid and not p.finished for p in facts.past or ())
    yield (
        "taken back",
        any(
            p.taken_back
            and p.target_uid == spec.target_ref.uid
            and (p.taken_back.time is None or p.taken_back.time > facts.now - patience)
            for p in facts.past or ()
        ),
    )
    yield "no room", facts.room.added is None or facts.room.added > min(facts.room.quota or 0, facts.room.nodes or 0)
    yield "unknown below", bool(facts.room.added) and None in (facts.room.connections, facts.room.troubled)
    below = [c.limit - c.others - c.each * c.replicas for c in facts.room.connections or ()]
    yield "no room below", bool(facts.room.added) and (bool(facts.room.troubled) or min(below, default=0) < 0)
    yield "unearned", any(p.spec.earned and p.spec.earned.min_outcomes > len(facts.outcomes or ()) for p in found)
    yield "too many replicas", any(facts.plan.replicas_after > p.spec.blast_radius.max_replicas for p in found)
    yield "unsure", any(spec.confidence_percent < p.spec.min_confidence_percent for p in found)


@given(FACTS)
def test_nothing_is_allowed_that_anything_speaks_against(facts):
    decided = decide(facts)
    against = [name for name, holds in obstacles(facts) if holds]
    if against:
        assert decided.outcome is not GateOutcome.ALLOW, against
    assert len(decided.checks) <= 32
    assert all(c.message and len(c.message) <= 1024 for c in decided.checks)


def test_the_oracle_lets_through_what_is_good():
    assert [name for name, holds in obstacles(GOOD) if holds] == []
    assert decide(GOOD).outcome is GateOutcome.ALLOW


@given(FACTS, SPECS)
def test_a_policy_more_never_loosens(facts, spec):
    if facts.policies is None or not matching(facts):
        return
    more = replace(facts, policies=(*facts.policies, policy("more", **spec)))
    assert FREEDOM[decide(more).outcome] <= FREEDOM[decide(facts).outcome]
    assert decide(more).quorum >= decide(facts).quorum


STRICTER = {
    "blast_radius.max_pods_percent": lambda v: v // 2,
    "blast_radius.max_replicas": lambda v: max(1, v // 2),
    "blast_radius.max_callers": lambda v: 3 if v is None else v // 2,
    "budget.max_actions": lambda v: v // 2,
    "budget.window_seconds": lambda v: v * 2,
    "budget.scope": lambda _: "Cluster",
    "cooldown_seconds": lambda v: v * 2 + 1,
    "human_edit_seconds": lambda v: v * 2 + 1,
    "human_edits": lambda _: "Any",
    "min_confidence_percent": lambda v: (v + 101) // 2,
    "on_uncalibrated": lambda _: "Approve",
    "on_telemetry_alone": lambda _: "Approve",
    "earned": lambda v: v or {"min_outcomes": 10, "min_healed_percent": 75},
    "quorum": lambda v: min(8, v + 1),
}


def stricter(given_policy, field):
    spec = given_policy.model_dump()["spec"]
    *way, last = field.split(".")
    node = spec
    for part in way:
        node = node[part]
    node[last] = STRICTER[field](node[last])
    return GatePolicy.model_validate(given_policy.model_dump() | {"spec": spec})


@pytest.mark.parametrize("field", STRICTER)
@given(facts=FACTS, number=st.integers(0, 2))
def test_a_limit_that_is_tighter_never_loosens(field, facts, number):
    if not facts.policies:
        return
    number %= len(facts.policies)
    policies = [stricter(p, field) if n == number else p for n, p in enumerate(facts.policies)]
    before, after = decide(facts), decide(replace(facts, policies=tuple(policies)))
    assert FREEDOM[after.outcome] <= FREEDOM[before.outcome]
    assert after.quorum >= before.quorum


@pytest.mark.parametrize("word", ["Approve", "Shadow", "Deny"])
@given(facts=FACTS)
def test_a_stricter_decision_never_loosens(word, facts):
    if not facts.policies:
        return
    changed = tuple(
        p.model_copy(update={"spec": p.spec.model_copy(update={"decision": Decision(word)})})
        if p.spec.decision is Decision.AUTO and not p.spec.when
        else p
        for p in facts.policies
    )
    assert FREEDOM[decide(replace(facts, policies=changed)).outcome] <= FREEDOM[decide(facts).outcome]


@given(FACTS)
def test_in_shadow_nothing_is_ever_free(facts):
    shadow = replace(facts, policies=(*(facts.policies or ()), policy("shadow", decision="Shadow")))
    assert FREEDOM[decide(shadow).outcome] == 0 or not matching(shadow)


@given(
    FACTS, st.sampled_from(["go", "runbook", "policies", "protected", "ready_pods", "past", "elsewhere", "outcomes"])
)
def test_what_cannot_be_read_is_never_better_than_what_can(facts, name):
    blind = decide(replace(facts, **{name: None}))
    assert blind.outcome is not GateOutcome.ALLOW
    assert FREEDOM[blind.outcome] <= FREEDOM[decide(facts).outcome]


@given(FACTS, st.sampled_from(["added", "quota", "nodes", "connections", "troubled"]))
def test_room_that_cannot_be_told_is_never_better_than_room_that_can(facts, name):
    blind = decide(replace(facts, room=replace(facts.room, **{name: None})))
    assert FREEDOM[blind.outcome] <= FREEDOM[decide(facts).outcome]
