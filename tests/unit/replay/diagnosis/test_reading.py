"""What people and HolmesGPT recorded must be read as what it says, and what a program logged must not be believed."""

import gzip
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.replay.diagnosis import texts

from hemostat.errors import Refused
from hemostat.replay.diagnosis import objects, printed, recording, rows
from hemostat.replay.diagnosis.case import Output
from hemostat.replay.diagnosis.described import described

POD = ("Pod", "shop", "payment-7d9f8b6c5-x2x4z")


def read(*outputs):
    return objects.read([Output(name, text) for name, text in outputs])


def test_a_described_pod_is_as_the_api_server_has_it():
    ((pod, events),) = described(texts.POD)
    (container,) = pod["status"]["containerStatuses"]
    assert (container["name"], container["restartCount"], container["ready"]) == ("main", 7, False)
    assert container["state"] == {"waiting": {"reason": "CrashLoopBackOff"}}
    assert container["lastState"]["terminated"] == {
        "reason": "Error",
        "startedAt": "2026-11-03T08:19:00.000000Z",
        "finishedAt": "2026-11-03T08:19:02.000000Z",
        "exitCode": 3,
    }
    assert pod["metadata"]["labels"] == {"app": "payment", "pod-template-hash": "7d9f8b6c5"}
    assert pod["metadata"]["ownerReferences"][0]["name"] == "payment-7d9f8b6c5"
    assert pod["spec"]["volumes"] == [{"persistentVolumeClaim": {"claimName": "payment-data"}}]
    assert [(e.reason, e.count, e.last_seconds, e.first_seconds) for e in events] == [
        ("Scheduled", 1, 1320.0, 1320.0),
        ("BackOff", 99, 40.0, 1200.0),
    ]


def test_what_the_scheduler_says_is_found_where_describe_prints_it():
    ((pod, _),) = described(texts.PENDING)
    (condition,) = pod["status"]["conditions"]
    assert (condition["reason"], condition["message"]) == (
        "Unschedulable",
        "0/3 nodes are available: 3 Insufficient memory.",
    )
    assert pod["spec"].get("nodeName") is None


def test_a_command_cannot_pretend_to_be_a_state():
    """`State: Running` among the arguments is an argument."""
    ((pod, _),) = described(texts.POD)
    assert "running" not in pod["status"]["containerStatuses"][0]["state"]


def test_several_objects_in_one_output_are_told_apart():
    assert [o["metadata"]["name"] for o, _ in described(f"{texts.DEPLOYMENT}\n\n{texts.PENDING}")] == [
        "payment",
        "importer",
    ]


def test_a_deployment_tells_its_replicas():
    ((deployment, _),) = described(texts.DEPLOYMENT)
    assert deployment["spec"] == {"replicas": 2}
    status = deployment["status"]
    assert (status["updatedReplicas"], status["replicas"], status["readyReplicas"]) == (1, 3, 1)
    assert status["conditions"][0]["reason"] == "ProgressDeadlineExceeded"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (
            "Job",
            "Name: j\nParallelism: 1\nCompletions: 2\nPods Statuses: 1 Active (0 Ready) / 1 Succeeded / 0 Failed\n",
        ),
        ("CronJob", "Name: c\nSchedule: * * * * *\nConcurrency Policy: Allow\nSuspend: False\n"),
        (
            "DaemonSet",
            "Name: d\nDesired Number of Nodes Scheduled: 3\nNumber of Nodes Scheduled with Available Pods: 2\n",
        ),
        (
            "StatefulSet",
            "Name: s\nReplicas: 3 desired | 2 total\nUpdate Strategy: OnDelete\nPods Status: 2 Running\n",
        ),
        ("Node", "Name: n\nRoles: <none>\nTaints: <none>\nAddresses:\n  InternalIP: 10.0.0.1\n"),
        ("PersistentVolumeClaim", "Name: p\nNamespace: shop\nStorageClass: fast\nStatus: Pending\nAccess Modes: RWO\n"),
    ],
)
def test_every_kind_is_told_by_what_is_printed(kind, text):
    ((found, _),) = described(text)
    assert found["kind"] == kind


