"""The cache of other people's objects: bounded, honest after gaps, never older than what is known."""

import logging
import threading

import pytest
from tests.unit.builders import (
    NAMESPACE,
    T0,
    at,
    deployment,
    ended,
    event,
    node,
    pod,
    replicaset,
    running_pod,
    since,
    template,
    watch,
)

from hemostat.api.meta import TargetRef
from hemostat.clock import FakeClock
from hemostat.errors import Retry
from hemostat.observe.freshness import BEHIND, UNCHECKED
from hemostat.observe.kinds import BY_NAME, KINDS
from hemostat.observe.resync import EVERY_SECONDS, Resync, pause
from hemostat.observe.scene import changes_around, related, scene_of, service_changes
from hemostat.observe.store import Store
from hemostat.observe.world import World
from hemostat.signals.changes import Ref
from hemostat.signals.workload import troubles


def world(**more):
    return World(FakeClock(T0), **more)


def owned_by(owner, item, kind="Pod"):
    meta = {"ownerReferences": [{"kind": "x", "name": "x", "uid": owner["metadata"]["uid"]}]}
    return item | {"metadata": item["metadata"] | meta}


def a_pod(name, version=1, **meta):
    found = pod(name, **meta)
    found["metadata"] |= {"namespace": NAMESPACE, "uid": f"uid-{name}", "resourceVersion": str(version)}
    return found


def settled(found):
    """Have every stream confirmed by a list that shows what is cached."""
    for kind in BY_NAME:
        versions = {uid: e.version for uid, e in found._shelves[kind].entries.items()}
        found.reconcile(kind, versions, found._clock.now())
    return found


def filled():
    """A Deployment with two ReplicaSets, two pods, a node, and what else it depends on."""
    found = world()
    live = deployment(template("2", volumeMounts=[]))
    live["spec"]["template"]["spec"]["volumes"] = [{"name": "s", "configMap": {"name": "settings"}}]
    old, new = (owned_by(live, replicaset(i, template(str(i)), -60 * (3 - i))) for i in (1, 2))
    found.put("Deployment", live)
    for revision in (old, new):
        found.put("ReplicaSet", revision | {"metadata": revision["metadata"] | {"namespace": NAMESPACE}})
    for name in ("a", "b"):
        one = owned_by(new, a_pod(name))
        claimed = [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]
        found.put("Pod", one | {"spec": {"nodeName": "node-1", "volumes": claimed}})
    found.put("Node", node())
    found.put("Node", node("node-2", ready="False"))
    found.put("PersistentVolumeClaim", thing("data", status={"phase": "Bound"}))
    found.put("ResourceQuota", thing("team"))
    found.put("Event", event("Unhealthy", "Liveness probe failed", "uid-a"))
    found.put(
        "HorizontalPodAutoscaler", thing("hpa", spec={"scaleTargetRef": {"kind": "Deployment", "name": "payment"}})
    )
    found.put("HorizontalPodAutoscaler", thing("no", spec={"scaleTargetRef": {"kind": "Deployment", "name": "other"}}))
    return settled(found)


def thing(name, version=1, **rest):
    meta = {"name": name, "namespace": NAMESPACE, "uid": f"uid-{name}", "resourceVersion": str(version)}
    return {"metadata": meta, **rest}


def names(items):
    return sorted(i["metadata"]["name"] for i in items)


# --- scenes --------------------------------------------------------------------------------------------------


def test_a_scene_holds_what_the_target_depends_on_and_nothing_else():
    scene = scene_of(filled(), NAMESPACE, "Deployment", "payment")
    assert scene.unknown == ""
    assert (scene.name, names(scene.pods)) == ("payment", ["a", "b"])
    assert names(scene.owned) == ["payment-hash1", "payment-hash2"]
    assert (names(scene.nodes), names(scene.claims)) == (["node-1"], ["data"])
    assert (names(scene.autoscalers), names(scene.quotas)) == (["hpa"], ["team"])
    assert [e["reason"] for e in scene.events] == ["Unhealthy"]


def test_where_a_pod_finds_no_node_those_that_take_none_are_in_the_scene():
    found = filled()
    lost = owned_by({"metadata": {"uid": "uid-rs-2"}}, a_pod("c"))
    lost["status"]["conditions"] = [{"type": "PodScheduled", "status": "False"}]
    found.put("Pod", lost)
    found.put("Node", node("node-3"))
    found.put("Node", node("node-4", unschedulable=True))
    assert names(scene_of(settled(found), NAMESPACE, "Deployment", "payment").nodes) == ["node-1", "node-2", "node-4"]


