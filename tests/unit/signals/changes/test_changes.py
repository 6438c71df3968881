"""What was changed: told exactly, by whom, and without a single value that may be a secret."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.builders import T0, at, deployment, node, replicaset, since, template

from hemostat.signals.agentconfig import part_of, told_value
from hemostat.signals.changes import (
    ChangeKind,
    ChangeLog,
    Noted,
    Ref,
    config_maps,
    derived,
    differences,
    rollouts,
    template_difference,
)
from hemostat.signals.changes.noted import MAX_NAMESPACES, MAX_PER_NAMESPACE


def said(old, new, managed=()):
    return [(c.kind.value, str(c)) for c in differences(old, new, managed, T0)]


def thing(kind, name="x", **rest):
    return {"kind": kind, "metadata": {"name": name, "namespace": "shop"}, **rest}


# --- one object, twice -----------------------------------------------------------------------------------------


def wrote(manager, field, when=0, **entry):
    return {"manager": manager, "time": since(when), "fieldsV1": {"f:spec": {field: {}}}} | entry


def test_who_changed_the_replicas_is_who_wrote_them_last():
    managed = [wrote("kubectl", "f:replicas", -90), wrote("kube-controller-manager", "f:replicas", -1)]
    assert said(deployment(replicas=2), deployment(replicas=4), managed) == [
        ("Scale", "replicas 2 -> 4 (by kube-controller-manager)")
    ]


def test_who_repeats_a_number_in_the_status_changed_nothing():
    status = {"subresource": "status", "fieldsV1": {"f:status": {"f:replicas": {}}}}
    managed = [wrote("kubectl", "f:replicas", -9), wrote("kube-controller-manager", "f:replicas", -1, **status)]
    assert said(deployment(replicas=2), deployment(replicas=4), managed) == [("Scale", "replicas 2 -> 4 (by kubectl)")]


def test_a_status_that_moves_is_no_change():
    assert said(deployment(), deployment(readyReplicas=1)) == []
    assert said(thing("Pod", status={"phase": "Running"}), thing("Pod", status={"phase": "Failed"})) == []


def test_an_autoscaler_whose_bounds_move():
    old, new = (thing("HorizontalPodAutoscaler", spec={"minReplicas": 1, "maxReplicas": n}) for n in (4, 8))
    assert said(old, new, [wrote("helm", "f:maxReplicas")]) == [("Autoscaler", "maxReplicas 4 -> 8 (by helm)")]


def test_settings_are_told_by_name_alone():
    old, new = (thing("ConfigMap", data=d) for d in ({"a": "canary1", "b": "1"}, {"a": "canary2", "c": "canary3"}))
    assert said(old, new) == [("ConfigMap", "key c added; key b removed; key a changed")]


def test_a_quota_that_is_cut():
    old, new = (thing("ResourceQuota", status={"hard": {"pods": n}}) for n in ("10", "5"))
    assert said(old, new) == [("Quota", "pods 10 -> 5")]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (node(), node(unschedulable=True), "cordoned"),
        (node(unschedulable=True), node(), "uncordoned"),
        (node(), node(ready="Unknown"), "Ready True -> Unknown"),
        (node(ready="False"), node(), "Ready False -> True"),
    ],
)
def test_a_node(old, new, words):
    assert said(old | {"kind": "Node"}, new | {"kind": "Node"}) == [("Node", words)]


def test_a_node_that_was_upgraded():
    new = node() | {"kind": "Node"}
    new["status"] = new["status"] | {"nodeInfo": {"kubeletVersion": "v1.37.0"}}
    assert said(node() | {"kind": "Node"}, new) == [("Node", "kubelet v1.36.3 -> v1.37.0")]


# --- agents ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("PLANNER_MODEL", "Model"),
        ("OPENAI_MODEL_NAME", "Model"),
        ("gen_ai.request.model", "Model"),
        ("AZURE_DEPLOYMENT_NAME", "Model"),
        ("PROMPT_VERSION", "Prompt"),
        ("agent.example.com/prompt-version", "Prompt"),
        ("system_prompt.txt", "Prompt"),
        ("TOOL_SCHEMA_VERSION", "ToolSchema"),
        ("tools.json", "ToolSchema"),
        ("MODELS_DIR_SIZE", None),
        ("DATABASE_URL", None),
        ("REMODEL", None),
        ("PROMPTNESS", None),
    ],
)
def test_names_that_say_what_an_agent_runs_on(name, part):
    found = part_of(name)
    assert (found.value if found else None) == part


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("MODEL", "gpt-5-mini", "gpt-5-mini"),
        ("MODEL", "bedrock/anthropic.claude-v2:1", "bedrock/anthropic.claude-v2:1"),
        ("PROMPT_VERSION", "2026-11-21", "2026-11-21"),
        ("MODEL", "sk-live-0123456789", ""),
        ("MODEL", "A" * 50, ""),
        ("MODEL", "line\nbreak", ""),
        ("MODEL", "https://user:pw@host/model?token=1", ""),
        ("SYSTEM_PROMPT", "You are", ""),
        ("PASSWORD", "x", None),
    ],
)
def test_a_model_may_be_told_and_what_looks_like_a_key_may_not(name, value, told):
    assert told_value(name, value) == told


def test_another_model_is_a_change_of_its_own():
    old, new = (deployment(template(env={"PLANNER_MODEL": m, "TOKEN": m})) for m in ("gpt-5", "gpt-5-mini"))
    assert said(old, new) == [("Model", "env PLANNER_MODEL gpt-5 -> gpt-5-mini")]


def test_another_prompt_in_a_config_map_is_told_without_a_word_of_it():
    old, new = (thing("ConfigMap", data={"system_prompt.txt": t}) for t in ("canary one", "canary two"))
    assert ("Prompt", "key system_prompt.txt changed") in said(old, new)
    assert "canary" not in repr(said(old, new))


# --- templates -------------------------------------------------------------------------------------------------


def mounting(**source):
    found = template()
    found["spec"]["volumes"] = [{"name": "v", **source}]
    return found


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (mounting(), mounting(configMap={"name": "a"}), "ConfigMap a mounted"),
        (mounting(secret={"secretName": "a"}), mounting(secret={"secretName": "b"}), "Secret b mounted"),
        (mounting(), mounting(persistentVolumeClaim={"claimName": "d"}), "PersistentVolumeClaim d mounted"),
        (mounting(), mounting(projected={"sources": [{"secret": {"name": "s"}}]}), "Secret s mounted"),
        (template(command=["a"]), template(command=["b"]), "command changed"),
        (template(readinessProbe={"periodSeconds": 1}), template(readinessProbe={}), "readinessProbe changed"),
    ],
)
def test_what_a_template_changed(before, after, words):
    assert words in template_difference(before, after)


def test_every_way_to_refer_to_a_config_map_is_known():
    found = mounting(configMap={"name": "volume"})
    found["spec"]["volumes"].append({"name": "p", "projected": {"sources": [{"configMap": {"name": "projected"}}]}})
    found["spec"]["containers"][0] |= {
        "envFrom": [{"configMapRef": {"name": "all"}}, {"secretRef": {"name": "s"}}],
        "env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "one", "key": "k"}}}],
    }
    assert config_maps(found) == {"volume", "projected", "all", "one"}


def test_controller_revisions_are_revisions_too():
    def revision(number, image, when):
        meta = {"name": f"r{number}", "creationTimestamp": since(when)}
        return {"metadata": meta, "revision": number, "spec": {"template": template(image)}}

    assert rollouts([revision(2, "2", -60), revision(1, "1", -90)]) == [(2, at(-60), "image shop:1 -> shop:2")]
    assert rollouts([replicaset(1, template(), -60)]) == []


# --- what an object says of its past -----------------------------------------------------------------------------


def told(raw):
    return [(c.kind.value, str(c), (T0 - c.time).total_seconds()) for c in derived(raw, T0)]


def test_a_node_tells_when_it_joined_failed_and_was_cordoned():
    young = node(
        created=-100, ready="Unknown", taints=[{"key": "node.kubernetes.io/unschedulable", "timeAdded": since(-9)}]
    )
    assert told(young | {"kind": "Node"}) == [
        ("Node", "joined", 100),
        ("Node", "Ready True -> Unknown", 60),
        ("Node", "cordoned", 9),
    ]
    assert told(node() | {"kind": "Node"}) == []


def test_a_scale_subresource_tells_who_scaled_and_when():
    scaled = deployment(replicas=6)
    scaled["metadata"]["managedFields"] = [
        wrote("kubectl", "f:replicas", -300),
        wrote("keda", "f:replicas", -40, subresource="scale"),
        wrote("someone", "f:replicas", -4000, subresource="scale"),
    ]
    assert told(scaled) == [("Scale", "replicas set to 6 (by keda)", 40)]


@pytest.mark.parametrize(("created", "expected"), [(-3600, 1), (-61, 0)])
def test_settings_that_were_written_later_than_made(created, expected):
    entry = {"manager": "kubectl", "time": since(-60), "fieldsV1": {"f:data": {"f:a": {}}}}
    meta = {"name": "c", "namespace": "shop", "creationTimestamp": since(created), "managedFields": [entry]}
    assert len(told({"kind": "ConfigMap", "metadata": meta})) == expected


# --- the log -----------------------------------------------------------------------------------------------------


def note(i, namespace="shop", when=0.0):
    return Noted(ChangeKind.CONFIG, Ref("ConfigMap", namespace, "c"), at(when), f"key {i} changed")


def test_the_log_keeps_the_latest_and_each_change_once():
    log = ChangeLog()
    log.add(note(i) for i in range(MAX_PER_NAMESPACE + 10))
    log.add([note(MAX_PER_NAMESPACE)])
    found = log.of([Ref("ConfigMap", "shop", "c")], T0)
    assert len(found) == MAX_PER_NAMESPACE
    assert note(0) not in found


def test_the_log_forgets_namespaces_and_times_long_past():
    log = ChangeLog()
    for i in range(MAX_NAMESPACES + 5):
        log.add([note(i, f"n{i}")])
    assert len(log.noted) == MAX_NAMESPACES
    assert log.of([Ref("ConfigMap", "n9", "c")], at(1800)) != []
    assert log.of([Ref("ConfigMap", "n9", "c")], at(1801)) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["f:data", "f:spec", "f:replicas", "x"]), JSON, max_size=4))
def test_field_sets_of_any_shape_are_read(fields):
    meta = {"name": "c", "namespace": "shop", "creationTimestamp": since(-3600)}
    entry = {"manager": "m", "time": since(-60), "fieldsV1": fields}
    assert len(told({"kind": "ConfigMap", "metadata": meta | {"managedFields": [entry]}})) in (0, 1)