def test_a_job_that_gave_up_has_failed():
    """`describe` prints no conditions of a Job, so that it failed is seen in its Events only."""
    text = (
        "Name: j\nParallelism: 1\nCompletions: 1\nPods Statuses: 0 Active / 0 Succeeded / 2 Failed\nEvents:\n"
        "  Type     Reason                Age   From            Message\n"
        "  Warning  BackoffLimitExceeded  5s    job-controller  Job has reached the specified backoff limit\n"
    )
    ((job, _),) = described(text)
    assert job["status"]["conditions"][0]["type"] == "Failed"
    ((well, _),) = described(text.replace("BackoffLimitExceeded", "SuccessfulCreate    "))
    assert well["status"]["conditions"] == []


def test_rows_of_pods():
    pods = {pod["metadata"]["name"]: (pod, age) for pod, age in rows.pods(texts.PODS.splitlines(), "shop")}
    crashing, age = pods["payment-7d9f8b6c5-x2x4z"]
    assert age == 22 * 60
    assert crashing["status"]["containerStatuses"][0]["state"] == {"waiting": {"reason": "CrashLoopBackOff"}}
    assert crashing["metadata"]["namespace"] == "shop"
    well, _ = pods["checkout-5f5f5f5f5-bbbbb"]
    assert "state" not in well["status"]["containerStatuses"][0]
    job, _ = pods["nightly-29000-abcde"]
    assert job["metadata"]["labels"] == {"job-name": "nightly-29000"}


def test_events_without_an_age_are_left_out():
    found = list(printed.events(printed.table(texts.EVENTS.splitlines())))
    assert [(e.reason, e.kind, e.last_seconds, e.first_seconds, e.count) for e in found] == [
        ("Scheduled", "Pod", 1320.0, 1320.0, 1),
        ("Unhealthy", "Pod", 180.0, 1200.0, 12),
    ]


@pytest.mark.parametrize(
    ("text", "age"), [("3m19s", 199.0), ("28d", 2_419_200.0), ("5h43m", 20_580.0), ("<unknown>", None), ("", None)]
)
def test_ages(text, age):
    assert printed.seconds(text) == age


@pytest.mark.parametrize("text", ["yesterday", "", "<unset>", "Tue, 33 Nov 2026 10:00:00 +0000"])
def test_a_time_that_is_none_is_left_out(text):
    assert printed.moment(text) is None


def test_an_object_is_known_once_and_by_its_fullest_telling():
    """The table of pods is listed first, and knows less than the description after it; its namespace is not told."""
    found = read(("pods", texts.PODS), ("describe", texts.POD))
    assert POD in found.objects
    assert [k for k in found.objects if k[2] == POD[2]] == [POD]
    assert found.objects[POD]["status"]["containerStatuses"][0]["name"] == "main"
    assert found.read_as == {"pods": "table of pods", "describe": "describe of Pod"}


def test_what_a_program_logged_is_believed_of_nobody():
    for name in ("logs", "kubectl_logs_payment", "previous-log"):
        found = read((name, texts.POD))
        assert (found.objects, found.read_as) == ({}, {name: "log"})
    found = objects.read([Output("x", texts.POD, tool="fetch_pod_logs")])
    assert found.objects == {}


def test_objects_as_they_are():
    found = read(("all", texts.rolled_out()))
    assert {k[0] for k in found.objects} == {"Deployment", "ReplicaSet", "Pod"}
    assert found.standing == {("Deployment", "shop", "payment")}
    assert found.alone == []  # a list of several is about none of them


def test_a_manifest_from_a_repository_does_not_say_how_anything_stands():
    found = read(
        ("manifest", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: payment}\nspec: {replicas: 3}\n")
    )
    assert set(found.objects) == {("Deployment", "", "payment")}
    assert found.standing == set()


def test_times_of_yaml_are_texts():
    text = "kind: Pod\nmetadata: {name: p, creationTimestamp: 2026-11-03T08:00:00Z}\n"
    (pod,) = read(("pod", text)).objects.values()
    assert pod["metadata"]["creationTimestamp"] == "2026-11-03 08:00:00+00:00"


