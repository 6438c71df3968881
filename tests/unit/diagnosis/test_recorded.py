"""How labelled incidents are made: every kind is labelled, nothing gives its label away, what is taken out is gone."""

import json
from pathlib import Path

import pytest
from tests.bench.incidents import agents, pods, recorded, shop, thin

ROOT = Path(__file__).parents[3]
NAMES = {"pod": "p", "node": "n"}
SIGNAL = {"key": "calls/Saturation", "kind": "Saturation"}
OTHER = {"key": "calls/Latency", "kind": "Latency"}


def planned():
    return [*pods.runs(2), *shop.runs(), *agents.runs()]


def test_every_kind_is_planned_and_labelled():
    made = {thin.NO_CHANGES, thin.NO_SIGNAL}
    assert {r.kind for r in planned()} | made == set(recorded.labels())


def test_there_are_enough_of_them_and_none_twice():
    runs = [(r.kind, r.number) for r in planned()]
    assert len(set(runs)) == len(runs)
    labels = recorded.labels()
    insufficient = [k for k, _ in runs if labels[k].split == recorded.INSUFFICIENT]
    assert len(runs) - len(insufficient) >= 60
    assert len(insufficient) + len(thin.CHANGES_FROM) + len(thin.SIGNALS_FROM) == 20


def test_half_of_the_kinds_are_held_out():
    split = [label.split for label in recorded.labels().values()]
    assert split.count(recorded.SEEN) == split.count(recorded.HELD_OUT)


def test_labels_name_runbooks_that_are_shipped():
    names = {r.metadata.name for r in recorded.shipped(ROOT)} | {recorded.ABSTAIN}
    for kind, label in recorded.labels().items():
        assert label.accept <= names, kind
        assert label.split in recorded.SPLITS, kind


@pytest.mark.parametrize("run", list(pods.runs(2)), ids=lambda r: f"{r.kind}-{r.number}")
def test_a_target_bears_a_name_that_says_nothing(run):
    fault = run.fault
    said = json.dumps([fault.before, fault.apply, [c(NAMES) for c in (*fault.commands, *fault.relief)]])
    kind = run.kind.removesuffix(pods.AFTER)
    for word in (f'"{kind}"', f"/{kind}", f"{kind}-"):
        assert word not in said
    assert fault.watch()["spec"]["target"]["name"] in pods.TARGETS
    names = [o["metadata"]["name"] for o in (*fault.before, *fault.apply)]
    assert not names or fault.name in names


def test_a_renamed_fault_keeps_what_only_looks_like_its_name():
    (probed,) = [r for r in pods.runs(1) if r.kind == "readiness"]
    container = probed.fault.before[0]["spec"]["template"]["spec"]["containers"][0]
    assert "readinessProbe" in container
    (loaded,) = [r for r in pods.runs(1) if r.kind == "autoscaler-maximum"]
    target = loaded.fault.name
    assert f"http://{target}:" in json.dumps(loaded.fault.apply)
    assert loaded.fault.relief[0](NAMES)[2] == f"{target}-load"


def test_only_alerts_are_sent_about_what_is_well():
    alerts = [r for r in pods.runs(1) if r.kind == "alert-only"]
    assert [r.alert for r in alerts] == list(pods.ALERTS)
    assert not any(r.rolled_out or r.fault.apply or r.fault.commands for r in alerts)
    assert not any(r.alert for r in pods.runs(1) if r.kind != "alert-only")


def stored(**status):
    return {"metadata": {"name": "i", "namespace": "n"}, "spec": {"targetRef": {"uid": "42"}}, "status": status}


def test_changes_are_taken_out_wherever_they_are_told():
    told = [{"id": "E1", "kind": "Signal", "key": "signal/a"}, {"id": "E2", "kind": "Change", "key": "change/a"}]
    causes = [{"service": "payment", "scorePercent": 90, "reasons": ["rolled out just before"]}]
    thinned = thin.without_changes(stored(evidence=told, causes=causes))
    assert thinned["status"] == {
        "evidence": told[:1],
        "causes": [{"service": "payment", "scorePercent": 90, "reasons": []}],
    }


def test_a_signal_is_taken_out_with_all_that_rests_on_it():
    evidence = [
        {"id": f"E{n}", "kind": "Signal", "key": key}
        for n, key in enumerate(
            (
                "signal/calls/Saturation",
                "traces/calls/Saturation",
                "signal/calls/Saturation/Cut",
                "course/calls/Saturation",
                "signal/calls/Latency",
            )
        )
    ]
    thinned = thin.without_signals(stored(evidence=evidence, signals=[SIGNAL, OTHER]), "Saturation")
    assert thinned["status"] == {"evidence": evidence[4:], "signals": [OTHER]}


def test_what_is_kept_can_be_read_again_and_names_no_uid(tmp_path, monkeypatch):
    monkeypatch.setattr(recorded, "FOLDER", tmp_path)
    live = stored(evidence=[], summary="it is slow", timeline=[{"id": "x"}], diagnosis={"by": "Matcher"})
    recorded.keep("blip", 3, "a pod was deleted", live, matcher="bad-rollout")
    told = recorded.read("blip", 3)
    assert told["matcher"] == "bad-rollout"
    assert told["incident"]["spec"] == {"targetRef": {"uid": recorded.NO_UID}}
    assert told["incident"]["status"] == {"summary": "it is slow", "evidence": []}