def test_a_target_that_is_not_there_has_an_empty_scene():
    assert scene_of(filled(), NAMESPACE, "Deployment", "nobody").target is None
    assert scene_of(filled(), NAMESPACE, "Teapot", "payment").target is None
    assert scene_of(filled(), "bank", "Deployment", "payment").target is None


def test_every_kind_that_owns_pods_finds_them():
    for kind, between in (("StatefulSet", None), ("DaemonSet", None), ("Job", None), ("CronJob", "Job")):
        found = world()
        found.put(kind, thing("w"))
        owner = thing("w")
        if between:
            found.put(between, owned_by(owner, thing("run")))
            owner = thing("run")
        found.put("Pod", owned_by(owner, a_pod("p")))
        assert names(scene_of(settled(found), NAMESPACE, kind, "w").pods) == ["p"], kind


def test_around_a_target_are_its_configuration_autoscalers_quotas_and_nodes():
    assert related(filled(), NAMESPACE, "Deployment", "payment") == {
        Ref("Deployment", NAMESPACE, "payment"),
        Ref("ConfigMap", NAMESPACE, "settings"),
        Ref("HorizontalPodAutoscaler", NAMESPACE, "hpa"),
        Ref("ResourceQuota", NAMESPACE, "team"),
        Ref("Node", "", "node-1"),
    }


class Silent:
    """An API server that must not be asked."""

    def __getattr__(self, name):
        raise AssertionError(f"{name} was asked for")


def test_a_look_at_a_watch_costs_no_request():
    """A hundred Watches at one look a second would be hundreds of requests a second."""
    found = filled()
    found.put("Watch", watch().model_dump(mode="json", by_alias=True))
    store = Store(Silent(), found)
    seen = store.watch(NAMESPACE, "payment")
    assert store.scene(NAMESPACE, seen.spec.target).target is not None
    assert store.changes(NAMESPACE, "Deployment", "payment", T0) is not None
    assert list(store.service_changes(NAMESPACE, ["payment", "nobody"], T0)) == ["payment"]


def test_a_service_is_the_target_of_the_watch_that_says_so():
    found = filled()
    found.put("Watch", watch(service="payments.example.com").model_dump(mode="json", by_alias=True))
    noted = Store(Silent(), found).service_changes(NAMESPACE, ["payments.example.com"], T0)
    assert [c.kind for c in noted["payments.example.com"]] == ["Rollout"]


def test_a_target_of_another_api_version_is_none_of_ours():
    target = TargetRef(api_version="example.com/v1", kind="Deployment", name="payment")
    assert Store(Silent(), filled()).scene(NAMESPACE, target).target is None


# --- keeping up ----------------------------------------------------------------------------------------------


def test_an_object_that_was_deleted_is_gone_from_every_index():
    found = filled()
    found.remove("Pod", a_pod("a"))
    assert names(scene_of(found, NAMESPACE, "Deployment", "payment").pods) == ["b"]
    assert found.find("Pod", NAMESPACE, "a") is None
    assert names(found.within("Pod", NAMESPACE)) == ["b"]


def test_everything_taken_out_again_leaves_nothing_behind():
    found = filled()
    for kind, shelf in found._shelves.items():
        for entry in list(shelf.entries.values()):
            found.remove(kind, entry.item)
        assert (shelf.entries, shelf.names, shelf.spaces) == ({}, {}, {}), kind
    assert found.size == (0, 0)
    assert found._owned == {}


def test_an_older_version_never_replaces_a_younger_one():
    found = world()
    found.put("Pod", a_pod("a", version=10, deletionTimestamp=since(0)))
    found.put("Pod", a_pod("a", version=9))
    assert "deletionTimestamp" in found.find("Pod", NAMESPACE, "a")["metadata"]


def test_a_name_that_was_taken_over_is_the_new_object():
    found = world()
    found.put("ConfigMap", thing("c"))
    found.put("ConfigMap", thing("c") | {"metadata": thing("c", 2)["metadata"] | {"uid": "other"}})
    found.remove("ConfigMap", thing("c"))
    assert found.find("ConfigMap", NAMESPACE, "c")["metadata"]["uid"] == "other"


def test_what_was_deleted_while_nobody_listened_is_forgotten_at_the_next_list():
    found = filled()
    found._clock.step(60)
    found.reconcile("Pod", {"uid-a": 1}, found._clock.now())
    assert names(scene_of(found, NAMESPACE, "Deployment", "payment").pods) == ["a"]