def test_a_text_that_multiplies_itself_is_no_manifest():
    """Nine levels of nine aliases are a gigabyte as soon as somebody prints them."""
    lines = ["kind: Pod", "metadata: {name: p}", "a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    assert read(("bomb", "\n".join(lines) + "\nspec: {volumes: *a8}\n")).objects == {}


def test_tables_and_objects_are_bounded(monkeypatch):
    monkeypatch.setattr(objects, "MAX_ROWS", 20)
    monkeypatch.setattr(objects, "MAX_OBJECTS", 50)
    many = [f"payment-7d9f8b6c5-{n:05d}     0/1     Error   0    22m" for n in range(100)]
    text = "NAME  READY  STATUS  RESTARTS  AGE\n" + "\n".join(many)
    assert len(read(("pods", text)).objects) == 19
    tables = ((f"pods{n}", text.replace("payment", f"p{n}")) for n in range(12))
    assert len(read(*tables).objects) == 50


# --- files


def test_headers_say_which_tool_was_asked_what(tmp_path):
    texts.case(
        tmp_path,
        a=texts.header("kubectl_describe", kind="pod", name="x") + "stdout:\nName: x\n\nstderr:\n",
        b=texts.header("fetch_pod_logs", status="no_data", pod_name="x") + "Nothing. Try kubectl get pods",
        c=texts.header("kubectl_top", status="error") + "error: Metrics API not available",
        d="Name: plain\n",
    )
    a, b, c, d = recording.read(tmp_path, "it").outputs
    assert (a.name, a.tool, a.text) == ("kubectl_describe pod x", "kubectl_describe", "Name: x")
    assert a.parameters == {"kind": "pod", "name": "x"}
    assert (b.text, b.is_log) == ("", True)
    assert (c.failed, c.text) == (True, "error: Metrics API not available")
    assert (d.name, d.tool, d.text) == ("d", "", "Name: plain")


def test_what_a_tool_says_of_itself_after_a_log_is_cut_off(tmp_path):
    rule = "=" * 80
    texts.case(tmp_path, a=texts.header("fetch_pod_logs") + f"it fails\n\n{rule}\nLOG QUERY METADATA\n{rule}\nerror?\n")
    assert recording.read(tmp_path, "it").outputs[0].text == "it fails"


def test_outputs_of_one_name_are_told_apart(tmp_path):
    same = texts.header("kubectl_get", kind="pod")
    texts.case(tmp_path, a=same + "1", b=same + "2")
    assert [o.name for o in recording.read(tmp_path, "it").outputs] == ["kubectl_get pod", "kubectl_get pod (2)"]


def test_gzip_is_read_and_what_is_too_long_is_cut(tmp_path, monkeypatch):
    (tmp_path / "long.txt.gz").write_bytes(gzip.compress(b"a" * 100))
    monkeypatch.setattr(recording, "MAX_BYTES", 10)
    (output,) = recording.read(tmp_path, "it").outputs
    assert (output.text, output.cut, output.name) == ("a" * 10, True, "long")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("x.txt", b"\x7fELF\0\0", "UnknownFormat"),
        ("x.txt.gz", b"\x1f\x8bnope", "Unreadable"),
        ("investigate_request.json", b"[]", "BadFile"),
        ("issue_data.json", b"{", "BadFile"),
    ],
)
def test_a_file_that_cannot_be_read_says_so(tmp_path, name, content, reason):
    texts.case(tmp_path, a="something")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Refused) as refused:
        recording.read(tmp_path, "it")
    assert refused.value.reason == reason
    assert name in str(refused.value)


@pytest.mark.parametrize("name", ["logs.txt", "investigate_request.json", "test_case.yaml"])
def test_a_link_out_of_the_folder_is_not_followed(tmp_path, name):
    """A case that somebody else made must not have a model read the files of who replays it."""
    (tmp_path / "kubeconfig").write_text("{}")
    folder = tmp_path / "case"
    folder.mkdir()
    (folder / "pod.txt").write_text("x")
    (folder / name).symlink_to("../kubeconfig")
    with pytest.raises(Refused, match="leads out of its folder"):
        recording.expected(folder) if name == "test_case.yaml" else recording.read(folder, "n")
    (folder / name).unlink()
    (folder / "inside").write_text("expected_output: [it fails]" if name == "test_case.yaml" else "{}")
    (folder / name).symlink_to("inside")
    assert recording.expected(folder) if name == "test_case.yaml" else recording.read(folder, "n").outputs


