"""Evidence is numbered once, bounded, and tells no secrets."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.builders import T0, at, condition, deployment, incident, pod, replicaset, runbook, signal, template

from hemostat.api.incident import (
    MAX_EVIDENCE,
    MAX_EVIDENCE_BYTES,
    MAX_POINTS,
    Diagnosis,
    EvidenceKind,
    IncidentStatus,
    Plot,
    SignalState,
)
from hemostat.api.watch import PresentRevision
from hemostat.clock import rfc3339
from hemostat.diagnosis.alike import Wrong, alike
from hemostat.diagnosis.evidence import (
    KEPT_CHANGES,
    MAX_CHANGES,
    MAX_COURSES,
    MAX_LATER,
    MAX_NOTED,
    Change,
    Facts,
    Item,
    append,
    gather,
    lasting,
    noted_changes,
    number,
)
from hemostat.diagnosis.evidence import rollout_changes as changes
from hemostat.diagnosis.lesson import draft_lesson
from hemostat.diagnosis.matcher import grounds, unheard
from hemostat.diagnosis.panel.case import make_case, question
from hemostat.diagnosis.panel.tools import Pad
from hemostat.memory.episode import text_of
from hemostat.signals.changes import ChangeKind, Noted, Ref, template_difference
from hemostat.signals.course import Course
from hemostat.signals.workload import Aspect, Scene, Trouble

TARGET = {"kind": "Deployment", "name": "payment"}
NEW = {"MODE": "canary-new", "TOKEN": "canary-token"}
OLD = {"MODE": "canary-old", "GONE": "canary-gone"}


def facts(signals=(), found=(), troubles=()):
    wrong = tuple(Wrong(t, t.split(":")[0], t) for t in troubles)
    return Facts(TARGET, tuple(signals), tuple(found), None, tuple(troubles), wrong=wrong)


def seen(target=None, signals=(), **around):
    return gather(TARGET, signals, Scene(target or deployment(), **around), T0, T0)


def change(i):
    return Change("Rollout", f"revision {i}", at(-60), 60.0, "image a -> b")


def test_facts_are_numbered_in_the_order_in_which_they_are_found():
    found = number((), facts([signal("a"), signal("b")], [change(2)], ["p: OOMKilled"]), {"a": ["t1"]}, T0)
    assert [(e.id, e.key, e.kind) for e in found] == [
        ("E1", "signal/a", EvidenceKind.SIGNAL),
        ("E2", "traces/a", EvidenceKind.EXEMPLAR),
        ("E3", "signal/b", EvidenceKind.SIGNAL),
        ("E4", "change/Rollout/revision 2", EvidenceKind.CHANGE),
        ("E5", "pod/p: OOMKilled", EvidenceKind.WORKLOAD),
    ]


KEYS = st.lists(st.integers(0, 120).map(lambda i: f"k{i}"), max_size=50)


@given(
    st.lists(st.tuples(KEYS, st.lists(st.sampled_from(["p: OOMKilled", "q: ErrImagePull"]), max_size=4)), max_size=5)
)
def test_nothing_is_ever_renumbered_listed_twice_or_beyond_the_bound(rounds):
    known = ()
    for i, (keys, troubles) in enumerate(rounds):
        before = known
        known = number(known, facts([signal(k) for k in dict.fromkeys(keys)], troubles=troubles), {}, at(i))
        assert known[: len(before)] == before
        assert [e.id for e in known] == [f"E{n}" for n in range(1, len(known) + 1)]
        assert len({e.key for e in known}) == len(known) <= MAX_EVIDENCE


def test_the_same_facts_again_add_nothing():
    given_ = facts([signal("a")], [change(2)], ["p: OOMKilled"])
    once = number((), given_, {"a": "note"}, T0)
    assert number(once, given_, {"a": "another note"}, at(60)) == once


def test_two_containers_with_the_same_trouble_are_one_fact():
    both = pod("p", waiting="CrashLoopBackOff")
    both["status"]["containerStatuses"] *= 2
    gathered = seen(pods=[both])
    assert [e.key for e in number((), gathered, {}, T0)] == ["pod/p: CrashLoopBackOff", "workload"]


def test_pods_of_one_template_in_the_same_trouble_are_one_fact_however_many_come_and_go():
    """Pods that are replaced have other names: they filled all 64 places, and no signal or outcome found one."""
    known = ()
    for look in range(40):
        pods = [pod(f"payment-7d9-{look}{i}", waiting="CrashLoopBackOff") for i in range(3)]
        for one in pods:
            one["metadata"]["labels"] = {"pod-template-hash": "7d9"}
        known = number(known, seen(pods=pods), {}, at(look))
    assert [e.key for e in known] == ["pod/7d9: CrashLoopBackOff", "workload"]
    assert (known[0].subject, known[0].summary.endswith("; 2 more like it")) == ("payment-7d9-00", True)
    other = pod("payment-8e1-x", waiting="CrashLoopBackOff")
    other["metadata"]["labels"] = {"pod-template-hash": "8e1"}
    assert [e.key for e in number((), seen(pods=[*pods, other]), {}, T0)][:2] == [
        "pod/7d9: CrashLoopBackOff",
        "pod/8e1: CrashLoopBackOff",
    ], "of another template it may have another cause"


def test_runs_of_a_cronjob_are_of_one_template():
    target = {"kind": "CronJob", "metadata": {"name": "report", "uid": "u"}, "spec": {}, "status": {}}
    found = [Trouble(Aspect.OOM_KILLED, f"report-{n}-x", "") for n in range(3)]
    pods = [{"metadata": {"name": t.subject, "ownerReferences": [{"name": t.subject[:-2]}]}} for t in found]
    (wrong,) = alike(Scene(target, pods=pods), found)
    assert (wrong.name, wrong.text) == ("report: OOMKilled", "report-0-x: OOMKilled: 2 more like it")


def test_a_fact_with_a_very_long_name_is_listed_once():
    given_ = facts([signal("k" * 512)])
    once = number((), given_, {}, T0)
    assert number(once, given_, {}, T0) == once
    assert len(once) == 1


def test_long_texts_are_cut_to_what_the_schema_takes():
    (found,) = number((), facts(troubles=["p" * 4000]), {}, T0)
    assert (len(found.key), len(found.subject), len(found.summary)) == (512, 256, 1024)


def test_the_full_list_takes_nothing_more():
    full = number((), facts([signal(f"k{i}") for i in range(100)]), {}, T0)
    assert len(full) == MAX_EVIDENCE
    assert number(full, facts([signal("late")]), {}, T0) == full


def test_what_changes_all_the_time_leaves_room_for_signals_and_outcomes():
    known = ()
    for minute in range(180):  # of a long Incident, with a ConfigMap that is written every minute
        times = [at(60 * m) for m in range(max(0, minute - 30), minute)]
        last = [
            Noted(ChangeKind.CONFIG, Ref("ConfigMap", "shop", "queue"), time, "key depth changed") for time in times
        ]
        facts_ = gather(TARGET, [signal("a")], Scene(deployment()), T0, at(60 * minute), noted=last)
        known = number(known, facts_, {}, at(60 * minute))
    assert sum(e.kind is EvidenceKind.CHANGE for e in known) == MAX_CHANGES
    late = number(known, facts([signal("late")]), {}, T0)
    assert late[-1].key == "signal/late"
    kept = lasting(late)
    assert sum(e.kind is EvidenceKind.CHANGE for e in kept) == KEPT_CHANGES
    again = number(kept, facts([signal("back")], [change(i) for i in range(KEPT_CHANGES + 1)]), {}, T0)
    assert sum(e.kind is EvidenceKind.CHANGE for e in again) == MAX_CHANGES
    assert again[len(kept)].key == "signal/back"


def test_a_signal_is_told_with_its_numbers_and_an_exemplar_with_its_note():
    told, note = number((), facts([signal("a")]), {"a": ["t1"]}, at(9))
    assert told.summary == "checkout -> payment is 40%, limit 5% (from Traces)"
    assert (told.observed_time, note.observed_time, note.summary) == (T0, at(9), "traces t1")


# --- changes -----------------------------------------------------------------------------------------------


def history(*created, env=None):
    return [replicaset(i, template(str(i), env), when) for i, when in enumerate(created, start=1)]


def test_a_rollout_shortly_before_is_a_change_with_its_age():
    (found,) = changes(history(-9000, -120), T0)
    assert (found.kind, found.subject, found.age_seconds, found.time) == ("Rollout", "revision 2", 120, at(-120))
    assert found.detail == "image shop:1 -> shop:2"


@pytest.mark.parametrize(("age", "count"), [(1799, 1), (1800, 1), (1801, 0)])
def test_old_rollouts_are_no_evidence(age, count):
    assert len(changes(history(-9000, -age), T0)) == count


def test_the_first_revision_changed_nothing():
    assert changes(history(-60), T0) == ()
    assert changes([], T0) == ()


def test_the_newest_comes_first_whatever_the_order_of_reading():
    sets = history(-9000, -600, -60)
    assert [c.subject for c in changes(sets, T0)] == ["revision 3", "revision 2"]
    assert changes(sets[::-1], T0) == changes(sets, T0)


def test_revisions_are_ordered_as_numbers():
    sets = [replicaset(i, template(str(i)), -60 if i > 8 else -9000) for i in (8, 9, 10)]
    assert [c.detail for c in changes(sets, T0)] == ["image shop:9 -> shop:10", "image shop:8 -> shop:9"]


def present(number, since):
    return PresentRevision(target_uid="uid-payment", number=str(number), template_hash="h", since_time=at(since))


def test_a_revision_that_has_only_just_begun_waits_for_the_next_look():
    assert [c.subject for c in changes(history(-9000, -60, -60), T0, present(2, -60))] == ["revision 2"]


def test_a_reused_replicaset_is_as_old_as_its_revision():
    sets = history(-9000, -9000)
    assert changes(sets, T0) == ()
    (found,) = changes(sets, T0, present(2, -30))
    assert (found.subject, found.age_seconds) == ("revision 2", 30)


def test_the_time_of_the_newest_revision_says_nothing_about_older_ones():
    found = changes(history(-9000, -9000, -60), T0, present(3, -30))
    assert [(c.subject, c.age_seconds) for c in found] == [("revision 3", 30)]


def test_what_is_known_later_than_the_creation_never_makes_a_change_older():
    (found,) = changes(history(-9000, -60), T0, present(2, -8000))
    assert found.age_seconds == 60


def from_key(kind, name, key):
    """A template whose variable T is taken from a key."""
    return template(env=None) | {
        "spec": {
            "containers": [
                {
                    "name": "app",
                    "image": "shop:1",
                    "env": [{"name": "T", "valueFrom": {kind: {"name": name, "key": key}}}],
                }
            ]
        }
    }


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (template("1"), template("2"), "image shop:1 -> shop:2"),
        (template(env={}), template(env={"A": "1"}), "env A added"),
        (template(env={"A": "1"}), template(env={}), "env A removed"),
        (template(env={"A": "1"}), template(env={"A": "2"}), "env A changed"),
        (
            template(resources={"limits": {"memory": "256Mi", "cpu": "1"}}),
            template(resources={"limits": {"memory": "128Mi"}, "requests": {"cpu": "100m"}}),
            "resources changed: limits.cpu 1 -> none, limits.memory 256Mi -> 128Mi, requests.cpu none -> 100m",
        ),
        (
            template(envFrom=[{"configMapRef": {"name": "a"}}]),
            template(envFrom=[{"configMapRef": {"name": "b"}}, {"prefix": "P_", "secretRef": {"name": "s"}}]),
            "envFrom changed: ConfigMap a there -> none, ConfigMap b none -> there, Secret s none -> P_",
        ),
        (template(), from_key("configMapKeyRef", "settings", "mode"), "env T added (ConfigMap settings, key mode)"),
        (
            from_key("configMapKeyRef", "settings", "mode"),
            from_key("configMapKeyRef", "settings", "mood"),
            "env T changed: ConfigMap settings, key mode -> ConfigMap settings, key mood",
        ),
        (
            template(env={"T": "canary"}),
            from_key("secretKeyRef", "creds", "token"),
            "env T changed: a value -> Secret creds, key token",
        ),
        (template(), template(args=["--x"]), "args changed"),
        (template(), template(livenessProbe={"periodSeconds": 1}), "livenessProbe changed"),
        (template(), template(), "template changed"),
        (template("1", {"A": "1"}), template("2", {"B": "1"}), "image shop:1 -> shop:2; env B added; env A removed"),
    ],
)
def test_what_a_rollout_changed_is_said(before, after, said):
    assert template_difference(before, after) == said


def test_a_new_container_is_told():
    sidecar = template()
    sidecar["spec"]["containers"].append({"name": "sidecar", "image": "proxy:1"})
    assert template_difference(template(), sidecar) == "image none -> proxy:1"


def test_values_of_environment_variables_are_in_no_text_at_all():
    sets = [replicaset(1, template(env=OLD), -9000), replicaset(2, template(env=NEW), -60)]
    gathered = seen(deployment(template(env=NEW)), [signal()], owned=sets, pods=[pod(waiting="ErrImagePull")])
    told = number((), gathered, {}, T0)
    assert "env TOKEN added; env GONE removed; env MODE changed" in told[1].summary
    for text in (json.dumps([e.wire() for e in told]), json.dumps(gathered.cel()), repr(gathered)):
        assert "canary" not in text


def test_hundreds_of_changed_variables_stay_one_bounded_text():
    many = {f"VARIABLE_{i}": "canary" for i in range(500)}
    said = template_difference(template(), template(env=many))
    assert len(said) == 900


def test_a_runbook_sees_plain_values_alone():
    gathered = seen(signals=[signal()], owned=history(-9000, -60), pods=[pod(waiting="ErrImagePull")])
    assert gathered.cel() == {
        "target": TARGET,
        "signals": [
            {
                "name": "calls",
                "kind": "ErrorRate",
                "source": "Traces",
                "subject": "checkout -> payment",
                "state": "Firing",
                "value": 40.0,
                "threshold": 5.0,
                "advice": "",
            }
        ],
        "changes": [
            {"kind": "Rollout", "subject": "revision 2", "ageSeconds": 60.0, "detail": "image shop:1 -> shop:2"}
        ],
        "calleeChanges": [],
        "workload": {
            "desired": 3,
            "ready": 3,
            "complete": True,
            "stuck": False,
            "troubles": [
                "payment-a: ErrImagePull: container app cannot pull its image: check name, tag and pull secret"
            ],
            "aspects": ["ImagePullBackOff"],
        },
    }


def test_without_a_deployment_the_same_variables_exist():
    none, some = (gather(TARGET, [], Scene(d), T0, T0).cel() for d in (None, deployment()))
    assert none["workload"].keys() == some["workload"].keys()
    assert none["workload"]["complete"] is False


# --- what was changed around the target ----------------------------------------------------------------------

SETTINGS = Ref("ConfigMap", "shop", "settings")


def noted(seconds, ref=SETTINGS, kind=ChangeKind.CONFIG, detail="key MODE changed"):
    return Noted(kind, ref, at(seconds), detail, "kubectl")


def test_changes_around_the_target_are_told_with_who_made_them():
    (found,) = noted_changes([noted(-60)], T0)
    assert (found.kind, found.subject, found.age_seconds) == ("ConfigMap", "ConfigMap settings", 60)
    assert found.detail == "key MODE changed (by kubectl)"


@pytest.mark.parametrize(("seconds", "count"), [(-1800, 1), (-1801, 0), (30, 1), (61, 0)])
def test_changes_long_before_or_after_the_beginning_explain_nothing(seconds, count):
    assert len(noted_changes([noted(seconds)], T0)) == count


@pytest.mark.parametrize(
    ("change", "count"),
    [
        (noted(300), 1),
        (Noted(ChangeKind.CONFIG, SETTINGS, at(300), "key MODE changed"), 1),  # nobody says by whom
        (Noted(ChangeKind.SCALE, SETTINGS, at(300), "replicas 2 -> 3", "kube-controller-manager"), 0),
        (Noted(ChangeKind.SCALE, SETTINGS, at(300), "replicas 2 -> 3", "hemostat-act"), 0),
        (noted(300, Ref("Node", "", "n"), ChangeKind.NODE, "cordoned"), 0),
    ],
)
def test_what_others_changed_at_the_target_later_is_told_but_is_no_symptom(change, count):
    """Who put a ConfigMap right after five minutes was not told of: the Incident had cleared by itself."""
    facts = gather(TARGET, [], Scene(deployment()), T0, at(300), noted=[change])
    assert len([e for e in number((), facts, {}, T0) if e.kind is EvidenceKind.CHANGE]) == count
    assert facts.cel()["changes"] == []
    assert gather(TARGET, [], Scene(deployment()), T0, at(300), callees=[change]).callee_changes == ()


def test_what_is_changed_all_the_time_does_not_displace_what_was_changed_before():
    often = [noted(-60), *(noted(i) for i in range(61, 900))]
    found = gather(TARGET, [], Scene(deployment()), T0, at(900), noted=often).changes
    assert [c.age_seconds for c in found] == [60, *range(-61, -61 - MAX_LATER, -1)]


def test_the_newest_changes_are_told_when_there_are_many():
    found = noted_changes([noted(-i) for i in range(1, 100)], T0)
    assert [c.age_seconds for c in found] == list(range(1, MAX_NOTED + 1))


def test_the_same_object_may_change_twice_and_each_time_is_listed_once():
    gathered = gather(TARGET, [], Scene(deployment()), T0, T0, noted=[noted(-60), noted(-30)])
    once = number((), gathered, {}, T0)
    assert [e.subject for e in once if e.kind is EvidenceKind.CHANGE] == ["ConfigMap settings"] * 2
    assert number(once, gathered, {}, at(5)) == once


def test_what_a_callee_changed_is_told_apart_from_what_the_target_changed():
    """A rollback of the target would not help against a bad rollout of what it calls."""
    callee = noted(-60, Ref("Deployment", "shop", "inventory"), ChangeKind.ROLLOUT, "revision 7: image a -> b")
    cel = gather(TARGET, [], Scene(deployment()), T0, T0, callees=[callee]).cel()
    assert cel["changes"] == []
    assert [(c["kind"], c["subject"]) for c in cel["calleeChanges"]] == [("Rollout", "Deployment inventory")]


def test_a_revision_whose_number_moved_under_our_eyes_began_then():
    sets = history(-9000, -9000)
    sets[1]["hemostat-revised"] = at(-45).isoformat()
    (found,) = changes(sets, T0)
    assert (found.subject, found.age_seconds) == ("revision 2", 45)


def test_a_set_that_waits_for_an_unready_pod_is_stuck():
    unready = {
        "metadata": {"name": "p"},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": "2026-03-01T11:50:00Z"}],
        },
    }
    counts = {"replicas": 1, "updatedReplicas": 1, "observedGeneration": 1}
    target = {"kind": "StatefulSet", "metadata": {"name": "payment", "generation": 1}, "spec": {"replicas": 1}}
    gathered = gather(TARGET, [], Scene(target | {"status": counts}, pods=[unready]), T0, T0)
    assert gathered.workload.stuck
    assert gathered.cel()["workload"]["aspects"] == ["RolloutStuck"]


def test_the_runs_of_a_cronjob_are_no_versions_of_it_and_it_has_no_replicas():
    runs = [replicaset(1, template("1"), -120), replicaset(2, template("2"), -60)]
    target = {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "report"}, "spec": {}, "status": {}}
    named = {"kind": "CronJob", "name": "report"}
    found = gather(named, (), Scene(target, owned=runs), T0, T0)
    assert found.changes == ()
    assert number((), found, {}, T0) == ()


def went(*values, high=5.0):
    """A value a minute until now."""
    points = tuple((T0.timestamp() + 60.0 * (n + 1 - len(values)), v) for n, v in enumerate(values))
    return Course(points, None, high, "%")


def test_how_a_signal_went_is_evidence_with_a_plot_to_be_drawn():
    found = number((), facts([signal("a", subject="checkout -> payment")]), {}, T0, {"a": went(0, 1, 40)})[-1]
    assert (found.key, found.kind, found.subject) == ("course/a", EvidenceKind.SERIES, "checkout -> payment")
    assert "the 2 min until it fired: -120s:0 -60s:1 +0s:40; lowest 0% at -120s, highest 40% at +0s" in found.summary
    assert found.summary.endswith("right is up to 5%")
    assert found.plot.wire() == {
        "unit": "%", "startTime": rfc3339(at(-120)), "seconds": [0, 60, 120], "values": ["0", "1", "40"], "high": "5",
        "firedTime": rfc3339(T0),
    }  # fmt: skip


def test_there_is_no_line_of_two_points_and_none_of_a_signal_that_is_well():
    well = signal("b", state=SignalState.CLEAR)
    courses = {"a": went(0, 1), "b": went(0, 1, 2)}
    assert [e.kind for e in number((), facts([signal("a"), well]), {}, T0, courses)] == [EvidenceKind.SIGNAL]


def test_what_came_after_it_fired_is_not_in_its_plot():
    points = tuple((T0.timestamp() + n, float(n % 5)) for n in range(-20, 20))
    found = number((), facts([signal("a")]), {}, T0, {"a": Course(points)})[-1]
    assert found.plot.seconds[-1] == 20
    late = tuple(p for p in points if p[0] > T0.timestamp())
    assert [e.key for e in number((), facts([signal("a")]), {}, T0, {"a": Course(late)})] == ["signal/a"]


def test_plots_of_the_worst_signals_only():
    keys = [f"s{n}" for n in range(20)]
    found = number((), facts([signal(k) for k in keys]), {}, T0, {k: went(0, 1, 9) for k in keys})
    assert sum(e.plot is not None for e in found) == MAX_COURSES


def test_evidence_of_the_longest_texts_and_plots_stays_within_its_bytes():
    """etcd takes 1.5 MiB; four bytes a letter, and every point as long as a number can be."""
    line = Plot(
        unit="🜚" * 16,
        start_time=T0,
        seconds=(86400,) * MAX_POINTS,
        values=("-" + "9" * 15 + "." + "9" * 9,) * MAX_POINTS,
    )
    items = [
        Item(f"{n}{'🜚' * 512}", EvidenceKind.LOG, "🜚" * 300, "🜚" * 2000, None, line) for n in range(2 * MAX_EVIDENCE)
    ]
    found = append((), items, T0)
    status = IncidentStatus(evidence=found)
    size = len(json.dumps(status.wire(), ensure_ascii=False, separators=(",", ":")).encode())
    assert len(found) > 20
    assert size <= MAX_EVIDENCE_BYTES + 1024
    assert append(found, items, T0) == found, "later looks do not fill it up"


def test_text_that_no_utf8_can_say_is_evidence_all_the_same():
    (found,) = append((), [Item("log/\ud800", EvidenceKind.LOG, "pod\udfff", "it said \ud83d")], T0)
    assert (found.subject, found.summary) == ("pod?", "it said ?")


def test_what_stays_for_its_number_alone_is_told_as_nothing_that_is():
    """It was quoted as the signal that opened the Incident, in lesson, choice and prompt."""
    first = number((), facts([signal("old")]), {}, T0)
    kept = lasting(first)
    again = number(kept, facts([signal("new")]), {}, at(60))
    assert [(e.id, e.key, e.past) for e in again] == [
        ("E1", "before/signal/old", True),
        ("E2", "signal/new", False),
    ]
    assert [e.id for e in grounds(again, at(60))] == ["E2"]
    back = {"count": 1, "time": rfc3339(at(50))}
    over = incident(
        evidence=[e.wire() for e in again], reopened=back, conditions=[condition("Resolved", True, "ClearedByItself")]
    )
    lesson = draft_lesson(over, [])
    assert "E1" not in lesson.cites
    assert "before it came back" not in lesson.text
    assert "before it came back" not in text_of(over, str)
    made = make_case(over, again, Diagnosis(by="Matcher"), [], frozenset(EvidenceKind))
    assert [e.id for e in made.evidence] == ["E2"]
    pad = Pad(again, frozenset(EvidenceKind), lambda: T0)
    assert [e.id for e in pad.shown] == ["E2"]
    assert pad.add([Item("x", EvidenceKind.LOG, "p", "line")])[0].id == "E3", "numbers go on"
    alone = question(again, Diagnosis(by="Matcher"), 0)
    assert alone == question(again[1:], Diagnosis(by="Matcher"), 0)
    chosen = runbook("b").spec
    ref = {
        "runbookRef": {"name": "b"},
        "hypotheses": [{"runbook": "b", "cause": chosen.cause, "cites": ["E2"], "confidencePercent": 80}],
    }
    assert not unheard(Diagnosis.model_validate({"by": "Matcher", **ref}), again)