def test_what_was_told_of_after_the_list_was_asked_for_is_kept():
    found = world()
    began = found._clock.now()
    found._clock.step(1)
    found.put("Pod", a_pod("young"))
    found.reconcile("Pod", {}, began)
    assert found.find("Pod", NAMESPACE, "young") is not None


# --- honesty -------------------------------------------------------------------------------------------------


def doubt(found):
    return scene_of(found, NAMESPACE, "Deployment", "payment").unknown


def test_before_everything_was_read_nothing_is_known():
    found = world()
    assert "still being read" in doubt(found)
    for kind in KINDS:
        found.reconcile(kind.name, {"somebody": 5}, T0)
    assert "still being read" in doubt(found)


def test_a_stream_that_has_stopped_telling_is_found_out():
    found = filled()
    found.reconcile("Pod", {"uid-a": 7, "uid-b": 1}, T0)
    assert doubt(found) == ""  # the list may be a moment ahead
    found._clock.step(BEHIND.total_seconds() + 1)
    found.reconcile("Pod", {"uid-a": 8, "uid-b": 1}, found._clock.now())
    late = "1 changed since 12:00:00 UTC and it has not told"
    assert doubt(found) == f"the watch stream of Pods is behind: {late}; they are being read"
    found.put("Pod", a_pod("a", version=8))
    assert doubt(found) == ""


def test_a_missing_object_is_a_sign_too_until_it_turns_out_to_be_gone():
    found = filled()
    found.reconcile("Node", {"uid-node-1": 0, "uid-node-2": 0, "uid-node-3": 4}, T0)
    found._clock.step(30)
    assert "the watch stream of Nodes is behind" in doubt(found)
    found.remove("Node", node("node-3"))
    assert doubt(found) == ""


def test_a_list_that_could_not_be_read_for_long_is_a_doubt():
    found = filled()
    found._clock.step(UNCHECKED.total_seconds() + 5)
    found.unread("Pod", "API server: 429 Too Many Requests")
    assert "Pods were last compared with the API server at 12:00:00 UTC: API server: 429" in doubt(found)


def test_what_is_late_is_said_in_words_that_stay_the_same_and_logged_once(caplog):
    """It changed every second, which is a write of the Watch's status at every look, and the log was silent."""
    found = filled()
    doubt(found)
    caplog.set_level(logging.INFO, "hemostat")
    found._clock.step(UNCHECKED.total_seconds() + 5)
    first = doubt(found)
    found._clock.step(7)
    assert doubt(found) == first != ""
    kinds = ("Deployment", "Pod", "Node", "ReplicaSet")
    warned = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert sorted(w.split(": ")[0] for w in warned) == sorted(f"no verdicts on what rests on {k}s" for k in kinds)
    settled(found)
    assert doubt(found) == doubt(found) == ""
    assert [r.getMessage() for r in caplog.records if r.levelname == "INFO"].count("Pods are up to date again") == 1


def test_one_slow_list_does_not_leave_a_kind_in_doubt_until_the_next():
    """A list that took 2 s in a burst was followed by a pause of 100 s: 40 s of NotUpToDate with nothing wrong."""
    for took in (0.0, 0.2, 2.0, 20.0):
        assert took + pause(took) < UNCHECKED.total_seconds()
    assert pause(0.01) == EVERY_SECONDS
    assert pause(0.5) == pytest.approx(25)


def test_what_is_deleted_while_a_list_is_read_is_not_waited_for():
    """A list shows it, and nobody will tell of it again."""
    found = filled()
    began = found._clock.now()
    found.put("Pod", a_pod("c", version=3))
    found.remove("Pod", a_pod("c", version=4))
    found.reconcile("Pod", {"uid-a": 1, "uid-b": 1, "uid-c": 3}, began)
    assert found.settled("Pod")
    found.reconcile("Pod", {"uid-a": 1, "uid-b": 1, "uid-d": 5}, began)
    assert not found.settled("Pod")  # but what was not deleted is


class NoLists:
    def versions(self, path):
        raise Retry("API server: timed out")


def test_why_nothing_could_be_listed_is_in_the_words():
    found = world()
    with pytest.raises(Retry):
        Resync(NoLists(), found, found._clock).check("Pod")
    assert "Pods are still being read for the first time: API server: timed out" in doubt(found)


# --- bounds --------------------------------------------------------------------------------------------------