@pytest.mark.parametrize("name", ["investigate_request.json", "test_case.yaml"])
def test_a_file_without_end_is_read_to_its_bound(tmp_path, name):
    (tmp_path / "pod.txt").write_text("x")
    with (tmp_path / name).open("wb") as file:
        file.truncate(1 << 40)  # of holes: it takes no room, and no memory has room for it
    with pytest.raises(Refused, match="larger than 1 MiB"):
        recording.expected(tmp_path) if name == "test_case.yaml" else recording.read(tmp_path, "n")


def test_many_outputs_that_are_large_together_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(recording, "MAX_CHARS", 1000)
    for n in range(3):
        (tmp_path / f"{n}.txt.gz").write_bytes(gzip.compress(b"x" * 400))
    with pytest.raises(Refused, match="more than 1,000 characters"):
        recording.read(tmp_path, "n")


def test_cases_are_found_and_what_lies_inside_one_is_none(tmp_path):
    texts.case(tmp_path / "group" / "one", a="x")
    texts.case(tmp_path / "group" / "one" / "app", requirements="numpy")
    texts.case(tmp_path / "group" / "two", "a fact")
    (tmp_path / "README.md").write_text("no case")
    assert [str(c.relative_to(tmp_path)) for c in recording.cases(tmp_path)] == ["group/one", "group/two"]
    assert recording.cases(tmp_path / "group" / "one") == [tmp_path / "group" / "one"]


def test_folders_without_anything(tmp_path):
    for folder, reason in ((tmp_path / "none", "NoFolder"), (tmp_path, "NoCases")):
        with pytest.raises(Refused) as refused:
            recording.cases(folder)
        assert refused.value.reason == reason
    with pytest.raises(Refused) as refused:
        recording.read(texts.case(tmp_path / "empty", "a fact"), "empty")
    assert refused.value.reason == "EmptyCase"


def test_what_is_expected_is_not_read_for_the_diagnosis(tmp_path):
    texts.case(tmp_path, "it is the CANARY", a="x")
    assert "CANARY" not in str(recording.read(tmp_path, "it"))
    assert recording.expected(tmp_path) == ("it is the CANARY",)


@pytest.mark.parametrize("text", ["", "user_prompt: x", "expected_output: []", "expected_output: [[x]]", "a: [", "- x"])
def test_expected_facts_are_texts(tmp_path, text):
    (tmp_path / "test_case.yaml").write_text(text)
    with pytest.raises(Refused) as refused:
        recording.expected(tmp_path)
    assert refused.value.reason == "BadFile"


def test_the_alert_says_whom_it_is_about(tmp_path):
    texts.case(tmp_path, a="x")
    texts.request(tmp_path, "KubePodCrashLooping", name="payment-1", namespace="shop", kind="Pod")
    told = recording.read(tmp_path, "it")
    assert (told.title, told.subject.kind, told.subject.name) == ("KubePodCrashLooping", "pod", "payment-1")
    (tmp_path / "investigate_request.json").unlink()
    issue = {"subject_type": "Deployment", "subject_name": "payment", "raw": {"annotations": {"description": "slow"}}}
    (tmp_path / "issue_data.json").write_text(json.dumps(issue))
    told = recording.read(tmp_path, "it")
    assert (told.subject.kind, told.description) == ("deployment", "slow")
    assert told.outputs[-1].name == "issue_data"


@given(
    st.text(max_size=400),
    st.sampled_from(["", "Name: x\n", "NAME  READY  STATUS\n", "LAST SEEN  TYPE\n", "kind: Pod\n"]),
)
def test_whatever_was_recorded_is_read(text, begins):
    """A recording may hold anything: reading it ends, and raises nothing."""
    output = Output("x", begins + text)
    objects.read([output, replace(output, name="y", tool="kubectl_get")])