def test_what_there_is_no_room_for_is_counted_and_known_to_be_missing():
    found = world(max_bytes=3000)
    for i in range(100):
        found.put("Deployment", deployment() | {"metadata": thing(f"d{i}")["metadata"]})
    count, size = found.size
    assert 0 < count < 100
    assert size <= 3000
    assert found.dropped("Deployment") == 100 - count
    everything = {f"uid-d{i}": 1 for i in range(100)}
    for kind in BY_NAME:
        found.reconcile(kind, everything if kind == "Deployment" else {}, found._clock.now())
    assert "too many Deployments" in scene_of(found, NAMESPACE, "Deployment", "d99").unknown


def test_what_there_was_no_room_for_is_read_once_there_is():
    """It stayed unknown for ever, and a target that never was stayed 'too many Deployments'."""
    found = world(max_bytes=3000)
    made = [deployment() | {"metadata": thing(f"d{i}")["metadata"]} for i in range(20)]
    for one in made:
        found.put("Deployment", one)
    kept = [one for one in made if found.find("Deployment", NAMESPACE, one["metadata"]["name"])]
    assert 1 < len(kept) < 20
    for one in kept[1:]:
        found.remove("Deployment", one)
    last = made[-1]
    versions = {one["metadata"]["uid"]: 1 for one in (kept[0], last)}
    found.reconcile("Deployment", versions, found._clock.now())
    assert not found.settled("Deployment")  # so it is read, as whatever is late
    found.put("Deployment", last)
    found.reconcile("Deployment", versions, found._clock.now())
    assert found.settled("Deployment")
    assert "too many" not in scene_of(settled(found), NAMESPACE, "Deployment", "never-was").unknown


def test_events_make_room_for_younger_ones_and_old_ones_are_not_taken_in():
    found = world()
    limit = BY_NAME["Event"].limit
    for i in range(limit + 10):
        found.put("Event", event("Unhealthy", "m", f"uid-{i}"))
    assert found.size[0] == limit
    assert found.owned("uid-0", "Event") == []
    found.put("Event", event("Unhealthy", "m", "uid-old", seen=-3600))
    assert found.owned("uid-old", "Event") == []


def test_of_what_goes_as_planned_only_what_the_kubelet_kills_for_a_probe_is_kept():
    """In the words of `events.k8s.io/v1`, from which it is read."""
    found = filled()
    for name, note in (
        ("a", "Container app failed liveness probe, will be restarted"),
        ("b", "Stopping container app"),
    ):
        told = {
            "metadata": {
                "name": f"{name}.1",
                "namespace": NAMESPACE,
                "uid": f"uid-event-{name}",
                "resourceVersion": "7",
            },
            "regarding": {"kind": "Pod", "name": name, "uid": f"uid-{name}", "fieldPath": "spec.containers{app}"},
            "reason": "Killing",
            "note": note,
            "type": "Normal",
            "deprecatedCount": 4,
            "deprecatedFirstTimestamp": since(-900),
            "deprecatedLastTimestamp": since(-5),
        }
        found.put("Event", told)
    told = [e for e in scene_of(settled(found), NAMESPACE, "Deployment", "payment").events if e["reason"] == "Killing"]
    assert [(e["involvedObject"]["name"], e["count"], e["firstTimestamp"]) for e in told] == [("a", 4, since(-900))]
    assert told[0]["message"].endswith("will be restarted")


def test_readers_and_writers_do_not_meet():
    """Looks read in their threads while the event loop writes, also what is late."""
    found, errors = filled(), []
    found.reconcile("Pod", {f"uid-p{i}": 10_000 for i in range(50)}, T0)

    def read():
        try:
            for _ in range(50):
                scene_of(found, NAMESPACE, "Deployment", "payment")
        except RuntimeError as error:
            errors.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for i in range(500):
        found.put("Pod", owned_by({"metadata": {"uid": "uid-rs-2"}}, a_pod(f"p{i % 50}", version=i + 2)))
        if i % 3 == 0:
            found.remove("Pod", a_pod(f"p{i % 50}"))
    for reader in readers:
        reader.join()
    assert errors == []


# --- what is kept --------------------------------------------------------------------------------------------

CANARY = "canary-7f3a"


def test_no_value_of_a_variable_or_setting_is_kept():
    found = world()
    live = deployment(template(env={"TOKEN": CANARY}, args=[CANARY], command=["sh", "-c", CANARY]))
    live["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": CANARY, "note": CANARY}
    live["metadata"]["managedFields"] = [{"manager": CANARY}]
    found.put("Deployment", live)
    found.put("ConfigMap", thing("settings", data={"password": CANARY}, binaryData={"blob": CANARY}))
    lost = a_pod("p")
    lost["spec"] = {"containers": [{"name": "a", "env": [{"name": "TOKEN", "value": CANARY}]}]}
    lost["status"]["containerStatuses"][0]["state"] = {"running": {"startedAt": since(0), "note": CANARY}}
    found.put("Pod", lost)
    found.put("ControllerRevision", thing("r", revision=1, data={"spec": {"template": template(env={"T": CANARY})}}))
    for shelf in found._shelves.values():
        for entry in shelf.entries.values():
            assert CANARY not in repr(entry.item)
    assert found.find("Deployment", NAMESPACE, "payment")["spec"]["template"]["spec"]["containers"][0]["env"]


def test_a_pod_of_a_job_is_kept_as_one_that_may_end():
    found = world()
    found.put("Job", thing("w"))
    done = running_pod(restarts=3, started=-5, last=ended("Completed", 0, -30), resourceVersion="1")
    done["spec"]["restartPolicy"] = "OnFailure"
    found.put("Pod", owned_by(thing("w"), done))
    assert troubles(scene_of(settled(found), NAMESPACE, "Job", "w"), T0) == ()


@pytest.mark.parametrize("kind", [k.name for k in KINDS if k.name != "Event"])
def test_an_object_with_nothing_but_a_name_is_taken_in(kind):
    found = world()
    found.put(kind, thing("bare"))
    assert found.find(kind, NAMESPACE, "bare") is not None


# --- changes -------------------------------------------------------------------------------------------------


def test_a_change_is_noted_when_it_is_seen_and_told_of_the_targets_it_concerns():
    found = filled()
    found.put("ConfigMap", thing("settings", data={"mode": "fast"}))
    found._clock.step(5)
    written = [{"manager": "kubectl", "time": since(5), "fieldsV1": {"f:data": {"f:mode": {}}}}]
    changed = thing("settings", 2, data={"mode": "slow"})
    changed["metadata"]["managedFields"] = written
    found.put("ConfigMap", changed)
    (noted,) = (
        c for c in found.changes(related(found, NAMESPACE, "Deployment", "payment"), at(10)) if c.kind == "ConfigMap"
    )
    assert (str(noted), noted.time) == ("key mode changed (by kubectl)", at(5))
    assert found.changes([Ref("ConfigMap", NAMESPACE, "another")], at(10)) == []


def test_the_rollouts_of_a_service_are_among_its_changes():
    noted = service_changes(filled(), NAMESPACE, "Deployment", "payment", T0)
    assert [(c.kind, c.detail) for c in noted if c.kind == "Rollout"] == [
        ("Rollout", "revision 2: image shop:1 -> shop:2")
    ]


@pytest.mark.parametrize(
    ("node_", "created", "said"),
    [
        ("new", -1200, ["joined"]),  # a pod was moved there
        ("new", -300, []),  # a young cluster: the target came later than its nodes
        ("new-2", -1200, []),  # none of its pods is there
    ],
)
def test_a_node_that_joined_is_a_change_for_what_was_there_before_and_came_onto_it(node_, created, said):
    """On a young cluster every Incident showed it as evidence."""
    found = filled()
    live = deployment(template("2"))
    live["metadata"] |= {"creationTimestamp": since(created), "resourceVersion": "2"}
    found.put("Deployment", live)
    found.put("Node", node(node_, created=-600))
    moved = owned_by(replicaset(2, template("2")), a_pod("moved"))
    found.put("Pod", moved | {"spec": {"nodeName": "new"}})
    noted = changes_around(settled(found), NAMESPACE, "Deployment", "payment", T0)
    assert [c.detail for c in noted if c.kind == "Node"] == said


def test_a_node_that_leaves_is_noted():
    found = filled()
    found.remove("Node", node())
    assert [c.detail for c in found.changes([Ref("Node", "", "node-1")], T0)] == ["left the cluster"]


def test_a_revision_that_is_reused_began_when_its_number_moved():
    found = world()
    first = replicaset(1, template("1"), -9000)
    first["metadata"] |= {"namespace": NAMESPACE, "resourceVersion": "1"}
    found.put("ReplicaSet", first)
    found._clock.step(30)
    again = replicaset(3, template("1"), -9000, "hash1")
    again["metadata"] |= {"namespace": NAMESPACE, "resourceVersion": "2", "uid": "uid-rs-1"}
    found.put("ReplicaSet", again)
    found.put("ReplicaSet", again | {"metadata": again["metadata"] | {"resourceVersion": "3"}})
    assert found.find("ReplicaSet", NAMESPACE, "payment-hash1")["hemostat-revised"] == at(30).isoformat()
